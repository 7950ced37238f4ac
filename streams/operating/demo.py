"""`holdfast demo`: the whole of it on one machine, with a model that fails on cue."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.interruption import INTERRUPTED, cancelled_by_signals
from streams.operating.durations import seconds_of
from streams.operating.scratch import scratch_environment, scratch_home

if TYPE_CHECKING:
    from rich.console import Console
    from rich.panel import Panel

    from streams.auditing.audit import Audit
    from streams.operating.demo_facts import Facts
    from streams.operating.demo_story import Script
    from streams.operating.demo_summary import Result
    from streams.settings import Settings

FAILED = 1
CARDS = 600  # few, so that they pay often and simulated days pass in seconds: labels come days after the payment
HEAP_MB = 512
DRAIN_SECONDS = 20.0
SETTINGS = """\
# Settings of `holdfast demo`: as in production, but for what a minute needs.
sandbox = true                  # the fault on the control topic is obeyed

[topics]
partitions = 4

[lanes]
min_batch_interval_ms = 25      # fewer, larger Kafka transactions: one small machine does it all here

[learner]
maturity_days = 2.0             # simulated days, of about five seconds each
least_labels = 3000             # a model of fewer sends nearly all to review
publish_interval_seconds = 2.0
"""


def demo(
    *,
    rate: Annotated[float, typer.Option(min=20, max=2000, help="Transactions a second.")] = 400.0,
    slow_for: Annotated[float, typer.Option(parser=seconds_of, help="How long the model is slow: 12s.")] = 12.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed makes the same cards.")] = 1,
    svg: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the summary as a picture.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep Kafka's data and the logs, and say where.")] = False,
) -> None:
    """Show on this machine, in a minute and a half, what happens when the model fails.

    Starts Kafka, two workers, learner, reconciler and simulated traffic; lets the learner learn a first model, makes it
    slow for a while and well again, and has it say what it would have decided; then stops everything and reads from the
    topics what became of each transaction. Exit 0 if every promise held, else 1. Nothing is left behind.
    """
    from rich.console import Console

    from streams.operating.demo_story import Script
    from streams.operating.demo_summary import summary

    console = Console(highlight=False)
    with scratch_home("demo", console, keep=keep) as home:
        try:
            result = asyncio.run(_run(home, rate, Script(slow_seconds=slow_for), seed, console))
        except asyncio.CancelledError:
            raise typer.Exit(INTERRUPTED) from None
        page = summary(result)
        console.print(page)
        if svg is not None:
            _picture(page, svg)
        if not result.holds:
            raise typer.Exit(FAILED)


async def _run(home: Path, rate: float, script: "Script", seed: int, console: "Console") -> "Result":
    from models.simulator.policy import TrafficPolicy
    from streams.auditing.audit import audit_topics
    from streams.operating.demo_display import show
    from streams.operating.demo_facts import Facts
    from streams.operating.demo_summary import Result
    from streams.operating.installation import Plan, running
    from streams.operating.showing import told_on
    from streams.operating.simulating import simulate
    from streams.overseeing.observer import observe
    from streams.reconciling.reading import reconciled

    began, facts, policy = time.monotonic(), Facts(), TrafficPolicy(cards=CARDS)
    plan = Plan(
        home=home, environment=scratch_environment(home, SETTINGS), workers=2, reconciled=True, kafka_heap_mb=HEAP_MB
    )
    with cancelled_by_signals():
        async with running(plan, told_on(console)) as installation:
            settings = installation.settings
            async with _alongside(observe(settings, facts.takes(), from_beginning=True)):
                traffic = simulate(settings, rate=rate, seconds=None, seed=seed, policy=policy)
                async with _alongside(traffic, show(facts, console)):
                    stuck = await _tell(settings, facts, script)
                    reconciliation = await reconciled(settings, wait_seconds=DRAIN_SECONDS)
                audit = await audit_topics(settings, wait_seconds=DRAIN_SECONDS)
                await _seen_all(facts, audit)
    return Result(
        facts=facts, audit=audit, reconciliation=reconciliation, stuck=stuck, seconds=time.monotonic() - began
    )


async def _tell(settings: "Settings", facts: "Facts", script: "Script") -> str | None:
    """Tell the story; what it waited for in vain, if it did."""
    from streams.broker.clients import sender
    from streams.broker.topics import Topic, name_of
    from streams.operating.demo_story import StoryStuck, tell
    from streams.wire.control import FAULT, write_fault
    from streams.wire.scorer_fault import ScorerFault

    topic = name_of(Topic.CONTROL, settings.topics)
    async with sender(settings.broker) as control:

        async def set_delay(delay_ms: int) -> None:
            fault = ScorerFault(delay_ms=delay_ms, who="holdfast demo", why="to show what happens then")
            await control.send_and_wait(topic, key=FAULT, value=write_fault(fault))

        try:
            await tell(facts, script, set_delay)
        except StoryStuck as error:
            return str(error)
    return None


async def _seen_all(facts: "Facts", audit: "Audit") -> None:
    """Let the observer come to the end of what the audit read, so that both count the same."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while facts.tally.count < audit.ledger.decided:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _alongside(*work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Do this while the block lasts; a failure of either ends both."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


def _picture(page: "Panel", file: Path) -> None:
    from rich.console import Console

    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, highlight=False)
        console.print(page)
        console.save_svg(str(file), title="holdfast demo")

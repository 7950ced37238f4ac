"""Faults against a whole installation under load, one after the other, and a judgement of what it did meanwhile.

    make chaos            # ten minutes
    make chaos-cluster    # ten minutes on three brokers, of which one at a time is killed
    make chaos-long       # every fault as often as the product's acceptance wants it; hours
    cd tests && python -m chaos.campaign --help

Prints its seed; the same seed does the same faults in the same order. Ends with 1 if a promise was broken.
"""

import asyncio
import secrets
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from chaos.checker import Acknowledged, Verdict, judge
from chaos.estate import Estate
from chaos.evidence import gather
from chaos.history import History, events
from chaos.injection import inject
from chaos.listener import Listener
from chaos.schedule import CAMPAIGN, NETWORK, Fault, FaultKind, endless, given, possible, schedule
from chaos.table import Episode, show
from chaos.warmth import warm_up
from rich.console import Console

from streams.operating.auditing import audit_topics

AFTER_SECONDS = 3.0  # how long the ages after a fault are looked at
PATIENCE_SECONDS = 90.0  # for every partition to be decided again
STEADY_SECONDS = 5.0  # a partition that is decided, and be it slowly, is not silent for so long
LONGEST_SECONDS = 6 * 3600.0

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to run."""

    seed: int
    seconds: float | None  # None: every fault of the whole campaign
    rate: float = 500.0
    twice: float = 0.02
    workers: int = 3
    partitions: int = 6
    mutant: str | None = None
    brokers: int = 1
    kinds: tuple[FaultKind, ...] | None = None  # None: all that are possible
    exactly: tuple[FaultKind, ...] | None = None  # these faults and no others
    calm_seconds: float = 10.0  # under load before the first fault
    settle_seconds: float = 120.0  # for everything that was sent to be decided at the end

    def __post_init__(self) -> None:
        if wrong := set(self.wanted) - set(possible(self.brokers)):
            raise ValueError(f"not with {self.brokers} brokers: {', '.join(sorted(wrong))}")

    @property
    def wanted(self) -> tuple[FaultKind, ...]:
        """The kinds of faults there may be."""
        if self.exactly is not None:
            return self.exactly
        return possible(self.brokers) if self.kinds is None else self.kinds

    @property
    def proxied(self) -> bool:
        """Whether there is anything for a proxy to do; it takes a part of a core."""
        return not set(NETWORK).isdisjoint(self.wanted)

    @property
    def lasts(self) -> float:
        """Seconds, at the most."""
        return LONGEST_SECONDS if self.seconds is None else self.seconds + self.calm_seconds + 2 * PATIENCE_SECONDS

    def faults(self) -> Iterator[Fault]:
        """In the order that the seed gives."""
        if self.exactly is not None:
            return iter(given(self.seed, self.exactly))
        counts = {kind: CAMPAIGN[kind] for kind in self.wanted}
        return iter(schedule(self.seed, counts)) if self.seconds is None else endless(self.seed, counts)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    verdict: Verdict
    episodes: list[Episode] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)
    inputs: int = 0
    taken_back: int = 0
    unsent: int = 0

    @property
    def holds(self) -> bool:
        """Whether every promise was kept and every partition came back each time."""
        return self.verdict.holds and not self.unsent and all(each.back_seconds is not None for each in self.episodes)


async def run(order: Order, home: Path) -> Outcome:
    """Run it below `home`, where the history and all logs stay."""
    acks = home / "sent.jsonl"
    async with Estate(
        home,
        workers=order.workers,
        partitions=order.partitions,
        brokers=order.brokers,
        mutant=order.mutant,
        proxied=order.proxied,
        seed=order.seed,
    ) as estate:
        with Listener(estate.settings) as listener, History(home / "faults.jsonl") as history:
            async with _sending(order, estate, acks) as sender:
                calm_from = time.time()
                await asyncio.sleep(order.calm_seconds)
                calm = list(listener.ages_between(calm_from + order.calm_seconds / 2, time.time()))
                episodes = await _all_faults(order, estate, listener, history)
                await _until_in_time(listener, estate.settings.deadline.deadline_ms / 1000)
                sender.terminate()
                unsent = await sender.wait()
        audit = await audit_topics(estate.settings, wait_seconds=order.settle_seconds)
        await asyncio.sleep(estate.settings.incidents.quiet_seconds + 5.0)  # what is open may resolve
        await asyncio.gather(*(part.stop() for part in estate.parts.values()))
        evidence = await asyncio.to_thread(gather, estate.settings, warm_up().learner)
    acknowledged = [
        Acknowledged(kind=each["kind"], place=(each["partition"], each["offset"]))
        for each in events(acks, "ack")
        if each["kind"] != "label"
    ]
    verdict = await asyncio.to_thread(judge, evidence, acknowledged)
    if audit.holds != (verdict.counts["nothing is lost"] + verdict.counts["nothing ends twice"] == 0):
        console.print(f"`holdfast audit` is of another opinion: {audit.ledger}")
    return Outcome(
        verdict=verdict,
        episodes=episodes,
        calm=calm,
        inputs=len(evidence.inputs),
        taken_back=evidence.taken_back,
        unsent=unsent,
    )


@asynccontextmanager
async def _sending(order: Order, estate: Estate, acks: Path) -> AsyncIterator[Process]:
    command = (
        "--history",
        str(acks),
        "--rate",
        str(order.rate),
        "--seconds",
        str(order.lasts),
        "--seed",
        str(order.seed),
    )
    sender: Process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chaos.sender", *command, "--twice", str(order.twice), env=estate.environment()
    )
    try:
        yield sender
    finally:
        if sender.returncode is None:
            sender.kill()
            await sender.wait()


async def _all_faults(order: Order, estate: Estate, listener: Listener, history: History) -> list[Episode]:
    episodes: list[Episode] = []
    give_up_at = time.monotonic() + (order.seconds if order.seconds is not None else float("inf"))
    for fault in order.faults():
        if time.monotonic() + fault.calm_seconds + fault.seconds > give_up_at:
            break
        await asyncio.sleep(fault.calm_seconds)
        history.note("fault", number=fault.number, kind=fault.kind, victim=fault.victim, seconds=fault.seconds)
        began = time.time()
        counted_from = await inject(estate, fault)
        if fault.kind is FaultKind.KILL_ONE_BROKER:
            back = _gone_on(listener, counted_from, fault.seconds)
        else:
            back = await _until_back(listener, counted_from)
        now = time.time()
        history.note("back", number=fault.number, seconds=back)
        history.flush()
        lasted = f"{fault.seconds:.0f} s" if fault.seconds else ""
        console.print(f"{fault.number:4} {fault.kind:36} {lasted:5} {'not back' if back is None else f'{back:6.2f} s'}")
        await asyncio.sleep(AFTER_SECONDS)
        episodes.append(
            Episode(
                kind=fault.kind,
                back_seconds=back,
                during=listener.ages_between(began, now),
                after=listener.ages_between(now, time.time()),
            )
        )
        if back is None:
            break
    return episodes


async def _until_in_time(listener: Listener, seconds: float) -> None:
    """Wait while decisions are late, for some time: an incident resolves only by what goes well after it."""
    give_up_at = time.time() + PATIENCE_SECONDS
    while (now := time.time()) < give_up_at:
        ages = sorted(listener.ages_between(now - STEADY_SECONDS, now))
        if ages and ages[len(ages) * 9 // 10] < seconds:
            return
        await asyncio.sleep(0.2)


async def _until_back(listener: Listener, moment: float) -> float | None:
    """Seconds from the moment until of every partition a decision was heard that was made after it."""
    give_up_at = time.time() + PATIENCE_SECONDS
    while listener.silent_since(moment):
        if time.time() > give_up_at:
            return None
        await asyncio.sleep(0.01)
    backs = listener.back_after(moment, time.time() + 1.0)
    return max(each for each in backs if each is not None)


def _gone_on(listener: Listener, moment: float, seconds: float) -> float | None:
    """The longest silence of a partition while a broker was dead; None where one was silent when it came back."""
    until = moment + seconds
    if max(listener.longest_silences(until - STEADY_SECONDS, until)) >= STEADY_SECONDS:
        return None
    return max(listener.longest_silences(moment, until))


def main(
    seconds: Annotated[float, typer.Option(min=1, help="For so long faults are begun.")] = 480.0,
    seed: Annotated[int | None, typer.Option(help="Of an earlier run; else any.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Payments a second.")] = 500.0,
    twice: Annotated[float, typer.Option(min=0, max=1, help="Share of payments sent a second time.")] = 0.02,
    brokers: Annotated[int, typer.Option(help="1, or 3 of which one at a time is killed.")] = 1,
    kind: Annotated[list[FaultKind] | None, typer.Option(help="Only these; may be repeated.")] = None,
    mutant: Annotated[str | None, typer.Option(help="Run a worker that is broken so: see chaos.mutants.")] = None,
    home: Annotated[Path | None, typer.Option(help="Keep history and logs here.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="The whole campaign; hours.")] = False,
) -> None:
    """Run a campaign."""
    chosen = secrets.randbelow(2**31) if seed is None else seed
    try:
        order = Order(
            seed=chosen,
            seconds=None if everything else seconds,
            rate=rate,
            twice=twice,
            mutant=mutant,
            brokers=brokers,
            kinds=tuple(kind) if kind else None,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"seed {chosen}, {rate:g} payments a second")
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as scratch:
        outcome = asyncio.run(run(order, home or Path(scratch)))
    show(outcome.episodes, outcome.calm, console)
    console.print(f"\n{outcome.inputs:,} records in, {outcome.taken_back:,} records taken back by aborted transactions")
    for promise, count in outcome.verdict.counts.items():
        console.print(f"{'broken ' + str(count) + ' times' if count else 'held':>18}  {promise}")
        for sentence in outcome.verdict.broken.get(promise, ()):
            console.print(f"{'':18}  - {sentence}")
    console.print(f"seed {chosen}: {'all promises held' if outcome.holds else 'BROKEN'}")
    raise typer.Exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()

"""One run of faults against a whole installation under load, one after the other, and a judgement of what it did."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from chaos.ages import classed
from chaos.checker import Acknowledged, judge
from chaos.deciding_again import deciding_again
from chaos.estate import Estate
from chaos.evidence import alerts, gather, open_transactions
from chaos.history import History, events
from chaos.injection import inject
from chaos.listener import Listener
from chaos.order import Order
from chaos.outcome import Episode, Outcome
from chaos.schedule import FaultKind
from chaos.warmth import warm_up
from rich.console import Console

from streams.auditing.audit import audit_topics
from streams.broker import leash

LOOK_SECONDS = 0.1
AFTER_SECONDS = 2.0  # how long the ages after a fault are looked at
PATIENCE_SECONDS = 90.0  # for every partition to be decided again
STEADY_SECONDS = 5.0  # a partition that is decided, and be it slowly, is not silent for so long
LEAST_CARDS, CARDS_FOR_RATE = 3000, 8  # so many pay that ten minutes are weeks of their lives, and not years
PROOF_SECONDS = 16.0  # twice as long as a lane must be calm
AFTERWARDS = ("--rate", "50", "--seconds", str(PROOF_SECONDS + 2 * PATIENCE_SECONDS), "--bad", "0")

console = Console(highlight=False, soft_wrap=True)


async def run(order: Order, home: Path) -> Outcome:
    """Run it below `home`, where the history and all logs stay."""
    async with Estate(home, order) as estate:
        with Listener(estate.settings) as listener, History(home / "faults.jsonl") as history:
            lasts = order.seconds + order.calm_seconds + 2 * PATIENCE_SECONDS
            cards = str(max(LEAST_CARDS, int(order.rate * CARDS_FOR_RATE)))
            load = ("--rate", str(order.rate), "--seconds", str(lasts), "--twice", str(order.twice), "--cards", cards)
            async with _sending(estate, home / "sent.jsonl", order.seed, *load) as sender:
                calm_from = time.time()
                await asyncio.sleep(order.calm_seconds)
                calm = classed(listener.ages_between(calm_from + order.calm_seconds / 2, time.time()))
                episodes = await _all_faults(order, estate, listener, history)
                sender.terminate()
                unsent = await sender.wait()
        await audit_topics(estate.settings, wait_seconds=order.settle_seconds)  # it returns once all is decided
        unsent += await _calm(estate, home / "sent-after.jsonl", order.seed + 1)
        audit = await audit_topics(estate.settings, wait_seconds=order.settle_seconds)
        await asyncio.gather(*(part.stop() for part in estate.parts.values()))
        evidence = await asyncio.to_thread(gather, estate.settings, warm_up())
    episodes = [
        replace(each, deciding_seconds=deciding_again(evidence.appended, each.counted_from)) for each in episodes
    ]
    acknowledged = [
        Acknowledged(kind=each["kind"], partition=each["partition"], offset=each["offset"], digest=each["digest"])
        for sent in ("sent.jsonl", "sent-after.jsonl")
        for each in events(home / sent, "ack")
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


async def _calm(estate: Estate, acks: Path, seed: int) -> int:
    """Send in calm until every incident proves to be over, for silence proves nothing; how many were not sent."""
    async with _sending(estate, acks, seed, *AFTERWARDS) as sender:
        await asyncio.sleep(PROOF_SECONDS)
        await _quiet(estate)
        sender.terminate()
        return await sender.wait()


async def _quiet(estate: Estate) -> None:
    """Wait until every incident is resolved, as long as there is patience for it."""
    policy = estate.settings.incidents
    give_up_at = time.monotonic() + max(policy.quiet_seconds, policy.late_quiet_seconds) + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        await asyncio.sleep(1.0)
        statuses = {key: status for status, key in await asyncio.to_thread(alerts, estate.settings)}
        if all(status == "resolved" for status in statuses.values()):
            return


@asynccontextmanager
async def _sending(estate: Estate, acks: Path, seed: int, *options: str) -> AsyncIterator[Process]:
    sender: Process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid())),  # it ends with this process
        *(sys.executable, "-m", "chaos.sender", "--history", str(acks), "--seed", str(seed), *options),
        env=estate.environment(),
    )
    try:
        while not acks.exists():
            if sender.returncode is not None:
                raise RuntimeError(f"the sender ended with {sender.returncode} before it began")
            await asyncio.sleep(LOOK_SECONDS)
        yield sender
    finally:
        if sender.returncode is None:
            sender.kill()
            await sender.wait()


async def _all_faults(order: Order, estate: Estate, listener: Listener, history: History) -> list[Episode]:
    episodes: list[Episode] = []
    give_up_at = time.monotonic() + order.seconds
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
        if back is None:
            history.note("silent", listener=listener.state(), open=open_transactions(estate.settings))
        history.flush()
        lasted = f"{fault.seconds:.0f} s" if fault.seconds else ""
        console.print(f"{fault.number:4} {fault.kind:36} {lasted:5} {'not back' if back is None else f'{back:6.2f} s'}")
        await asyncio.sleep(AFTER_SECONDS)
        episodes.append(
            Episode(
                kind=fault.kind,
                back_seconds=back,
                counted_from=counted_from,
                during=classed(listener.ages_between(began, now)),
                after=classed(listener.ages_between(now, time.time())),
                clocks=Counter(map(round, listener.clocks_between(began, now))),
            )
        )
        if back is None:
            break
    return episodes


async def _until_back(listener: Listener, moment: float) -> float | None:
    """Seconds from the moment until of every partition a payment was heard decided that came after it."""
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

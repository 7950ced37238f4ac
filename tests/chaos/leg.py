"""One run of faults against a whole installation under load, one after the other, and a judgement of what it did."""

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.ages import classed
from chaos.checker import Acknowledged, judge
from chaos.estate import Estate
from chaos.evidence import alerts, gather
from chaos.history import History, events
from chaos.injection import inject
from chaos.listener import Listener
from chaos.outcome import Episode, Outcome
from chaos.schedule import CAMPAIGN, NETWORK, Fault, FaultKind, endless, given, schedule
from chaos.warmth import warm_up
from rich.console import Console

from streams.operating.auditing import audit_topics

AFTER_SECONDS = 3.0  # how long the ages after a fault are looked at
PATIENCE_SECONDS = 90.0  # for every partition to be decided again
LONGEST_SECONDS = 6 * 3600.0
AFTERWARDS = ("--rate", "50", "--seconds", "8", "--bad", "0")

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
    kinds: tuple[FaultKind, ...] = tuple(FaultKind)
    exactly: tuple[FaultKind, ...] | None = None  # these faults and no others
    calm_seconds: float = 10.0  # under load before the first fault
    settle_seconds: float = 120.0  # for everything that was sent to be decided at the end

    @property
    def proxied(self) -> bool:
        """Whether there is anything for a proxy to do; it takes a part of a core."""
        return not set(NETWORK).isdisjoint(self.kinds if self.exactly is None else self.exactly)

    @property
    def lasts(self) -> float:
        """Seconds, at the most."""
        return LONGEST_SECONDS if self.seconds is None else self.seconds + self.calm_seconds + 2 * PATIENCE_SECONDS

    def faults(self) -> Iterator[Fault]:
        """In the order that the seed gives."""
        if self.exactly is not None:
            return iter(given(self.seed, self.exactly))
        counts = {kind: CAMPAIGN[kind] for kind in self.kinds}
        return iter(schedule(self.seed, counts)) if self.seconds is None else endless(self.seed, counts)


async def run(order: Order, home: Path) -> Outcome:
    """Run it below `home`, where the history and all logs stay."""
    async with Estate(
        home,
        workers=order.workers,
        partitions=order.partitions,
        mutant=order.mutant,
        proxied=order.proxied,
        seed=order.seed,
    ) as estate:
        with Listener(estate.settings) as listener, History(home / "faults.jsonl") as history:
            load = ("--rate", str(order.rate), "--seconds", str(order.lasts), "--twice", str(order.twice))
            async with _sending(estate, home / "sent.jsonl", order.seed, *load) as sender:
                calm_from = time.time()
                await asyncio.sleep(order.calm_seconds)
                calm = classed(listener.ages_between(calm_from + order.calm_seconds / 2, time.time()))
                episodes = await _all_faults(order, estate, listener, history)
                sender.terminate()
                unsent = await sender.wait()
        audit = await audit_topics(estate.settings, wait_seconds=order.settle_seconds)
        # In calm traffic incidents prove to be over: silence proves nothing.
        async with _sending(estate, home / "sent-after.jsonl", order.seed + 1, *AFTERWARDS) as sender:
            unsent += await sender.wait()
        await _quiet(estate)
        await asyncio.gather(*(part.stop() for part in estate.parts.values()))
        evidence = await asyncio.to_thread(gather, estate.settings, warm_up().learner)
    acknowledged = [
        Acknowledged(kind=each["kind"], place=(each["partition"], each["offset"]))
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


async def _quiet(estate: Estate) -> None:
    """Wait until every incident is resolved, as long as there is patience for it."""
    give_up_at = time.monotonic() + estate.settings.incidents.quiet_seconds + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        await asyncio.sleep(1.0)
        statuses = {key: status for status, key in await asyncio.to_thread(alerts, estate.settings)}
        if all(status == "resolved" for status in statuses.values()):
            return


@asynccontextmanager
async def _sending(estate: Estate, acks: Path, seed: int, *options: str) -> AsyncIterator[Process]:
    sender: Process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos.sender", "--history", str(acks), "--seed", str(seed), *options),
        env=estate.environment(),
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
                during=classed(listener.ages_between(began, now)),
                after=classed(listener.ages_between(now, time.time())),
            )
        )
        if back is None:
            break
    return episodes


async def _until_back(listener: Listener, moment: float) -> float | None:
    """Seconds from the moment until of every partition a decision was heard that was made after it."""
    give_up_at = time.time() + PATIENCE_SECONDS
    while listener.silent_since(moment):
        if time.time() > give_up_at:
            return None
        await asyncio.sleep(0.01)
    backs = listener.back_after(moment, time.time() + 1.0)
    return max(each for each in backs if each is not None)

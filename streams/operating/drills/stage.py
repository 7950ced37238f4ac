"""Where drills are played: an installation under load, and what a drill may do to any of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer

from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.control import FAULT, MODE, Force, ModeOrder, write_fault, write_order
from streams.wire.scorer_fault import FaultKind, ScorerFault

LONGEST = timedelta(seconds=60)  # then what was brought about ends by itself, whatever has become of the drill


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An installation, by its topics; `who` plays and `why` stand in what is said there."""

    settings: Settings
    producer: AIOKafkaProducer
    who: str = "holdfast drill"
    why: str = "to be ready"

    async def misbehave(self, kind: FaultKind, *, delay_ms: float = 0.0, lasting: bool = True) -> None:
        """Have every scorer fail; those of a sandbox obey."""
        until = (datetime.now(UTC) + LONGEST).timestamp()
        fault = ScorerFault(kind=kind, delay_ms=delay_ms, lasting=lasting, until=until, who=self.who, why=self.why)
        await self.send(Topic.CONTROL, FAULT, write_fault(fault))

    async def force(self, what: Force | None) -> None:
        """Say whose answer is used, or give the word back."""
        until = None if what is None else datetime.now(UTC) + LONGEST
        order = ModeOrder(force=what, who=self.who, why=self.why, until=until)
        await self.send(Topic.CONTROL, MODE, write_order(order))

    async def send(self, topic: Topic, key: bytes, value: bytes) -> None:
        """One record of any topic."""
        await self.producer.send_and_wait(name_of(topic, self.settings.topics), key=key, value=value)

"""What a lane carries from batch to batch, and a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord

from rules.lag import LagGate
from streams.deciding.profiles import ProfileStore


@dataclass(slots=True, kw_only=True)
class LaneState:
    """One input partition: the profiles of its cards and how far behind it is."""

    topic: str
    partition: int
    profiles: ProfileStore
    gate: LagGate
    lag: int = 0  # records up to the end of the partition, those of the batch among them


class Taken(NamedTuple):
    """A batch: the next records of a lane, one or more, in their order."""

    lane: LaneState
    records: Sequence[ConsumerRecord]

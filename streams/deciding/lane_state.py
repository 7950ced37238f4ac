"""What a lane carries from batch to batch."""

from dataclasses import dataclass

from rules.lag import LagGate
from streams.deciding.profiles import ProfileStore


@dataclass(slots=True, kw_only=True)
class LaneState:
    """One input partition: the profiles of its cards and how far behind it is."""

    topic: str
    partition: int
    profiles: ProfileStore
    gate: LagGate
    lag: int = 0  # records between the batch's last and the end of the partition

"""What a run is to be, and what it needs for that. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chaos.schedule import CAMPAIGN, CLOCK_STEPS, NETWORK, Fault, FaultKind, endless, given, possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to run: faults of some kinds for some time, or given ones. Raises ValueError for what cannot be."""

    seed: int
    seconds: float  # for so long faults are begun
    rate: float = 500.0  # payments a second
    twice: float = 0.02  # share of them sent a second time
    workers: int = 2
    partitions: int = 4
    brokers: int = 1
    mutant: str | None = None  # of the workers: see chaos.mutants
    kinds: tuple[FaultKind, ...] | None = None  # None: all that are possible
    exactly: tuple[FaultKind, ...] | None = None  # these faults and no others
    calm_seconds: float = 10.0  # under load before the first fault
    settle_seconds: float = 120.0  # for everything that was sent to be decided at the end
    overrides: Mapping[str, str] = field(default_factory=dict)  # further HOLDFAST_* variables

    def __post_init__(self) -> None:
        if self.brokers not in (1, 3):
            raise ValueError("1 broker or 3")
        if wrong := set(self.wanted) - set(possible(self.brokers)):
            raise ValueError(f"not with {self.brokers} brokers: {', '.join(sorted(wrong))}")

    @property
    def wanted(self) -> tuple[FaultKind, ...]:
        """The kinds of fault that may come."""
        if self.exactly is not None:
            return self.exactly
        return possible(self.brokers) if self.kinds is None else self.kinds

    @property
    def proxied(self) -> bool:
        """Whether there is anything for a proxy to do; it takes a part of a core."""
        return not set(NETWORK).isdisjoint(self.wanted)

    @property
    def own_disk(self) -> bool:
        """Whether the broker's disk is to be filled."""
        return FaultKind.FULL_DISK in self.wanted

    @property
    def own_clocks(self) -> bool:
        """Whether clocks are to be stepped."""
        return not set(CLOCK_STEPS).isdisjoint(self.wanted)

    def faults(self) -> Iterator[Fault]:
        """In the order that the seed gives."""
        if self.exactly is not None:
            return iter(given(self.seed, self.exactly))
        return endless(self.seed, {kind: CAMPAIGN[kind] for kind in self.wanted})

"""The faults of a campaign and their order, which a seed decides. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """What is done to the installation."""

    KILL_WORKER = "kill -9 worker"
    KILL_SCORER = "kill -9 scorer"
    KILL_LEARNER = "kill -9 learner"
    KILL_BROKER = "kill -9 broker"
    KILL_ONE_BROKER = "kill -9 one broker of three"
    TERMINATE_WORKER = "SIGTERM worker"
    ZOMBIE_WORKER = "SIGSTOP worker beyond its session"
    STOP_BROKER = "SIGSTOP broker"
    BROKER_OUTAGE = "broker away"
    LEAVE_WORKER = "kill -9 worker, stays dead"
    REBALANCE_STORM = "rebalance storm"
    FULL_DISK = "broker's disk full"
    CLOCK_HOURS_AHEAD = "clock: 2 hours ahead"
    CLOCK_HOUR_BEHIND = "clock: 1 hour behind"
    CLOCK_AHEAD = "clock: 5 s ahead"
    CLOCK_BEHIND = "clock: 5 s behind"
    NET_LATENCY = "network: 200 ms each way"
    NET_BANDWIDTH = "network: 100 KB a second"
    NET_SLICES = "network: slices of 64 bytes"
    NET_BLACK_HOLE = "network: black hole"
    NET_ONE_WAY = "network: no answers"
    NET_RESET = "network: resets"
    NET_DOWN = "network: refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `number` counts those of a run, `victim` chooses among processes of a kind, `seconds` it lasts."""

    number: int
    kind: FaultKind
    victim: float  # from 0 to 1
    seconds: float
    calm_seconds: float  # before it


LONE_BROKER = (FaultKind.KILL_BROKER, FaultKind.STOP_BROKER, FaultKind.BROKER_OUTAGE, FaultKind.FULL_DISK)
NETWORK = tuple(kind for kind in FaultKind if kind.name.startswith("NET_"))

# Seconds that a clock is off. Two hours, because Kafka takes a producer's timestamp for impossible beyond one.
CLOCK_STEPS: Mapping[FaultKind, int] = {
    FaultKind.CLOCK_HOURS_AHEAD: 7200,
    FaultKind.CLOCK_HOUR_BEHIND: -3600,
    FaultKind.CLOCK_AHEAD: 5,
    FaultKind.CLOCK_BEHIND: -5,
}


def possible(brokers: int) -> tuple[FaultKind, ...]:
    """What can be done to an installation on so many brokers; the proxy stands before one only."""
    impossible = {*LONE_BROKER, *NETWORK} if brokers > 1 else {FaultKind.KILL_ONE_BROKER}
    return tuple(kind for kind in FaultKind if kind not in impossible)


# Shortest and longest, in seconds. Zombies sleep beyond the session timeout of 6 s, so that others take over.
DURATIONS: Mapping[FaultKind, tuple[float, float]] = {
    FaultKind.ZOMBIE_WORKER: (7.0, 10.0),
    FaultKind.STOP_BROKER: (1.0, 12.0),
    FaultKind.KILL_ONE_BROKER: (15.0, 20.0),
    FaultKind.BROKER_OUTAGE: (5.0, 60.0),
    FaultKind.LEAVE_WORKER: (12.0, 15.0),
    FaultKind.REBALANCE_STORM: (5.0, 8.0),
    FaultKind.FULL_DISK: (3.0, 12.0),
    **dict.fromkeys(CLOCK_STEPS, (3.0, 8.0)),
    **dict.fromkeys(NETWORK, (1.0, 6.0)),
}
CALM_SECONDS = (0.5, 2.5)

# How often, of each kind, in the acceptance of the product.
CAMPAIGN: Mapping[FaultKind, int] = {
    FaultKind.KILL_WORKER: 50,
    FaultKind.KILL_SCORER: 50,
    FaultKind.KILL_LEARNER: 50,
    FaultKind.KILL_BROKER: 50,
    FaultKind.KILL_ONE_BROKER: 20,
    FaultKind.ZOMBIE_WORKER: 50,
    FaultKind.BROKER_OUTAGE: 20,
    FaultKind.TERMINATE_WORKER: 20,
    FaultKind.STOP_BROKER: 20,
    FaultKind.LEAVE_WORKER: 10,
    FaultKind.REBALANCE_STORM: 10,
    FaultKind.FULL_DISK: 10,
    **dict.fromkeys(CLOCK_STEPS, 5),
    **dict.fromkeys(NETWORK, 20),
}


def given(seed: int, kinds: Sequence[FaultKind]) -> Sequence[Fault]:
    """Exactly these, in this order."""
    rng = Random(seed)
    return [_fault(rng, number, kind) for number, kind in enumerate(kinds, start=1)]


def endless(seed: int, weights: Mapping[FaultKind, int]) -> Iterator[Fault]:
    """Faults without end, kinds by weight; the same seed gives the same."""
    rng = Random(seed)
    kinds = [kind for kind in FaultKind if weights.get(kind, 0)]
    number = 0
    while True:
        number += 1
        [kind] = rng.choices(kinds, [weights[kind] for kind in kinds])
        yield _fault(rng, number, kind)


def _fault(rng: Random, number: int, kind: FaultKind) -> Fault:
    return Fault(
        number=number,
        kind=kind,
        victim=rng.random(),
        seconds=rng.uniform(*DURATIONS.get(kind, (0.0, 0.0))),
        calm_seconds=rng.uniform(*CALM_SECONDS),
    )

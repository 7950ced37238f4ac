"""The whole campaign as a list of runs, each short enough to be judged and repeated by itself. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from chaos.schedule import CALM_SECONDS, CLOCK_STEPS, DURATIONS, NETWORK, FaultKind

LEG_SECONDS = 540.0  # a leg is about as long, or shorter
BACK_SECONDS = 5.0  # what a fault takes beside its own time, roughly
TWICE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A run of its own: these faults in this order, on an installation that is made for them."""

    name: str
    seed: int
    faults: tuple[FaultKind, ...]
    twice: float = 0.02  # share of payments sent a second time
    brokers: int = 1


def legs(seed: int, counts: Mapping[FaultKind, int]) -> Sequence[Leg]:
    """So many faults of each kind in legs; the same seed gives the same."""
    rng = Random(seed)
    planned: list[Leg] = []
    for name, kinds in ROOMS.items():
        faults = [kind for kind in kinds for _ in range(counts.get(kind, 0))]
        rng.shuffle(faults)
        parts = list(_cut(faults))
        for number, part in enumerate(parts, start=1):
            leg = Leg(
                name=f"{name} {number} of {len(parts)}",
                seed=rng.randrange(2**31),
                faults=part,
                brokers=3 if FaultKind.KILL_ONE_BROKER in part else 1,
            )
            planned.append(leg)
    # Everything sent twice for five minutes, while workers die.
    kills = (FaultKind.KILL_WORKER,) * int(TWICE_SECONDS / lasts(FaultKind.KILL_WORKER) + 1)
    planned.append(Leg(name="everything sent twice", seed=rng.randrange(2**31), faults=kills, twice=1.0))
    return planned


def lasts(kind: FaultKind) -> float:
    """Seconds that a fault takes in a leg, roughly."""
    return sum(CALM_SECONDS) / 2 + sum(DURATIONS.get(kind, (0.0, 0.0))) / 2 + BACK_SECONDS


def _cut(faults: Sequence[FaultKind]) -> Iterator[tuple[FaultKind, ...]]:
    """Legs of about the same length."""
    whole = sum(map(lasts, faults))
    share = whole / math.ceil(whole / LEG_SECONDS) if faults else 0.0
    part: list[FaultKind] = []
    passed = 0.0
    for number, fault in enumerate(faults, start=1):
        part.append(fault)
        passed += lasts(fault)
        if passed >= share or number == len(faults):
            yield tuple(part)
            part, passed = [], passed - share


# What needs an installation of its own, by the name of the leg.
_OF_THEIR_OWN: Mapping[str, tuple[FaultKind, ...]] = {
    "network": NETWORK,
    "disk": (FaultKind.FULL_DISK,),
    "clocks": tuple(CLOCK_STEPS),
    "three brokers": (FaultKind.KILL_ONE_BROKER,),
}
_OTHERS = tuple(kind for kind in FaultKind if not any(kind in kinds for kinds in _OF_THEIR_OWN.values()))
ROOMS: Mapping[str, tuple[FaultKind, ...]] = {"processes": _OTHERS, **_OF_THEIR_OWN}

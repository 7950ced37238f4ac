"""The kinds of fault that cannot be done on this machine, and why not."""

from collections.abc import Iterable, Mapping

from chaos import clock, disk
from chaos.schedule import CLOCK_STEPS, FaultKind


def left_out(kinds: Iterable[FaultKind]) -> Mapping[FaultKind, str]:
    """Of these kinds, those that cannot be done here, each with its reason."""
    asked = set(kinds)
    why = {}
    if FaultKind.FULL_DISK in asked and (reason := disk.obstacle()):
        why[FaultKind.FULL_DISK] = reason
    if not asked.isdisjoint(CLOCK_STEPS) and (reason := clock.obstacle()):
        why |= {kind: reason for kind in CLOCK_STEPS if kind in asked}
    return why

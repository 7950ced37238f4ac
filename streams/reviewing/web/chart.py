"""Geometry of the pictures on pages: numbers to the coordinates of an SVG. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.decision import Outcome

WIDTH, HEIGHT = 720, 160
STACKED = (Outcome.BLOCK, Outcome.REVIEW, Outcome.APPROVE)  # from below: what is rare stays on the ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One band of a stacked chart, as the points of a polygon."""

    name: str
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacked:
    """Bands above each other, and what the top of the picture stands for."""

    areas: tuple[Area, ...]
    top: int


def round_up(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 ... that is not below.

    >>> round_up(0), round_up(3), round_up(101)
    (1, 5, 200)
    """
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10


def stacked(seconds: Sequence[Mapping[Outcome, int]]) -> Stacked:
    """Decisions a second by outcome, the oldest on the left."""
    top = round_up(max((sum(each.values()) for each in seconds), default=0))
    step = WIDTH / max(1, len(seconds) - 1)
    floor = [0.0] * len(seconds)
    areas = []
    for outcome in STACKED:
        ceiling = [below + each.get(outcome, 0) for below, each in zip(floor, seconds, strict=True)]
        there = [(number * step, HEIGHT * (1 - value / top)) for number, value in enumerate(ceiling)]
        back = [(number * step, HEIGHT * (1 - value / top)) for number, value in enumerate(floor)][::-1]
        areas.append(Area(name=outcome.value, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in there + back)))
        floor = ceiling
    return Stacked(areas=tuple(areas), top=top)

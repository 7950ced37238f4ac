"""Geometry of the pictures on pages: numbers to the coordinates of an SVG. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.curves import Bin
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One of a row of columns, and what it says to who points at it."""

    x: float
    y: float
    width: float
    height: float
    title: str


def columns(values: Sequence[tuple[int, str]]) -> list[Column]:
    """Values and what they say, from left to right, the largest as high as the picture; where nothing is, none."""
    top, step = max((value for value, _ in values), default=0), WIDTH / max(1, len(values))
    return [
        Column(
            x=round(number * step, 1),
            y=round(HEIGHT * (1 - value / top), 1),
            width=round(0.8 * step, 1),
            height=round(HEIGHT * value / top, 1),
            title=title,
        )
        for number, (value, title) in enumerate(values)
        if value
    ]


PLOT = 320  # the side of a square one
FEWEST = 1e-4  # where logarithmic axes begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point of a plot, and what it says to who points at it."""

    x: float
    y: float
    title: str


def in_time(values: Sequence[tuple[float, int, str]], seconds: float) -> list[Dot]:
    """Values, so many seconds ago each, and what they say; now is on the right, `seconds` ago on the left."""
    top = max((value for _, value, _ in values), default=0) or 1
    return [
        Dot(x=round(WIDTH * (1 - ago / seconds), 1), y=round(HEIGHT * (1 - value / top), 1), title=title)
        for ago, value, title in values
    ]


def calibration(bins: Sequence[Bin]) -> list[Dot]:
    """What scores said against what payments were, on logarithmic axes from FEWEST to 1; on the diagonal they agree."""

    def along(value: float) -> float:
        return PLOT * (1 - math.log10(max(value, FEWEST)) / math.log10(FEWEST))

    return [
        Dot(
            x=round(along(each.mean_probability), 1),
            y=round(PLOT - along(each.fraud_share), 1),
            title=f"{each.count:,} payments: said {each.mean_probability:.2%}, were {each.fraud_share:.2%}",
        )
        for each in bins
    ]


def over_time(values: Sequence[float]) -> list[str]:
    """Shares from 0 to 1 as lines from left to right, broken where there is none (NaN)."""
    step = WIDTH / max(1, len(values) - 1)
    lines: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if math.isnan(value):
            lines.append([])
        else:
            lines[-1].append(f"{number * step:.1f},{HEIGHT * (1 - value):.1f}")
    return [" ".join(each * 2 if len(each) == 1 else each) for each in lines if each]

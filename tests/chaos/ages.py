"""Ages of decisions, kept by how many fell into each class: small, added up over runs, percentiles within 1 %."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

LEAST_SECONDS = 0.0001  # all below it are one class
STEP = math.log(1.02)  # a class is 2 % wide, and its middle stands for it

Ages = Mapping[int, int]  # class, and how many ages fell into it


def classed(seconds: Iterable[float]) -> Ages:
    """Count ages in seconds by class."""
    return Counter(round(math.log(max(each, LEAST_SECONDS) / LEAST_SECONDS) / STEP) for each in seconds)


def together(many: Iterable[Ages]) -> Ages:
    """The ages of several runs."""
    total: Counter[int] = Counter()
    for ages in many:
        total.update(ages)
    return total


def percentile(ages: Ages, share: float) -> float:
    """The age in seconds that at least this share of them does not exceed. Raises ValueError if there is none."""
    wanted = share * sum(ages.values())
    count = 0
    for number in sorted(ages):
        count += ages[number]
        if count >= wanted and count:
            return LEAST_SECONDS * math.exp(number * STEP)
    raise ValueError("no ages")

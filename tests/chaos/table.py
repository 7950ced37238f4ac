"""The table of a run: what was done, how fast it was over, how old decisions got meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from chaos.schedule import FaultKind
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

HEADERS = ("fault", "times", "back, median s", "back, max s", "age p50 / p99 ms during", "age p50 / p99 ms after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One fault and what followed it."""

    kind: FaultKind
    back_seconds: float | None  # until every partition was decided again; None: not within the patience of the run
    during: Sequence[float]  # ages in seconds from the fault until all was back
    after: Sequence[float]  # and in the seconds after that
    clocks: Sequence[float] = ()  # seconds that the workers' clocks were ahead meanwhile, as their decisions say


def rows(episodes: Sequence[Episode], calm: Sequence[float]) -> list[tuple[str, ...]]:
    """A row for each kind of fault, and one for the calm before the first."""
    said: list[tuple[str, ...]] = [("none", "", "", "", "", _ages(calm))]
    for kind in FaultKind:
        those = [each for each in episodes if each.kind is kind]
        if not those:
            continue
        backs = [each.back_seconds for each in those if each.back_seconds is not None]
        never = len(those) - len(backs)
        median, longest = (f"{np.median(backs):.1f}", f"{max(backs):.1f}") if backs else ("", "")
        said.append(
            (
                kind.value,
                str(len(those)),
                median,
                longest + (f", {never} never" if never else ""),
                _ages([age for each in those for age in each.during]),
                _ages([age for each in those for age in each.after]),
            )
        )
    return said


def show(episodes: Sequence[Episode], calm: Sequence[float], console: Console) -> None:
    """Print it as Markdown."""
    table = Table(*HEADERS, box=MARKDOWN)
    for row in rows(episodes, calm):
        table.add_row(*row)
    console.print(table)


def _ages(ages: Sequence[float]) -> str:
    if not ages:
        return "none"
    p50, p99 = np.percentile(np.array(ages) * 1000, (50, 99))
    return f"{p50:,.0f} / {p99:,.0f}"

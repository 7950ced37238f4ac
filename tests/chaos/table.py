"""The table of one run or of many: what was done, how fast it was over, how old decisions got meanwhile."""

from collections.abc import Sequence

import numpy as np
from chaos.ages import Ages, percentile, together
from chaos.outcome import Episode, Outcome
from chaos.schedule import FaultKind

HEADERS = (
    "fault",
    "times",
    "deciding again, median / max s",
    "back, median / max s",
    "age p50 / p99 ms during",
    "age p50 / p99 ms after",
)


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """A row for each kind of fault, and one for the calm before the first."""
    said: list[tuple[str, ...]] = [("none", "", "", "", _said(together(each.calm for each in outcomes)), "")]
    for kind in FaultKind:
        those = [each for outcome in outcomes for each in outcome.episodes if each.kind is kind]
        if those:
            said.append(_row(kind, those))
    return said


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table, and below it what was found of each promise."""
    lines = [HEADERS, ("---",) * len(HEADERS), *rows(outcomes)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_findings(outcomes)}"


def _row(kind: FaultKind, those: Sequence[Episode]) -> tuple[str, ...]:
    never = sum(each.back_seconds is None for each in those)
    return (
        kind.value,
        str(len(those)),
        _median_and_longest([each.deciding_seconds for each in those]),
        _median_and_longest([each.back_seconds for each in those]) + (f", {never} never" if never else ""),
        _said(together(each.during for each in those)),
        _said(together(each.after for each in those)),
    )


def _median_and_longest(seconds: Sequence[float | None]) -> str:
    known = [each for each in seconds if each is not None]
    return f"{np.median(known):.1f} / {max(known):.1f}" if known else ""


def _said(ages: Ages) -> str:
    if not ages:
        return "none"
    return f"{percentile(ages, 0.5) * 1000:,.0f} / {percentile(ages, 0.99) * 1000:,.0f}"


def _findings(outcomes: Sequence[Outcome]) -> str:
    records = sum(each.inputs for each in outcomes)
    taken_back = sum(each.taken_back for each in outcomes)
    lines = ["| promise | broken |", "| --- | --- |"]
    for promise in outcomes[0].verdict.counts if outcomes else ():
        lines.append(f"| {promise} | {sum(each.verdict.counts[promise] for each in outcomes)} times |")
    said = f"{records:,} records of `transactions`; {taken_back:,} records taken back by aborted transactions."
    return "\n".join([said, "", *lines])

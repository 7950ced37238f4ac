"""The report on drills: Markdown for a repository, and HTML with a picture of each."""

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from streams.auditing.audit import Audit
from streams.operating.drills.evidence import Decided
from streams.operating.drills.judging import Judgement, Played, Timeline
from streams.operating.tally import percentile

STEP_SECONDS = 0.5
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}
.good{color:#176f2c}.bad{color:#b3261e}svg{width:100%;height:auto}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it."""

    played: Sequence[Played]
    audit: Audit
    rate: float | None  # None: the traffic was a live one
    machine: str

    @property
    def passed(self) -> bool:
        """Whether every drill did, and every payment ended exactly once."""
        return self.audit.holds and all(each.judgement.passed for each in self.played)


def markdown(report: Report) -> str:
    """Tables."""
    lines = [
        _circumstances(report),
        "",
        f"| drill | {' | '.join(_HEADINGS)} |",
        "| --- " * (1 + len(_HEADINGS)) + "|",
    ]
    lines += [f"| {' | '.join(_row(each.judgement))} |" for each in report.played]
    lines += ["", _conservation(report.audit), ""]
    for each in report.played:
        lines += [f"**{each.judgement.drill.name}.** {each.judgement.drill.summary}", ""]
        lines += [f"- {_mark(check.holds)} {check.expected}: {check.found}" for check in each.judgement.checks]
        lines.append("")
    return "\n".join(lines)


def page(report: Report) -> str:
    """One file that needs nothing else."""
    parts = [
        "<!doctype html><meta charset=utf-8><title>Holdfast drills</title>",
        f"<style>{STYLE}</style><h1>Holdfast drills: {'passed' if report.passed else 'failed'}</h1>",
        f"<p>{html.escape(_circumstances(report))}</p><p>{html.escape(_conservation(report.audit))}</p>",
    ]
    for each in report.played:
        judgement = each.judgement
        parts.append(f"<h2>{html.escape(judgement.drill.name)}</h2><p>{html.escape(judgement.drill.summary)}</p>")
        parts.append(f"<table><tr><th>{'<th>'.join(_HEADINGS)}<tr><td>{'<td>'.join(_row(judgement)[1:])}</table><ul>")
        for check in judgement.checks:
            mark = f'<span class="{"good" if check.holds else "bad"}">{_mark(check.holds)}</span>'
            parts.append(f"<li>{mark} {html.escape(check.expected)}: {html.escape(check.found)}")
        parts.append(f"</ul>{_picture(each)}")
    return "\n".join(parts)


_HEADINGS = ("", "detected", "contained", "restored", "settled", "age p50 / p99 ms", "decided without the model")


def _row(judgement: Judgement) -> tuple[str, ...]:
    ages = (judgement.p50_ms, judgement.p99_ms)
    return (
        judgement.drill.name,
        "passed" if judgement.passed else "failed",
        *moments(judgement.timeline),
        " / ".join("-" if age is None else f"{age:,.0f}" for age in ages),
        f"{judgement.without_model:,} of {judgement.decisions:,}",
    )


def moments(timeline: Timeline) -> tuple[str, ...]:
    """Its four moments, as people read them."""
    times = (timeline.detected, timeline.contained, timeline.restored, timeline.settled)
    return tuple("-" if each is None else f"{each:.1f} s" for each in times)


def _circumstances(report: Report) -> str:
    if report.rate is None:
        return "On a live installation, with the payments that it had."
    return f"{report.rate:g} payments a second, two workers, on {report.machine}, everything on that one machine."


def _conservation(audit: Audit) -> str:
    ledger = audit.ledger
    return (
        f"{ledger.transactions:,} transactions: {ledger.unaccounted} unaccounted, {ledger.decided_twice} decided twice,"
        f" {ledger.contradictory + audit.unreadable} contradictory."
    )


def _mark(holds: bool) -> str:  # noqa: FBT001 - a yes or a no is what it shows
    return "✓" if holds else "✗"


def _picture(played: Played) -> str:
    """Over time, as SVG: the age below which 99 in 100 decisions were, and how many were made without the model."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p>Pictures need matplotlib: <code>pip install 'holdfast[report]'</code>.</p>"
    steps, ages, shares = _over_time(played)
    figure = Figure(figsize=(9.0, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(0.0, played.judgement.moments.ended - played.judgement.moments.began, color="#f6dede")
    axes.plot(steps, ages, color="#1f4e79")
    axes.set(yscale="log", ylabel="age p99, ms", xlabel="seconds from the beginning of the failure")
    beside = axes.twinx()
    beside.fill_between(steps, shares, color="#d98c00", alpha=0.25, step="mid")
    beside.set(ylim=(0, 100), ylabel="without the model, %")
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _over_time(played: Played) -> tuple[list[float], list[float], list[float]]:
    """For each step in which payments came: its seconds from the beginning, age p99 in ms, % without the model."""
    began = played.judgement.moments.began
    came: dict[int, list[Decided]] = {}
    for each in played.decisions:
        came.setdefault(floor((each.arrived - began) / STEP_SECONDS), []).append(each)
    steps = sorted(came)
    ages = [percentile(sorted(each.age_seconds * 1000 for each in came[step]), 0.99) or 0.0 for step in steps]
    shares = [100 * sum(each.fallback_reason is not None for each in came[step]) / len(came[step]) for step in steps]
    return [step * STEP_SECONDS for step in steps], ages, shares

"""The report on drills: Markdown for a repository, and HTML with a picture of each."""

import html
import io
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from streams.operating.drills.catalogue import DRILLS
from streams.operating.drills.results import Result, Round

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;display:block;overflow-x:auto}
td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}
.good{color:#176f2c}.bad{color:#b3261e}svg{width:100%;height:auto}"""
HEADINGS = (
    "drill",
    "",
    "detected",
    "contained",
    "restored",
    "settled",
    "age p50, ms",
    "age p99, ms",
    "without the model",
)


def markdown(rounds: Sequence[Round]) -> str:
    """Tables, and each expectation."""
    lines = [
        f"# {_title(rounds)}",
        "",
        _circumstances(rounds),
        "",
        f"| {' | '.join(HEADINGS)} |",
        "| --- " * len(HEADINGS) + "|",
    ]
    lines += [f"| {' | '.join(_row(name, those))} |" for name, those in _by_drill(rounds)]
    lines += ["", _conservation(rounds), ""]
    for name, those in _by_drill(rounds):
        lines += [f"**{name}.** {_summary(name)}", ""]
        lines += [f"- {_mark(holds)} {said}" for holds, said in _expectations(those)]
        lines.append("")
    return "\n".join(lines)


def page(rounds: Sequence[Round]) -> str:
    """One file that needs nothing else."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Holdfast drills</title>",
        f"<style>{STYLE}</style><h1>{_title(rounds)}</h1>",
        f"<p>{html.escape(_circumstances(rounds))}</p><p>{html.escape(_conservation(rounds))}</p>",
        f"<table><tr><th>{'<th>'.join(HEADINGS)}",
    ]
    parts += [f"<tr><td>{'<td>'.join(map(html.escape, _row(name, those)))}" for name, those in _by_drill(rounds)]
    parts.append("</table>")
    for name, those in _by_drill(rounds):
        parts.append(f"<h2>{html.escape(name)}</h2><p>{html.escape(_summary(name))}</p><ul>")
        for holds, said in _expectations(those):
            parts.append(f'<li><span class="{"good" if holds else "bad"}">{_mark(holds)}</span> {html.escape(said)}')
        parts.append(f"</ul>{_picture(those)}")
    return "\n".join(parts)


def moments(result: Result) -> tuple[str, ...]:
    """Its four moments, as people read them."""
    times = (result.detected_seconds, result.contained_seconds, result.restored_seconds, result.settled_seconds)
    return tuple("-" if each is None else f"{each:.1f} s" for each in times)


def conclusion(rounds: Sequence[Round]) -> str:
    """How many passed, and what became of the payments."""
    results = [each for played in rounds for each in played.results]
    return f"{sum(each.passed for each in results)} of {len(results)} drills passed. {_conservation(rounds)}"


def _title(rounds: Sequence[Round]) -> str:
    return f"Holdfast drills: {'passed' if all(each.passed for each in rounds) else 'failed'}"


def _by_drill(rounds: Sequence[Round]) -> Iterator[tuple[str, list[Result]]]:
    """In the order in which they were first played."""
    results = [each for played in rounds for each in played.results]
    for name in dict.fromkeys(each.drill for each in results):
        yield name, [each for each in results if each.drill == name]


def _row(name: str, those: Sequence[Result]) -> tuple[str, ...]:
    passed = sum(each.passed for each in those)
    return (
        name,
        ("passed" if passed else "failed") if len(those) == 1 else f"passed {passed} of {len(those)}",
        _times(those, lambda each: each.detected_seconds),
        _times(those, lambda each: each.contained_seconds),
        _times(those, lambda each: each.restored_seconds),
        _times(those, lambda each: each.settled_seconds),
        _spread(those, lambda each: each.age_p50_ms, ",.0f"),
        _spread(those, lambda each: each.age_p99_ms, ",.0f"),
        f"{sum(each.without_model for each in those):,} of {sum(each.decisions for each in those):,}",
    )


def _times(those: Sequence[Result], value: Callable[[Result], float | None]) -> str:
    said = _spread(those, value, ".1f")
    return said if said == "-" else f"{said} s"


def _spread(those: Sequence[Result], value: Callable[[Result], float | None], form: str) -> str:
    """Of one its value, of several the median and the largest."""
    known = [each for each in map(value, those) if each is not None]
    if not known:
        return "-"
    return f"{known[0]:{form}}" if len(those) == 1 else f"{median(known):{form}} / {max(known):{form}}"


def _expectations(those: Sequence[Result]) -> Iterator[tuple[bool, str]]:
    """Whether each held every time, and what was found: of several times, where it did not hold."""
    checks = [check for each in those for check in each.checks]
    for expected in dict.fromkeys(check.expected for check in checks):
        found = [check for check in checks if check.expected == expected]
        failed = [check.found for check in found if not check.holds]
        if len(those) == 1:
            yield not failed, f"{expected}: {found[0].found}"
        else:
            yield (
                not failed,
                f"{expected}: {len(found) - len(failed)} of {len(found)} times"
                + (f"; else {'; '.join(failed)}" if failed else ""),
            )


def _summary(name: str) -> str:
    return DRILLS[name].summary if name in DRILLS else "A drill of another release."


def _circumstances(rounds: Sequence[Round]) -> str:
    rates = {None if each.rate is None else f"{each.rate:g}" for each in rounds}
    machines = "; ".join(sorted({each.machine for each in rounds}))
    if None in rates:
        return f"On a live installation, with the payments that it had, watched from {machines}."
    several = " Of several times the median and the largest." if len(rounds) > 1 else ""
    return (
        f"{' and '.join(sorted(map(str, rates)))} payments a second, two workers, on {machines}, everything on that one"
        f" machine.{several}"
    )


def _conservation(rounds: Sequence[Round]) -> str:
    return (
        f"{sum(each.transactions for each in rounds):,} transactions:"
        f" {sum(each.unaccounted for each in rounds)} unaccounted,"
        f" {sum(each.decided_twice for each in rounds)} decided twice,"
        f" {sum(each.contradictory for each in rounds)} contradictory."
    )


def _mark(holds: bool) -> str:  # noqa: FBT001 - a yes or a no is what it shows
    return "✓" if holds else "✗"


def _picture(those: Sequence[Result]) -> str:
    """Of the one with the oldest decisions, as SVG: their age over time, and how many were made without the model."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p>Pictures need matplotlib: <code>pip install 'holdfast[report]'</code>.</p>"
    worst = max(those, key=lambda each: (not each.passed, each.age_p99_ms or 0.0))
    steps, ages, shares = zip(*worst.course, strict=True) if worst.course else ((), (), ())
    figure = Figure(figsize=(9.0, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(0.0, worst.lasted_seconds, color="#f6dede")
    axes.plot(steps, ages, color="#1f4e79")
    axes.set(yscale="log", ylabel="age p99, ms", xlabel="seconds from the beginning of the failure")
    beside = axes.twinx()
    beside.fill_between(steps, [100 * each for each in shares], color="#d98c00", alpha=0.25, step="mid")
    beside.set(ylim=(0, 100), ylabel="without the model, %")
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]

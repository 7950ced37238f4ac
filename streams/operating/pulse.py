"""How a running installation looks: rates, who decides, what is decided, how fast."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rules.decision import DecisionSource, Outcome
from streams.operating.showing import OUTCOME_STYLES
from streams.overseeing.tally import Recent, percentile

BAR_CELLS = 40
MOSTLY = 0.9
SOURCE_STYLES = {
    DecisionSource.MODEL: "green",
    DecisionSource.RULES: "yellow",
    DecisionSource.STAND_IN: "dark_orange",
    DecisionSource.SAFE_DEFAULT: "red",
}


def milliseconds(value: float | None) -> str:
    """An age as people read it.

    >>> milliseconds(12.34), milliseconds(None)
    ('12 ms', '-')
    """
    return "-" if value is None else f"{value:,.0f} ms"


def mode(recent: Recent) -> str:
    """Who decides, and why not the model, in a few words."""
    if not recent.by_source:
        return "idle"
    reasons = ", ".join(reason for reason, _ in recent.fallbacks.most_common(2))
    if recent.model_share >= MOSTLY:
        return "model decides"
    return f"rules decide: {reasons}" if recent.model_share <= 1.0 - MOSTLY else f"model and rules decide: {reasons}"


def status_line(recent: Recent) -> Text:
    """All of it in one line."""
    ages = recent.ages_ms()
    return Text.assemble(
        (f"{recent.per_second:,.0f}", "bold"),
        " decisions/s  ",
        _outcomes(recent),
        f"  age p50 {milliseconds(percentile(ages, 0.5))}, p99 {milliseconds(percentile(ages, 0.99))}  ",
        (mode(recent), "bold"),
    )


def bars(recent: Recent) -> Table:
    """A bar for each source of decisions."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", width=13)
    table.add_column(width=BAR_CELLS)
    table.add_column(justify="right", width=6)
    by_source = recent.by_source
    whole = max(1, by_source.total())
    for source, style in SOURCE_STYLES.items():
        share = by_source[source] / whole
        bar = Text("█" * round(share * BAR_CELLS), style=style)
        table.add_row(source.replace("_", " "), bar, f"{share:.0%}" if by_source[source] else "")
    return table


def pulse(recent: Recent) -> Group:
    """The line and the bars."""
    return Group(status_line(recent), bars(recent))


def _outcomes(recent: Recent) -> Text:
    by_outcome = recent.by_outcome
    whole = max(1, by_outcome.total())
    return Text("  ").join(
        Text(f"{outcome} {by_outcome[outcome] / whole:.1%}", style=OUTCOME_STYLES[outcome]) for outcome in Outcome
    )

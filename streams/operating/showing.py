"""Decisions, alerts and modes as people read them in a terminal."""

import time
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from models.alert import Alert, AlertStatus, Severity
from models.currency import minor_per_major
from rules.decision import Decision, Outcome
from rules.mode import Mode, Vitals
from streams.wire.mode_event import ModeEvent

OUTCOME_STYLES = {Outcome.APPROVE: "bold green", Outcome.REVIEW: "bold yellow", Outcome.BLOCK: "bold red"}
_STATUS_STYLES = {
    AlertStatus.OPEN: "bold red",
    AlertStatus.UPDATE: "bold yellow",
    AlertStatus.RESOLVED: "bold green",
    AlertStatus.SETTLED: "green",
}
_MODE_STYLES = {
    Mode.NORMAL: "bold green",
    Mode.DEGRADED: "bold yellow",
    Mode.STAND_IN: "bold red",
    Mode.SAFE_DEFAULT: "bold red reverse",
}
_SEVERITY_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def money(amount_minor: int, currency: str) -> str:
    """An amount in its currency.

    >>> money(123456, "EUR"), money(1200, "JPY"), money(-5, "EUR")
    ('1,234.56 EUR', '1,200 JPY', '-0.05 EUR')
    """
    unit = minor_per_major(currency)
    digits = len(str(unit)) - 1
    whole, rest = divmod(abs(amount_minor), unit)
    return "-" * (amount_minor < 0) + f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "") + f" {currency}"


def told_on(console: Console) -> Callable[[str, str], None]:
    """Say on the console, as it happens, what happened to which part."""

    def told(part: str, what: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim]  [bold]{part}[/bold]  {what}", soft_wrap=True)

    return told


def decision_line(decision: Decision) -> Text:
    """One line: when, what, how much, who decided, why, how fast."""
    return Text.assemble(
        (_clock(decision.decided_at), "dim"),
        "  ",
        (f"{decision.outcome:<7}", OUTCOME_STYLES[decision.outcome]),
        f"{money(decision.amount_minor, decision.currency):>18}",
        f"  {who_decided(decision):<10}",
        f"  {_why(decision)}",
        (f"  {decision.age_ms} ms", "bold red" if decision.deadline_missed else "dim"),
        (f"  {decision.transaction_id}", "dim"),
    )


def who_decided(decision: Decision) -> str:
    """The source in words."""
    return decision.decision_source.replace("_", " ")


def decision_card(decision: Decision) -> Group:
    """All that matters about one decision."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in (
        ("transaction", decision.transaction_id),
        ("amount", money(decision.amount_minor, decision.currency)),
        ("decided by", who_decided(decision)),
        ("model not used", decision.fallback_reason or ""),
        ("reasons", ", ".join(decision.reason_codes)),
        ("fraud probability", _share(decision.risk_score)),
        ("confidence", _share(decision.confidence)),
        ("credibility", _share(decision.credibility)),
        ("rules hit", ", ".join(decision.rule_hits)),
        ("rules alone", decision.rule_outcome),
        ("contributions", "\n".join(f"{each.log_odds:+.2f}  {each.feature}" for each in decision.contributions)),
        ("model", decision.model_version or ""),
        ("rule set", decision.ruleset_version),
        ("age", f"{decision.age_ms} ms" + (", deadline missed" if decision.deadline_missed else "")),
    ):
        if value:
            facts.add_row(name, value)
    return Group(Text(decision.outcome.upper(), style=OUTCOME_STYLES[decision.outcome]), facts)


def alert_line(alert: Alert, at: datetime) -> Text:
    """One line: when, where it stands, how bad, what, since when, how many, how much, what to do."""
    where = alert.component if alert.partition is None else f"{alert.component} {alert.partition}"
    return Text.assemble(
        (_clock(at), "dim"),
        "  ",
        (f"{alert.status:<9}", _STATUS_STYLES[alert.status]),
        (f"{alert.severity:<9}", _SEVERITY_STYLES[alert.severity]),
        (alert.reason, "bold"),
        f"  {where}  since {_clock(alert.started_at)}  {alert.count:,} transactions",
        f"  {alert.amount_minor:,} minor units",
        (f"  {alert.suggested_action}", "italic"),
    )


def mode_line(event: ModeEvent) -> Text:
    """One line: when, which worker, from what to what, why, after how long, and what was out of the ordinary."""
    change, ordinary = event.data, Vitals()
    seen = {each.name: getattr(change.evidence, each.name) for each in fields(Vitals)}
    odd = [f"{name} {_plain(value)}" for name, value in seen.items() if value != getattr(ordinary, name)]
    return Text.assemble(
        (_clock(event.time), "dim"),
        f"  {event.subject}  ",
        (change.before, _MODE_STYLES[change.before]),
        " → ",
        (change.after, _MODE_STYLES[change.after]),
        (f"  {change.reason}", "bold"),
        f"  after {change.lasted_seconds:.1f} s",
        (f"  {', '.join(odd)}", "dim"),
    )


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _why(decision: Decision) -> str:
    reasons = ", ".join(decision.reason_codes)
    return f"{reasons} ({decision.fallback_reason})" if decision.fallback_reason else reasons


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"

"""What pages show, as they show it: words and figures, made from cases. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.currency import minor_per_major
from rules.decision import Decision, Outcome
from rules.review_case import Case, CaseState, VerdictReason
from rules.review_policy import sla
from streams.reviewing.store import KeptCase, Said

REASONS = {
    Outcome.APPROVE: (
        VerdictReason.USUAL_FOR_CARD,
        VerdictReason.USUAL_FOR_MERCHANT,
        VerdictReason.HOLDER_CONFIRMED,
        VerdictReason.OTHER,
    ),
    Outcome.BLOCK: (
        VerdictReason.KNOWN_PATTERN,
        VerdictReason.UNUSUAL_FOR_CARD,
        VerdictReason.STOLEN_CARD,
        VerdictReason.ACCOUNT_TAKEOVER,
        VerdictReason.HOLDER_DENIED,
        VerdictReason.OTHER,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """A case in a list."""

    case_id: str
    state: str
    amount: str
    merchant: str
    risk: str
    at_stake: str
    left: str
    sla: str
    holder: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A contribution: its log-odds, and how long its bar is, in per cent of the longest."""

    name: str
    log_odds: str
    width: int
    raises: bool


def amount(minor: int, currency: str) -> str:
    """Money as people read it."""
    units = minor_per_major(currency)
    digits = len(str(units)) - 1
    return f"{minor / units:,.{digits}f} {currency}"


def left(case: Case, now: datetime) -> str:
    """How much time is left."""
    if case.expires_at is None:
        return "closed"
    return "overdue" if case.expires_at < now else duration(case.expires_at - now)


def duration(time: timedelta) -> str:
    """Whole minutes as people read them."""
    minutes = int(time.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def line_of(kept: KeptCase, now: datetime) -> CaseLine:
    """A case in a list."""
    case, decision = kept.case, kept.decision
    return CaseLine(
        case_id=case.case_id,
        state=case.state(now).value.replace("_", " "),
        amount=amount(decision.amount_minor, decision.currency),
        merchant=decision.merchant_id,
        risk="unknown" if decision.risk_score is None else f"{decision.risk_score:.1%}",
        at_stake=amount(case.expected_loss_minor, decision.currency),
        left=left(case, now),
        sla=sla(case, now).value,
        holder=case.holder(now),
    )


def bars_of(decision: Decision) -> list[Bar]:
    """Why the model gave its score, the largest contribution first."""
    given = sorted(decision.contributions, key=lambda each: -abs(each.log_odds))
    longest = max((abs(each.log_odds) for each in given), default=1.0) or 1.0
    return [
        Bar(
            name=each.feature,
            log_odds=f"{each.log_odds:+.2f}",
            width=round(100 * abs(each.log_odds) / longest),
            raises=each.log_odds > 0,
        )
        for each in given
    ]


def told(history: Sequence[Said]) -> list[tuple[str, str, str]]:
    """When, who and what of a case's history."""
    return [(f"{each.at:%Y-%m-%d %H:%M:%S}", each.speaker or "by itself", each.word) for each in history]


def is_open(case: Case, now: datetime) -> bool:
    """Whether words on it may still be taken."""
    return case.state(now) not in (CaseState.RESOLVED, CaseState.EXPIRED)

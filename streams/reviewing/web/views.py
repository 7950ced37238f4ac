"""What pages show, as they show it: words and figures, made from cases. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UnsetType

from models.card_history import RecentPayment
from models.currency import minor_per_major
from models.daily import SECONDS_PER_DAY
from models.profile import BUCKET_DAYS
from rules.decision import Decision, Outcome
from rules.precedent import LEAST_ALIKE, Precedent
from rules.review_case import Case, CaseState, VerdictReason
from rules.review_policy import sla
from streams.reviewing.kept_case import KeptCase
from streams.reviewing.store import Said
from streams.reviewing.web import chart

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecedentLine:
    """A case that was decided, beside one that is not."""

    case_id: str
    made_at: str
    amount: str
    merchant: str
    outcome: str
    reason: str
    like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPicture:
    """A card's month by days, and its last day by payments."""

    payments: int
    usual: str
    days: list[chart.Column]
    most_of_a_day: str
    latest: list[chart.Dot]
    most_at_once: str
    width: int = chart.WIDTH
    height: int = chart.HEIGHT


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


def card_of(decision: Decision) -> CardPicture | None:
    """What the card did, as far as the decision tells; None for those of before it was told."""
    history, currency = decision.card_history, decision.currency
    if isinstance(history, UnsetType):
        return None
    days = [
        (spent, f"{history.newest_day - timedelta(days=ago)}: {amount(spent, currency)}")
        for ago, spent in enumerate(history.spent_minor)
    ]
    empty = [(0, "")] * (BUCKET_DAYS - len(days))
    latest = [each for each in history.recent if 0 <= each.seconds_before < SECONDS_PER_DAY]
    return CardPicture(
        payments=history.payments,
        usual=amount(history.usual_minor, currency),
        days=chart.columns([*empty, *reversed(days)]),
        most_of_a_day=amount(max(history.spent_minor, default=0), currency),
        latest=chart.in_time([_latest(each, currency) for each in latest], SECONDS_PER_DAY),
        most_at_once=amount(max((each.amount_minor for each in latest), default=0), currency),
    )


def _latest(payment: RecentPayment, currency: str) -> tuple[float, int, str]:
    ago, paid = payment.seconds_before, payment.amount_minor
    when = f"{duration(timedelta(seconds=ago))} before" if ago else "this payment"
    return float(ago), paid, f"{when}: {amount(paid, currency)}"


def precedent_of(precedent: Precedent) -> PrecedentLine:
    """A precedent in a list."""
    decision, verdict = precedent.decision, precedent.verdict
    like = [
        "the same card" if precedent.same_card else "",
        "the same merchant" if precedent.same_merchant else "",
        f"reasons {precedent.alike:.0%} alike" if precedent.alike >= LEAST_ALIKE else "",
    ]
    return PrecedentLine(
        case_id=decision.decision_id,
        made_at=f"{decision.event_time:%Y-%m-%d %H:%M}",
        amount=amount(decision.amount_minor, decision.currency),
        merchant=decision.merchant_id,
        outcome=verdict.outcome.value,
        reason=verdict.reason.value,
        like=", ".join(filter(None, like)),
    )


def told(history: Sequence[Said]) -> list[tuple[str, str, str]]:
    """When, who and what of a case's history."""
    return [(f"{each.at:%Y-%m-%d %H:%M:%S}", each.speaker or "by itself", each.word) for each in history]


def is_open(case: Case, now: datetime) -> bool:
    """Whether words on it may still be taken."""
    return case.state(now) not in (CaseState.RESOLVED, CaseState.EXPIRED)

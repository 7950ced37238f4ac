"""Judges a drill: the four moments of its incidents, and whether what was expected came of it. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from models.alert import AlertStatus
from streams.operating.drills.drill import Check, Drill, Moments
from streams.operating.drills.evidence import Decided, Evidence
from streams.overseeing.tally import percentile
from streams.wire.alert import AlertEvent

MODEL_STAYS = 0.95  # of the decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Seconds from the beginning of the failure; None: it did not happen."""

    detected: float | None  # the first alert opened
    contained: float | None  # from then on no payment that came missed its deadline
    restored: float | None  # all its incidents were over
    settled: float | None  # and all that was decided without the model was scored again


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of a drill."""

    drill: Drill
    moments: Moments
    timeline: Timeline
    checks: tuple[Check, ...]
    decisions: int  # on payments that came from the beginning of the failure until all was over
    without_model: int
    reasons: dict[str, int]  # fallback reasons
    p50_ms: float | None
    p99_ms: float | None

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return all(check.holds for check in self.checks)


def judge(drill: Drill, evidence: Evidence, moments: Moments) -> Judgement:
    """Judge by what was seen until all was over."""
    during = list(evidence.arrived_between(moments.began, moments.over))
    incidents = [each for each in evidence.alerts if each.data.started_at.timestamp() >= moments.began]
    timeline = _timeline(during, incidents, moments)
    # Of payments that came while it lasted; and a little longer, because what is counted must be enough to speak of.
    suffered = [each for each in during if each.arrived < max(moments.ended, moments.began + 2.0)]
    ages = sorted(each.age_seconds * 1000 for each in suffered)
    return Judgement(
        drill=drill,
        moments=moments,
        timeline=timeline,
        checks=(
            *_checks(drill, moments, timeline, suffered, incidents, percentile(ages, 0.99)),
            *drill.expects(evidence, moments),
        ),
        decisions=len(during),
        without_model=sum(each.fallback_reason is not None for each in during),
        reasons=dict(Counter(str(each.fallback_reason) for each in during if each.fallback_reason is not None)),
        p50_ms=percentile(ages, 0.5),
        p99_ms=percentile(ages, 0.99),
    )


def _timeline(during: list[Decided], incidents: list[AlertEvent], moments: Moments) -> Timeline:
    def since(at: float | None) -> float | None:
        return None if at is None else max(0.0, at - moments.began)

    def times(status: AlertStatus) -> list[float]:
        return [each.time.timestamp() for each in incidents if each.data.status is status]

    missed = max((each.arrived for each in during if each.missed), default=None)
    detected = min(times(AlertStatus.OPEN), default=None)
    restored = max(
        (each.data.restored_at.timestamp() for each in incidents if each.data.restored_at is not None), default=None
    )
    return Timeline(
        detected=since(detected),
        contained=since(missed if missed is not None else detected),
        restored=since(restored),
        settled=since(max(times(AlertStatus.SETTLED), default=None)),
    )


def _checks(
    drill: Drill,
    moments: Moments,
    timeline: Timeline,
    suffered: list[Decided],
    incidents: list[AlertEvent],
    p99_ms: float | None,
) -> Iterator[Check]:
    yield Check(
        expected="all is well and settled afterwards",
        holds=not moments.patience_ended,
        found=f"after {moments.over - moments.began:.1f} s" + (", patience ended" if moments.patience_ended else ""),
    )
    if moments.broken_off:
        yield Check(expected="it need not be broken off", holds=False, found="too many payments were late")
    opened = [each for each in incidents if each.data.status is AlertStatus.OPEN]
    reasons = Counter(each.data.reason for each in opened)
    if drill.reasons:
        yield Check(
            expected=f"people hear of {' or '.join(sorted(drill.reasons))}, and of nothing else",
            holds=bool(drill.reasons & reasons.keys()) and reasons.keys() <= drill.reasons | drill.also,
            found=", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "nothing",
        )
        detected = timeline.detected
        yield Check(
            expected=f"within {drill.detected_within_seconds:g} s",
            holds=detected is not None and detected <= drill.detected_within_seconds,
            found="never" if detected is None else f"{detected:.2f} s",
        )
    else:
        yield Check(
            expected="nobody is woken",
            holds=reasons.keys() <= drill.also,
            found=", ".join(sorted(reasons)) or "nothing",
        )
    yield from _lives(incidents)
    if drill.age_p99_ms is not None:
        yield Check(
            expected=f"decided at p99 within {drill.age_p99_ms:g} ms",
            holds=p99_ms is not None and p99_ms <= drill.age_p99_ms,
            found="-" if p99_ms is None else f"{p99_ms:.0f} ms",
        )
    if drill.model_stays:
        share = sum(each.fallback_reason is None for each in suffered) / max(1, len(suffered))
        yield Check(expected="the model goes on deciding", holds=share >= MODEL_STAYS, found=f"{share:.1%}")


def _lives(incidents: list[AlertEvent]) -> Iterator[Check]:
    """Every incident opened once and resolved once."""
    lives = Counter((each.subject, each.data.started_at, each.data.status) for each in incidents)
    wrong = [
        subject
        for subject, started_at in {(each.subject, each.data.started_at) for each in incidents}
        if any(lives[subject, started_at, status] != 1 for status in (AlertStatus.OPEN, AlertStatus.RESOLVED))
    ]
    if incidents:
        yield Check(
            expected="each incident opens once and resolves once", holds=not wrong, found=", ".join(wrong) or "so it is"
        )

"""Incidents: many failures, one alert with a life. Pure; the clocks are passed in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from models.alert import MOST_SAMPLES, Alert, AlertStatus, Severity
from rules.moment import Moment
from rules.patience import Patience

_LONGEST_SECONDS = 365 * 86_400.0
_CONSEQUENCE = "CIRCUIT_OPEN"  # of the failures before it: those say why


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPolicy:
    """When an incident opens, how often it is reported, and what proves that it is over. Raises ValueError for no time.

    A soft failure, one late batch, is no incident, and none goes on for it: it takes so many, each well one in between
    taken off again.
    """

    soft_batches: int = 3
    quiet_seconds: float = 3.0  # without a failure, and with proof of health after the last one
    late_quiet_seconds: float = 15.0  # the same for a lane that is late or behind: load comes in waves
    longest_quiet_seconds: float = 60.0  # each wave within it after the last was over needs a longer quiet, up to it
    update_seconds: float = 20.0  # between updates of an open incident

    def __post_init__(self) -> None:
        times = (self.quiet_seconds, self.late_quiet_seconds, self.longest_quiet_seconds, self.update_seconds)
        if not all(0 < seconds < _LONGEST_SECONDS for seconds in times):
            raise ValueError("an incident's times must be above 0 and below a year")
        if self.soft_batches < 1:
            raise ValueError("an incident takes at least one batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """What an alert says for one reason."""

    area: str  # of the CloudEvents type: holdfast.<area>.<what>
    what: str
    severity: Severity
    suggested_action: str
    soft: bool  # one is a hiccup, and only several are an incident
    in_waves: bool  # it comes back with the next wave of load, and a lull is no end


def _kind(
    area: str, what: str, severity: Severity, suggested_action: str, *, soft: bool = False, in_waves: bool = False
) -> FailureKind:
    return FailureKind(
        area=area, what=what, severity=severity, suggested_action=suggested_action, soft=soft, in_waves=in_waves
    )


# The closed list of what people are alerted to. Each reason has a section of the same name in docs/runbook.md.
KINDS = MappingProxyType(
    {
        "RESPONSE_TIMEOUT": _kind(
            "scoring", "slow", Severity.CRITICAL, "Rules decide. See what the scorer waits for.", soft=True
        ),
        "CONNECTION_ERROR": _kind("scoring", "down", Severity.CRITICAL, "Rules decide while the scorer is replaced."),
        "APPLICATION_ERROR": _kind("scoring", "failed", Severity.CRITICAL, "Rules decide. Read the scorer's error."),
        "MODEL_INVALID_OUTPUT": _kind(
            "scoring", "invalid", Severity.CRITICAL, "Force rules until a sound snapshot is out."
        ),
        "CIRCUIT_OPEN": _kind(
            "scoring", "rested", Severity.CRITICAL, "Rules decide while the model is tried in shadow."
        ),
        "MODEL_COLD_START": _kind("model", "missing", Severity.WARNING, "Start the learner, or warm a model up."),
        "MODEL_STALE": _kind("model", "stale", Severity.WARNING, "See why the learner publishes nothing."),
        "MODEL_DRIFTS": _kind(
            "model", "drifting", Severity.WARNING, "See what has moved, and judge the model by its latest labels."
        ),
        "CANDIDATE_REFUSED": _kind(
            "model", "unfit", Severity.CRITICAL, "The model before decides. See what the learner was taught last."
        ),
        "MODEL_ROLLED_BACK": _kind(
            "model",
            "rolled_back",
            Severity.CRITICAL,
            "See what spoilt the model: it was fed something wrong.",
        ),
        "LABEL_SOURCE_SILENCED": _kind(
            "labels", "silenced", Severity.CRITICAL, "Find out why the source says so much; the dead letters hold it."
        ),
        "LABELS_STALE": _kind(
            "labels", "stale", Severity.WARNING, "See why no labels come: the model learns from silence alone."
        ),
        "TRANSACTION_TOO_OLD": _kind(
            "lane", "late", Severity.WARNING, "Add workers, or find what holds the lane up.", soft=True, in_waves=True
        ),
        "CONSUMER_LAG": _kind(
            "lane", "behind", Severity.WARNING, "Add workers, or find what holds the lane up.", in_waves=True
        ),
        "FEATURE_MISSING": _kind("lane", "blind", Severity.WARNING, "Find the producer that leaves fields out."),
        "FORCED": _kind("operator", "forced", Severity.INFO, "Release the mode when the reason is gone."),
        "BLOCK_RATE_HIGH": _kind(
            "decision", "blocking", Severity.CRITICAL, "Find what went wrong: an attack, a model or a rule set."
        ),
        "DEAD_LETTER": _kind("input", "malformed", Severity.WARNING, "Read transactions.DLT; tell the producer."),
        "ID_REUSED": _kind("input", "contradiction", Severity.CRITICAL, "Two payments share an id: tell the producer."),
        "RULES_FAILED": _kind(
            "rules", "failed", Severity.CRITICAL, "Safe defaults decide. Push a rule set that works."
        ),
        "RULESET_REFUSED": _kind("rules", "refused", Severity.WARNING, "Mend the rule set; the old one is in force."),
        "PROCESS_SILENT": _kind(
            "process", "silent", Severity.CRITICAL, "See whether it runs, and reaches Kafka; start it again."
        ),
        "KAFKA_SILENT": _kind("kafka", "silent", Severity.CRITICAL, "See whether the brokers run and take records."),
        "PARTITION_SILENT": _kind(
            "lane", "silent", Severity.CRITICAL, "See which partitions are silent, and start workers, or more of them."
        ),
        "INPUT_SILENT": _kind(
            "input", "silent", Severity.WARNING, "See whether producers run, and send to this cluster and topic."
        ),
        "TRANSACTION_LEFT_OPEN": _kind(
            "kafka", "unended", Severity.CRITICAL, "Abort what the worker's log names; its partitions wait for it."
        ),
        "SNAPSHOT_REFUSED": _kind(
            "model", "refused", Severity.CRITICAL, "The old model is in force; check the learner."
        ),
    }
)


@dataclass(slots=True)
class _Incident:
    component: str
    reason: str
    started_at: datetime
    quiet_at: float  # seconds, as in Moment: no failure has come for long enough by then
    last_told: float
    partition: int | None
    healthy_since: datetime | None = None
    count: int = 0
    amount_minor: int = 0
    samples: list[str] = field(default_factory=list)
    evidence: dict[str, str] = field(default_factory=dict)
    soft_batches: int = 0  # that failed softly and were not made up for


class Incidents:
    """At most one open incident per component; each opens once, is updated at a bounded rate, and resolves once."""

    def __init__(self, policy: IncidentPolicy, *, source: str, versions: dict[str, str] | None = None) -> None:
        self._policy = policy
        self._source = source
        self._versions = versions or {}
        self._open: dict[str, _Incident] = {}
        self._doubted: dict[str, _Incident] = {}  # may become incidents
        self._patience: dict[str, Patience] = {}  # with components that fail in waves

    def adopt(self, alert: Alert, now: Moment) -> bool:
        """Go on with an incident that a predecessor of the same source left open; whether there is one to go on with.

        It counts from what the predecessor told last, and is over once its component is proved well.
        """
        if (
            alert.status in (AlertStatus.RESOLVED, AlertStatus.SETTLED)
            or alert.reason not in KINDS
            or alert.component in self._open
        ):
            return False
        self._begins(alert.component, alert.reason, now)
        self._open[alert.component] = _Incident(
            component=alert.component,
            reason=alert.reason,
            started_at=alert.started_at,
            quiet_at=self._quiet_after(alert.component, alert.reason, now),
            last_told=now.seconds,
            partition=alert.partition,
            count=alert.count,
            amount_minor=alert.amount_minor,
            samples=list(alert.sample_transaction_ids),
            evidence=dict(alert.evidence),
        )
        return True

    def failed(
        self,
        component: str,
        reason: str,
        now: Moment,
        *,
        count: int = 1,
        amount_minor: int = 0,
        samples: Iterable[str] = (),
        partition: int | None = None,
        evidence: Mapping[str, str] | None = None,
        cause: str | None = None,
    ) -> Alert | None:
        """Record failures of a component in a batch; the alert opens an incident, or is an update that is due.

        Evidence of later failures is laid over that of earlier ones. `cause` is the reason that a reason follows from,
        and may be told of later: an incident has its name.
        """
        incident = self._open.get(component) or self._doubted.get(component)
        if incident is None:
            incident = _Incident(component, cause or reason, now.time, now.seconds, now.seconds, partition)
        incident.count += count
        incident.amount_minor += amount_minor
        incident.samples.extend(sample for sample in list(samples)[: MOST_SAMPLES - len(incident.samples)])
        incident.evidence |= evidence or {}
        incident.soft_batches = min(incident.soft_batches + 1, self._policy.soft_batches)
        counts = not KINDS[reason].soft or incident.soft_batches == self._policy.soft_batches
        if counts:
            if component not in self._open:
                self._begins(component, reason, now)
            incident.quiet_at = max(incident.quiet_at, self._quiet_after(component, reason, now))
            incident.healthy_since = None
        if component in self._open:
            return self._update_when_due(incident, now)
        if not counts:
            self._doubted[component] = incident
            return None
        return self._opening(incident, cause or reason, now)

    def _opening(self, incident: _Incident, reason: str, now: Moment) -> Alert:
        self._doubted.pop(incident.component, None)
        self._open[incident.component] = incident
        if not KINDS[reason].soft and reason != _CONSEQUENCE:
            incident.reason = reason  # a fact says more than the doubts before it
        return self._alert(incident, AlertStatus.OPEN, now)

    def healthy(self, component: str, now: Moment) -> None:
        """Proof that a component does its work again. Silence proves nothing."""
        incident = self._open.get(component)
        if incident is not None:
            incident.soft_batches = max(incident.soft_batches - 1, 0)
            if incident.healthy_since is None:
                incident.healthy_since = now.time
        doubt = self._doubted.get(component)
        if doubt is not None:
            doubt.soft_batches -= 1
            if doubt.soft_batches <= 0:
                del self._doubted[component]

    def due(self, now: Moment) -> list[Alert]:
        """Resolutions and updates whose time has come. Call about once a second."""
        alerts = []
        for component, incident in list(self._open.items()):
            if self._is_over(incident, now):
                del self._open[component]
                if component in self._patience:
                    self._patience[component].ends(now.seconds)
                alerts.append(self._alert(incident, AlertStatus.RESOLVED, now))
            elif update := self._update_when_due(incident, now):
                alerts.append(update)
        return alerts

    def open_components(self) -> tuple[str, ...]:
        """What is failing now."""
        return tuple(self._open)

    def _is_over(self, incident: _Incident, now: Moment) -> bool:
        return now.seconds >= incident.quiet_at and incident.healthy_since is not None

    def _begins(self, component: str, reason: str, now: Moment) -> None:
        if KINDS[reason].in_waves:
            self._patience_with(component).begins(now.seconds)

    def _quiet_after(self, component: str, reason: str, now: Moment) -> float:
        in_waves = KINDS[reason].in_waves
        return now.seconds + (self._patience_with(component).seconds if in_waves else self._policy.quiet_seconds)

    def _patience_with(self, component: str) -> Patience:
        policy = self._policy
        return self._patience.setdefault(component, Patience(policy.late_quiet_seconds, policy.longest_quiet_seconds))

    def _update_when_due(self, incident: _Incident, now: Moment) -> Alert | None:
        if now.seconds - incident.last_told < self._policy.update_seconds:
            return None
        return self._alert(incident, AlertStatus.UPDATE, now)

    def _alert(self, incident: _Incident, status: AlertStatus, now: Moment) -> Alert:
        incident.last_told = now.seconds
        kind = KINDS[incident.reason]
        return Alert(
            status=status,
            dedup_key=f"{self._source}/{incident.component}",
            severity=kind.severity,
            reason=incident.reason,
            component=incident.component,
            partition=incident.partition,
            started_at=incident.started_at,
            detected_at=incident.started_at,
            contained_at=incident.started_at,  # the failing batch itself was already decided by rules
            restored_at=incident.healthy_since if status is AlertStatus.RESOLVED else None,
            settled_at=None,
            count=incident.count,
            amount_minor=incident.amount_minor,
            sample_transaction_ids=tuple(incident.samples),
            evidence=dict(incident.evidence),
            suggested_action=kind.suggested_action,
            runbook=f"docs/runbook.md#{incident.reason.lower()}",
            versions=dict(self._versions),
        )

"""The alert: one statement about one incident, for people and for their pagers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from models.transaction import Identifier, UtcTime

MOST_SAMPLES = 5


class AlertStatus(StrEnum):
    """Where the incident stands: one open, bounded updates, one resolved; one settled, if the model was not asked."""

    OPEN = "open"
    UPDATE = "update"
    RESOLVED = "resolved"
    SETTLED = "settled"  # what was decided without the model because of it has been scored again


class Severity(StrEnum):
    """How much it presses: `critical` wakes somebody, `warning` is for working hours, `info` is for the record."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is known of an incident when the alert is sent. Later moments are None until they come.

    Started: it began. Detected: we noticed. Contained: no further transaction suffered from it. Restored: normal
    service again. Settled: what it did wrong was put right.
    """

    status: AlertStatus
    dedup_key: Annotated[str, Meta(min_length=1, max_length=255)]  # the same for all alerts of an incident
    severity: Severity
    reason: Annotated[str, Meta(min_length=1, description="why: a code, and a section of the runbook")]
    component: Annotated[str, Meta(min_length=1, description="which part: scorer, lane, learner ...")]
    partition: Annotated[int, Meta(ge=0)] | None = None
    started_at: UtcTime
    detected_at: UtcTime
    contained_at: UtcTime | None = None
    restored_at: UtcTime | None = None
    settled_at: UtcTime | None = None
    count: Annotated[int, Meta(ge=0, description="transactions concerned so far")] = 0
    amount_minor: Annotated[int, Meta(ge=0, description="their amounts together, in minor units")] = 0
    sample_transaction_ids: Annotated[tuple[Identifier, ...], Meta(max_length=MOST_SAMPLES)] = ()
    evidence: dict[str, str] = field(default_factory=dict)  # what was measured, by name
    suggested_action: str = ""
    runbook: Annotated[str, Meta(description="where it says what to do")] = ""
    versions: dict[str, str] = field(default_factory=dict)  # of model, rule set and settings

"""The story of a payment in sentences, in order of time. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.label import Label
from rules.complaint import Complaint, ComplaintState
from rules.decision import Decision
from rules.revision import Revision
from streams.overseeing.story import Story
from streams.reviewing.store import Said
from streams.wire.dead_letter import DeadLetterReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """When, where it is told, and what."""

    at: datetime
    where: str
    what: str


def events_of(story: Story, history: Sequence[Said], complaints: Sequence[Complaint]) -> list[Event]:
    """All of it, the first first."""
    found = [*_of_topics(story), *(_of_case(each) for each in history)]
    for each in complaints:
        found += _of_complaint(each)
    return sorted(found, key=lambda each: each.at)


def _of_topics(story: Story) -> Iterable[Event]:
    if story.input_at is not None:
        yield Event(at=story.input_at, where="transactions", what="came in")
    for told in story.told:
        yield Event(at=told.at, where=told.place.topic, what=_sentence(told.what))


def _of_case(said: Said) -> Event:
    return Event(at=said.at, where="case", what=f"{said.speaker or 'by itself'}: {said.word.replace('_', ' ')}")


def _of_complaint(complaint: Complaint) -> Iterable[Event]:
    words = f": “{complaint.text}”" if complaint.text else ""
    yield Event(at=complaint.complained_at, where="complaint", what=f"{ComplaintState.RECEIVED}{words}")
    if complaint.settled_at is not None:
        what = f"{complaint.settled_by}: {complaint.state}"
        yield Event(at=complaint.settled_at, where="complaint", what=what)


def _sentence(what: Decision | Revision | Label | DeadLetterReport) -> str:
    match what:
        case Decision():
            why = f", {what.fallback_reason.value}" if what.fallback_reason else ""
            return f"{what.outcome.value} by {_words(what.decision_source)}{why}, after {what.age_ms:,} ms"
        case Revision():
            said = "cannot be scored again" if what.outcome is None else what.outcome.value
            by = f" by {', '.join(what.reviewers)}" if what.reviewers else ""
            because = f", {what.verdict_reason.value}" if what.verdict_reason else ""
            risk = "" if what.risk_score is None else f", risk {what.risk_score:.1%}"
            return f"{_words(what.kind)}: {said}{by}{because}{risk}"
        case Label():
            code = f", {what.reason_code}" if what.reason_code else ""
            return f"label: {what.state.value}, {_words(what.source)}{code}"
        case DeadLetterReport():
            return f"dead letter: {what.reason.value}, {what.detail}"


def _words(value: str) -> str:
    return str(value).replace("_", " ")

"""A review case: what state it is in, and what each word on it makes of it. Pure; the first final word stands.

A case is a value. A word on it (lease, verdict, answer, the passing of time) gives the case that follows, the same case
where it says nothing new, or `WordRefused`. What closes it is its ending, and no word changes an ending.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from models.information import InformationAnswer, InformationChannel, InformationTopic
from models.transaction import UtcTime
from rules.decision import Outcome, ReasonCode

_QUESTION = ".q"  # before the number of a question
LINES = (1, 2)  # the second line takes what the first escalates, and what two reviewers see differently


class CaseState(StrEnum):
    """Where a case is."""

    OPEN = "open"
    LEASED = "leased"
    WAITING = "waiting_for_information"
    ESCALATED = "escalated"  # open in the second line
    RESOLVED = "resolved"
    EXPIRED = "expired"


class EndedBy(StrEnum):
    """What closed a case."""

    VERDICT = "verdict"
    TIMEOUT = "timeout"  # nobody decided by its due time
    UNANSWERED = "unanswered"  # the information asked for did not come in time
    OVERFLOW = "overflow"  # its queue was full, and this one ranked last
    RE_SCORE = "re_score"  # the model came back, and was sure


class VerdictReason(StrEnum):
    """Why a reviewer decided so; also the reason code of the label."""

    HOLDER_CONFIRMED = "HOLDER_CONFIRMED"
    HOLDER_DENIED = "HOLDER_DENIED"
    USUAL_FOR_CARD = "USUAL_FOR_CARD"
    USUAL_FOR_MERCHANT = "USUAL_FOR_MERCHANT"
    UNUSUAL_FOR_CARD = "UNUSUAL_FOR_CARD"
    KNOWN_PATTERN = "KNOWN_PATTERN"
    ACCOUNT_TAKEOVER = "ACCOUNT_TAKEOVER"
    STOLEN_CARD = "STOLEN_CARD"
    OTHER = "OTHER"


class Refusal(StrEnum):
    """Why a word was not taken."""

    CLOSED = "closed"
    LEASED_TO_ANOTHER = "leased_to_another"
    NOT_LEASED = "not_leased"  # to whoever wants to give it back
    SECOND_LINE_ONLY = "second_line_only"
    OTHER_EYES_NEEDED = "other_eyes_needed"  # whoever gave a verdict cannot give the second
    ALREADY_ESCALATED = "already_escalated"
    WAITING = "waiting_for_information"
    NOT_ASKED = "not_asked"  # an answer to no question, or to an earlier one
    NO_TIME_LEFT = "no_time_left"  # to ask
    NOT_DUE = "not_due"
    CARD_NUMBER = "card_number"  # stands in what would be asked
    IN_HAND = "in_hand"  # somebody is at it: it cannot be displaced


class WordRefused(Exception):
    """A word that cannot be taken as the case is now."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Who speaks, and whether for the second line too."""

    name: str
    second_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who has the case in hand; at `until` it returns by itself."""

    reviewer: str
    until: UtcTime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewVerdict:
    """What a reviewer decided: approve or block."""

    reviewer: str
    outcome: Outcome
    reason: VerdictReason
    at: UtcTime

    def __post_init__(self) -> None:
        if self.outcome is Outcome.REVIEW:
            raise ValueError("a verdict approves or blocks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Information that is waited for; `default` is the outcome if none has come at `until`."""

    number: int  # from 1, within the case
    asked: InformationTopic
    channel: InformationChannel
    text: str
    asked_by: str
    asked_at: UtcTime
    until: UtcTime
    default: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ReScore:
    """The model's later word on the decision, and what a wrong outcome is expected to cost by it, minor units."""

    revision_id: str
    outcome: Outcome
    reason_codes: tuple[ReasonCode, ...]
    risk_score: float
    confidence: float | None
    model_version: str | None
    expected_loss_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is published of the case, once."""

    outcome: Outcome
    by: EndedBy
    at: UtcTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision before people. Money in minor units; times aware and UTC.

    Queue, due time, defaults and how many must agree are those of the policy when it was opened.
    """

    case_id: str  # the decision's id
    queue: str
    opened_at: UtcTime
    warn_at: UtcTime  # from here on it is in danger of being late
    due_at: UtcTime
    default: Outcome  # if nobody decides by then
    eyes: int = 1  # how many reviewers must give the same verdict
    expected_loss_minor: int  # of the cheaper of approving and blocking it unseen
    line: int = LINES[0]
    lease: Lease | None = None
    question: Question | None = None
    questions: int = 0  # asked so far
    answers: tuple[InformationAnswer, ...] = ()
    verdicts: tuple[ReviewVerdict, ...] = ()
    re_score: ReScore | None = None
    ending: Ending | None = None

    def state(self, now: datetime) -> CaseState:
        """Where it is now: a lease that is over is none."""
        if self.ending is not None:
            expired = self.ending.by in (EndedBy.TIMEOUT, EndedBy.UNANSWERED, EndedBy.OVERFLOW)
            return CaseState.EXPIRED if expired else CaseState.RESOLVED
        if self.question is not None:
            return CaseState.WAITING
        if self.holder(now) is not None:
            return CaseState.LEASED
        return CaseState.OPEN if self.line == LINES[0] else CaseState.ESCALATED

    def holder(self, now: datetime) -> str | None:
        """Who has it in hand."""
        return self.lease.reviewer if self.lease is not None and now < self.lease.until else None

    @property
    def request_id(self) -> str:
        """The name of the latest question."""
        return f"{self.case_id}{_QUESTION}{self.questions}"

    @property
    def free_from(self) -> datetime | None:
        """From when on a reviewer may take it, if nothing is said until then; None: not before an answer, or never."""
        if self.ending is not None or self.question is not None:
            return None
        return self.lease.until if self.lease is not None else self.opened_at

    @property
    def expires_at(self) -> datetime | None:
        """When it closes by itself; None if it is closed."""
        if self.ending is not None:
            return None
        return self.due_at if self.question is None else min(self.question.until, self.due_at)

    def leased(self, reviewer: Reviewer, now: datetime, until: datetime) -> "Case":
        """It is in the reviewer's hand until then; the same case if it is already."""
        self._must_be_free_for(reviewer, now)
        if self.question is not None:
            raise WordRefused(Refusal.WAITING)
        if self.holder(now) == reviewer.name:
            return self
        return replace(self, lease=Lease(reviewer=reviewer.name, until=until))

    def released(self, reviewer: Reviewer, now: datetime) -> "Case":
        """The reviewer gives it back."""
        self._must_be_open()
        if self.holder(now) != reviewer.name:
            raise WordRefused(Refusal.NOT_LEASED)
        return replace(self, lease=None)

    def escalated(self, reviewer: Reviewer, now: datetime) -> "Case":
        """The second line is to look at it."""
        self._must_be_free_for(reviewer, now)
        if self.line == LINES[1]:
            raise WordRefused(Refusal.ALREADY_ESCALATED)
        return replace(self, line=LINES[1], lease=None, question=None)

    def decided(self, reviewer: Reviewer, outcome: Outcome, reason: VerdictReason, now: datetime) -> "Case":
        """A verdict: final once as many agree as must; two that differ send it to the second line.

        The same verdict of the same reviewer, said again, changes nothing, also when it is closed.
        """
        if any(each.reviewer == reviewer.name and each.outcome is outcome for each in self.verdicts):
            return self
        self._must_be_free_for(reviewer, now)
        verdicts = (*self.verdicts, ReviewVerdict(reviewer=reviewer.name, outcome=outcome, reason=reason, at=now))
        agreeing = sum(each.outcome is outcome for each in verdicts)
        after = replace(self, verdicts=verdicts, lease=None, question=None)
        if agreeing >= self.eyes:
            return replace(after, ending=Ending(outcome=outcome, by=EndedBy.VERDICT, at=now))
        return replace(after, line=self.line if agreeing == len(verdicts) else LINES[1])

    def asked(
        self,
        reviewer: Reviewer,
        asked: InformationTopic,
        channel: InformationChannel,
        text: str,
        now: datetime,
        *,
        until: datetime,
        default: Outcome,
    ) -> "Case":
        """It waits for information until then, at most until it is due; nobody takes it meanwhile."""
        self._must_be_free_for(reviewer, now)
        if self.question is not None:
            raise WordRefused(Refusal.WAITING)
        if not now < (until := min(until, self.due_at)):
            raise WordRefused(Refusal.NO_TIME_LEFT)
        question = Question(
            number=self.questions + 1,
            asked=asked,
            channel=channel,
            text=text,
            asked_by=reviewer.name,
            asked_at=now,
            until=until,
            default=default,
        )
        return replace(self, question=question, questions=question.number, lease=None)

    def answered(self, answer: InformationAnswer) -> "Case":
        """The information is there, and it is open again; the same answer, said again, changes nothing."""
        if any(each.request_id == answer.request_id for each in self.answers):
            return self
        self._must_be_open()
        if self.question is None or answer.request_id != self.request_id:
            raise WordRefused(Refusal.NOT_ASKED)
        return replace(self, question=None, answers=(*self.answers, answer))

    def re_scored(self, re_score: ReScore, now: datetime, *, adopt: bool) -> "Case":
        """The model's later word closes it if it is to be adopted and nobody has begun; else it informs."""
        if self.ending is not None or (self.re_score is not None and self.re_score.revision_id == re_score.revision_id):
            return self
        after = replace(self, re_score=re_score, expected_loss_minor=re_score.expected_loss_minor)
        if adopt and re_score.outcome is not Outcome.REVIEW and self.eyes == 1 and not self._begun(now):
            return replace(after, ending=Ending(outcome=re_score.outcome, by=EndedBy.RE_SCORE, at=now))
        return after

    def expired(self, now: datetime) -> "Case":
        """Its time is over: the default holds, that of the question where an answer did not come."""
        self._must_be_open()
        if self.question is not None and self.question.until <= now:
            return replace(self, ending=Ending(outcome=self.question.default, by=EndedBy.UNANSWERED, at=now))
        if self.due_at <= now:
            return replace(self, ending=Ending(outcome=self.default, by=EndedBy.TIMEOUT, at=now))
        raise WordRefused(Refusal.NOT_DUE)

    def displaced(self, now: datetime) -> "Case":
        """Its queue is full: the default holds at once, unless somebody has begun."""
        self._must_be_open()
        if self._begun(now):
            raise WordRefused(Refusal.IN_HAND)
        return replace(self, ending=Ending(outcome=self.default, by=EndedBy.OVERFLOW, at=now))

    def _begun(self, now: datetime) -> bool:
        """Whether people have put work into it."""
        touched = self.verdicts or self.questions or self.line != LINES[0]
        return bool(touched) or self.holder(now) is not None

    def _must_be_open(self) -> None:
        if self.ending is not None:
            raise WordRefused(Refusal.CLOSED)

    def _must_be_free_for(self, reviewer: Reviewer, now: datetime) -> None:
        self._must_be_open()
        if self.holder(now) not in (None, reviewer.name):
            raise WordRefused(Refusal.LEASED_TO_ANOTHER)
        if self.line == LINES[1] and not reviewer.second_line:
            raise WordRefused(Refusal.SECOND_LINE_ONLY)
        if any(each.reviewer == reviewer.name for each in self.verdicts):
            raise WordRefused(Refusal.OTHER_EYES_NEEDED)


def case_of(answer: InformationAnswer) -> str:
    """The case in which its question was asked, if there is one."""
    return answer.request_id.rpartition(_QUESTION)[0]

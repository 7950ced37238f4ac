"""The desk: what reviewers, the clock, the model and whoever was asked say of cases, by the policy that is in force."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from models.information import InformationAnswer, InformationChannel, InformationTopic
from rules.decision import Outcome
from rules.policy import CostPolicy
from rules.review_case import Case, Refusal, Reviewer, VerdictReason, WordRefused, case_of
from rules.review_policy import ReviewPolicy, ReviewQueue, re_score_of
from rules.revision import Revision
from streams.reviewing.store import NoSuchCase, Said, Store, Word
from streams.wire.card_guard import holds_card_number

MOST_AT_ONCE = 500  # closed by the clock in one round


class Desk:
    """Every method may be called by any thread, waits for the database, and takes the time as an argument."""

    def __init__(self, store: Store, policy: ReviewPolicy, costs: CostPolicy) -> None:
        self._store = store
        self._policy = policy
        self._costs = costs

    def take_next(self, queue: str, reviewer: Reviewer, now: datetime) -> Case | None:
        """Lease the first case of a queue that this reviewer may take; None where there is none. Raises Contended."""
        said = Said(word="lease", speaker=reviewer.name, at=now)
        return self._store.change_first(queue, reviewer, self._leasing(reviewer, now), said)

    def deal(self, reviewers: Sequence[Reviewer], now: datetime) -> int:
        """Lease cases of queues that deal to reviewers on duty; how many were dealt."""
        return sum(self._deal(each, reviewers, now) for each in self._policy.queues if each.dealt)

    def lease(self, case_id: str, reviewer: Reviewer, now: datetime) -> Case:
        """Have a case in hand. Raises WordRefused and NoSuchCase, as all words on one case do."""
        return self._say(case_id, self._leasing(reviewer, now), "lease", reviewer, now)

    def release(self, case_id: str, reviewer: Reviewer, now: datetime) -> Case:
        """Give it back."""
        return self._say(case_id, lambda case: case.released(reviewer, now), "release", reviewer, now)

    def escalate(self, case_id: str, reviewer: Reviewer, now: datetime) -> Case:
        """Hand it to the second line."""
        return self._say(case_id, lambda case: case.escalated(reviewer, now), "escalation", reviewer, now)

    def decide(self, case_id: str, reviewer: Reviewer, outcome: Outcome, reason: VerdictReason, now: datetime) -> Case:
        """Give a verdict."""
        return self._say(case_id, lambda case: case.decided(reviewer, outcome, reason, now), "verdict", reviewer, now)

    def decide_all(
        self, case_ids: Sequence[str], reviewer: Reviewer, outcome: Outcome, reason: VerdictReason, now: datetime
    ) -> dict[str, Refusal]:
        """Give one verdict on many cases, each by itself; those that refused it, and why."""
        refused: dict[str, Refusal] = {}
        for case_id in case_ids:
            try:
                self.decide(case_id, reviewer, outcome, reason, now)
            except WordRefused as refusal:
                refused[case_id] = refusal.reason
        return refused

    def ask(
        self,
        case_id: str,
        reviewer: Reviewer,
        asked: InformationTopic,
        channel: InformationChannel,
        text: str,
        now: datetime,
        *,
        until: datetime,
    ) -> Case:
        """Ask for information, in words without a card number."""
        if holds_card_number(text.encode()):
            raise WordRefused(Refusal.CARD_NUMBER)
        default = self._policy.unanswered
        return self._say(
            case_id,
            lambda case: case.asked(reviewer, asked, channel, text, now, until=until, default=default),
            "question",
            reviewer,
            now,
        )

    def hear_answer(self, answer: InformationAnswer, now: datetime) -> Case:
        """Information has come."""
        return self._say(case_of(answer), lambda case: case.answered(answer), "answer", None, now)

    def hear_re_score(self, revision: Revision, now: datetime) -> Case | None:
        """The model has looked again; None if that says nothing, or of no case."""
        if (re_score := re_score_of(revision, self._costs)) is None:
            return None
        adopt = self._policy.adopt_re_scores
        with suppress(NoSuchCase):
            return self._say(
                revision.decision_id, lambda case: case.re_scored(re_score, now, adopt=adopt), "re_score", None, now
            )
        return None

    def close_due(self, now: datetime) -> list[Case]:
        """Close cases whose time is over, the longest over first; those that were closed by it."""
        return self._close(self._store.to_expire(now, MOST_AT_ONCE), lambda case: case.expired(now), "expiry", now)

    def displace(self, now: datetime) -> list[Case]:
        """Close what queues do not hold, those that rank last; those that were closed by it."""
        closed: list[Case] = []
        for queue in self._policy.queues:
            too_many = self._store.to_displace(queue.name, queue.most_open, MOST_AT_ONCE)
            closed += self._close(too_many, lambda case: case.displaced(now), "displacement", now)
        return closed

    def _deal(self, queue: ReviewQueue, reviewers: Sequence[Reviewer], now: datetime) -> int:
        """In turn, the emptiest hand first."""
        hands = {each: len(self._store.in_hand(each.name, now)) for each in reviewers}
        dealt = 0
        while hands:
            reviewer = min(hands, key=lambda each: (hands[each], each.name))
            if hands[reviewer] >= queue.dealt or self.take_next(queue.name, reviewer, now) is None:
                del hands[reviewer]
                continue
            hands[reviewer] += 1
            dealt += 1
        return dealt

    def _leasing(self, reviewer: Reviewer, now: datetime) -> Word:
        until = now + timedelta(minutes=self._policy.lease_minutes)
        return lambda case: case.leased(reviewer, now, until)

    def _close(self, case_ids: Iterable[str], word: Word, name: str, now: datetime) -> list[Case]:
        closed = []
        for case_id in case_ids:
            with suppress(WordRefused):  # somebody's word was first
                closed.append(self._say(case_id, word, name, None, now))
        return closed

    def _say(self, case_id: str, word: Word, name: str, reviewer: Reviewer | None, now: datetime) -> Case:
        speaker = None if reviewer is None else reviewer.name
        return self._store.change(case_id, word, Said(word=name, speaker=speaker, at=now))

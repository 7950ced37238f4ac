"""Decides a round: bytes to transactions, to features and rules, to scores, to decisions, to bytes.

The hot path. One pass before the scorer and one after, each record touched once in each. A large round goes in pieces,
so that one is scored while the next is prepared.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import structlog
from aiokafka import ConsumerRecord
from msgspec import UNSET, Raw, Struct
from numpy.typing import NDArray

from models.activity import Activity
from models.canary import CANARY_KEY
from models.card import Profile, matrix_of, regard
from models.card_history import card_history
from models.dead_letter import DeadLetterReason
from models.features import Row
from models.score import Score
from models.texts import id_hash
from models.transaction import SCHEMA_VERSION, Transaction
from rules.block_limit import BlockLimit
from rules.breaker import BreakerState
from rules.decision import FallbackReason, InputPosition, Outcome, ReasonCode
from rules.exploration import Exploration
from rules.judgement import Conclusion, Judge
from rules.ruleset import RuleSet, Verdict
from rules.sandbox import FORCED_FALLBACKS, TEST_TOKEN_PREFIX, forced_conclusion
from rules.stand_in import StandInUse
from streams.deciding.batch import Decided, FallbackTally, Outgoing
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.scorer_child import NotScored
from streams.deciding.scoring import Scoring
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, content_fingerprint, read_transaction
from streams.wire.dead_letter import dead_letter
from streams.wire.decision_line import NOTHING_TOLD, contributions_told, features_told, numbers, write_line

log = structlog.get_logger()

SAMPLES = 5
TURN = 100  # payments between two turns of the loop: the commit under way goes on, and so do heartbeats
PIECE = 400  # payments scored together at least, where there are so many; fewer than PIECE + TURN


class _Answers(NamedTuple):
    """What the model says of the payments that it was asked about, by their rows; or why it says nothing."""

    scores: Sequence[Score] = ()
    numbers: Sequence[bytes] = ()  # of their contributions, as JSON
    why_not: FallbackReason | None = None


class _Now(NamedTuple):
    """When a batch is concluded, by three clocks that are read once."""

    seconds: float  # since 1970
    time: datetime
    monotonic: float


class _Pending(Struct, gc=False):
    """A transaction between the two passes."""

    batch: Decided  # that it becomes a part of
    record: ConsumerRecord
    received: float  # the broker's timestamp, seconds since 1970
    transaction: Transaction
    profile: Profile
    at: float
    hashed: int  # of its id, as the profile has it
    features: Row
    verdict: Verdict | None  # None where the rules could not be evaluated
    ruleset_version: str  # of the set that gave the verdict: another may come while the model scores
    why: FallbackReason | None  # already known not to be the model's
    row: int = -1  # in the scored matrix


class _Piece(NamedTuple):
    """What is scored together."""

    pending: list[_Pending]
    matrix: NDArray[np.float64]
    answers: Awaitable[_Answers]


class Decider:
    """Decides batches with what the worker knows. Holds no state of its own: profiles are the lane's."""

    def __init__(
        self,
        settings: Settings,
        knowledge: Knowledge,
        scoring: Scoring,
        *,
        withheld: Callable[[], FallbackReason | None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._settings_version = settings.version
        self._sandbox = settings.sandbox
        self._knowledge = knowledge
        self._scoring = scoring
        self._withheld = withheld
        self._judge = Judge(costs=settings.policy, limits=settings.stand_in, safe_default=settings.safe_default)
        self._review_minor: int | None = None  # as it was told last
        self._block_limit = BlockLimit(settings.block_limit)
        self._exploration = Exploration(settings.exploration, clock())
        self._too_old_after = (settings.deadline.deadline_ms - settings.deadline.reserve_ms) / 1000
        self._deadline = settings.deadline.deadline_ms / 1000
        self._clock = clock
        self._monotonic = monotonic

    async def decide(self, taken: Sequence[Taken]) -> list[Decided]:
        """Decide every record of each lane's batch, in order: a decision, a dead letter or a known duplicate.

        What it raises leaves the lanes' profiles as they were.
        """
        try:
            return await self._decide(taken)
        except BaseException:
            for each in taken:
                each.lane.profiles.roll_back()
            raise

    async def _decide(self, taken: Sequence[Taken]) -> list[Decided]:
        if self._knowledge.review_minor != self._review_minor:
            self._reprice(self._knowledge.review_minor)
        decided = [Decided() for _ in taken]
        pieces = []
        async for pending in self._prepared(taken, decided):
            matrix = matrix_of([each.features for each in pending])
            pieces.append(_Piece(pending, matrix, asyncio.ensure_future(self._score(pending, matrix))))
        for piece in pieces:
            await self._conclude_piece(piece, await piece.answers)
        for each, batch in zip(taken, decided, strict=True):
            batch.block_limit_reached = self._block_limit.reached
            batch.profiles = [Outgoing(card, packed) for card, packed in each.lane.profiles.commit()]
        return decided

    async def _prepared(self, taken: Sequence[Taken], decided: Sequence[Decided]) -> AsyncIterator[list[_Pending]]:
        """Those that are to be concluded, in pieces."""
        piece: list[_Pending] = []
        for each, batch in zip(taken, decided, strict=True):
            behind = each.lane.gate.is_behind(each.lane.lag, self._monotonic())
            for begin in range(0, len(each.records), TURN):
                piece += self._prepare(each.lane, each.records[begin : begin + TURN], batch, behind=behind)
                if len(piece) >= PIECE:
                    yield piece
                    piece = []
                await asyncio.sleep(0)
        if piece:
            yield piece

    async def _conclude_piece(self, piece: _Piece, answers: _Answers) -> None:
        seconds = self._clock()
        now = _Now(seconds, datetime.fromtimestamp(seconds, UTC), self._monotonic())
        for place, (each, row) in enumerate(zip(piece.pending, numbers(piece.matrix), strict=True), start=1):
            self._conclude(each, features_told(row), answers, now)
            if place % TURN == 0:
                await asyncio.sleep(0)

    def _reprice(self, told: int | None) -> None:
        """Take a review to cost what was told, within the bounds that settings approve."""
        self._review_minor, costs = told, self._settings.policy
        if told is not None:
            bounded = self._settings.capacity.within(told, costs.review_minor)
            costs = replace(costs, review_minor=bounded)
        self._judge = replace(self._judge, costs=costs)

    def _prepare(
        self, lane: LaneState, records: Sequence[ConsumerRecord], decided: Decided, *, behind: bool
    ) -> list[_Pending]:
        now = self._clock()
        forced = self._scoring.state is BreakerState.FORCED_OPEN  # at once: the mode is looked at twice a second
        withheld = FallbackReason.FORCED if forced else self._withheld()
        pending = []
        for record in records:
            received = record.timestamp / 1000
            try:
                transaction = read_transaction(record.key, record.value, received)
                profile = Profile() if record.key == CANARY_KEY else lane.profiles.check_out(record.key)
                why = self._why_not_the_model(transaction, now - received, behind=behind, withheld=withheld)
                prepared = self._prepare_one(decided, record, received, transaction, profile, why)
            except MalformedRecord as malformed:
                decided.malformed[malformed.reason] += 1
                decided.dead_letters.append(Outgoing(*dead_letter(record, malformed)))
                continue
            if prepared is None:
                decided.duplicates += 1
            else:
                pending.append(prepared)
        return pending

    def _prepare_one(
        self,
        batch: Decided,
        record: ConsumerRecord,
        received: float,
        transaction: Transaction,
        profile: Profile,
        why: FallbackReason | None,
    ) -> _Pending | None:
        """Features and rules of one transaction, its profile updated; None for a recognised duplicate."""
        hashed, content = id_hash(transaction.transaction_id), content_fingerprint(transaction)
        known = profile.find(hashed)
        if known is not None:
            if known != content:
                raise MalformedRecord(DeadLetterReason.ID_REUSED, "transaction_id: decided before with other content")
            return None
        at, knowledge = transaction.event_time.timestamp(), self._knowledge
        merchant = knowledge.merchants.get(transaction.acceptor)
        marks, recent, row = regard(
            at, transaction, profile, merchant, knowledge.card_frauds.get(transaction.pan_token)
        )
        ruleset = knowledge.ruleset
        verdict = _verdict(ruleset, transaction, row, recent)
        profile.observe(at, transaction.amount_minor, hashed, content, marks)
        version = ruleset.ruleset_version
        return _Pending(batch, record, received, transaction, profile, at, hashed, row, verdict, version, why)

    def _why_not_the_model(
        self, transaction: Transaction, age: float, *, behind: bool, withheld: FallbackReason | None
    ) -> FallbackReason | None:
        if self._sandbox and transaction.pan_token in FORCED_FALLBACKS:
            return FORCED_FALLBACKS[transaction.pan_token]
        if withheld is not None:
            return withheld
        if age > self._too_old_after:
            return FallbackReason.TRANSACTION_TOO_OLD
        return FallbackReason.CONSUMER_LAG if behind else None

    async def _score(self, pending: list[_Pending], matrix: NDArray[np.float64]) -> _Answers:
        asked = [row for row, each in enumerate(pending) if each.why is None]
        if not asked:
            return _Answers()
        for row, place in enumerate(asked):
            pending[place].row = row
        try:
            now = datetime.fromtimestamp(self._clock(), UTC)
            scored = await self._scoring.score(matrix if len(asked) == len(pending) else matrix[asked], now)
        except NotScored as failure:
            return _Answers(why_not=failure.reason)
        return _Answers(scored.scores(), numbers(scored.answer.log_odds))

    def _conclude(self, each: _Pending, features: Raw, answers: _Answers, now: _Now) -> None:
        decided = each.batch
        is_scored = each.row >= 0 and answers.why_not is None
        score = answers.scores[each.row] if is_scored else None
        contributions = contributions_told(score.told, answers.numbers[each.row]) if score is not None else NOTHING_TOLD
        conclusion = self._conclusion(each, score, each.why or answers.why_not)
        if each.record.key == CANARY_KEY:
            line = self._line(each, conclusion, score, features, contributions, now)
            decided.canaries.append(Outgoing(CANARY_KEY, line))
            return
        explored = False
        if each.verdict is None or each.verdict.always is None:
            concluded, conclusion = conclusion, self._block_limit.admit(conclusion, now.monotonic)
            decided.blocks_limited += conclusion is not concluded
            if self._exploration.is_on:
                conclusion = self._explored(each, conclusion, now.seconds)
                explored = ReasonCode.EXPLORATION in conclusion.reasons
                decided.explored += explored
        if (explored or conclusion.fallback_reason is not None) and conclusion.outcome is Outcome.APPROVE:
            each.profile.note_stand_in(each.at, each.transaction.amount_minor, each.hashed)
        self._tally(each, conclusion, now.seconds - each.received, decided)
        line = self._line(each, conclusion, score, features, contributions, now)
        decided.decisions[conclusion.outcome].append(Outgoing(each.record.key, line))

    def _conclusion(self, each: _Pending, score: Score | None, why_not: FallbackReason | None) -> Conclusion:
        token, amount = each.transaction.pan_token, each.transaction.amount_minor
        if self._sandbox and token.startswith(TEST_TOKEN_PREFIX) and (forced := forced_conclusion(token)):
            return forced
        if score is not None and each.verdict is not None:
            return self._judge.with_score(score, amount, each.verdict)
        count, sum_minor = each.profile.stand_in_today(each.at)
        recent, known_seconds = each.profile.stand_in_around(each.at)
        used = StandInUse(count=count, sum_minor=sum_minor, recent=recent, known_seconds=known_seconds)
        why = why_not or FallbackReason.RULES_FAILED
        return self._judge.without_score(why, amount, each.verdict, used, each.transaction.channel)

    def _explored(self, each: _Pending, conclusion: Conclusion, now: float) -> Conclusion:
        transaction = each.transaction
        count, _ = each.profile.stand_in_today(each.at)
        return self._exploration.admit(
            conclusion, transaction.transaction_id, transaction.amount_minor, card_count=count, now=now
        )

    def _tally(self, each: _Pending, conclusion: Conclusion, age: float, decided: Decided) -> None:
        decided.tallies[conclusion.outcome, conclusion.source] += 1
        decided.ages.append(max(age, 0.0))  # below 0 is a clock behind the broker's, and no sum of ages may shrink
        decided.deadlines_missed += age > self._deadline
        decided.rules_failed += each.verdict is None
        if conclusion.fallback_reason is None or (self._sandbox and each.transaction.pan_token in FORCED_FALLBACKS):
            return
        tally = decided.fallbacks.setdefault(conclusion.fallback_reason, FallbackTally())
        tally.count += 1
        tally.amount_minor += each.transaction.amount_minor
        if len(tally.samples) < SAMPLES:
            tally.samples.append(each.transaction.transaction_id)

    def _line(
        self,
        each: _Pending,
        conclusion: Conclusion,
        score: Score | None,
        features: Raw,
        contributions: Raw,
        now: _Now,
    ) -> bytes:
        """The decision as its topic holds it: the fields of `Decision`, in their order."""
        transaction, record, verdict = each.transaction, each.record, each.verdict
        age = now.seconds - each.received
        return write_line(
            f"d.{record.partition}.{record.offset}",
            transaction.transaction_id,
            transaction.pan_token,
            conclusion.outcome,
            None if score is None else score.fraud_probability,
            conclusion.confidence,
            conclusion.source,
            conclusion.fallback_reason,
            conclusion.reasons,
            contributions,
            () if verdict is None else verdict.hits,
            Outcome.REVIEW if verdict is None else verdict.outcome,
            None if verdict is None else verdict.always,
            conclusion.expected_cost_minor,
            None if score is None else score.model_version,
            each.ruleset_version,
            self._settings_version,
            transaction.event_time,
            datetime.fromtimestamp(each.received, UTC),
            now.time,
            round(age * 1000),
            age > self._deadline,
            transaction.amount_minor,
            transaction.currency,
            transaction.merchant_id,
            transaction.terminal_id,
            features,
            InputPosition(record.topic, record.partition, record.offset),
            SCHEMA_VERSION,
            conclusion.propensity,
            conclusion.credibility,
            UNSET if conclusion.outcome is Outcome.APPROVE else card_history(each.at, each.profile),
        )


def _verdict(ruleset: RuleSet, transaction: Transaction, row: Sequence[float], recent: Activity) -> Verdict | None:
    try:
        return ruleset.judge(transaction, row, recent)
    except Exception as error:  # noqa: BLE001 - compiled from what somebody wrote: whatever it raises, a payment waits
        log.error("rules_failed", ruleset_version=ruleset.ruleset_version, error=type(error).__name__)
        return None

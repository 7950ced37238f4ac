"""Decides a batch: bytes to transactions, to features and rules, to scores, to decisions, to bytes.

The hot path. One pass before the scorer and one after, each record touched once in each.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from aiokafka import ConsumerRecord
from msgspec import UNSET, Struct

from models.activity import Activity
from models.canary import CANARY_KEY
from models.card import Profile, activity, features
from models.card_history import card_history
from models.dead_letter import DeadLetterReason
from models.fingerprint import id_hash
from models.marks import marks_of
from models.score import Score
from models.transaction import SCHEMA_VERSION, Transaction
from rules.block_limit import BlockLimit
from rules.breaker import BreakerState
from rules.decision import Decision, FallbackReason, InputPosition, Outcome, ReasonCode
from rules.exploration import Exploration
from rules.judgement import Conclusion, Judge
from rules.ruleset import RuleSet, Verdict
from rules.sandbox import FORCED_FALLBACKS, TEST_TOKEN_PREFIX, forced_conclusion
from rules.stand_in import StandInUse
from streams.deciding.batch import Decided, FallbackTally, Outgoing
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane_state import LaneState
from streams.deciding.scorer_child import NotScored
from streams.deciding.scoring import Scoring
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, content_fingerprint, read_transaction, write_decision
from streams.wire.dead_letter import dead_letter

log = structlog.get_logger()

SAMPLES = 5


class _Now(NamedTuple):
    """When a batch is concluded, by three clocks that are read once."""

    seconds: float  # since 1970
    time: datetime
    monotonic: float


class _Pending(Struct, kw_only=True, gc=False):
    """A transaction between the two passes."""

    record: ConsumerRecord
    received: float  # the broker's timestamp, seconds since 1970
    transaction: Transaction
    profile: Profile
    at: float
    hashed: int  # of its id, as the profile has it
    features: list[float]
    verdict: Verdict | None  # None where the rules could not be evaluated
    ruleset_version: str  # of the set that gave the verdict: another may come while the model scores
    why: FallbackReason | None  # already known not to be the model's
    row: int = -1  # in the scored matrix


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

    async def decide(self, lane: LaneState, records: Sequence[ConsumerRecord]) -> Decided:
        """Decide every record of one partition's batch, in order: a decision, a dead letter or a known duplicate.

        What it raises leaves the lane's profiles as they were.
        """
        try:
            return await self._decide(lane, records)
        except BaseException:
            lane.profiles.roll_back()
            raise

    async def _decide(self, lane: LaneState, records: Sequence[ConsumerRecord]) -> Decided:
        decided = Decided()
        if self._knowledge.review_minor != self._review_minor:
            self._reprice(self._knowledge.review_minor)
        behind = lane.gate.is_behind(lane.lag, self._monotonic())
        pending = self._prepare(lane, records, decided, behind=behind)
        scores, why_not = await self._score([each for each in pending if each.why is None])
        seconds = self._clock()
        now = _Now(seconds, datetime.fromtimestamp(seconds, UTC), self._monotonic())
        for each in pending:
            self._conclude(each, scores, each.why or why_not, now, decided)
        decided.block_limit_reached = self._block_limit.reached
        decided.profiles = [Outgoing(card, packed, []) for card, packed in lane.profiles.commit()]
        return decided

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
                prepared = self._prepare_one(record, received, transaction, profile, why)
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
        at = transaction.event_time.timestamp()
        knowledge, marks = self._knowledge, marks_of(transaction)
        recent = activity(at, profile, marks.merchant)
        row = features(
            at,
            transaction,
            marks,
            profile,
            recent,
            knowledge.merchants.get(transaction.acceptor),
            knowledge.card_frauds.get(transaction.pan_token),
        )
        ruleset = knowledge.ruleset
        verdict = _verdict(ruleset, transaction, row, recent)
        profile.observe(at, transaction.amount_minor, hashed, content, marks)
        return _Pending(
            record=record,
            received=received,
            transaction=transaction,
            profile=profile,
            at=at,
            hashed=hashed,
            features=row,
            verdict=verdict,
            ruleset_version=ruleset.ruleset_version,
            why=why,
        )

    def _why_not_the_model(
        self, transaction: Transaction, age: float, *, behind: bool, withheld: FallbackReason | None
    ) -> FallbackReason | None:
        if self._settings.sandbox and transaction.pan_token in FORCED_FALLBACKS:
            return FORCED_FALLBACKS[transaction.pan_token]
        if withheld is not None:
            return withheld
        if age > self._too_old_after:
            return FallbackReason.TRANSACTION_TOO_OLD
        return FallbackReason.CONSUMER_LAG if behind else None

    async def _score(self, asked: list[_Pending]) -> tuple[list[Score], FallbackReason | None]:
        if not asked:
            return [], None
        for row, each in enumerate(asked):
            each.row = row
        try:
            now = datetime.fromtimestamp(self._clock(), UTC)
            return (await self._scoring.score([each.features for each in asked], now)).scores(), None
        except NotScored as failure:
            return [], failure.reason

    def _conclude(
        self, each: _Pending, scores: list[Score], why_not: FallbackReason | None, now: _Now, decided: Decided
    ) -> None:
        score = scores[each.row] if scores and each.row >= 0 else None
        conclusion = self._conclusion(each, score, why_not)
        if each.record.key == CANARY_KEY:
            decision = self._decision(each, conclusion, score, now)
            decided.canaries.append(Outgoing(CANARY_KEY, write_decision(decision), []))
            return
        if each.verdict is None or each.verdict.always is None:
            concluded, conclusion = conclusion, self._block_limit.admit(conclusion, now.monotonic)
            decided.blocks_limited += conclusion is not concluded
            if self._exploration.is_on:
                conclusion = self._explored(each, conclusion, now.seconds)
        explored = ReasonCode.EXPLORATION in conclusion.reasons
        decided.explored += explored
        if conclusion.outcome is Outcome.APPROVE and (explored or conclusion.fallback_reason is not None):
            each.profile.note_stand_in(each.at, each.transaction.amount_minor, each.hashed)
        self._tally(each, conclusion, now.seconds - each.received, decided)
        decision = self._decision(each, conclusion, score, now)
        decided.decisions[conclusion.outcome].append(Outgoing(each.record.key, write_decision(decision), []))

    def _conclusion(self, each: _Pending, score: Score | None, why_not: FallbackReason | None) -> Conclusion:
        token, amount = each.transaction.pan_token, each.transaction.amount_minor
        if self._settings.sandbox and token.startswith(TEST_TOKEN_PREFIX) and (forced := forced_conclusion(token)):
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
        if conclusion.fallback_reason is None or (
            self._settings.sandbox and each.transaction.pan_token in FORCED_FALLBACKS
        ):
            return
        tally = decided.fallbacks.setdefault(conclusion.fallback_reason, FallbackTally())
        tally.count += 1
        tally.amount_minor += each.transaction.amount_minor
        if len(tally.samples) < SAMPLES:
            tally.samples.append(each.transaction.transaction_id)

    def _decision(self, each: _Pending, conclusion: Conclusion, score: Score | None, now: _Now) -> Decision:
        transaction, record = each.transaction, each.record
        age = now.seconds - each.received
        verdict = each.verdict
        passed = conclusion.outcome is Outcome.APPROVE
        return Decision(
            decision_id=f"d.{record.partition}.{record.offset}",
            transaction_id=transaction.transaction_id,
            pan_token=transaction.pan_token,
            outcome=conclusion.outcome,
            risk_score=score.fraud_probability if score is not None else None,
            confidence=conclusion.confidence,
            decision_source=conclusion.source,
            fallback_reason=conclusion.fallback_reason,
            reason_codes=conclusion.reasons,
            contributions=score.contributions if score is not None else (),
            rule_hits=verdict.hits if verdict is not None else (),
            rule_outcome=verdict.outcome if verdict is not None else Outcome.REVIEW,
            rule_always=verdict.always if verdict is not None else None,
            expected_cost_minor=conclusion.expected_cost_minor,
            model_version=score.model_version if score is not None else None,
            ruleset_version=each.ruleset_version,
            settings_version=self._settings_version,
            event_time=transaction.event_time,
            received_at=datetime.fromtimestamp(each.received, UTC),
            decided_at=now.time,
            age_ms=round(age * 1000),
            deadline_missed=age > self._deadline,
            amount_minor=transaction.amount_minor,
            currency=transaction.currency,
            merchant_id=transaction.merchant_id,
            terminal_id=transaction.terminal_id,
            features=tuple(each.features),
            input=InputPosition(topic=record.topic, partition=record.partition, offset=record.offset),
            schema_version=SCHEMA_VERSION,
            propensity=conclusion.propensity,
            credibility=conclusion.credibility,
            card_history=UNSET if passed else card_history(each.at, each.profile),
        )


def _verdict(ruleset: RuleSet, transaction: Transaction, row: Sequence[float], recent: Activity) -> Verdict | None:
    try:
        return ruleset.judge(transaction, row, recent)
    except Exception as error:  # noqa: BLE001 - compiled from what somebody wrote: whatever it raises, a payment waits
        log.error("rules_failed", ruleset_version=ruleset.ruleset_version, error=type(error).__name__)
        return None

"""The decider: every record of a batch ends as exactly one of decision, dead letter and recognised duplicate."""

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from support.deciding import NOW, Desk, a_lane, dead_letters, decisions, default_rules, record_of, transaction
from support.fake_scorer import scored
from support.records import consumed

from models.canary import CANARY_KEY, canary
from models.dead_letter import DeadLetterReason
from models.features import FEATURES
from models.score import BASE, OTHER
from models.simulator.bad_records import BAD_KINDS
from models.simulator.chance import seeded
from models.transaction import Transaction
from rules.block_limit import BlockLimitPolicy
from rules.breaker import BreakerPolicy
from rules.decision import DecisionSource, FallbackReason, Outcome, ReasonCode
from rules.exploration import ExplorationPolicy
from rules.review_price import CapacityPolicy
from rules.ruleset import RuleSet
from streams.deciding import decider as decider_module
from streams.deciding.batch import Decided
from streams.deciding.decider import SAMPLES
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.scorer_child import Scored
from streams.deciding.scorer_frames import TOP
from streams.settings import Settings
from streams.wire.codec import read_decision, write_decision

SANDBOX = Settings(sandbox=True)
AT_THE_BORDER = [kind for kind in BAD_KINDS if not kind.follows_good]
AFTER_THE_GOOD = [kind for kind in BAD_KINDS if kind.follows_good]


def plain(number: int) -> dict:
    """A good payment as producers write it, at the broker's time."""
    return msgspec.to_builtins(transaction(number, event_time=datetime.fromtimestamp(NOW, UTC)))


def broken_rules() -> RuleSet:
    def judge(*_: object) -> None:
        raise RecursionError("rules")

    return replace(default_rules(), judge=judge)


# --- the price of a review ---


async def test_a_review_costs_what_was_told_within_the_bounds_of_settings() -> None:
    desk = Desk(settings=Settings(capacity=CapacityPolicy(most_review_minor=1_000)))
    desk.scorer.probability = 0.05  # of 100.00 an approval costs 5.75

    async def made(number: int) -> tuple[Outcome, int | None]:
        decision = await desk.decision(transaction(number, amount_minor=10_000))
        return decision.outcome, decision.expected_cost_minor

    assert await made(1) == (Outcome.REVIEW, 300)
    for told, outcome, cost in (
        (b"500", Outcome.REVIEW, 500),
        (b"900", Outcome.APPROVE, 575),
        (b"100", Outcome.REVIEW, 300),
        (b"999999", Outcome.APPROVE, 575),
    ):
        desk.knowledge.take_control(b"review_price", b'{"review_minor": %s}' % told)
        assert await made(int(told)) == (outcome, cost)
    desk.scorer.probability = 0.3  # of 10,000.00 either costs more than the bound
    assert (await desk.decision(transaction(7, amount_minor=1_000_000))).expected_cost_minor == 1_000
    desk.knowledge.take_control(b"review_price", b"no price")
    assert (await desk.decision(transaction(8, amount_minor=1_000_000))).expected_cost_minor == 1_000
    desk.knowledge.take_control(b"review_price", None)
    assert (await desk.decision(transaction(9, amount_minor=1_000_000))).expected_cost_minor == 300


async def test_a_price_that_settings_do_not_approve_is_not_followed() -> None:
    desk = Desk()
    desk.scorer.probability = 0.05
    desk.knowledge.take_control(b"review_price", b'{"review_minor": 900}')
    assert (await desk.decision(transaction(1, amount_minor=10_000))).expected_cost_minor == 300


# --- canaries ---


async def test_a_canary_is_decided_like_a_payment_and_leaves_nothing_else() -> None:
    desk = Desk()
    sent = canary("canary-1", datetime.fromtimestamp(NOW, UTC))
    decided = await desk.decide(record_of(sent, offset=3), record_of(sent, offset=4))
    made = [read_decision(each.value) for each in decided.canaries]
    assert [(each.transaction_id, each.input.offset) for each in made] == [("canary-1", 3), ("canary-1", 4)]
    assert made[0].decision_source is DecisionSource.MODEL
    assert [each.key for each in decided.canaries] == [CANARY_KEY] * 2
    assert replace(decided, canaries=[]) == Decided()
    assert len(desk.lane.profiles) == 0


async def test_without_the_model_a_canary_uses_up_no_limit_and_is_told_by_nobody() -> None:
    desk = Desk()
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    for offset in range(50):
        decided = await desk.decide(record_of(canary(f"canary-{offset}", datetime.fromtimestamp(NOW, UTC))))
        (made,) = [read_decision(each.value) for each in decided.canaries]
        assert (made.outcome, made.fallback_reason) == (Outcome.APPROVE, FallbackReason.RESPONSE_TIMEOUT)
        assert decided.fallbacks == {}


async def test_what_bears_a_canarys_key_and_is_no_payment_is_a_dead_letter() -> None:
    decided = await Desk().decide(consumed(b"{}", key=CANARY_KEY))
    assert [each.reason for each in dead_letters(decided)] == [DeadLetterReason.MISSING_FIELD]
    assert decided.canaries == []


# --- accounting ---

numbers = st.integers(0, 12)
sendings = st.lists(
    st.one_of(
        st.tuples(st.just("good"), numbers, st.just(0)),
        st.tuples(st.just("bad"), numbers, st.integers(0, len(AT_THE_BORDER) - 1)),
        st.tuples(st.just("reused"), numbers, st.integers(0, len(AFTER_THE_GOOD) - 1)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(sendings, st.lists(st.integers(0, 30), max_size=3))
async def test_each_record_ends_as_exactly_one_of_three(sent: list[tuple[str, int, int]], cuts: list[int]) -> None:
    """Good payments, good ones sent again, all kinds of bad ones and reused ids, cut into batches anyhow."""
    desk, records, expected, known = Desk(), [], Counter(), set()
    for offset, (kind, number, which) in enumerate(sent):
        good = transaction(number, event_time=datetime.fromtimestamp(NOW, UTC))
        if kind == "bad":
            key, value = AT_THE_BORDER[which].make(plain(number), seeded(offset))
            expected[AT_THE_BORDER[which].reason] += 1
            records.append(consumed(value, key=key, offset=offset, at=NOW))
        elif kind == "reused" and number in known:
            key, value = AFTER_THE_GOOD[which].make(plain(number), seeded(offset))
            expected[DeadLetterReason.ID_REUSED] += 1
            records.append(consumed(value, key=key, offset=offset, at=NOW))
        else:
            expected["duplicate" if number in known else "decided"] += 1
            known.add(number)
            records.append(record_of(good, offset=offset))
    bounds = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    made, letters, duplicates = [], [], 0
    for begin, end in pairwise(bounds):
        batch = await desk.decide(*records[begin:end])
        made += decisions(batch)
        letters += dead_letters(batch)
        duplicates += batch.duplicates
        assert sum(batch.tallies.values()) == len(batch.ages) == len(decisions(batch))
        assert sum(batch.malformed.values()) == len(batch.dead_letters)
    ends = [decision.input.offset for decision in made] + [letter.record.offset for letter in letters]
    assert len(ends) == len(set(ends))
    assert len(ends) + duplicates == len(records)
    told = Counter(letter.reason for letter in letters) | Counter(decided=len(made), duplicate=duplicates)
    assert +told == +expected
    assert len({decision.transaction_id for decision in made}) == len(made)


def a_lane_of(partition: int) -> LaneState:
    return replace(a_lane(), partition=partition)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=1, max_size=40), st.integers(1, 5))
async def test_a_round_comes_to_what_its_batches_come_to_one_by_one(sent: list[tuple[int, int]], piece: int) -> None:
    """Payments of few cards in three lanes, in pieces that cut through batches; some come twice."""
    together, apart = Desk(), Desk()
    lanes, batches = [a_lane_of(number) for number in range(3)], [a_lane_of(number) for number in range(3)]
    records: list[list[ConsumerRecord]] = [[], [], []]
    for offset, (partition, number) in enumerate(sent):
        payment = transaction(
            number, transaction_id=f"t-{partition}-{number}", pan_token=f"tok_{partition}_{number % 3}"
        )
        records[partition].append(record_of(payment, offset=offset))
    taken = [Taken(lane, each) for lane, each in zip(lanes, records, strict=True) if each]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decider_module, "PIECE", piece)
        patch.setattr(decider_module, "TURN", 2)
        rounds = await together.decider.decide(taken)
    one_by_one = [
        (await apart.decider.decide([Taken(lane, each)]))[0]
        for lane, each in zip(batches, records, strict=True)
        if each
    ]
    for whole, alone in zip(rounds, one_by_one, strict=True):
        assert decisions(whole) == decisions(alone)
        assert (whole.profiles, whole.duplicates, whole.tallies) == (alone.profiles, alone.duplicates, alone.tallies)
    assert sum(map(len, together.scorer.asked)) == sum(map(len, apart.scorer.asked))
    assert all(len(each) < piece + 2 for each in together.scorer.asked)


async def test_a_piece_is_scored_while_the_next_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider_module, "PIECE", 2)
    monkeypatch.setattr(decider_module, "TURN", 2)
    desk = Desk()
    asked: list[int] = []
    prepare = desk.decider._prepare_one
    monkeypatch.setattr(
        desk.decider, "_prepare_one", lambda *given: (asked.append(len(desk.scorer.asked)), prepare(*given))[1]
    )
    batch = await desk.decide(*(record_of(transaction(number), offset=number) for number in range(5)))
    assert asked == [0, 0, 1, 1, 2]
    assert [decision.input.offset for decision in decisions(batch)] == [0, 1, 2, 3, 4]


async def test_a_payment_sent_twice_in_a_batch_is_decided_once() -> None:
    desk = Desk()
    batch = await desk.decide(*(record_of(transaction(1), offset=offset) for offset in range(3)))
    assert [decision.input.offset for decision in decisions(batch)] == [0]
    assert batch.duplicates == 2


async def test_a_payment_sent_again_later_is_not_decided_again() -> None:
    desk = Desk()
    await desk.decide(record_of(transaction(1)))
    batch = await desk.decide(record_of(transaction(1), offset=1))
    assert (decisions(batch), batch.duplicates, batch.profiles) == ([], 1, batch.profiles)


async def test_the_same_id_with_other_content_is_a_dead_letter() -> None:
    desk = Desk()
    await desk.decide(record_of(transaction(1)))
    batch = await desk.decide(record_of(transaction(1, amount_minor=99), offset=1))
    (letter,) = dead_letters(batch)
    assert (letter.reason, letter.record.offset, decisions(batch)) == (DeadLetterReason.ID_REUSED, 1, [])


async def test_decisions_of_an_outcome_keep_the_order_of_their_payments() -> None:
    desk = Desk()
    batch = await desk.decide(*(record_of(transaction(number), offset=number) for number in range(20)))
    for outgoing in batch.decisions.values():
        offsets = [msgspec.json.decode(each.value)["input"]["offset"] for each in outgoing]
        assert offsets == sorted(offsets)


async def test_payments_of_a_card_see_each_other_within_a_batch() -> None:
    desk = Desk()
    same = [record_of(transaction(number, pan_token="tok_1"), offset=number) for number in range(3)]
    batch = await desk.decide(*same)
    count = FEATURES.index("card_count_1d")
    assert [decision.features[count] for decision in decisions(batch)] == [1.0, 2.0, 3.0]
    assert len(batch.profiles) == 1


async def test_what_is_new_to_a_card_is_known_at_its_next_payment() -> None:
    desk = Desk()
    places = [{"merchant_id": "m-a", "device_id": "d-1"}, {"merchant_id": "m-b", "device_id": "d-2"}] * 2
    batch = await desk.decide(
        *(
            record_of(transaction(number, pan_token="tok_1", **place), offset=number)
            for number, place in enumerate(places)
        )
    )
    for name in ("merchant_is_new", "device_is_new"):
        new = FEATURES.index(name)
        assert [decision.features[new] for decision in decisions(batch)] == [0.0, 1.0, 0.0, 0.0]


# --- who decides ---


def with_p_values(answer: Scored, p_values: list[list[float]]) -> Scored:
    return answer._replace(answer=answer.answer._replace(p_values=np.array(p_values)))


async def test_the_model_decides_where_it_may() -> None:
    desk = Desk()
    decision = await desk.decision(transaction(1))
    assert (decision.decision_source, decision.fallback_reason) == (DecisionSource.MODEL, None)
    assert (decision.risk_score, decision.model_version) == (0.01, "m-1")
    assert decision.features == tuple(desk.scorer.asked[0][0])
    assert [contribution.feature for contribution in decision.contributions] == [FEATURES[0]] * TOP + [OTHER, BASE]


@pytest.mark.parametrize(
    "why",
    [
        FallbackReason.RESPONSE_TIMEOUT,
        FallbackReason.CONNECTION_ERROR,
        FallbackReason.APPLICATION_ERROR,
        FallbackReason.MODEL_COLD_START,
    ],
)
async def test_rules_decide_where_the_model_does_not(why: FallbackReason) -> None:
    desk = Desk()
    desk.scorer.failure = why
    decision = await desk.decision(transaction(1))
    assert decision.fallback_reason is why
    assert decision.decision_source in (DecisionSource.RULES, DecisionSource.STAND_IN)
    assert decision.risk_score is decision.model_version is decision.confidence is None


async def test_a_decision_tells_confidence_and_credibility_by_what_scores_came_to() -> None:
    desk = Desk()
    desk.scorer.lie = with_p_values(scored(0.01), [[0.3, 0.02]])
    decision = await desk.decision(transaction(1))
    assert (decision.confidence, decision.credibility) == (0.98, 0.3)
    desk.scorer.lie = None
    decision = await desk.decision(transaction(2))
    assert (decision.confidence, decision.credibility) == (0.99, None)


@pytest.mark.parametrize("p_values", [[[0.5, float("nan")]], [[0.0, 1.0]], [[0.5, 1.5]]], ids=str)
async def test_p_values_that_are_none_are_not_believed(p_values: list[list[float]]) -> None:
    desk = Desk()
    desk.scorer.lie = with_p_values(scored(0.01), p_values)
    assert (await desk.decision(transaction(1))).fallback_reason is FallbackReason.MODEL_INVALID_OUTPUT


async def test_beyond_its_bounds_nothing_is_automatic() -> None:
    desk = Desk()
    for probability, bounds in ((0.01, (0.01, 0.5)), (0.99, (0.5, 0.995))):
        lie = with_p_values(scored(probability), [[0.5, 0.5]])
        desk.scorer.lie = lie._replace(answer=lie.answer._replace(bounds=bounds))
        decision = await desk.decision(transaction(round(1_000 * probability)))
        assert decision.outcome is Outcome.REVIEW
        assert ReasonCode.LOW_CONFIDENCE in decision.reason_codes


async def test_what_the_card_did_is_told_with_all_that_is_not_approved() -> None:
    desk = Desk(ruleset=broken_rules())
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    approved = await desk.decision(transaction(1, amount_minor=1_999))
    reviewed = await desk.decision(transaction(2, amount_minor=5_000, pan_token="tok_1"))
    assert (approved.outcome, reviewed.outcome) == (Outcome.APPROVE, Outcome.REVIEW)
    assert b"card_history" not in write_decision(approved)
    told = read_decision(write_decision(reviewed)).card_history
    assert not isinstance(told, msgspec.UnsetType)
    assert [each.amount_minor for each in told.recent] == [1_999, 5_000]
    assert (sum(told.spent_minor), told.payments, told.recent[-1].seconds_before) == (6_999, 2, 0)


async def test_a_lying_model_is_not_believed() -> None:
    desk = Desk()
    desk.scorer.lie = scored(float("nan"))
    assert (await desk.decision(transaction(1))).fallback_reason is FallbackReason.MODEL_INVALID_OUTPUT


@pytest.mark.parametrize(("age", "why"), [(0.250, None), (0.251, FallbackReason.TRANSACTION_TOO_OLD)])
async def test_a_payment_older_than_its_deadline_allows_is_not_scored(age: float, why: FallbackReason | None) -> None:
    desk = Desk()
    desk.clock.now = round(NOW + age, 3)
    decision = await desk.decision(transaction(1))
    assert decision.fallback_reason is why
    assert len(desk.scorer.asked) == (why is None)


@pytest.mark.parametrize(("age", "missed"), [(0.300, False), (0.301, True)])
async def test_a_decision_later_than_its_deadline_says_so(age: float, missed: bool) -> None:
    desk = Desk()
    desk.clock.now = NOW + age
    decision = await desk.decision(transaction(1))
    assert (decision.deadline_missed, decision.age_ms) == (missed, round(age * 1000))


async def test_a_clock_behind_the_brokers_makes_no_age_below_zero_but_is_told() -> None:
    desk = Desk()
    desk.clock.now = NOW - 3600
    decided = await desk.decide(record_of(transaction(1)))
    assert decided.ages == [0.0]
    [decision] = decisions(decided)
    assert (decision.age_ms, decision.deadline_missed) == (-3_600_000, False)


def a_batch_with_an_old_one_in_the_middle() -> list[ConsumerRecord]:
    ages = (0.0, 60.0, 0.0)
    return [record_of(transaction(offset), offset=offset, at=NOW - age) for offset, age in enumerate(ages)]


async def test_each_payment_gets_its_own_score_and_an_old_one_none() -> None:
    desk = Desk()
    desk.scorer.lie = scored(0.01, 0.02)
    made = decisions(await desk.decide(*a_batch_with_an_old_one_in_the_middle()))
    assert [decision.risk_score for decision in made] == [0.01, None, 0.02]
    assert made[1].fallback_reason is FallbackReason.TRANSACTION_TOO_OLD


async def test_an_old_payment_is_not_said_to_wait_for_a_model_that_fails() -> None:
    desk = Desk()
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    made = decisions(await desk.decide(*a_batch_with_an_old_one_in_the_middle()))
    late, old = FallbackReason.RESPONSE_TIMEOUT, FallbackReason.TRANSACTION_TOO_OLD
    assert [decision.fallback_reason for decision in made] == [late, old, late]


async def test_a_lane_behind_goes_by_rules() -> None:
    desk = Desk()
    desk.lane.lag = 5_000
    assert (await desk.decision(transaction(1))).fallback_reason is FallbackReason.CONSUMER_LAG
    assert desk.scorer.asked == []


async def test_an_operator_takes_the_model_out_of_use_and_gives_it_back() -> None:
    desk = Desk()
    desk.knowledge.take_control(b"mode", b'{"force": "rules", "why": "drill"}')
    assert (await desk.decision(transaction(1))).fallback_reason is FallbackReason.FORCED
    desk.knowledge.take_control(b"mode", None)
    assert (await desk.decision(transaction(2))).fallback_reason is FallbackReason.CIRCUIT_OPEN
    for _ in range(BreakerPolicy().trial_successes):
        desk.scoring._breaker.succeeded(time.monotonic())
    assert (await desk.decision(transaction(3))).fallback_reason is None


async def test_a_model_that_is_withheld_is_not_asked_and_each_decision_says_why() -> None:
    desk = Desk(withheld=FallbackReason.CONNECTION_ERROR)
    old = NOW - 60
    made = decisions(await desk.decide(record_of(transaction(1)), record_of(transaction(2), offset=1, at=old)))
    assert [each.fallback_reason for each in made] == [FallbackReason.CONNECTION_ERROR] * 2
    assert desk.scorer.asked == []


async def test_payments_whose_rules_fail_are_counted() -> None:
    desk = Desk(ruleset=broken_rules())
    assert (await desk.decide(record_of(transaction(1)), record_of(transaction(2), offset=1))).rules_failed == 2
    assert (await Desk().decide(record_of(transaction(1)))).rules_failed == 0


async def test_an_operator_keeps_a_model_in_use_although_it_is_stale() -> None:
    desk = Desk()
    desk.scoring.snapshot_published(datetime(2020, 1, 1, tzinfo=UTC))
    assert (await desk.decision(transaction(1))).fallback_reason is FallbackReason.MODEL_STALE
    until = datetime.fromtimestamp(NOW + 60, UTC).isoformat().encode()
    desk.knowledge.take_control(b"mode", b'{"force": "model", "until": "%s"}' % until)
    assert (await desk.decision(transaction(2))).fallback_reason is None


async def test_a_word_whose_time_is_over_is_none() -> None:
    desk = Desk()
    until = datetime.fromtimestamp(NOW - 1, UTC).isoformat().encode()
    desk.knowledge.take_control(b"mode", b'{"force": "rules", "until": "%s"}' % until)
    assert (await desk.decision(transaction(1))).fallback_reason is None


@pytest.mark.parametrize("answered", [True, False])
async def test_the_safe_default_decides_where_rules_raise(answered: bool) -> None:
    desk = Desk(ruleset=broken_rules())
    desk.scorer.failure = None if answered else FallbackReason.RESPONSE_TIMEOUT
    small = await desk.decision(transaction(1, amount_minor=1_999))
    large = await desk.decision(transaction(2, amount_minor=2_000))
    assert (small.outcome, large.outcome) == (Outcome.APPROVE, Outcome.REVIEW)
    for decision in (small, large):
        assert decision.decision_source is DecisionSource.SAFE_DEFAULT
        assert decision.reason_codes == (ReasonCode.RULE_FAILED, ReasonCode.SAFE_DEFAULT)
        assert decision.fallback_reason is (
            FallbackReason.RULES_FAILED if answered else FallbackReason.RESPONSE_TIMEOUT
        )


async def test_a_card_is_approved_without_the_model_only_within_its_limits() -> None:
    desk = Desk()
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    hour = timedelta(hours=1)
    begin = datetime.fromtimestamp(NOW, UTC)
    sent = [
        transaction(number, pan_token="tok_1", amount_minor=900, event_time=begin - (12 - number) * hour / 12)
        for number in range(12)
    ]
    batch = await desk.decide(*(record_of(each, offset=offset) for offset, each in enumerate(sent[:6])))
    batch_2 = await desk.decide(*(record_of(each, offset=offset) for offset, each in enumerate(sent[6:])))
    approved = [each for each in decisions(batch) + decisions(batch_2) if each.outcome is Outcome.APPROVE]
    assert 0 < len(approved) <= Settings().stand_in.max_count


async def test_a_card_is_approved_without_the_model_only_within_its_windows() -> None:
    desk = Desk()
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    begin = datetime.fromtimestamp(NOW, UTC)
    sent = [
        transaction(n, pan_token="tok_1", amount_minor=900, event_time=begin - timedelta(minutes=60 - n))
        for n in range(10)
    ]
    made = [await desk.decision(each) for each in sent]
    assert [each.outcome for each in made].count(Outcome.APPROVE) == 3  # of an hour, below the five of a day
    assert made[3].reason_codes == (ReasonCode.STAND_IN_LIMIT, ReasonCode.SAFE_DEFAULT)


async def test_a_model_that_blocks_everything_sends_people_to_people() -> None:
    desk = Desk()
    desk.scorer.probability = 0.999
    batch = await desk.decide(*(record_of(transaction(n, amount_minor=20_000), offset=n) for n in range(300)))
    made = decisions(batch)
    assert [each.outcome for each in made] == [Outcome.BLOCK] * 199 + [Outcome.REVIEW] * 101
    assert batch.blocks_limited == 101
    assert batch.block_limit_reached
    assert made[-1].reason_codes[-1] is ReasonCode.BLOCK_LIMIT
    assert (made[-1].decision_source, made[-1].confidence) == (DecisionSource.MODEL, None)


async def test_what_hard_rules_block_is_not_limited() -> None:
    desk = Desk()
    batch = await desk.decide(*(record_of(transaction(n, merchant_country="KP"), offset=n) for n in range(300)))
    assert {each.outcome for each in decisions(batch)} == {Outcome.BLOCK}
    assert {each.rule_always for each in decisions(batch)} == {Outcome.BLOCK}
    assert batch.blocks_limited == 0
    assert not batch.block_limit_reached


async def test_a_rule_set_that_comes_while_the_model_scores_is_not_named_for_this_batch() -> None:
    desk = Desk()
    later = replace(default_rules(), ruleset_version="2+later")
    desk.scorer.meanwhile = lambda: setattr(desk.knowledge, "ruleset", later)
    first, second = await desk.decision(transaction(1)), await desk.decision(transaction(2))
    assert first.ruleset_version == default_rules().ruleset_version
    assert second.ruleset_version == "2+later"


async def test_fallbacks_are_tallied_with_their_money_and_a_few_samples() -> None:
    desk = Desk()
    desk.scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    batch = await desk.decide(*(record_of(transaction(number, amount_minor=100), offset=number) for number in range(9)))
    tally = batch.fallbacks[FallbackReason.RESPONSE_TIMEOUT]
    assert (tally.count, tally.amount_minor, len(tally.samples)) == (9, 900, SAMPLES)


# --- sandbox ---


@pytest.mark.parametrize("outcome", Outcome)
async def test_a_test_token_forces_its_outcome_in_a_sandbox_only(outcome: Outcome) -> None:
    sent = transaction(1, pan_token=f"tok_test_{outcome}")
    forced = await Desk(settings=SANDBOX).decision(sent)
    assert (forced.outcome, forced.reason_codes) == (outcome, (ReasonCode.SANDBOX,))
    assert ReasonCode.SANDBOX not in (await Desk().decision(sent)).reason_codes


@pytest.mark.parametrize(
    ("token", "why"),
    [("slow", FallbackReason.RESPONSE_TIMEOUT), ("scorer_down", FallbackReason.CONNECTION_ERROR)],
)
async def test_a_test_token_forces_its_fallback_and_alarms_nobody(token: str, why: FallbackReason) -> None:
    desk = Desk(settings=SANDBOX)
    batch = await desk.decide(record_of(transaction(1, pan_token=f"tok_test_{token}")))
    (decision,) = decisions(batch)
    assert decision.fallback_reason is why
    assert batch.fallbacks == {}


# --- state ---


async def test_a_batch_that_fails_leaves_the_profiles_as_they_were_and_can_be_decided_again() -> None:
    desk = Desk()

    def explode() -> None:
        raise MemoryError

    desk.scorer.meanwhile = explode
    with pytest.raises(MemoryError):
        await desk.decide(record_of(transaction(1)))
    assert len(desk.lane.profiles) == 0
    desk.scorer.meanwhile = lambda: None
    batch = await desk.decide(record_of(transaction(1)))
    assert (len(decisions(batch)), batch.duplicates) == (1, 0)


async def test_what_a_batch_changes_goes_to_the_changelog() -> None:
    desk = Desk()
    batch = await desk.decide(*(record_of(transaction(number), offset=number) for number in range(3)))
    assert [each.key for each in batch.profiles] == [b"tok_0", b"tok_1", b"tok_2"]
    restored = Desk()
    for each in batch.profiles:
        restored.lane.profiles.restored(each.key or b"", each.value)
    again = await restored.decide(*(record_of(transaction(number), offset=number) for number in range(3)))
    assert (decisions(again), again.duplicates) == ([], 3)


async def test_a_batch_of_nothing_good_changes_no_profile() -> None:
    batch = await Desk().decide(consumed(b"{", key=b"tok_1", at=NOW))
    assert (batch.profiles, len(batch.dead_letters)) == ([], 1)


async def test_an_empty_batch_is_decided() -> None:
    assert decisions(await Desk().decide()) == []


EXPLORING = ExplorationPolicy(
    share=0.1, outcome=Outcome.APPROVE, max_per_day=100_000, max_sum_minor_per_day=10**9, salt="hush"
)


def exploring_desk() -> Desk:
    desk = Desk(settings=Settings(exploration=EXPLORING, block_limit=BlockLimitPolicy(max_share=1.0)))
    desk.scorer.probability = 0.999
    desk.clock.pass_(40_000.0)  # of the day: what may be spent grows with it
    return desk


def on_one_card(count: int, **changes: object) -> list[Transaction]:
    return [transaction(n, pan_token="tok_1", amount_minor=1_000, **changes) for n in range(count)]


async def test_a_block_is_explored_once_on_a_card_in_a_day_and_counts_as_an_approval_without_the_model() -> None:
    desk = exploring_desk()
    batch = await desk.decide(*(record_of(each, offset=n, at=desk.clock.now) for n, each in enumerate(on_one_card(80))))
    (through,) = [each for each in decisions(batch) if each.outcome is Outcome.APPROVE]
    assert (through.reason_codes[0], through.reason_codes[-1]) == (ReasonCode.HIGH_RISK, ReasonCode.EXPLORATION)
    assert (through.decision_source, through.propensity) == (DecisionSource.MODEL, 0.1)
    assert batch.explored == 1
    assert desk.lane.profiles.check_out(b"tok_1").stand_in_today(through.event_time.timestamp()) == (1, 1_000)


async def test_exploration_never_goes_against_a_hard_rule() -> None:
    desk = exploring_desk()
    sent = [transaction(n, amount_minor=1_000, merchant_country="KP") for n in range(300)]
    batch = await desk.decide(*(record_of(each, offset=n, at=desk.clock.now) for n, each in enumerate(sent)))
    assert {(each.outcome, each.propensity) for each in decisions(batch)} == {(Outcome.BLOCK, None)}


async def test_nothing_is_explored_by_default() -> None:
    desk = Desk()
    desk.scorer.probability = 0.999
    batch = await desk.decide(*(record_of(transaction(n, amount_minor=1_000), offset=n) for n in range(150)))
    assert {(each.outcome, each.propensity) for each in decisions(batch)} == {(Outcome.BLOCK, None)}

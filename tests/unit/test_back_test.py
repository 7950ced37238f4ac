"""Another rule set held against decisions that were made: what stays, what changes, and what a card had done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.in_memory_cluster import InMemoryCluster
from support.shown import DRAFT, ruled
from support.wire_samples import KEY, a_decision, transaction_bytes

from models.activity import activity
from models.features import FEATURES, features
from models.marks import marks_of
from models.profile import Profile
from models.transaction import Transaction
from rules.back_test import BackTest, Change, Found, activity_of, would_be
from rules.decision import Decision, FallbackReason, Outcome
from rules.policy import CostPolicy
from rules.ruleset import NO_HIT, Verdict, parse_ruleset
from streams.overseeing import back_testing
from streams.overseeing.back_testing import back_test
from streams.settings import Settings
from streams.wire.codec import read_transaction

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
PAID = read_transaction(KEY, transaction_bytes(), 2e9)
APPROVE, REVIEW, BLOCK = Outcome.APPROVE, Outcome.REVIEW, Outcome.BLOCK
BLOCKING = replace(NO_HIT, outcome=BLOCK)
HARD = replace(BLOCKING, always=BLOCK)


def decided(outcome: Outcome, *, model: bool = True, **changes: object) -> Decision:
    why = None if model else FallbackReason.RESPONSE_TIMEOUT
    return structs.replace(a_decision(), outcome=outcome, fallback_reason=why, **changes)


@pytest.mark.parametrize(
    ("decision", "verdict", "after"),
    [
        (decided(APPROVE), HARD, BLOCK),  # a hard rule holds over the model
        (decided(APPROVE), BLOCKING, APPROVE),  # and no other one does
        (decided(BLOCK), NO_HIT, BLOCK),
        (decided(BLOCK, rule_always=BLOCK, risk_score=0.0), NO_HIT, APPROVE),  # the model's own word
        (decided(APPROVE, model=False), BLOCKING, BLOCK),
        (decided(BLOCK, model=False, rule_outcome=BLOCK), NO_HIT, APPROVE),
        (decided(REVIEW, model=False, rule_outcome=APPROVE), NO_HIT, REVIEW),  # limits held then, and hold now
    ],
)
def test_rules_change_what_rules_decide(decision: Decision, verdict: Verdict, after: Outcome) -> None:
    assert would_be(decision, verdict, CostPolicy()) is after


payments = st.lists(
    st.tuples(st.integers(1, 5 * 86_400), st.integers(1, 10**7), st.sampled_from(["m-1", "m-2", "m-3"])), max_size=4
)


@given(payments, st.integers(0, 100_000))
def test_what_the_card_had_done_follows_from_the_features(before: list[tuple[int, int, str]], later: int) -> None:
    profile, at = Profile(), NOW.timestamp()
    for number, (gap, amount, merchant) in enumerate(before):
        at += gap
        made = structs.replace(PAID, amount_minor=amount, merchant_id=merchant)
        profile.observe(at, amount, number, number, marks_of(made))
    at += later
    now = structs.replace(PAID, event_time=datetime.fromtimestamp(at, UTC))
    recent = activity(at, profile, marks_of(now).merchant)
    row = features(at, now, marks_of(now), profile, recent, None, None)
    assert activity_of(now, row) == recent


def test_what_would_be_otherwise_is_counted_by_what_it_was() -> None:
    result, ruleset = BackTest(), parse_ruleset(DRAFT)
    row = (0.0,) * len(FEATURES)
    for number, found in enumerate((Found.FRAUD, Found.FRAUD, Found.LEGITIMATE)):
        paid: Transaction = structs.replace(PAID, amount_minor=60_000)
        result.take(decided(APPROVE, transaction_id=f"t-{number}", features=row), paid, found, ruleset, CostPolicy())
    result.take(decided(APPROVE, features=row), PAID, Found.UNKNOWN, ruleset, CostPolicy())
    result.take(decided(APPROVE), PAID, Found.UNKNOWN, ruleset, CostPolicy())  # features of another release
    change = Change(before=APPROVE, after=BLOCK)
    assert (result.judged, result.changed, result.not_judged) == (4, 3, 1)
    assert result.changes == {change: {Found.FRAUD: 2, Found.LEGITIMATE: 1}}
    assert result.samples[change] == ["t-0", "t-1", "t-2"]
    assert result.hits == {"no-big-ones": {Found.FRAUD: 2, Found.LEGITIMATE: 1}}


async def judged_anew(cluster: InMemoryCluster, settings: Settings | None = None) -> back_testing.Tested:
    async with cluster.reading() as consumer:
        return await back_test(consumer, settings or Settings(), parse_ruleset(DRAFT), NOW)


async def test_recent_decisions_are_judged_with_their_inputs_and_labels() -> None:
    cluster = InMemoryCluster()
    ruled(cluster, NOW)
    found = (await judged_anew(cluster)).result
    counts = found.changes[Change(before=APPROVE, after=BLOCK)]
    assert (found.judged, found.changed) == (40, 10)
    assert counts == {Found.FRAUD: 3, Found.COMPLAINT: 2, Found.LEGITIMATE: 1, Found.UNKNOWN: 4}


async def test_silence_is_legitimate_only_once_labels_have_had_their_time() -> None:
    cluster = InMemoryCluster()
    ruled(cluster, NOW)
    settings = Settings()
    ripe = replace(settings, learner=replace(settings.learner, maturity_days=0.0001))
    counts = (await judged_anew(cluster, ripe)).result.changes[Change(before=APPROVE, after=BLOCK)]
    assert counts[Found.LEGITIMATE] == 5


async def test_no_more_are_judged_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(back_testing, "MOST_DECISIONS", 20)
    cluster = InMemoryCluster()
    ruled(cluster, NOW)
    found = await judged_anew(cluster)
    assert found.since == NOW - timedelta(minutes=15)
    assert found.result.judged == 15


async def test_what_is_not_kept_any_more_is_not_judged() -> None:
    cluster = InMemoryCluster()
    ruled(cluster, NOW)
    cluster.topics.firsts[TopicPartition("transactions", 0)] = 40
    found = (await judged_anew(cluster)).result
    assert (found.judged, found.not_judged) == (0, 40)

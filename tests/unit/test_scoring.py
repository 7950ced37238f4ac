"""The scoring gate: whose answer is used, what counts as a failure, and recovery in shadow."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.fake_scorer import FakeScorer, scored

from models.features import FEATURES
from rules.breaker import Breaker, BreakerCause, BreakerPolicy, BreakerState
from rules.decision import FallbackReason
from streams.deciding import scoring as scoring_module
from streams.deciding.scorer_child import NotScored, Scored
from streams.deciding.scoring import Scoring
from streams.settings import ScorerSettings
from streams.wire.control import Force, ModeOrder

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROWS = [[1.0] * len(FEATURES), [2.0] * len(FEATURES)]
POLICY = BreakerPolicy(
    consecutive_failures=2, rest_seconds=0.001, longest_rest_seconds=0.001, trial_successes=3, trial_timeout_seconds=5.0
)


def a_gate(scorer: FakeScorer, policy: BreakerPolicy = POLICY) -> Scoring:
    return Scoring(scorer, Breaker(policy), ScorerSettings(stale_after_hours=24.0))


async def refusal(scoring: Scoring, now: datetime = NOW) -> FallbackReason:
    with pytest.raises(NotScored) as refused:
        await scoring.score(ROWS, now)
    return refused.value.reason


@pytest.fixture
def quick_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_module, "TRIAL_INTERVAL_SECONDS", 0.001)


async def until(condition) -> None:
    async with asyncio.timeout(5.0):
        while not condition():
            await asyncio.sleep(0.001)


async def test_sane_answers_are_used() -> None:
    scorer = FakeScorer(0.25)
    answer = await a_gate(scorer).score(ROWS, NOW)
    assert answer.answer.probabilities.tolist() == [0.25, 0.25]
    assert scorer.asked[0].tolist() == ROWS


@pytest.mark.parametrize(
    "lie",
    [
        scored(0.1, math.nan),
        scored(0.1, 2.0),
        scored(-0.001, 0.1),
        scored(math.inf, 0.1),
        scored(0.1),
        scored(0.1, 0.1, 0.1),
        scored(),
        scored(0.1, 0.1, feature=len(FEATURES)),
        scored(0.1, 0.1, log_odds=math.nan),
        scored(0.1, 0.1, log_odds=math.inf),
    ],
    ids=[
        "NaN",
        "2.0",
        "below 0",
        "infinite",
        "too few",
        "too many",
        "none",
        "no feature",
        "log-odds NaN",
        "log-odds infinite",
    ],
)
async def test_a_lie_is_not_used_and_its_teller_condemned(lie: Scored) -> None:
    scorer = FakeScorer()
    scorer.lie = lie
    assert await refusal(a_gate(scorer)) is FallbackReason.MODEL_INVALID_OUTPUT
    assert scorer.condemned == 1


@pytest.mark.parametrize("certain", [0.0, 1.0])
async def test_certainty_is_no_lie(certain: float) -> None:
    assert (await a_gate(FakeScorer(certain)).score(ROWS, NOW)).answer.probabilities.tolist() == [certain] * 2


async def test_after_failures_in_a_row_the_model_is_not_asked() -> None:
    scorer = FakeScorer()
    scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    gate = a_gate(scorer, BreakerPolicy(consecutive_failures=2, rest_seconds=60.0, longest_rest_seconds=60.0))
    reasons = [await refusal(gate) for _ in range(4)]
    assert reasons == [FallbackReason.RESPONSE_TIMEOUT] * 2 + [FallbackReason.CIRCUIT_OPEN] * 2
    assert len(scorer.asked) == 2
    assert scorer.condemned == 0
    assert gate.failure is FallbackReason.RESPONSE_TIMEOUT


async def test_one_lie_is_enough_to_rest_a_model() -> None:
    scorer = FakeScorer()
    scorer.lie = scored(0.1, math.nan)
    gate = a_gate(scorer, BreakerPolicy(rest_seconds=60.0, longest_rest_seconds=60.0))
    assert [await refusal(gate) for _ in range(2)] == [
        FallbackReason.MODEL_INVALID_OUTPUT,
        FallbackReason.CIRCUIT_OPEN,
    ]
    assert [each.cause for each in gate.transitions()] == [BreakerCause.POISON]
    assert gate.failure is FallbackReason.MODEL_INVALID_OUTPUT


async def test_answers_that_are_nearly_too_late_rest_a_model_though_each_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(scoring_module.time, "monotonic", lambda: now[0])
    scorer = FakeScorer()
    policy = BreakerPolicy(window=4, slow_share=1.0, rest_seconds=60.0, longest_rest_seconds=60.0)
    gate = Scoring(scorer, Breaker(policy), ScorerSettings(budget_ms=100, slow_after_share=0.8))

    def take(seconds: float) -> None:
        now[0] += seconds

    for seconds in (0.0799, *[0.0801] * 4):
        scorer.meanwhile = lambda seconds=seconds: take(seconds)
        await gate.score(ROWS, NOW)
    assert await refusal(gate) is FallbackReason.CIRCUIT_OPEN
    assert [each.cause for each in gate.transitions()] == [BreakerCause.SLOW_SHARE]


async def test_a_model_that_is_kept_in_use_is_asked_whatever_it_does() -> None:
    scorer = FakeScorer()
    scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    gate = a_gate(scorer)
    gate.obey(ModeOrder(force=Force.MODEL, until=NOW + timedelta(hours=1)), NOW)
    assert [await refusal(gate) for _ in range(9)] == [FallbackReason.RESPONSE_TIMEOUT] * 9
    gate.obey(ModeOrder(), NOW)
    assert gate.state is BreakerState.CLOSED


async def test_what_a_killed_scorer_left_unanswered_fails_for_what_it_was_killed_for() -> None:
    scorer = FakeScorer()
    gate = a_gate(scorer)
    gate.obey(ModeOrder(force=Force.MODEL, until=NOW + timedelta(hours=1)), NOW)  # asked whatever it does
    scorer.lie = scored(0.1, math.nan)
    assert await refusal(gate) is FallbackReason.MODEL_INVALID_OUTPUT
    scorer.lie, scorer.failure = None, FallbackReason.CONNECTION_ERROR
    assert await refusal(gate) is FallbackReason.CONNECTION_ERROR
    assert gate.failure is FallbackReason.MODEL_INVALID_OUTPUT
    scorer.failure = None
    await gate.score(ROWS, NOW)
    scorer.failure = FallbackReason.CONNECTION_ERROR
    assert await refusal(gate) is FallbackReason.CONNECTION_ERROR
    assert gate.failure is FallbackReason.CONNECTION_ERROR


async def test_a_model_that_is_out_of_use_is_tried_in_shadow_when_it_is_released(quick_trials: None) -> None:
    gate = a_gate(FakeScorer())
    await gate.score(ROWS, NOW)
    gate.start()
    gate.obey(ModeOrder(force=Force.RULES), NOW)
    assert gate.state is BreakerState.FORCED_OPEN
    gate.obey(ModeOrder(), NOW)
    await until(lambda: gate.state is BreakerState.CLOSED)
    await gate.stop()
    assert [each.cause for each in gate.transitions()] == [
        BreakerCause.FORCED,
        BreakerCause.RELEASED,
        BreakerCause.TRIALS_PASSED,
    ]


async def test_a_cold_model_is_no_failing_model() -> None:
    scorer = FakeScorer()
    scorer.failure = FallbackReason.MODEL_COLD_START
    gate = a_gate(scorer)
    for _ in range(10):
        assert await refusal(gate) is FallbackReason.MODEL_COLD_START
    assert gate.state is BreakerState.CLOSED


async def test_a_stale_snapshot_is_not_asked() -> None:
    scorer = FakeScorer()
    gate = a_gate(scorer)
    gate.snapshot_published(NOW)
    await gate.score(ROWS, NOW + timedelta(hours=24))
    assert await refusal(gate, NOW + timedelta(hours=24, seconds=1)) is FallbackReason.MODEL_STALE
    assert len(scorer.asked) == 1
    gate.snapshot_published(NOW + timedelta(hours=23))
    await gate.score(ROWS, NOW + timedelta(hours=25))


@pytest.fixture
async def rested(quick_trials: None) -> AsyncIterator[tuple[Scoring, FakeScorer]]:
    """A gate whose breaker opened, with trials going on, and the scorer behind it."""
    scorer = FakeScorer()
    scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    gate = a_gate(scorer)
    for _ in range(2):
        await refusal(gate)
    gate.start()
    yield gate, scorer
    await gate.stop()


async def test_trials_in_shadow_close_the_breaker_without_traffic(rested: tuple[Scoring, FakeScorer]) -> None:
    gate, scorer = rested
    scorer.failure = None
    await until(lambda: gate.state is BreakerState.CLOSED)
    assert (gate.successes, gate.failure) == (POLICY.trial_successes, None)
    assert scorer.asked[-1].tolist() == ROWS


async def test_a_new_process_ends_the_rest_of_the_one_before(quick_trials: None) -> None:
    scorer = FakeScorer()
    scorer.failure = FallbackReason.CONNECTION_ERROR
    gate = a_gate(scorer, replace(POLICY, rest_seconds=10_000.0, longest_rest_seconds=10_000.0))
    for _ in range(POLICY.consecutive_failures):
        await refusal(gate)
    gate.start()
    await asyncio.sleep(0.05)
    assert gate.state is BreakerState.OPEN
    scorer.failure, scorer.restarts = None, 1
    await until(lambda: gate.state is BreakerState.CLOSED)
    await gate.stop()
    assert [each.cause for each in gate.transitions()] == [
        BreakerCause.CONSECUTIVE_FAILURES,
        BreakerCause.RENEWED,
        BreakerCause.TRIALS_PASSED,
    ]


async def test_no_payment_waits_for_a_model_on_trial() -> None:
    scorer = FakeScorer()
    scorer.failure = FallbackReason.RESPONSE_TIMEOUT
    gate = a_gate(scorer)
    for _ in range(2):
        await refusal(gate)
    await until(lambda: gate.state is BreakerState.HALF_OPEN)
    assert await refusal(gate) is FallbackReason.CIRCUIT_OPEN
    assert len(scorer.asked) == 2


async def test_failed_trials_leave_it_open_and_go_on(rested: tuple[Scoring, FakeScorer]) -> None:
    gate, scorer = rested
    await until(lambda: len(scorer.asked) > 6)
    assert gate.state is not BreakerState.CLOSED
    scorer.failure = None
    await until(lambda: gate.state is BreakerState.CLOSED)


async def test_a_lie_on_trial_is_condemned_too(rested: tuple[Scoring, FakeScorer]) -> None:
    gate, scorer = rested
    scorer.failure, scorer.lie = None, scored(0.1)
    await until(lambda: scorer.condemned > 0)
    assert gate.state is not BreakerState.CLOSED

"""The circuit breaker: when it opens, how long it rests, and what closes it again."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pybreaker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rules.breaker import Breaker, BreakerCause, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(
    consecutive_failures=3,
    failure_share=0.5,
    window=10,
    rest_seconds=1.0,
    longest_rest_seconds=4.0,
    trial_successes=2,
    trial_timeout_seconds=5.0,
)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
FORCED_OPEN, FORCED_CLOSED = BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED


def opened(policy: BreakerPolicy = POLICY) -> Breaker:
    breaker = Breaker(policy)
    for _ in range(policy.consecutive_failures):
        breaker.failed(0.0)
    return breaker


@given(st.integers(1, 8))
def test_it_opens_at_exactly_so_many_failures_in_a_row(count: int) -> None:
    breaker = Breaker(replace(POLICY, consecutive_failures=count, window=100))
    for _ in range(count - 1):
        breaker.failed(0.0)
        assert breaker.state(0.0) is CLOSED
    breaker.failed(0.0)
    assert breaker.state(0.0) is OPEN


def test_a_success_between_failures_starts_the_row_anew() -> None:
    breaker = Breaker(POLICY)
    for failures in (2, 2):
        for _ in range(failures):
            breaker.failed(0.0)
        breaker.succeeded(0.0)
    assert breaker.state(0.0) is CLOSED


def test_it_opens_by_the_share_of_failures_once_the_window_is_full() -> None:
    breaker = Breaker(POLICY)
    for _ in range(4):
        breaker.succeeded(0.0)
        breaker.failed(0.0)
    breaker.succeeded(0.0)
    assert breaker.state(0.0) is CLOSED  # nine calls, four failures
    breaker.failed(0.0)
    assert breaker.state(0.0) is OPEN


def test_a_share_just_below_the_bound_keeps_it_closed() -> None:
    breaker = Breaker(replace(POLICY, failure_share=0.41))
    for _ in range(20):
        for failure in (True, False, True, False, False):
            (breaker.failed if failure else breaker.succeeded)(0.0)
    assert breaker.state(0.0) is CLOSED


def test_it_rests_until_exactly_its_time_is_over() -> None:
    breaker = opened()
    assert breaker.state(0.999) is OPEN
    assert breaker.state(1.0) is HALF_OPEN


def test_successes_in_a_row_close_it() -> None:
    breaker = opened()
    assert breaker.state(1.0) is HALF_OPEN
    breaker.succeeded(1.1)
    assert breaker.state(1.1) is HALF_OPEN
    breaker.succeeded(1.2)
    assert breaker.state(1.2) is CLOSED


def test_half_open_without_enough_answers_opens_again() -> None:
    breaker = opened()
    breaker.state(1.0)
    breaker.succeeded(2.0)
    assert breaker.state(5.999) is HALF_OPEN
    assert breaker.state(6.0) is OPEN


def test_the_rest_doubles_with_each_failed_trial_up_to_its_bound() -> None:
    breaker, now, rests = opened(), 0.0, []
    for _ in range(5):
        began = now
        while breaker.state(now) is OPEN:
            now += 0.25
        rests.append(now - began)
        breaker.failed(now)
    assert rests == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_the_rest_is_short_again_after_it_was_well() -> None:
    breaker = opened()
    breaker.state(1.0)
    breaker.failed(1.0)
    breaker.state(3.0)
    breaker.succeeded(3.0)
    breaker.succeeded(3.0)
    for _ in range(3):
        breaker.failed(4.0)
    assert breaker.state(4.999) is OPEN
    assert breaker.state(5.0) is HALF_OPEN


@pytest.mark.parametrize("late", ["succeeded", "failed"])
def test_an_answer_that_comes_while_it_is_open_changes_nothing(late: str) -> None:
    breaker = opened()
    for _ in range(20):
        getattr(breaker, late)(0.5)
    assert breaker.state(0.999) is OPEN
    assert breaker.state(1.0) is HALF_OPEN


@pytest.mark.parametrize(
    "wrong",
    [
        {"consecutive_failures": 0},
        {"window": 0},
        {"trial_successes": 0},
        {"failure_share": 0.0},
        {"failure_share": 1.01},
        {"failure_share": float("nan")},
        {"rest_seconds": 0.0},
        {"rest_seconds": 5.0},
        {"trial_timeout_seconds": 0.0},
        {"slow_share": 0.0},
        {"rest_jitter": -0.1},
        {"rest_jitter": 1.1},
    ],
    ids=str,
)
def test_a_policy_that_never_opens_or_never_rests_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"breaker|_share"):
        replace(POLICY, **wrong)


def test_answers_in_time_but_slow_open_it_by_their_share() -> None:
    breaker = Breaker(replace(POLICY, slow_share=0.9))
    for slow in (False, False, *[True] * 8):
        breaker.succeeded(0.0, slow=slow)
    assert breaker.state(0.0) is CLOSED
    breaker.succeeded(0.0, slow=True)
    assert breaker.state(0.0) is OPEN


def test_an_answer_that_no_model_may_give_opens_it_at_once() -> None:
    breaker = Breaker(POLICY)
    breaker.failed(0.0, poison=True)
    assert breaker.state(0.0) is OPEN


def test_a_rest_is_longer_by_chance_and_no_more_than_its_share() -> None:
    for chance, rest in ((0.0, 1.0), (0.5, 1.25), (1.0, 1.5)):
        breaker = Breaker(replace(POLICY, rest_jitter=0.5), lambda chance=chance: chance)
        for _ in range(POLICY.consecutive_failures):
            breaker.failed(0.0)
        assert breaker.state(rest - 0.001) is OPEN
        assert breaker.state(rest) is HALF_OPEN


def test_forced_closed_it_stays_in_use_whatever_happens_until_its_time_is_over() -> None:
    breaker = Breaker(POLICY)
    breaker.force(FORCED_CLOSED, 0.0, until=60.0)
    for now in range(60):
        breaker.failed(float(now), poison=True)
        assert breaker.state(float(now)) is FORCED_CLOSED
    assert breaker.state(60.0) is CLOSED


def test_forced_open_it_is_tried_in_shadow_before_it_is_used_again() -> None:
    breaker = Breaker(POLICY)
    breaker.force(FORCED_OPEN, 0.0)
    breaker.succeeded(1.0)
    assert breaker.state(1e9) is FORCED_OPEN
    breaker.release(1e9)
    assert breaker.state(1e9) is HALF_OPEN


def test_a_word_said_again_changes_its_end_and_is_no_change_of_state() -> None:
    breaker = Breaker(POLICY)
    breaker.force(FORCED_OPEN, 0.0, until=10.0)
    breaker.force(FORCED_OPEN, 5.0, until=20.0)
    assert breaker.state(19.9) is FORCED_OPEN
    assert breaker.state(20.0) is HALF_OPEN
    assert [each.after for each in breaker.transitions()] == [FORCED_OPEN, HALF_OPEN]


def test_its_first_rest_after_it_was_forced_is_short_again() -> None:
    breaker = opened()
    breaker.state(1.0)
    breaker.failed(1.0)
    breaker.force(FORCED_CLOSED, 1.0)
    breaker.release(2.0)
    breaker.failed(2.0, poison=True)
    assert breaker.state(3.0) is HALF_OPEN


def test_released_without_having_been_forced_nothing_changes() -> None:
    breaker = opened()
    breaker.release(0.5)
    assert breaker.state(0.999) is OPEN


@pytest.mark.parametrize("state", [CLOSED, OPEN, HALF_OPEN])
def test_what_is_no_forced_state_cannot_be_forced(state: BreakerState) -> None:
    with pytest.raises(ValueError, match="not forced"):
        Breaker(POLICY).force(state, 0.0)


def test_each_change_is_told_once_with_its_cause() -> None:
    breaker = opened()
    breaker.state(1.0)
    breaker.failed(1.5)
    breaker.state(3.5)
    breaker.state(8.5)
    breaker.state(12.5)
    for _ in range(POLICY.trial_successes):
        breaker.succeeded(13.0)
    assert [(each.before, each.after, each.cause, each.at) for each in breaker.transitions()] == [
        (CLOSED, OPEN, BreakerCause.CONSECUTIVE_FAILURES, 0.0),
        (OPEN, HALF_OPEN, BreakerCause.RESTED, 1.0),
        (HALF_OPEN, OPEN, BreakerCause.TRIAL_FAILED, 1.5),
        (OPEN, HALF_OPEN, BreakerCause.RESTED, 3.5),
        (HALF_OPEN, OPEN, BreakerCause.TRIAL_TIMEOUT, 8.5),
        (OPEN, HALF_OPEN, BreakerCause.RESTED, 12.5),
        (HALF_OPEN, CLOSED, BreakerCause.TRIALS_PASSED, 13.0),
    ]
    assert breaker.transitions() == ()


class Independent:
    """pybreaker, on a clock of ours: an implementation by others, of what both can do."""

    def __init__(self, policy: BreakerPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        monkeypatch.setattr(pybreaker, "datetime", SimpleNamespace(now=lambda _zone: self.now))
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=policy.consecutive_failures,
            reset_timeout=policy.rest_seconds,
            success_threshold=policy.trial_successes,
        )

    def call(self, *, fails: bool, seconds: float) -> str:
        """The state after a call that was tried so much later."""

        def model() -> None:
            if fails:
                raise ConnectionError

        self.now += timedelta(seconds=seconds)
        with suppress(ConnectionError, pybreaker.CircuitBreakerError):
            self._breaker.call(model)
        return self._breaker.current_state.replace("-", "_")


@given(
    failures=st.integers(1, 4),
    successes=st.integers(1, 3),
    calls=st.lists(st.tuples(st.booleans(), st.integers(0, 12).map(lambda ticks: ticks / 4)), max_size=60),
)
def test_it_does_what_an_independent_breaker_does_as_far_as_that_goes(
    failures: int, successes: int, calls: list[tuple[bool, float]]
) -> None:
    policy = BreakerPolicy(
        consecutive_failures=failures,
        trial_successes=successes,
        window=1_000,
        rest_seconds=2.0,
        longest_rest_seconds=2.0,
        rest_jitter=0.0,
        trial_timeout_seconds=1e9,
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        other, breaker, now = Independent(policy, monkeypatch), Breaker(policy), 0.0
        for fails, seconds in calls:
            now += seconds
            if breaker.state(now) is not OPEN:
                (breaker.failed if fails else breaker.succeeded)(now)
            assert breaker.state(now) == other.call(fails=fails, seconds=seconds)


class AnyHistory(RuleBasedStateMachine):
    """Whatever the model does, the breaker keeps to what it promises."""

    @initialize(
        failures=st.integers(1, 5), window=st.integers(1, 12), share=st.floats(0.1, 1.0), successes=st.integers(1, 4)
    )
    def begin(self, failures: int, window: int, share: float, successes: int) -> None:
        self.policy = replace(
            POLICY, consecutive_failures=failures, window=window, failure_share=share, trial_successes=successes
        )
        self.breaker = Breaker(self.policy)
        self.now = 100.0
        self.before = CLOSED
        self.calls: list[bool] = []  # failures, while closed
        self.row = 0
        self.opened_at = 0.0

    @rule(seconds=st.integers(0, 192).map(lambda ticks: ticks / 64))  # exact sums
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def succeed(self) -> None:
        state = self.look()
        self.breaker.succeeded(self.now)
        after = self.breaker.state(self.now)
        if state is OPEN:
            assert after is OPEN
        elif state is CLOSED:
            self.calls.append(False)
            self.row = 0
            assert after is CLOSED
        else:
            self.row += 1
            assert (after is CLOSED) == (self.row >= self.policy.trial_successes)
        self.enter(after)

    @rule()
    def fail(self) -> None:
        state = self.look()
        self.breaker.failed(self.now)
        after = self.breaker.state(self.now)
        if state is CLOSED:
            self.calls.append(True)
            self.row += 1
            recent = self.calls[-self.policy.window :]
            share = len(recent) == self.policy.window and sum(recent) / len(recent) >= self.policy.failure_share
            assert (after is OPEN) == (self.row >= self.policy.consecutive_failures or share)
        else:
            assert after is OPEN
        self.enter(after)

    @precondition(lambda self: self.before is OPEN)
    @rule()
    def rest_is_bounded(self) -> None:
        self.now = max(self.now, self.opened_at + self.policy.longest_rest_seconds)
        assert self.look() is not OPEN

    @invariant()
    def it_never_closes_by_time_alone(self) -> None:
        if self.before is not CLOSED:
            assert self.look() is not CLOSED

    def look(self) -> BreakerState:
        state = self.breaker.state(self.now)
        if self.before is OPEN and state is HALF_OPEN:
            assert self.now - self.opened_at >= self.policy.rest_seconds
        if state is not self.before:
            self.enter(state)
        return state

    def enter(self, state: BreakerState) -> None:
        if state is not self.before:
            self.row, self.calls = 0, []
            self.opened_at = self.now if state is OPEN else self.opened_at
        self.before = state


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_after_an_operators_word_it_is_released_until_a_trial_fails_or_enough_pass() -> None:
    for ends_well in (True, False):
        breaker = Breaker(BreakerPolicy())
        breaker.force(BreakerState.FORCED_OPEN, 0.0)
        assert not breaker.is_released
        breaker.release(1.0)
        assert breaker.is_released
        for _ in range(BreakerPolicy().trial_successes):
            breaker.succeeded(1.1) if ends_well else breaker.failed(1.1)
        assert not breaker.is_released
        assert breaker.state(1.1) is (BreakerState.CLOSED if ends_well else BreakerState.OPEN)
    breaker.state(60.0)
    assert breaker.state(60.0) is BreakerState.HALF_OPEN
    assert not breaker.is_released


def test_a_new_process_is_tried_at_once_but_not_for_a_model_that_was_wrong() -> None:
    for poison in (False, True):
        breaker = Breaker(BreakerPolicy(consecutive_failures=1, rest_seconds=4.0))
        breaker.renewed(0.0)
        assert breaker.state(0.0) is BreakerState.CLOSED
        breaker.failed(1.0, poison=poison)
        breaker.renewed(2.0)
        assert breaker.state(2.0) is (BreakerState.OPEN if poison else BreakerState.HALF_OPEN)
    breaker = Breaker(BreakerPolicy(consecutive_failures=1, rest_seconds=4.0))
    breaker.failed(0.0)
    breaker.renewed(1.0)
    breaker.failed(1.0)  # the rest doubles though the first was cut short
    assert breaker.state(8.9) is BreakerState.OPEN
    assert breaker.state(9.0) is BreakerState.HALF_OPEN

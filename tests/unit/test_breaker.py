"""The circuit breaker: when it opens, how long it rests, and what closes it again."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rules.breaker import Breaker, BreakerPolicy, BreakerState

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
    ],
    ids=str,
)
def test_a_policy_that_never_opens_or_never_rests_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"breaker|failure_share"):
        replace(POLICY, **wrong)


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
            share = len(recent) == self.policy.window and sum(recent) >= self.policy.failure_share * len(recent)
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

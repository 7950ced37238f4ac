"""Limits of label sources: who says too much is silenced, the others are not, and a second reading hears the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.label import Label, LabelSource, LabelState
from models.label_limits import LabelLimits
from models.label_trust import LabelTrust

DAY = 86_400.0
POLICY = LabelTrust(burst=10, most_frauds_per_acceptor=4, chargeback_share=0.05)
CHARGEBACK, REFUND = LabelSource.CHARGEBACK, LabelSource.REFUND
LABEL = Label(
    label_id="l",
    transaction_id="t",
    source=CHARGEBACK,
    state=LabelState.FRAUD,
    effective_at=datetime(2026, 1, 1, tzinfo=UTC),
    received_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Feed:
    """Labels of one partition, one after the other."""

    def __init__(self, limits: LabelLimits) -> None:
        self.limits, self.offset = limits, 0

    def say(
        self,
        times: int,
        source: LabelSource = CHARGEBACK,
        *,
        state: LabelState = LabelState.LEGITIMATE,
        acceptor: str | None = None,
    ) -> list[bool]:
        """Whether each was heard."""
        said = []
        for _ in range(times):
            label = replace(LABEL, source=source, state=state)
            said.append(self.limits.hears(label, acceptor, "labels:0", self.offset, lambda: {"labels:0": self.offset}))
            self.offset += 1
        return said


def a_feed() -> Feed:
    limits = LabelLimits(POLICY)
    limits.decided(100 * DAY)
    return Feed(limits)


def payments(limits: LabelLimits, count: int, day: float = 100.0) -> None:
    for _ in range(count):
        limits.decided(day * DAY)


def test_a_burst_is_heard_and_what_is_beyond_it_is_not() -> None:
    feed = a_feed()
    assert feed.say(12) == [True] * 10 + [False] * 2
    assert [each.speaker for each in feed.limits.silenced] == [(CHARGEBACK, None)]
    assert feed.say(3, REFUND) == [True] * 3


def test_an_allowance_grows_with_the_payments_decided() -> None:
    feed = a_feed()
    heard = []
    for _ in range(100):
        payments(feed.limits, 20)
        heard += feed.say(1)
    assert all(heard)
    assert feed.limits.silenced == []


def test_a_silenced_source_is_heard_again_after_a_day_in_which_it_says_no_more_than_it_may() -> None:
    feed = a_feed()
    feed.say(11)
    payments(feed.limits, 300, 100.9)
    assert feed.say(15) == [False] * 15  # of 300 payments it may say 15: with the one that silenced it, it said 16
    payments(feed.limits, 1, 101.0)
    assert feed.limits.silenced != []
    assert feed.say(1) == [False]  # and another day begins
    payments(feed.limits, 1, 101.99)
    assert feed.limits.silenced != []
    payments(feed.limits, 1, 102.0)
    assert feed.limits.silenced == []  # before it speaks: an incident must end though nothing comes
    assert feed.say(1) == [True]


def test_a_file_may_bring_what_three_days_of_payments_make() -> None:
    feed = a_feed()
    for day in (101, 102, 103):
        payments(feed.limits, 100, day)
    assert feed.say(26) == [True] * 25 + [False]


def test_a_source_that_never_stops_is_not_heard_again() -> None:
    feed = a_feed()
    feed.say(11)
    for step in range(1, 50):
        payments(feed.limits, 10, 100 + step / 10)
        assert feed.say(2) == [False, False]


def test_fraud_at_one_acceptor_is_limited_and_what_else_its_source_says_is_not() -> None:
    feed = a_feed()
    fraud = LabelState.FRAUD
    assert feed.say(5, state=fraud, acceptor="m-1") == [True] * 4 + [False]
    assert feed.say(1, state=fraud, acceptor="m-2") == [True]
    assert feed.say(1, acceptor="m-1") == [True]
    assert feed.say(1, REFUND, state=fraud, acceptor="m-1") == [True]
    assert [each.speaker for each in feed.limits.silenced] == [(CHARGEBACK, "m-1")]


@pytest.mark.parametrize(
    ("said", "day", "heard"), [(4, 100.24, False), (4, 100.25, True), (5, 100.99, False), (5, 101.0, True)]
)
def test_an_acceptors_allowance_grows_within_a_day_of_event_time(said: int, day: float, heard: bool) -> None:
    """By one label in a quarter of the day; once it was exceeded, a whole day has to pass."""
    feed = a_feed()
    feed.say(said, state=LabelState.FRAUD, acceptor="m-1")
    payments(feed.limits, 1, day)
    assert feed.say(1, state=LabelState.FRAUD, acceptor="m-1") == [heard]


def test_what_an_acceptors_limit_refuses_does_not_use_up_the_allowance_of_its_source() -> None:
    feed = a_feed()
    feed.say(50, state=LabelState.FRAUD, acceptor="m-1")
    assert feed.say(6) == [True] * 6  # and 4 before
    assert feed.say(1) == [False]


class Said(NamedTuple):
    """A label, where it lay and whether it was heard."""

    label: Label
    acceptor: str | None
    partition: str
    offset: int
    heard: bool


labels = st.tuples(
    st.sampled_from([CHARGEBACK, REFUND]),
    st.sampled_from([LabelState.FRAUD, LabelState.LEGITIMATE]),
    st.sampled_from(["m-1", "m-2", None]),
    st.integers(0, 2),
)
stories = st.lists(st.one_of(labels, st.integers(1, 12)), min_size=20, max_size=150)
TIGHT = LabelTrust(burst=6, most_frauds_per_acceptor=2, chargeback_share=0.5, refund_share=0.3)


@settings(max_examples=100)
@given(stories, st.data())
def test_a_second_reading_hears_what_was_heard_and_goes_on_the_same(
    story: Sequence[tuple[LabelSource, LabelState, str | None, int] | int], data: st.DataObject
) -> None:
    limits, told, heads = LabelLimits(TIGHT), [], {f"labels:{each}": 0 for each in range(3)}
    day = 100.0
    kept = data.draw(st.integers(0, len(story)))
    restored, oldest = None, {}
    for number, each in enumerate(story):
        if number == kept:
            oldest = {place: data.draw(st.integers(0, head)) for place, head in heads.items()}
            limits.forget(oldest)
            restored = LabelLimits.from_plain(TIGHT, limits.to_plain())
            again = [said for said in told if said.offset >= oldest[said.partition]]
            assert [restored.heard(*said[:4]) for said in again] == [said.heard for said in again]
        if isinstance(each, int):
            day += each / 100
            for one in filter(None, (limits, restored)):
                one.decided(day * DAY)
            continue
        source, state, acceptor, partition = each
        label, place = replace(LABEL, source=source, state=state), f"labels:{partition}"
        known = {**heads, place: 0}  # of the partition being read, what was read last is not noted yet
        heard = limits.hears(label, acceptor, place, heads[place], known.copy)
        if restored is not None:
            restored.hears(label, acceptor, place, heads[place], known.copy)
        told.append(Said(label, acceptor, place, heads[place], heard))
        heads[place] += 1
    last = LabelLimits.from_plain(TIGHT, limits.to_plain())
    assert [last.heard(*said[:4]) for said in told if said.offset >= oldest.get(said.partition, 0)] == [
        said.heard for said in told if said.offset >= oldest.get(said.partition, 0)
    ]

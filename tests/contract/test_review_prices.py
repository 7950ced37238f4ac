"""The price of a review on both databases: moved once for what is counted there, and told with each move."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from support.reviews import REVIEWED_AT, a_store, an_opening

from rules.decision import Outcome
from rules.review_case import Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy
from rules.review_price import CapacityPolicy, PriceReason, ReviewPrice
from streams.broker.topics import Topic
from streams.reviewing.store import Said, Store
from streams.wire.review_price import PriceOrder, read_price_event, read_price_order

NOW = REVIEWED_AT
MINUTE = timedelta(minutes=1)
REVIEWS = ReviewPolicy()
POLICY = CapacityPolicy(most_review_minor=1000)
BASE = 300
DUE = {"reviews": 240.0}


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, REVIEWS) as kept:
        yield kept


def opened(store: Store, count: int, minutes_ago: int = 1) -> None:
    at = NOW - minutes_ago * MINUTE
    store.open([an_opening(minutes_ago * 100 + number, REVIEWS, opened_at=at) for number in range(count)], {})


def decided(store: Store, case_id: str, minutes_ago: int) -> None:
    at = NOW - minutes_ago * MINUTE
    ann = Reviewer(name="ann")
    said = Said(word="verdict", speaker="ann", at=at)
    store.change(case_id, lambda case: case.decided(ann, Outcome.APPROVE, VerdictReason.OTHER, at), said)


def test_it_begins_with_that_of_the_policy_and_says_so(store: Store) -> None:
    assert store.prices.price() is None
    _, move = store.prices.look(POLICY, BASE, DUE, NOW)
    assert move is not None
    assert (move.before_minor, move.after_minor, move.reason) == (BASE, BASE, PriceReason.BEGUN)
    assert store.prices.price() == ReviewPrice(minor=BASE, moved_at=NOW)
    [unsent] = store.unsent(10)
    event, order = unsent.tellings
    assert (event.topic, order.topic, order.key) == (Topic.REVIEW_PRICES, Topic.CONTROL, "review_price")
    told = read_price_order(order.value.encode())
    assert told == PriceOrder(review_minor=BASE, who="console", why="BEGUN")


def test_where_settings_approve_no_bound_nothing_is_said(store: Store) -> None:
    opened(store, 5)
    load, move = store.prices.look(CapacityPolicy(), BASE, DUE, NOW)
    assert (load.waiting, move) == (5, None)
    assert store.unsent(10) == []


def test_what_is_counted_is_of_the_window_and_moves_it_with_an_event(store: Store) -> None:
    store.prices.look(POLICY, BASE, DUE, NOW - 60 * MINUTE)
    opened(store, 4, minutes_ago=31)
    opened(store, 3, minutes_ago=29)
    decided(store, "d.1.3100", 31)
    decided(store, "d.1.2900", 29)
    load, move = store.prices.look(POLICY, BASE, DUE, NOW)
    assert (load.waiting, load.arrived, load.handled, load.due_seconds) == (5, 3, 1, 240 * 60)
    assert move is not None
    assert (move.before_minor, move.after_minor, move.reason) == (300, 450, PriceReason.SHORT)
    told = read_price_event(store.unsent(10)[-1].tellings[0].value.encode())
    assert (told.data.before_minor, told.data.after_minor, told.time) == (300, 450, NOW)
    assert (told.data.waiting, told.data.arrived, told.data.handled) == (5, 3, 1)
    assert told.data.expected_wait_seconds == 7 * 1800
    assert store.prices.look(POLICY, BASE, DUE, NOW + MINUTE)[1] is None  # it rests
    assert len(store.unsent(10)) == 4


def test_where_nobody_works_the_event_has_no_wait(store: Store) -> None:
    store.prices.look(POLICY, BASE, DUE, NOW - 60 * MINUTE)
    opened(store, 1)
    store.prices.look(POLICY, BASE, DUE, NOW)
    assert read_price_event(store.unsent(10)[-1].tellings[0].value.encode()).data.expected_wait_seconds is None


def test_of_two_consoles_one_moves_it(store: Store, reviews_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prices.look(POLICY, BASE, DUE, NOW - 60 * MINUTE)
    opened(store, 1)
    stale = store.prices.price()
    with a_store(reviews_url, REVIEWS) as other:
        assert other.prices.look(POLICY, BASE, DUE, NOW)[1] is not None
        monkeypatch.setattr(store.prices, "price", lambda: stale)
        assert store.prices.look(POLICY, BASE, DUE, NOW)[1] is None
        assert other.prices.price() == ReviewPrice(minor=450, moved_at=NOW)
    assert len(store.unsent(10)) == 2

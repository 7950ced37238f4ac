"""Second looks on both databases: drawn once, by somebody who had no word in the case, and nothing comes of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from support.reviews import REVIEWED_AT, a_store, an_opening

from rules.decision import Outcome
from rules.review_case import Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy
from streams.reviewing.second_looks import LookState, SecondLookRefused, SecondLooks
from streams.reviewing.store import Said, Store

NOW = REVIEWED_AT
LEASE = timedelta(minutes=30)
POLICY = ReviewPolicy(second_look_share=0.25, two_pairs_from_minor=1_000_000)
APPROVE, BLOCK = Outcome.APPROVE, Outcome.BLOCK


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, POLICY, drawn=0.2) as kept:
        yield kept


@pytest.fixture
def looks(store: Store) -> SecondLooks:
    return store.second_looks


def decided(store: Store, number: int, reviewer: str = "ann", outcome: Outcome = BLOCK, amount: int = 10_000) -> str:
    opening = an_opening(number, POLICY, amount_minor=amount)
    store.open([opening], {})
    case_id = opening.case.case_id
    at = NOW + timedelta(seconds=number)
    said = Said(word="verdict", speaker=reviewer, at=at)
    store.change(case_id, lambda case: case.decided(Reviewer(name=reviewer), outcome, VerdictReason.OTHER, at), said)
    return case_id


def test_what_is_drawn_is_offered_to_others_and_never_to_the_first(store: Store, looks: SecondLooks) -> None:
    first, second = decided(store, 1), decided(store, 2)
    later = NOW + LEASE
    assert (looks.waiting("ann", later), looks.waiting("bob", later)) == (0, 2)
    assert looks.take_next("ann", later, later + LEASE) is None
    assert looks.take_next("bob", later, later + LEASE) == first
    assert looks.take_next("bob", later, later + LEASE) == first  # it is in hand already
    assert looks.take_next("cleo", later, later + LEASE) == second


def test_what_is_not_drawn_or_was_seen_by_two_or_ended_by_itself_is_not_looked_at(reviews_url: str) -> None:
    with a_store(reviews_url, POLICY, drawn=0.25) as store:
        decided(store, 1)
        assert store.second_looks.counts() == {LookState.WAITING: 0, LookState.DONE: 0}
    with a_store(reviews_url, POLICY, drawn=0.0) as store:
        pair = decided(store, 2, "ann", amount=2_000_000)
        said = Said(word="verdict", speaker="bob", at=NOW)
        store.change(pair, lambda case: case.decided(Reviewer(name="bob"), BLOCK, VerdictReason.OTHER, NOW), said)
        store.open([an_opening(3, POLICY)], {})
        due = store.case("d.1.3").case.due_at
        store.change("d.1.3", lambda case: case.expired(due), Said(word="expiry", speaker=None, at=due))
        assert store.second_looks.counts() == {LookState.WAITING: 0, LookState.DONE: 0}


def test_whoever_had_a_word_in_the_case_is_not_asked(store: Store, looks: SecondLooks) -> None:
    store.open([an_opening(1, POLICY)], {})
    bob = Reviewer(name="bob")
    said = Said(word="escalation", speaker="bob", at=NOW)
    store.change("d.1.1", lambda case: case.escalated(bob, NOW), said)
    lea = Reviewer(name="lea", second_line=True)
    said = Said(word="verdict", speaker="lea", at=NOW)
    store.change("d.1.1", lambda case: case.decided(lea, BLOCK, VerdictReason.OTHER, NOW), said)
    assert [looks.waiting(name, NOW) for name in ("bob", "lea", "ann")] == [0, 0, 1]


def test_a_second_verdict_is_kept_once_and_changes_nothing(store: Store, looks: SecondLooks) -> None:
    case_id = decided(store, 1)
    before, told = store.case(case_id), store.unsent(10)
    later = NOW + LEASE
    looks.take_next("bob", later, later + LEASE)
    looks.give(case_id, "bob", APPROVE, 0.25, later)
    with pytest.raises(SecondLookRefused):
        looks.give(case_id, "bob", BLOCK, 0.25, later)
    assert (store.case(case_id), store.unsent(10)) == (before, told)
    assert looks.counts() == {LookState.WAITING: 0, LookState.DONE: 1}
    first, second = looks.verdicts(NOW)
    assert (first.case_id, first.reviewer, first.outcome, first.risk, first.blind) == (
        case_id,
        "ann",
        BLOCK,
        0.25,
        False,
    )
    assert (second.reviewer, second.outcome, second.at, second.blind) == ("bob", APPROVE, later, True)
    assert looks.verdicts(later) == [second]


def test_it_returns_by_itself_at_its_last_moment(store: Store, looks: SecondLooks) -> None:
    case_id = decided(store, 1)
    taken, over = NOW + LEASE, NOW + 2 * LEASE
    looks.take_next("bob", taken, over)
    assert looks.take_next("cleo", over - timedelta(microseconds=1), over + LEASE) is None
    with pytest.raises(SecondLookRefused):
        looks.give(case_id, "bob", BLOCK, None, over)
    assert looks.take_next("cleo", over, over + LEASE) == case_id


def test_of_those_who_reach_for_it_at_once_one_has_it(store: Store, looks: SecondLooks) -> None:
    ids = {decided(store, number) for number in range(8)}
    later, everybody = NOW + LEASE, Barrier(8)

    def reach(name: str) -> str | None:
        everybody.wait()
        return looks.take_next(name, later, later + LEASE)

    with ThreadPoolExecutor(8) as pool:
        found = [each.result() for each in [pool.submit(reach, f"r{number}") for number in range(8)]]
    assert set(found) == ids

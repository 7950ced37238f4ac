"""Precedents are found on both databases: of the card, of the merchant, and of the same chief reason."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from support.reviews import REVIEWED_AT, a_store, an_opening

from models.score import Contribution
from rules.decision import Decision, Outcome
from rules.review_case import Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy
from streams.reviewing.precedents import MOST_LOOKED_AT
from streams.reviewing.store import Said, Store

NOW = REVIEWED_AT
ANN = Reviewer(name="ann")
AMOUNT, NIGHT = ((Contribution(feature=name, log_odds=2.0),) for name in ("amount_z", "is_night"))


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, ReviewPolicy()) as kept:
        yield kept


def opened(store: Store, number: int, *, minutes: int = 0, **changes: object) -> Decision:
    facts = {"pan_token": f"card-{number}", "merchant_id": f"m-{number}", "contributions": NIGHT} | changes
    opening = an_opening(number, ReviewPolicy(), opened_at=NOW + timedelta(minutes=minutes), **facts)
    store.open([opening], {})
    return opening.decision


def decided(store: Store, number: int, *, minutes: int = 0, **changes: object) -> str:
    case_id = opened(store, number, minutes=minutes, **changes).decision_id
    at = NOW + timedelta(minutes=minutes)
    said = Said(word="verdict", speaker="ann", at=at)
    store.change(case_id, lambda case: case.decided(ANN, Outcome.APPROVE, VerdictReason.OTHER, at), said)
    return case_id


def test_they_are_found_by_card_merchant_and_reason_the_most_alike_first(store: Store) -> None:
    by_card = decided(store, 1, pan_token="tok")
    by_merchant = decided(store, 2, merchant_id="shop")
    by_reason = decided(store, 3, contributions=AMOUNT)
    by_all = decided(store, 4, pan_token="tok", merchant_id="shop", contributions=AMOUNT)
    decided(store, 5)
    opened(store, 6, pan_token="tok", merchant_id="shop", contributions=AMOUNT)  # nobody has decided it
    decision = opened(store, 7, pan_token="tok", merchant_id="shop", contributions=AMOUNT)

    found = [each.decision.decision_id for each in store.precedents.of(decision, 10)]
    assert found[0] == by_all
    assert set(found[1:3]) == {by_card, by_reason}
    assert found[3:] == [by_merchant]
    assert [each.decision.decision_id for each in store.precedents.of(decision, 1)] == [by_all]


def test_where_no_model_spoke_card_and_merchant_are_enough(store: Store) -> None:
    by_card = decided(store, 1, pan_token="tok", contributions=())
    decision = opened(store, 2, pan_token="tok", contributions=())
    [found] = store.precedents.of(decision, 10)
    assert (found.decision.decision_id, found.alike) == (by_card, 0.0)


def test_only_the_latest_are_looked_at(store: Store) -> None:
    for number in range(MOST_LOOKED_AT + 3):
        decided(store, number, minutes=number, merchant_id="shop")
    decision = opened(store, 1_000, merchant_id="shop", contributions=())
    found = {each.decision.decision_id for each in store.precedents.of(decision, 1_000)}
    assert found == {f"d.1.{number}" for number in range(3, MOST_LOOKED_AT + 3)}


def test_what_is_to_be_looked_at_blindly_is_none_until_it_was(reviews_url: str) -> None:
    with a_store(reviews_url, ReviewPolicy(), drawn=0.0) as store:
        case_id = decided(store, 1, pan_token="tok")
        decision = opened(store, 2, pan_token="tok")
        assert store.precedents.of(decision, 10) == []
        assert store.second_looks.take_next("bob", NOW, NOW + timedelta(hours=1)) == case_id
        store.second_looks.give(case_id, "bob", Outcome.BLOCK, 0.5, NOW)
        assert [each.decision.decision_id for each in store.precedents.of(decision, 10)] == [case_id]

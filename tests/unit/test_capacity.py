"""Half of the reviewers go home at noon: with a price that moves none waits too long, and a payment costs less."""

from functools import cache

import pytest

from bench.capacity import COSTS, DUE, MINUTE, MOVES, NOON, STAYS, Day, lived, payments
from rules.review_price import PriceReason


@cache
def days(seed: int) -> tuple[Day, Day]:
    """With a price that stays, and with one that moves."""
    history = payments(1200, seed)
    stays, moves = (lived(history, capacity, morning=10, afternoon=5) for capacity in (STAYS, MOVES))
    return stays, moves


@pytest.mark.parametrize("seed", [1, 2])
def test_no_case_is_overdue_where_many_were(seed: int) -> None:
    stays, moves = days(seed)
    assert stays.overdue > 100
    assert moves.overdue == 0
    assert moves.oldest_minutes < DUE / MINUTE


@pytest.mark.parametrize("seed", [1, 2])
def test_the_price_moves_within_bounds_and_each_move_follows_on_the_one_before(seed: int) -> None:
    stays, moves = days(seed)
    assert stays.moves == []
    price = COSTS.review_minor
    for move in moves.moves:
        assert move.before_minor == price
        assert COSTS.review_minor <= move.after_minor <= MOVES.most_review_minor
        price = move.after_minor
    assert {each.reason for each in moves.moves if each.at > NOON} == {PriceReason.SHORT, PriceReason.ROOM}
    assert len(moves.moves) < 12


@pytest.mark.parametrize("seed", [1, 2])
def test_a_payment_costs_less_than_with_a_price_that_stays(seed: int) -> None:
    stays, moves = days(seed)
    assert moves.cost_per_payment < stays.cost_per_payment
    assert moves.reviewed < stays.reviewed

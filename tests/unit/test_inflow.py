"""Inflow: payments are missed once some had come, and only for as long as they could have been counted."""

from rules.inflow import Inflow


def counting(*counts: int, silent_after: float = 10.0) -> Inflow:
    inflow = Inflow(silent_after)
    for now, count in enumerate(counts):
        inflow.counted(count, float(now))
    return inflow


def test_payments_that_come_no_more_are_missed_until_one_comes() -> None:
    inflow = counting(5, 6, 6, 6)
    assert [inflow.is_silent(now) for now in (3.0, 11.0, 11.5)] == [False, False, True]
    inflow.counted(7, 12.0)
    assert not inflow.is_silent(12.0)
    assert inflow.silence(15.0) == 3.0


def test_where_no_payment_was_seen_to_come_none_is_missed() -> None:
    inflow = counting(500, 500, 500)
    assert inflow.silence(900.0) == 0.0
    assert not inflow.is_silent(900.0)


def test_what_was_on_its_way_and_is_counted_again_is_no_payment() -> None:
    inflow = counting(5, 6, 5, 6, 5, 6)
    assert inflow.silence(20.0) == 19.0


def test_while_nothing_could_be_counted_nobody_is_missed() -> None:
    inflow = counting(5, 6)
    inflow.forget(100.0)
    assert [inflow.is_silent(now) for now in (100.0, 110.0, 110.5)] == [False, False, True]
    never = counting(5)
    never.forget(100.0)
    assert not never.is_silent(900.0)


def test_it_can_be_turned_off() -> None:
    assert not counting(5, 6, silent_after=0.0).is_silent(1e9)

"""An acceptor's label history, held against a plain list of all its labels."""

import json
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.merchant_history import HISTORY_DAYS, RECENT, MerchantHistory, MerchantHistoryMalformed, learn

DAY = 86_400
START = 20_000 * DAY

labels = st.tuples(st.integers(START, START + 60 * DAY).map(float), st.booleans())


def history_of(*learnt: tuple[float, bool]) -> MerchantHistory:
    return reduce(lambda history, label: learn(history, label[0], is_fraud=label[1]), learnt, MerchantHistory())


def run_of(learnt: list[tuple[float, bool]]) -> list[float]:
    last_legitimate = max((at for at, is_fraud in learnt if not is_fraud), default=0.0)
    return [at for at, is_fraud in learnt if is_fraud and at > last_legitimate]


@settings(deadline=None)
@given(st.lists(labels, min_size=1, max_size=60))
def test_what_is_known_of_a_merchant_does_not_depend_on_the_order_of_labels(learnt):
    history = history_of(*learnt)
    assert history.recent == tuple(sorted(learnt)[-RECENT:])
    assert history.last_fraud_at == max((at for at, is_fraud in learnt if is_fraud), default=None)
    assert history.last_legitimate_at == max((at for at, is_fraud in learnt if not is_fraud), default=None)


@settings(deadline=None)
@given(st.lists(labels, min_size=1, max_size=60))
def test_daily_counts_equal_a_count_over_the_labels_in_order(learnt):
    history = history_of(*sorted(learnt))
    for index in range(HISTORY_DAYS):
        day = [is_fraud for at, is_fraud in learnt if at // DAY == history.newest_day - index]
        assert (history.labelled[index], history.fraud[index]) == (len(day), sum(day))


@settings(deadline=None)
@given(st.lists(labels, max_size=60))
def test_the_run_of_fraud_is_exact_for_labels_in_order(learnt):
    run = run_of(learnt)
    history = history_of(*sorted(learnt))
    assert (history.fraud_run, history.run_since) == (len(run), min(run, default=None))


@settings(deadline=None)
@given(st.lists(labels, max_size=RECENT))
def test_the_run_of_fraud_is_exact_in_any_order_while_all_labels_are_remembered(learnt):
    run = run_of(learnt)
    history = history_of(*learnt)
    assert (history.fraud_run, history.run_since) == (len(run), min(run, default=None))


@settings(deadline=None)
@given(st.lists(labels, max_size=60))
def test_a_run_is_empty_or_has_a_beginning_after_the_last_legitimate_label(learnt):
    history = history_of(*learnt)
    assert (history.fraud_run == 0) == (history.run_since is None)
    assert history.run_since is None or history.run_since > (history.last_legitimate_at or 0)


@settings(deadline=None)
@given(st.lists(labels, max_size=30))
def test_a_history_survives_json(learnt):
    history = history_of(*learnt)
    assert MerchantHistory.from_plain(json.loads(json.dumps(history.to_plain()))) == history


@pytest.mark.parametrize(
    "change",
    [
        {"labelled": [1, 2]},
        {"newest_day": None},
        {"recent": [[1.0]]},
        {"run_since": float("nan")},
        {"last_fraud_at": "yesterday"},
    ],
)
def test_a_malformed_history_is_refused(change):
    with pytest.raises(MerchantHistoryMalformed):
        MerchantHistory.from_plain({**MerchantHistory().to_plain(), **change})


def test_a_history_with_unknown_fields_is_read():
    assert MerchantHistory.from_plain({**MerchantHistory().to_plain(), "mood": "sunny"}) == MerchantHistory()


def test_fraud_counts_until_the_window_has_passed_it():
    history = history_of((float(START), True))
    assert history.has_fraud(START + 10 * DAY - 1, 10)
    assert not history.has_fraud(START + 10 * DAY, 10)


def test_a_merchant_without_fraud_has_none():
    assert not history_of((float(START), False)).has_fraud(START, 30)

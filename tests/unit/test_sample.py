"""The bounded sample: fair, the same after a restart, and small."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.hinges import MOST, compress
from models.sample import Reservoir, Sample, told_apart


def test_a_reservoir_keeps_at_most_its_capacity():
    reservoir = Reservoir(10)
    for number in range(1_000):
        reservoir.add([float(number)])
    assert len(reservoir.rows) == 10
    assert reservoir.seen == 1_000


def test_early_and_late_rows_have_the_same_chance():
    reservoir = Reservoir(1_000)
    for number in range(20_000):
        reservoir.add([float(number)])
    early = sum(row[0] < 10_000 for row in reservoir.rows)
    assert 420 < early < 580  # six standard deviations of a fair draw are 95


def test_the_same_rows_leave_the_same_sample():
    first, second = Reservoir(5), Reservoir(5)
    for number in range(100):
        first.add([float(number)])
        second.add([float(number)])
    assert np.array_equal(first.rows, second.rows)


def test_a_renewed_reservoir_turns_to_new_rows():
    reservoir = Reservoir(100)
    for _ in range(100_000):
        reservoir.add([0.0])
    reservoir.renew()
    for _ in range(900):
        reservoir.add([1.0])
    assert sum(row[0] for row in reservoir.rows) > 80


def test_fraud_is_kept_apart_too():
    sample = Sample()
    sample.add([1.0], is_fraud=False)
    sample.add([2.0], is_fraud=True)
    assert np.array(sample.all.rows).tolist() == [[1.0], [2.0]]
    assert np.array(sample.fraud.rows).tolist() == [[2.0]]


def test_a_sample_restored_from_json_goes_on_the_same():
    sample = Sample()
    for number in range(1_500):
        sample.add([number / 3], is_fraud=number % 4 == 0)
    restored = Sample.from_plain(json.loads(json.dumps(sample.to_plain())))
    for number in range(1_500):
        sample.add([number / 7], is_fraud=number % 5 == 0)
        restored.add([number / 7], is_fraud=number % 5 == 0)
    assert restored.to_plain() == sample.to_plain()


def test_an_empty_sample_is_restored_as_one():
    restored = Sample.from_plain(json.loads(json.dumps(Sample().to_plain())))
    assert (restored.all.rows, restored.fraud.rows) == ([], [])


@given(arrays(np.float64, 3, elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_a_kept_row_bends_where_the_row_itself_would(row):
    kept = told_apart(row)
    assert np.abs(kept).max() <= MOST
    assert np.allclose(compress(kept.astype(np.float64)), compress(row), rtol=1e-6, atol=1e-6)

"""The bounded sample: fair, the same after a restart, and small."""

import json

from models.sample import Reservoir, Sample


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
    assert first.rows == second.rows


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
    assert (sample.all.rows, sample.fraud.rows) == ([[1.0], [2.0]], [[2.0]])


def test_a_sample_restored_from_json_goes_on_the_same():
    sample = Sample()
    for number in range(1_500):
        sample.add([number / 3], is_fraud=number % 4 == 0)
    restored = Sample.from_plain(json.loads(json.dumps(sample.to_plain())))
    for number in range(1_500):
        sample.add([number / 7], is_fraud=number % 5 == 0)
        restored.add([number / 7], is_fraud=number % 5 == 0)
    assert restored.to_plain() == sample.to_plain()

"""The snapshot: plain data that comes back the same, or is refused."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.earlier_snapshot import in_format_1, with_hash
from support.labelled_rows import labelled_rows, taught
from support.plain_model import log_odds
from support.told import told_record

from models.features import FEATURES
from models.online import OnlineModel
from models.packed import packed
from models.snapshot import (
    Probe,
    Snapshot,
    SnapshotInvalid,
    content_hash,
    for_scoring,
    from_plain,
    probability,
    sealed,
    to_plain,
)
from models.track_record import TrackRecord
from models.verifying import verify


@cache
def snapshot() -> Snapshot:
    return taught().snapshot(label_offsets={"labels": {"0": 17}})


def with_column(**change: float) -> Snapshot:
    columns = snapshot().columns
    return replace(snapshot(), columns=(replace(columns[0], **change), *columns[1:]))


def test_a_snapshot_survives_json():
    assert from_plain(json.loads(json.dumps(to_plain(snapshot())))) == snapshot()


def test_a_sound_snapshot_is_accepted():
    verify(snapshot())


def test_an_untaught_model_has_a_sound_snapshot():
    verify(OnlineModel().snapshot())


def test_it_carries_the_label_offsets_as_they_were_given():
    assert snapshot().label_offsets == {"labels": {"0": 17}}


def test_its_version_names_the_labels_and_the_content():
    assert snapshot().model_version == f"1600-{content_hash(snapshot())[:12]}"


def test_its_plain_form_says_what_the_model_says():
    model = taught()
    for row in labelled_rows(20, seed=3)[0]:
        assert probability(log_odds(snapshot(), row)) == pytest.approx(model.score(row), abs=1e-12)


def test_a_snapshot_of_before_there_was_a_track_record_can_be_read():
    before = replace(snapshot(), track_record=None)
    plain = to_plain(before)
    assert "track_record" not in plain
    assert from_plain(plain) == before
    verify(before)
    assert OnlineModel.from_snapshot(before).track_record.to_plain() == TrackRecord().to_plain()


def test_a_track_record_that_is_none_is_refused():
    with pytest.raises(SnapshotInvalid, match="track record"):
        verify(replace(snapshot(), track_record={"outcomes": {}}))


def test_a_track_record_goes_on_as_it_was():
    model = OnlineModel()
    model.track_record = told_record(frauds=60)
    restored = OnlineModel.from_snapshot(from_plain(json.loads(json.dumps(to_plain(model.snapshot())))))
    assert restored.track_record.to_plain() == model.track_record.to_plain()


def test_a_full_snapshot_stays_under_a_megabyte():
    model = taught(4_000)
    model.track_record = told_record(frauds=600)
    assert len(json.dumps(to_plain(model.snapshot()))) < 1_000_000


@pytest.mark.parametrize("name", ["weight", "scored_weight", "mean", "variance", "gradient_squares"])
def test_a_number_beyond_all_measure_is_refused(name):
    with pytest.raises(SnapshotInvalid, match="beyond"):
        verify(with_column(**{name: 1e308}))


@pytest.mark.parametrize("name", ["weight", "scored_weight", "mean", "variance", "gradient_squares"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(name, value):
    with pytest.raises(SnapshotInvalid, match="not finite"):
        verify(with_column(**{name: value}))


@pytest.mark.parametrize("name", ["variance", "gradient_squares", "count"])
def test_a_negative_variance_sum_or_count_is_refused(name):
    with pytest.raises(SnapshotInvalid, match="negative"):
        verify(with_column(**{name: -1}))


def test_weights_that_do_not_reproduce_the_probes_are_refused():
    with pytest.raises(SnapshotInvalid, match="a probe gives"):
        verify(with_column(scored_weight=snapshot().columns[0].scored_weight + 0.01))


def test_the_probes_are_put_to_the_scorer_that_is_returned():
    scorer = verify(snapshot())
    for probe in snapshot().probes:
        told = scorer.score(np.array([probe.features])).probabilities
        assert told == pytest.approx(probe.fraud_probability, abs=1e-9)


@pytest.mark.parametrize("features", [(), (1.0,), (float("nan"),) * len(FEATURES)])
def test_a_malformed_probe_is_refused(features):
    probe = Probe(features=features, fraud_probability=0.5)
    with pytest.raises(SnapshotInvalid, match="malformed"):
        verify(replace(snapshot(), probes=(probe,)))


def test_features_of_another_release_are_refused():
    names = ("colour", *FEATURES[1:])
    with pytest.raises(SnapshotInvalid, match="features"):
        verify(replace(snapshot(), hinges=replace(snapshot().hinges, names=names)))


def test_missing_columns_are_refused():
    with pytest.raises(SnapshotInvalid, match="columns for"):
        verify(replace(snapshot(), columns=snapshot().columns[1:]))


def test_altered_content_is_refused():
    plain = to_plain(snapshot())
    with pytest.raises(SnapshotInvalid, match="hash"):
        from_plain({**plain, "intercept": plain["intercept"] + 1e-9})


@pytest.mark.parametrize("version", [0, 3, None, "1"])
def test_another_format_is_refused(version):
    with pytest.raises(SnapshotInvalid, match="format"):
        from_plain(sealed({**to_plain(snapshot()), "format_version": version}))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": 3},
        {"columns": packed(np.ones((1, 2)))},
        {"columns": {"shape": [1, 6], "float64": "AAAA"}},
        {"knots": []},
        {"probes": {}},
        {"labels": "many"},
    ],
)
def test_a_malformed_snapshot_is_refused(change):
    with pytest.raises(SnapshotInvalid, match="not a snapshot"):
        from_plain(sealed({**to_plain(snapshot()), **change}))


@pytest.mark.parametrize("missing", ["features", "columns", "sample", "label_offsets"])
def test_a_snapshot_with_a_part_missing_is_refused(missing):
    plain = to_plain(snapshot())
    del plain[missing]
    with pytest.raises(SnapshotInvalid, match="not a snapshot"):
        from_plain(sealed(plain))


@pytest.mark.parametrize("part", ["sample", "label_offsets"])
def test_altered_parts_of_the_learner_are_refused_where_it_learns_on(part):
    with pytest.raises(SnapshotInvalid, match="hash"):
        from_plain({**to_plain(snapshot()), part: {"labels": {"0": 18}}})


def test_a_scorer_is_given_no_part_of_the_learner_and_scores_the_same():
    plain = for_scoring(to_plain(snapshot()))
    rows = np.array(labelled_rows(20, seed=3)[0])
    read = from_plain(plain, to_learn=False)
    assert (read.sample, read.label_offsets) == ({}, {})
    assert len(json.dumps(plain)) < 0.3 * len(json.dumps(to_plain(snapshot())))
    assert np.array_equal(verify(read).score(rows).probabilities, verify(snapshot()).score(rows).probabilities)


def test_a_scorer_refuses_altered_content():
    plain = for_scoring(to_plain(snapshot()))
    with pytest.raises(SnapshotInvalid, match="hash"):
        from_plain({**plain, "intercept": plain["intercept"] + 1e-9}, to_learn=False)


def test_nobody_learns_on_from_what_a_scorer_was_given():
    with pytest.raises(SnapshotInvalid, match="missing"):
        from_plain(for_scoring(to_plain(snapshot())))


def test_a_snapshot_without_its_hash_is_refused():
    plain = to_plain(snapshot())
    del plain["content_hash"]
    with pytest.raises(SnapshotInvalid, match="hash"):
        from_plain(plain)


def test_a_snapshot_in_the_format_of_before_goes_on_the_same():
    before = from_plain(json.loads(json.dumps(in_format_1(snapshot()))))
    assert before == snapshot()


def test_a_snapshot_in_the_format_of_before_and_without_a_track_record_can_be_read():
    bare = replace(snapshot(), track_record=None)
    assert from_plain(in_format_1(bare)) == bare


def test_a_scorer_is_given_all_of_a_snapshot_in_the_format_of_before():
    read = from_plain(for_scoring(in_format_1(snapshot())), to_learn=False)
    assert read == replace(snapshot(), sample={}, label_offsets={})


def test_altered_content_in_the_format_of_before_is_refused():
    plain = in_format_1(snapshot())
    with pytest.raises(SnapshotInvalid, match="hash"):
        from_plain({**plain, "intercept": plain["intercept"] + 1e-9})


@pytest.mark.parametrize(
    "change",
    [{"columns": 3}, {"columns": [[1, 2]]}, {"probes": [[1]]}, {"sample": 1}, {"track_record": {"outcomes": [1]}}],
)
def test_a_malformed_snapshot_in_the_format_of_before_is_refused(change):
    with pytest.raises(SnapshotInvalid, match="not a snapshot"):
        from_plain(with_hash({**in_format_1(snapshot()), **change}))


@pytest.mark.parametrize(("odds", "expected"), [(0.0, 0.5), (1e300, 1.0), (-1e300, 0.0)])
def test_the_probability_of_any_log_odds_is_safe(odds, expected):
    assert probability(odds) == pytest.approx(expected)

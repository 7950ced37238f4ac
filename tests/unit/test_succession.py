"""Who decides next: a candidate that failed its exam may, if an operator says so; it is sound, and taught enough."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.labelled_rows import labelled_rows

from models.examples import Example, Lesson, pack_features
from models.learner import Learner
from models.snapshot import Snapshot, to_plain
from streams.learning.good_models import GoodModels
from streams.learning.memory import Memory
from streams.learning.study import Study
from streams.learning.succession import REFUSED, Step, Succession
from streams.metrics.learner import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.control import ModelOrder, ModelVerb
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, SnapshotRecord, write_snapshot

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = LearnerSettings(least_labels=300, least_frauds=10)


def teach(study: Study, numbers: range) -> None:
    rows, frauds = labelled_rows(1_000)
    for number in numbers:
        example = Example(
            transaction_id=f"t-{number}",
            card="c",
            acceptor="a",
            partition=0,
            at=float(number),
            packed=pack_features(rows[number]),
            probability=None,
            silence_tells=True,
            amount_minor=100,
        )
        study.learn(Lesson(example=example, is_fraud=frauds[number], corrects=False))


def published(succession: Succession, step: Step) -> Step:
    record = SnapshotRecord(created_at=NOON, snapshot=to_plain(step.snapshot)) if step.fit else None
    succession.published(step, record)
    return step


def begun(labels: int = 400) -> tuple[Study, Succession]:
    """With a champion of so many labels."""
    study = Study(SETTINGS, Learner(), LearnerMetrics())
    succession = Succession(study, GoodModels(every=timedelta(hours=1)), None)
    teach(study, range(labels))
    assert published(succession, succession.next()).fit
    return study, succession


def refused(study: Study, succession: Succession) -> Snapshot:
    """A candidate that takes all for fraud."""
    study.learner.model.scored_intercept += 8.0
    step = published(succession, succession.next())
    assert not step.fit
    return step.snapshot


def promotion(version: str, *, verb: ModelVerb = ModelVerb.PROMOTE) -> ModelOrder:
    return ModelOrder(order_id="o-1", model_version=version, verb=verb, who="ada", why="it is right")


def test_a_refused_candidate_decides_if_an_operator_says_so() -> None:
    study, succession = begun()
    champion = study.guard.champion
    candidate = refused(study, succession)
    teach(study, range(400, 450))
    step = succession.obey(promotion(candidate.model_version))
    assert step is not None
    assert step.fit
    assert not step.goes_back
    assert step.snapshot.columns == candidate.columns
    assert step.snapshot.label_offsets["order"] == "o-1"
    assert step.good is not None  # the way back
    assert champion is not None
    assert step.good[1].model_version == champion.model_version
    published(succession, step)
    assert study.guard.champion == step.snapshot


def test_the_learner_goes_on_from_it_and_what_was_held_against_it_is_void() -> None:
    study, succession = begun()
    candidate = refused(study, succession)
    teach(study, range(400, 450))
    published(succession, succession.obey(promotion(candidate.model_version)) or Step(snapshot=candidate, fit=False))
    assert study.learner.model.labels == candidate.labels
    assert study.guard.verdict.refusal is None
    teach(study, range(450, 460))
    assert published(succession, succession.next()).fit


def test_only_what_was_refused_can_be_promoted() -> None:
    study, succession = begun()
    champion = study.guard.champion
    candidate = refused(study, succession)
    assert champion is not None
    assert succession.obey(promotion(champion.model_version)) is None
    assert succession.obey(promotion("7-none")) is None
    assert succession.obey(promotion(candidate.model_version, verb=ModelVerb.ROLLBACK)) is None
    assert study.order == "o-1"
    assert study.guard.champion == champion


def test_the_last_few_can_be_promoted_and_older_ones_are_forgotten() -> None:
    study, succession = begun()
    candidates = []
    for number in range(REFUSED + 1):
        teach(study, range(400 + 5 * number, 405 + 5 * number))
        candidates.append(refused(study, succession))
    assert succession.obey(promotion(candidates[0].model_version)) is None
    assert succession.obey(promotion(candidates[1].model_version)) is not None


def test_a_model_that_is_not_sound_is_not_promoted() -> None:
    study, _ = begun()
    broken = replace(study.snapshot(), scored_intercept=np.nan)
    succession = Succession(study, GoodModels(every=timedelta(hours=1)), None, refused=(broken,))
    assert succession.obey(promotion(broken.model_version)) is None


def test_a_model_that_was_taught_too_little_is_not_promoted() -> None:
    study = Study(SETTINGS, Learner(), LearnerMetrics())
    teach(study, range(SETTINGS.least_labels - 1))
    young = study.snapshot()
    succession = Succession(study, GoodModels(every=timedelta(hours=1)), None, refused=(young,))
    assert succession.obey(promotion(young.model_version)) is None


def test_after_a_restart_the_candidate_on_the_topic_can_be_promoted() -> None:
    study, succession = begun()
    champion = study.guard.champion
    candidate = refused(study, succession)
    assert champion is not None
    memory = Memory()
    for key, snapshot in ((CHAMPION, champion), (CANDIDATE, candidate)):
        memory.take_model(key, write_snapshot(SnapshotRecord(created_at=NOON, snapshot=to_plain(snapshot))))
    assert memory.refused == (candidate,)
    again = Succession(study, GoodModels(every=timedelta(hours=1)), None, refused=memory.refused)
    assert again.obey(promotion(candidate.model_version)) is not None


@pytest.mark.parametrize("keys", [(CANDIDATE, CHAMPION), (CHAMPION, CANDIDATE, CHAMPION)])
def test_a_candidate_of_before_the_champion_was_not_refused(keys: tuple[bytes, ...]) -> None:
    study, _ = begun()
    memory = Memory()
    for key in keys:
        memory.take_model(key, write_snapshot(SnapshotRecord(created_at=NOON, snapshot=to_plain(study.snapshot()))))
    assert memory.refused == ()

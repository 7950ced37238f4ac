"""The study: a learner that is killed and restored learns each lesson exactly once relative to its snapshot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from support.labelled_rows import labelled_rows
from support.records import consumed
from support.wire_samples import a_decision, a_label

from models.conformal import Outcomes
from models.drift_watch import DriftWatch
from models.exam import Refusal
from models.features import FEATURES
from models.label import LabelSource, LabelState
from models.label_trust import LabelTrust
from models.learner import Learner
from models.online import OnlineModel
from models.snapshot import Snapshot, content_hash, from_plain, to_plain
from models.track_record import Wanted
from models.verifying import verify
from rules.decision import InputPosition, Outcome
from streams.learning.guard import Guard
from streams.learning.memory import Memory, taught
from streams.learning.study import Study
from streams.metrics.learner import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.codec import write_decision, write_label
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, SnapshotRecord, write_snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = LearnerSettings(maturity_days=2.0, keep_days=3.0, most_examples=25, publish_every_labels=5)
PARTITIONS = 2
FRAUD, LEGITIMATE, DISPUTED, REVERSED = LabelState


TIGHT = LabelTrust(burst=8, most_frauds_per_acceptor=3, chargeback_share=0.3, customer_complaint_share=0.3)


def a_study(
    learner: Learner | None = None, settings: LearnerSettings = SETTINGS, trust: LabelTrust | None = None
) -> Study:
    return Study(settings, learner or Learner(), LearnerMetrics(), trust=trust)


def decision_bytes(number: int, day: float, **changes: object) -> bytes:
    row = np.random.default_rng(number).gamma(2.0, 3.0, len(FEATURES)).tolist()
    decision = structs.replace(
        a_decision(),
        transaction_id=f"t-{number}",
        pan_token=f"c-{number % 5}",
        event_time=START + timedelta(days=day),
        features=tuple(row),
        input=InputPosition(topic="transactions", partition=number % PARTITIONS, offset=number),
    )
    return write_decision(structs.replace(decision, **changes))


def label_bytes(number: int, state: LabelState, source: LabelSource = LabelSource.CHARGEBACK) -> bytes:
    return write_label(replace(a_label(), transaction_id=f"t-{number}", state=state, source=source))


@dataclass(frozen=True, kw_only=True)
class Round:
    """How far each partition is read, and whether silence is taken for an answer and a snapshot made."""

    decisions: tuple[int, ...]
    labels: tuple[int, ...]
    matures: bool
    publishes: bool


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is on the topics after a snapshot: all in one transaction."""

    after_round: int
    snapshot: Snapshot
    merchants: dict
    cards: dict


@dataclass(frozen=True, kw_only=True)
class Logs:
    decisions: tuple[tuple[bytes, ...], ...]
    labels: tuple[tuple[bytes, ...], ...]


class Run:
    """Reads logs in rounds, as the learner process does."""

    def __init__(self, logs: Logs, rounds: Sequence[Round], published: Published | None = None) -> None:
        self.logs, self.rounds, self.published = logs, rounds, published
        self.next_round = 0 if published is None else published.after_round + 1
        if published is None:
            self.study = a_study(trust=TIGHT)
            self.state = {"next": {}, "oldest": {}}
            self.study.positions.offsets = {place: 0 for place, _, _ in self.places()}
            self.study.positions.mark(0)
        else:
            model = OnlineModel.from_snapshot(published.snapshot)
            learner = Learner(model, merchants=dict(published.merchants), card_fraud_at=dict(published.cards))
            self.study = a_study(learner, trust=TIGHT)
            self.state = published.snapshot.label_offsets
            self.rebuild()

    def places(self):
        for kind in ("decisions", "labels"):
            for partition in range(PARTITIONS):
                yield f"{kind}:{partition}", kind, partition

    def rebuild(self) -> None:
        self.study.positions.offsets = {place: self.state["oldest"].get(place, 0) for place, _, _ in self.places()}
        self.study.positions.mark(0)
        self.study.expect(self.state)
        for kind in ("decisions", "labels"):
            self.read(kind, tuple(self.state["next"].get(f"{kind}:{number}", 0) for number in range(PARTITIONS)))
        self.study.rebuilt(self.state)
        assert self.study._join.early == self.state["early"]

    def read(self, kind: str, until: tuple[int, ...], *, learning: bool = False) -> None:
        take = self.study.take_decision if kind == "decisions" else self.study.take_label
        offsets = self.study.positions.offsets
        for partition, end in enumerate(until):
            place = f"{kind}:{partition}"
            for offset in range(offsets[place], end):
                value = getattr(self.logs, kind)[partition][offset]
                lesson = take(consumed(value, topic=kind, partition=partition, offset=offset))
                if lesson is not None and learning:
                    self.study.learn(lesson)
            offsets[place] = max(offsets[place], end)

    def go(self, rounds: int) -> Published | None:
        """Go through so many more rounds; the last thing published meanwhile, or before."""
        for number in range(self.next_round, min(self.next_round + rounds, len(self.rounds))):
            each = self.rounds[number]
            self.read("decisions", each.decisions, learning=True)
            now = self.study.newest_event()
            self.read("labels", each.labels, learning=True)
            if each.matures:
                self.study.mature(now)
            if each.publishes:
                self.published = self.publish(number)
            self.next_round = number + 1
        return self.published

    def publish(self, number: int) -> Published:
        snapshot = self.study.snapshot()
        learner = self.study.learner
        learner.changes()
        stored = from_plain(json.loads(json.dumps(to_plain(snapshot))))
        verify(stored)
        return Published(
            after_round=number,
            snapshot=stored,
            merchants=dict(learner.merchants),
            cards=dict(learner.card_fraud_at),
        )

    def learnt(self) -> tuple[str, dict, dict]:
        learner = self.study.learner
        return content_hash(learner.model.snapshot()), learner.merchants, learner.card_fraud_at


@st.composite
def histories(draw: st.DrawFn) -> tuple[Logs, list[Round]]:
    count = draw(st.integers(1, 40))
    days = sorted(draw(st.lists(st.floats(0.0, 12.0), min_size=count, max_size=count)))
    late = draw(st.sets(st.integers(0, count - 1), max_size=5))
    decisions: list[list[bytes]] = [[], []]
    for number, day in enumerate(days):
        decisions[number % PARTITIONS].append(decision_bytes(number, day * 0.2 if number in late else day))
    labels: list[list[bytes]] = [[], []]
    known = st.sampled_from([FRAUD, LEGITIMATE, DISPUTED, REVERSED])
    sources = st.sampled_from([LabelSource.CHARGEBACK, LabelSource.CUSTOMER_COMPLAINT, LabelSource.MANUAL_REVIEW])
    for number, state, source in draw(st.lists(st.tuples(st.integers(0, count + 2), known, sources), max_size=40)):
        labels[number % PARTITIONS].append(label_bytes(number, state, source))
    logs = Logs(decisions=tuple(map(tuple, decisions)), labels=tuple(map(tuple, labels)))
    return logs, draw(rounds_over(logs))


@st.composite
def rounds_over(draw: st.DrawFn, logs: Logs) -> list[Round]:
    rounds, read = [], [0] * (2 * PARTITIONS)
    lengths = [len(log) for log in (*logs.decisions, *logs.labels)]
    while read != lengths or len(rounds) < 3:
        read = [
            min(done + draw(st.integers(0, 8)) + (len(rounds) > 20), end)
            for done, end in zip(read, lengths, strict=True)
        ]
        rounds.append(
            Round(
                decisions=tuple(read[:PARTITIONS]),
                labels=tuple(read[PARTITIONS:]),
                matures=draw(st.booleans()),
                publishes=draw(st.booleans()),
            )
        )
    return rounds


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(st.integers(1, 6), max_size=4))
def test_a_killed_learner_learns_what_an_unharmed_one_does(history: tuple[Logs, list[Round]], kills: list[int]) -> None:
    logs, rounds = history
    unharmed = Run(logs, rounds)
    unharmed.go(len(rounds))
    published = None
    for lived in kills:
        published = Run(logs, rounds, published).go(lived)
    last = Run(logs, rounds, published)
    last.go(len(rounds))
    assert last.learnt() == unharmed.learnt()


def killed_after_each(logs: Logs, rounds: Sequence[Round]) -> Run:
    """A learner that lived for one round at a time."""
    published = None
    for _ in rounds:
        published = Run(logs, rounds, published).go(1)
    return Run(logs, rounds, published)


def test_a_label_long_before_its_decision_is_learnt_once_over_two_restarts() -> None:
    logs = Logs(
        decisions=((decision_bytes(0, 0.0), decision_bytes(2, 1.0), decision_bytes(4, 9.0)), ()),
        labels=((label_bytes(2, FRAUD), label_bytes(0, FRAUD)), ()),
    )
    rounds = [
        Round(decisions=(read, 0), labels=(1, 0), matures=True, publishes=True) for read in (0, 0, 1, 1, 1, 2, 2, 3)
    ]
    unharmed = Run(logs, rounds)
    unharmed.go(len(rounds))
    assert killed_after_each(logs, rounds).learnt() == unharmed.learnt()
    assert unharmed.study.learner.model.frauds == 1


def test_what_was_not_heard_is_not_heard_by_a_second_reading_either() -> None:
    numbers = range(0, 24, 2)
    logs = Logs(
        decisions=(tuple(decision_bytes(number, number / 100) for number in [*numbers, 900]), ()),
        labels=(tuple(label_bytes(number, FRAUD) for number in numbers), ()),
    )
    rounds = [
        Round(decisions=(12, 0), labels=(6, 0), matures=False, publishes=True),  # three are heard, and three are not
        Round(decisions=(12, 0), labels=(9, 0), matures=False, publishes=True),
        Round(decisions=(13, 0), labels=(12, 0), matures=True, publishes=True),
    ]
    unharmed = Run(logs, rounds)
    unharmed.go(len(rounds))
    assert killed_after_each(logs, rounds).learnt() == unharmed.learnt()
    assert (unharmed.study.learner.model.frauds, unharmed.study.learner.model.labels) == (6, 6)


def test_a_snapshot_says_when_the_newest_label_came_also_after_a_restart() -> None:
    study = a_study()
    assert SnapshotRecord(created_at=START, snapshot=to_plain(study.snapshot())).labelled_at is None

    study.take_label(consumed(label_bytes(1, FRAUD), topic="labels", offset=0, at=2_000.0))
    study.take_label(consumed(label_bytes(2, FRAUD), topic="labels", offset=1, at=1_000.0))
    snapshot = study.snapshot()
    assert SnapshotRecord(created_at=START, snapshot=to_plain(snapshot)).labelled_at == 2_000.0

    restarted = a_study()
    restarted.expect(snapshot.label_offsets)
    assert SnapshotRecord(created_at=START, snapshot=to_plain(restarted.snapshot())).labelled_at == 2_000.0


def test_bad_records_become_dead_letters_of_their_partition() -> None:
    study = a_study()
    assert study.take_decision(consumed(b"{", topic="decisions.block", partition=3)) is None
    assert study.take_label(consumed(None, topic="labels", partition=4)) is None
    assert [partition for partition, _ in study.dead_letters] == [3, 4]


def reasons(study: Study) -> list[bytes]:
    return [dict(letter.headers)["holdfast-error-reason"] for _, letter in study.dead_letters]


def test_labels_that_are_not_heard_or_contradicted_are_dead_letters_and_teach_nothing() -> None:
    study = a_study(trust=LabelTrust(burst=2))
    study.take_decision(consumed(decision_bytes(0, 0.0)))
    assert study.take_label(consumed(label_bytes(0, FRAUD), topic="labels", offset=0)) is not None
    complaint = label_bytes(0, LEGITIMATE, LabelSource.CUSTOMER_COMPLAINT)
    assert study.take_label(consumed(complaint, topic="labels", offset=1)) is None
    assert reasons(study) == [b"LABEL_CONTRADICTED"]
    assert study.take_label(consumed(label_bytes(0, REVERSED), topic="labels", offset=2)) is not None
    assert study.take_label(consumed(label_bytes(0, FRAUD), topic="labels", offset=3)) is None
    assert reasons(study) == [b"LABEL_CONTRADICTED", b"LABEL_SOURCE_SILENCED"]
    assert [each.speaker for each in study.labels.silenced] == [(LabelSource.CHARGEBACK, None)]


def test_reading_again_sends_no_dead_letter_again() -> None:
    study = a_study()
    state = study.snapshot().label_offsets
    study.expect(state)
    study.take_label(consumed(b"{", topic="labels"))
    study.rebuilt(state)
    assert study.dead_letters == []


@pytest.mark.parametrize(("labels", "due"), [(0, False), (4, False), (5, True)])
def test_a_snapshot_is_due_after_so_many_lessons(labels: int, due: bool) -> None:
    study = a_study()
    for number in range(labels):
        study.take_decision(consumed(decision_bytes(number, 0.0)))
        lesson = study.take_label(consumed(label_bytes(number, FRAUD)))
        assert lesson is not None
        study.learn(lesson)
    assert study.snapshot_due() is due
    study.snapshot()
    assert not study.snapshot_due()


def test_cards_of_fraud_and_of_fraud_taken_back_go_to_their_partition() -> None:
    study = a_study()
    study.take_decision(consumed(decision_bytes(1, 0.0)))
    for state in (FRAUD, REVERSED):
        lesson = study.take_label(consumed(label_bytes(1, state)))
        assert lesson is not None
        study.learn(lesson)
        assert study.card_partitions == {"c-1": 1}
        assert study.learner.changes().cards == {"c-1"}
        study.card_partitions.clear()


def test_silence_is_legitimate_by_the_clock_of_decisions() -> None:
    study = a_study()
    study.take_decision(consumed(decision_bytes(1, 0.0)))
    study.take_decision(consumed(decision_bytes(2, 2.0)))
    study.mature(study.newest_event())
    assert (study.learner.model.labels, study.learner.model.frauds, study.waiting) == (1, 0, 1)


def test_silence_about_a_block_teaches_nothing() -> None:
    study = a_study()
    study.take_decision(consumed(decision_bytes(1, 0.0, outcome=Outcome.BLOCK)))
    study.take_decision(consumed(decision_bytes(2, 8.0)))
    study.mature(study.newest_event())
    assert study.learner.model.labels == 0


# What became of scores


def counted(study: Study) -> tuple[float, float]:
    """Weights of fraud and of the others in the track record."""
    known = Outcomes.merged(study.learner.model.track_record.outcomes.values())
    return known.fraud.sum(), known.legitimate.sum()


def test_a_score_counts_once_its_payment_has_matured_and_as_what_that_had_turned_out_to_be() -> None:
    study = a_study()
    for number in (1, 2):
        study.take_decision(consumed(decision_bytes(number, 0.0, risk_score=0.1)))
    lesson = study.take_label(consumed(label_bytes(1, FRAUD)))
    assert lesson is not None
    study.learn(lesson)
    study.mature((START + timedelta(days=1)).timestamp())
    assert counted(study) == (0.0, 0.0)
    for _ in range(2):
        study.mature((START + timedelta(days=2)).timestamp())
        assert counted(study) == pytest.approx((1.0, 1.0))


def test_a_fraud_that_is_reported_after_its_payment_matured_counts_then() -> None:
    study = a_study()
    study.take_decision(consumed(decision_bytes(1, 0.0, risk_score=0.1)))
    study.mature((START + timedelta(days=2)).timestamp())
    lesson = study.take_label(consumed(label_bytes(1, FRAUD)))
    assert lesson is not None
    study.learn(lesson)
    assert counted(study)[0] == 1.0


def test_what_nobody_scored_is_no_score_to_count() -> None:
    study = a_study()
    study.take_decision(consumed(decision_bytes(1, 0.0, risk_score=None)))
    study.mature((START + timedelta(days=2)).timestamp())
    assert counted(study) == (0.0, 0.0)


def test_what_costs_wanted_is_theirs_to_say_by_score_and_amount() -> None:
    study = a_study()
    for number, (score, amount) in enumerate([(0.001, 1_000), (0.2, 100_000), (0.99, 1_000)]):
        study.take_decision(consumed(decision_bytes(number, 0.0, risk_score=score, amount_minor=amount)))
    study.mature((START + timedelta(days=2)).timestamp())
    known = study.learner.model.track_record.outcomes
    assert [known[wanted].legitimate.sum() for wanted in Wanted] == [1.0, 1.0, 1.0]


# The exam of each candidate


def a_taught_study(labels: int, **options: object) -> Study:
    study = Study(replace(SETTINGS, most_examples=1_000), Learner(), LearnerMetrics(), **options)
    teach(study, range(labels))
    return study


def teach(study: Study, numbers: range) -> None:
    """Features that say what a payment is, and labels that say so, too."""
    rows, frauds = labelled_rows(1_000)
    for number in numbers:
        study.take_decision(consumed(decision_bytes(number, 0.0, features=tuple(rows[number]))))
        said = (FRAUD, LabelSource.CHARGEBACK) if frauds[number] else (LEGITIMATE, LabelSource.MANUAL_REVIEW)
        lesson = study.take_label(consumed(label_bytes(number, *said)))
        assert lesson is not None
        study.learn(lesson)


def run_away(study: Study) -> None:
    study.learner.model.scored_intercept += 8.0


def test_a_candidate_that_learnt_on_is_fit() -> None:
    study = a_taught_study(400)
    study.guard.crown(study.snapshot())
    teach(study, range(400, 500))
    assert study.examine(study.snapshot())
    assert study.guard.verdict.measured["champion_log_loss"] > 0


def test_one_that_ran_away_is_refused_and_after_three_the_learner_goes_on_from_the_champion() -> None:
    study = a_taught_study(400)
    champion = study.snapshot()
    study.guard.crown(champion)
    teach(study, range(400, 450))
    run_away(study)
    for _ in range(3):
        assert study.learner.model.labels == 450
        assert not study.examine(study.snapshot())
        assert study.guard.verdict.refusal is Refusal.WORSE
    assert study.learner.model.labels == 400
    assert content_hash(study.learner.model.snapshot(label_offsets=champion.label_offsets)) == content_hash(champion)
    teach(study, range(450, 500))
    assert study.examine(study.snapshot())
    assert study.guard.verdict.refusal is None


def test_refusals_that_are_not_in_a_row_give_nothing_up() -> None:
    study = a_taught_study(400)
    sound = study.snapshot()
    study.guard.crown(sound)
    run_away(study)
    spoilt = study.snapshot()
    for candidate in (spoilt, spoilt, sound, spoilt, spoilt):
        study.examine(candidate)
    assert study.learner.model.snapshot().scored_intercept == spoilt.scored_intercept


# The trial of those that decide


def spoilt(model: Snapshot) -> Snapshot:
    """The same, but all is fraud to it."""
    return replace(model, model_version="spoilt", scored_intercept=model.scored_intercept + 8.0)


def on_trial() -> tuple[Study, Snapshot]:
    """A study whose champions are tried against what it has learnt so far."""
    study = a_taught_study(400)
    good = study.snapshot()
    study.guard.against(good)
    return study, good


def test_champions_that_decide_worse_than_a_model_that_was_kept_are_found_out() -> None:
    study, good = on_trial()
    study.guard.crown(good)
    teach(study, range(400, 500))
    assert study.guard.proven_worse() is None
    study.guard.crown(spoilt(good))
    teach(study, range(500, 600))
    assert study.guard.proven_worse() == good
    study.go_back(good)
    assert study.guard.proven_worse() is None
    assert study.learner.model.labels == 400


def test_outcomes_count_for_the_champion_of_their_time() -> None:
    study, good = on_trial()
    study.guard.crown(good)
    teach(study, range(400, 500))
    study.guard.crown(spoilt(good))
    assert study.guard.proven_worse() is None


def test_a_trial_that_was_begun_goes_on_after_a_restart() -> None:
    study, good = on_trial()
    study.guard.crown(spoilt(good))
    teach(study, range(400, 500))
    assert study.guard.proven_worse() == good
    restarted = Guard(spoilt(good), LearnerMetrics())
    restarted.against(good)
    restarted.expect(study.snapshot().label_offsets)
    assert restarted.state() == study.guard.state()
    of_another = Guard(spoilt(good), LearnerMetrics())
    of_another.against(spoilt(good))
    of_another.expect(study.snapshot().label_offsets)
    assert of_another.state()["trial"]["payments"] == 0


def test_what_was_taught_counts_also_when_it_was_given_up() -> None:
    study = a_taught_study(400, taught=1_000)
    assert taught(study.snapshot()) == 1_400
    study.learner.model = OnlineModel()
    assert taught(study.snapshot()) == 1_400


def test_a_learner_goes_on_from_what_was_taught_most_and_knows_the_champion() -> None:
    """A model given up is still on the topic, with more labels than the one that went on from the champion."""
    study = a_taught_study(400)
    champion = study.snapshot()
    teach(study, range(400, 450))
    given_up = study.snapshot()
    study.learner.model = OnlineModel.from_snapshot(champion)
    teach(study, range(450, 460))
    went_on = study.snapshot()
    memory = Memory()
    for key, snapshot in ((CHAMPION, champion), (CANDIDATE, given_up), (CANDIDATE, went_on)):
        record = SnapshotRecord(created_at=START, snapshot=to_plain(snapshot))
        memory.take_model(key, write_snapshot(record))
    assert memory.champion == champion
    assert memory.snapshot == went_on
    assert given_up.labels > went_on.labels


@pytest.mark.parametrize(("after", "settled"), [(401, False), (400, True)])
def test_drift_is_looked_for_once_the_champion_has_learnt_enough(after: int, settled: bool) -> None:
    study = Study(replace(SETTINGS, most_examples=1_000, drift_after_labels=after), Learner(), LearnerMetrics())
    teach(study, range(400))
    study.guard.crown(study.snapshot())
    study.take_decision(consumed(decision_bytes(401, 1.0, risk_score=0.5)))
    assert study.drift.to_plain() == DriftWatch().to_plain()  # not before it is as old as labels take
    study.take_decision(consumed(decision_bytes(402, 9.0)))
    study.mature(study.newest_event())
    assert (study.drift.to_plain()["detectors"] != DriftWatch().to_plain()["detectors"]) is settled
    assert (study.drift.to_plain()["stability"] != DriftWatch().to_plain()["stability"]) is settled


@pytest.mark.parametrize("state", [{}, {"drift": None}, {"drift": {"detectors": {}}}], ids=repr)
def test_a_learner_goes_on_from_a_state_that_says_nothing_of_drift_that_it_knows(state: dict[str, object]) -> None:
    study = a_study()
    study.expect({"early": {}, "frontier": 0.0} | state)
    assert study.drift.to_plain() == DriftWatch().to_plain()

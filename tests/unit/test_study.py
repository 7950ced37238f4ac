"""The study: a learner that is killed and restored learns each lesson exactly once relative to its snapshot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records import consumed
from support.wire_samples import a_decision, a_label

from models.features import FEATURES
from models.label import LabelState
from models.learner import Learner
from models.online import OnlineModel
from models.snapshot import Snapshot, content_hash, from_plain, to_plain, verify
from rules.decision import InputPosition
from streams.learning.study import Study
from streams.metrics import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.codec import write_decision, write_label

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = LearnerSettings(maturity_days=2.0, keep_days=3.0, most_examples=25, publish_every_labels=5)
PARTITIONS = 2
FRAUD, LEGITIMATE, DISPUTED, REVERSED = LabelState


def a_study(learner: Learner | None = None, settings: LearnerSettings = SETTINGS) -> Study:
    return Study(settings, learner or Learner(), LearnerMetrics())


def decision_bytes(number: int, day: float, **changes: object) -> bytes:
    row = np.random.default_rng(number).gamma(2.0, 3.0, len(FEATURES)).tolist()
    decision = replace(
        a_decision(),
        transaction_id=f"t-{number}",
        pan_token=f"c-{number % 5}",
        event_time=START + timedelta(days=day),
        features=tuple(row),
        input=InputPosition(topic="transactions", partition=number % PARTITIONS, offset=number),
    )
    return write_decision(replace(decision, **changes))


def label_bytes(number: int, state: LabelState) -> bytes:
    return write_label(replace(a_label(), transaction_id=f"t-{number}", state=state))


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
            self.study = a_study()
            self.state = {"next": {}, "oldest": {}}
            self.study.positions.offsets = {place: 0 for place, _, _ in self.places()}
            self.study.positions.mark(0)
        else:
            model = OnlineModel.from_snapshot(published.snapshot)
            learner = Learner(model, merchants=dict(published.merchants), card_fraud_at=dict(published.cards))
            self.study = a_study(learner)
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
    for number, state in draw(st.lists(st.tuples(st.integers(0, count + 2), known), max_size=40)):
        labels[number % PARTITIONS].append(label_bytes(number, state))
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
    published = None
    for _ in rounds:
        published = Run(logs, rounds, published).go(1)
    assert Run(logs, rounds, published).learnt() == unharmed.learnt()
    assert unharmed.study.learner.model.frauds == 1


def test_bad_records_become_dead_letters_of_their_partition() -> None:
    study = a_study()
    assert study.take_decision(consumed(b"{", topic="decisions.block", partition=3)) is None
    assert study.take_label(consumed(None, topic="labels", partition=4)) is None
    assert [partition for partition, _ in study.dead_letters] == [3, 4]


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

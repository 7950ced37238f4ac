"""A whole learner without Kafka: payments are scored by the champion, labelled a week later, and models succeed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from msgspec import structs
from support.labelled_rows import AMOUNT, MOVED, RISK
from support.records import consumed
from support.wire_samples import a_decision, a_label

from models.classifier import untaught
from models.family import Family
from models.features import FEATURES
from models.label import LabelSource, LabelState
from models.learner import Learner
from models.linear import LinearScorer
from models.snapshot import Snapshot, to_plain
from rules.decision import InputPosition
from streams.learning.good_models import GoodModels
from streams.learning.study import Study
from streams.learning.succession import Succession
from streams.metrics.learner import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.codec import write_decision, write_label
from streams.wire.snapshot_record import SnapshotRecord

DAY = 86_400.0
BEGIN = 20_000 * DAY
A_DAY = 1_000  # payments
A_TURN = 250  # of them are scored by one champion: then a snapshot is due
LABEL_DAYS = 7
BIG_SHOP = 5  # every so manieth payment is at one acceptor

Said = tuple[LabelSource, LabelState]
TRUE_FRAUD: Said = (LabelSource.CHARGEBACK, LabelState.FRAUD)


@dataclass(frozen=True, slots=True)
class History:
    """Payments in order of time: decisions as they lie on their topic, features (n, FEATURES), and the truth."""

    decisions: list[bytes]
    rows: np.ndarray
    is_fraud: np.ndarray


@cache
def history(days: int, seed: int = 5) -> History:
    """About one in fifty is a fraud, likelier at high amounts and risky acceptors, never certain."""
    chance = np.random.default_rng(seed)
    rows = np.zeros((days * A_DAY, len(FEATURES)))
    rows[:, :MOVED] = chance.gamma(2.0, 3.0, (days * A_DAY, MOVED))
    rows[:, RISK] = chance.random(len(rows)) ** 4
    log_odds = -12.0 + 2.2 * np.log1p(rows[:, AMOUNT]) + 7.0 * rows[:, RISK]
    is_fraud = chance.random(len(rows)) < 1 / (1 + np.exp(-log_odds))
    return History([decision(number, row) for number, row in enumerate(rows.tolist())], rows, is_fraud)


def decision(number: int, row: Sequence[float]) -> bytes:
    """Decided without a score, so that what is on the topic does not depend on the model."""
    made = structs.replace(
        a_decision(),
        transaction_id=f"t-{number}",
        pan_token=f"c-{number % 500}",
        terminal_id=None,
        merchant_id="big" if number % BIG_SHOP == 0 else f"m-{number % 300}",
        event_time=datetime.fromtimestamp(at(number), UTC),
        features=tuple(row),
        risk_score=None,
        input=InputPosition(topic="transactions", partition=0, offset=number),
    )
    return write_decision(made)


def at(number: int) -> float:
    """When a payment was, seconds since 1970."""
    return BEGIN + number * DAY / A_DAY


@dataclass(slots=True)
class Shop:
    """`says` is what sources say of a payment, by its number and whether it is fraud.

    `at_once` is what they say besides when a payment comes, of those of any numbers.
    """

    says: Callable[[int, bool], Sequence[Said]] = lambda _, is_fraud: [TRUE_FRAUD] if is_fraud else []
    at_once: Mapping[int, Sequence[tuple[int, Said]]] = field(default_factory=dict)
    family: Family = Family.LOGISTIC
    told: list[float] = field(default_factory=list)  # probability of each payment; NaN before there was a champion
    went_back: list[str] = field(default_factory=list)  # why
    silenced: set[tuple[LabelSource, str | None]] = field(default_factory=set)
    refused: int = 0  # candidates
    champion: Snapshot | None = None
    study: Study = field(init=False)
    succession: Succession = field(init=False)
    _labels: int = 0

    def __post_init__(self) -> None:
        settings = LearnerSettings(maturity_days=LABEL_DAYS, publish_interval_seconds=1e-9, family=self.family)
        self.study = Study(settings, Learner(untaught(self.family)), LearnerMetrics())
        self.succession = Succession(self.study, GoodModels(every=timedelta(hours=12)), None)

    def live(self, lived: History) -> None:
        """Turn by turn: score and decide what comes, hear what is said of what came a week ago, learn, publish."""
        for begin in range(0, len(lived.decisions), A_TURN):
            turn = range(begin, min(begin + A_TURN, len(lived.decisions)))
            self._score(lived.rows[turn.start : turn.stop])
            for number in turn:
                lesson = self.study.take_decision(
                    consumed(lived.decisions[number], topic="decisions", partition=0, offset=number)
                )
                if lesson is not None:
                    self.study.learn(lesson)
                if (labelled := number - LABEL_DAYS * A_DAY + 1) >= 0:
                    self._hear(labelled, self.says(labelled, bool(lived.is_fraud[labelled])))
                for another, said in self.at_once.get(number, ()):
                    self._hear(another, [said])
            self._succeed(at(turn.stop - 1))

    def _score(self, rows: np.ndarray) -> None:
        if self.champion is None:
            self.told += [float("nan")] * len(rows)
        else:
            with np.errstate(all="ignore"):
                self.told += LinearScorer(self.champion).score(rows).probabilities.tolist()

    def _hear(self, number: int, said: Sequence[Said]) -> None:
        for source, state in said:
            label = replace(a_label(), transaction_id=f"t-{number}", source=source, state=state)
            record = consumed(write_label(label), topic="labels", partition=0, offset=self._labels)
            self._labels += 1
            if (lesson := self.study.take_label(record)) is not None:
                self.study.learn(lesson)

    def _succeed(self, now: float) -> None:
        self.study.mature(self.study.newest_event())
        self.silenced |= {each.speaker for each in self.study.labels.silenced}
        self.study.dead_letters.clear()
        if not self.study.snapshot_due():
            return
        moment = datetime.fromtimestamp(now, UTC)
        step = self.succession.next()
        self.refused += not step.fit
        if step.goes_back:
            self.went_back.append(self.succession.went_back["why"])
        record = None
        if step.fit and step.snapshot.labels >= 500 and step.snapshot.frauds >= 10:
            record = SnapshotRecord(created_at=moment, snapshot=to_plain(step.snapshot))
            self.champion = step.snapshot
        self.succession.published(step, record)

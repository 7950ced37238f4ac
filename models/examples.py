"""Joins labels to examples: a decided transaction is an example once somebody says, or silence tells, what it was.

Fraud is learnt when it is reported; legitimate when it is said, or when `maturity` has passed without a report, unless
the payment was blocked. Labels come late, twice, out of order, before their decision, and are taken back: an example is
then learnt again as what it turned out to be. Time is event time: the clock is an argument.
"""

import heapq
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from models.hinges import Matrix
from models.label import Label, LabelSource
from models.label_trust import LabelTrust, Testimony

MOST_EARLY_LABELS = 10_000  # payments that something is said of before their decision is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A decided transaction, with its features as scored; `at` in seconds since 1970."""

    transaction_id: str
    card: str
    acceptor: str
    partition: int  # of the input topic, where whatever concerns the card must go
    at: float
    packed: bytes  # float64 features: a tuple of floats takes four times the memory
    probability: float | None = None  # of fraud, as scored
    silence_tells: bool = True  # that it was legitimate; not of a payment that was blocked: it has no outcome
    amount_minor: int = 0

    @property
    def features(self) -> Sequence[float]:
        """The features as scored."""
        return array("d", self.packed)


def pack_features(features: Sequence[float]) -> bytes:
    """Features in the form that examples keep."""
    return array("d", features).tobytes()


def unpacked_rows(packed: Sequence[bytes]) -> Matrix:
    """Packed features of n payments as (n, features); n is above 0."""
    return np.frombuffer(b"".join(packed), dtype=np.float64).reshape(len(packed), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """An example and what it turned out to be; `corrects` where the opposite was learnt before."""

    example: Example
    is_fraud: bool
    corrects: bool = False


class Contradiction(NamedTuple):
    """A label that those contradict who are trusted as much as its source: what was learnt stays."""

    said: Mapping[LabelSource, bool]  # is it fraud?


@dataclass(slots=True)
class _Held:
    example: Example
    arrival: int  # how many came before it
    learnt: bool | None = None  # as fraud, as legitimate, or not yet
    testimony: Testimony | None = None

    @property
    def is_open(self) -> bool:
        """Whether silence must not be taken for legitimate."""
        if self.testimony is None:
            return not self.example.silence_tells
        return self.testimony.is_open or (not self.example.silence_tells and self.testimony.is_fraud is None)


class LabelJoin:
    """Holds the newest `limit` examples, at most `keep_seconds` beyond maturity, and makes lessons of them.

    What is held, and as what it was learnt, depends on which records were taken, on the order of each transaction's
    labels and on `frontier`; not on how decisions and labels were interleaved. So a restarted learner can rebuild it by
    reading them again and discarding the lessons.
    """

    def __init__(
        self, *, maturity_seconds: float, keep_seconds: float, limit: int, trust: LabelTrust | None = None
    ) -> None:
        self._maturity = maturity_seconds
        self._keep = keep_seconds
        self._limit = limit
        self._trust = trust or LabelTrust()
        self._held: dict[str, _Held] = {}  # in order of arrival
        self._maturing: list[tuple[float, str]] = []  # heaps by event time: each held example is in one of the two
        self._matured: list[tuple[float, str]] = []
        self._unmet: dict[str, Testimony] = {}  # of transactions whose decision was not read yet
        self._met: dict[str, dict[str, Any]] = {}  # plain, of examples held: what was said before they came
        self._ripe: list[Lesson] = []  # what matured since it was last asked for
        self.frontier = 0.0  # the clock of the last advance, event time in seconds
        self.arrived = 0  # examples that ever came
        self.waiting = 0  # held and not learnt yet
        self.dropped = 0  # examples, of all that arrived, that are no longer held
        self.dropped_unlearnt = 0
        self.unmatched = 0  # labels of transactions not held

    @property
    def arrived_before(self) -> int:
        """Examples that came before the first one still held."""
        return next((held.arrival for held in self._held.values()), self.arrived)

    @property
    def early(self) -> dict[str, Mapping[str, Any]]:
        """What was said before a decision that is still to come, or still held; plain, for the snapshot."""
        return self._met | {transaction_id: said.to_plain() for transaction_id, said in self._unmet.items()}

    def acceptor(self, transaction_id: str) -> str | None:
        """Who accepted a payment; None for one that is not held."""
        held = self._held.get(transaction_id)
        return None if held is None else held.example.acceptor

    def expect(self, early: Mapping[str, Mapping[str, Any]], *, frontier: float) -> None:
        """Take early labels and the frontier out of a snapshot, before any example comes."""
        self._unmet = {transaction_id: Testimony.from_plain(plain) for transaction_id, plain in early.items()}
        self.frontier = frontier

    def rebuilt(self, early: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep no labels but those of the snapshot: reading again met some whose examples had been dropped."""
        self._unmet = {
            transaction_id: Testimony.from_plain(plain)
            for transaction_id, plain in early.items()
            if transaction_id not in self._held
        }

    def decided(self, example: Example) -> Lesson | None:
        """Hold an example; a lesson at once if its label, or the end of its time to mature, came before it."""
        if example.transaction_id in self._held:
            return None
        held = self._held[example.transaction_id] = _Held(example, self.arrived)
        self.arrived += 1
        self.waiting += 1
        matured = example.at <= self.frontier - self._maturity
        heapq.heappush(self._matured if matured else self._maturing, (example.at, example.transaction_id))
        held.testimony = self._unmet.pop(example.transaction_id, None)
        if held.testimony is not None:
            self._met[example.transaction_id] = held.testimony.to_plain()
        self._let_go()
        if example.transaction_id not in self._held:
            return None
        lesson = self._concluded(held)
        if lesson is None and matured and held.learnt is None and not held.is_open:
            return self._learn(held, is_fraud=False)
        return lesson

    def labelled(self, label: Label) -> Lesson | Contradiction | None:
        """What a label teaches; nothing where it repeats what is known, concludes nothing or is not believed."""
        held = self._held.get(label.transaction_id)
        if held is None:
            testimony = self._unmet.get(label.transaction_id, Testimony())
        else:
            testimony = held.testimony = held.testimony or Testimony()
        contradicts = testimony.take(label.source, label.state, self._trust)
        if held is None and testimony.said:
            self._wait_for_decision(label.transaction_id, testimony)
        if contradicts:
            return Contradiction(testimony.said)
        return None if held is None else self._concluded(held)

    def unheard(self, transaction_id: str) -> None:
        """A label does not count: unless another does, what the payment is stays open, also when it matures.

        As what silence had it learnt before is forgotten: a second reading could not tell.
        """
        held = self._held.get(transaction_id)
        if held is None:
            testimony = self._unmet.get(transaction_id, Testimony())
            testimony.unheard = True
            self._wait_for_decision(transaction_id, testimony)
            return
        held.testimony = held.testimony or Testimony()
        held.testimony.unheard = True
        if held.is_open and held.learnt is not None:
            self.waiting += 1
            held.learnt = None

    def _wait_for_decision(self, transaction_id: str, testimony: Testimony) -> None:
        self.unmatched += 1
        self._unmet[transaction_id] = testimony
        if len(self._unmet) > MOST_EARLY_LABELS:
            del self._unmet[next(iter(self._unmet))]

    def advance(self, now: float) -> Iterator[Lesson]:
        """Lessons of examples that matured by `now` without a report: legitimate. Old ones are let go.

        To be exhausted before anything else is taken.
        """
        self.frontier = max(self.frontier, now)
        while self._maturing and self._maturing[0][0] <= self.frontier - self._maturity:
            at_and_id = heapq.heappop(self._maturing)
            heapq.heappush(self._matured, at_and_id)
            held = self._held[at_and_id[1]]
            if held.learnt is None and not held.is_open:
                yield self._learn(held, is_fraud=False)
            if held.learnt is not None:
                self._ripe.append(Lesson(example=held.example, is_fraud=held.learnt))
        self._let_go()

    def ripened(self) -> list[Lesson]:
        """What matured since the last call, each as what it had turned out to be by then.

        Every payment, once, in the order of its time: of frauds and others alike, as reports alone are not.
        """
        ripe, self._ripe = self._ripe, []
        return ripe

    def _concluded(self, held: _Held) -> Lesson | None:
        """What is said of a payment, where that is not what was learnt."""
        is_fraud = None if held.testimony is None else held.testimony.is_fraud
        return None if is_fraud is None or is_fraud is held.learnt else self._learn(held, is_fraud=is_fraud)

    def _learn(self, held: _Held, *, is_fraud: bool) -> Lesson:
        corrects = held.learnt is not None
        self.waiting -= not corrects
        held.learnt = is_fraud
        return Lesson(example=held.example, is_fraud=is_fraud, corrects=corrects)

    def _let_go(self) -> None:
        """Drop the oldest by event time: an order that every reading of the same records has in common."""
        horizon = self.frontier - self._maturity - self._keep
        while self._matured and self._matured[0][0] < horizon:
            self._drop(heapq.heappop(self._matured)[1])
        while len(self._held) > self._limit:
            self._drop(heapq.heappop(self._matured or self._maturing)[1])

    def _drop(self, transaction_id: str) -> None:
        held = self._held.pop(transaction_id)
        self._met.pop(transaction_id, None)
        self.dropped += 1
        if held.learnt is None:
            self.waiting -= 1
            self.dropped_unlearnt += 1

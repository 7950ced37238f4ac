"""Joins labels to examples: a decided transaction is an example once somebody says, or silence tells, what it was.

Fraud is learnt when it is reported; legitimate when it is said, or when `maturity` has passed without a report. Labels
come late, twice, out of order, before their decision, and are taken back: an example is then learnt again as what it
turned out to be. Time is event time: the clock is an argument.
"""

import heapq
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.label import Label, LabelState

MOST_EARLY_LABELS = 10_000

# A report taken back is legitimate at once: left to silence, what is held would depend on whether it was ever learnt.
_IS_FRAUD = {LabelState.FRAUD: True, LabelState.LEGITIMATE: False, LabelState.REVERSED: False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A decided transaction, with its features as scored; `at` in seconds since 1970."""

    transaction_id: str
    card: str
    acceptor: str
    partition: int  # of the input topic, where whatever concerns the card must go
    at: float
    packed: bytes  # float64 features: a tuple of floats takes four times the memory

    @property
    def features(self) -> Sequence[float]:
        """The features as scored."""
        return array("d", self.packed)


def pack_features(features: Sequence[float]) -> bytes:
    """Features in the form that examples keep."""
    return array("d", features).tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """An example and what it turned out to be; `corrects` where the opposite was learnt before."""

    example: Example
    is_fraud: bool
    corrects: bool = False


@dataclass(slots=True)
class _Held:
    example: Example
    arrival: int  # how many came before it
    learnt: bool | None = None  # as fraud, as legitimate, or not yet


class LabelJoin:
    """Holds the newest `limit` examples, at most `keep_seconds` beyond maturity, and makes lessons of them.

    What is held, and as what it was learnt, depends on which records were taken, on the order of each transaction's
    labels and on `frontier`; not on how decisions and labels were interleaved. So a restarted learner can rebuild it by
    reading them again and discarding the lessons.
    """

    def __init__(self, *, maturity_seconds: float, keep_seconds: float, limit: int) -> None:
        self._maturity = maturity_seconds
        self._keep = keep_seconds
        self._limit = limit
        self._held: dict[str, _Held] = {}  # in order of arrival
        self._maturing: list[tuple[float, str]] = []  # heaps by event time: each held example is in one of the two
        self._matured: list[tuple[float, str]] = []
        self._unmet: dict[str, LabelState] = {}  # labels of transactions whose decision was not read yet
        self._met: dict[str, LabelState] = {}  # and of examples held whose label was there before them
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
    def early(self) -> dict[str, str]:
        """Labels that came before a decision that is still to come, or still held; plain, for the snapshot."""
        return {transaction_id: state.value for transaction_id, state in (self._met | self._unmet).items()}

    def expect(self, early: Mapping[str, str], *, frontier: float) -> None:
        """Take early labels and the frontier out of a snapshot, before any example comes."""
        self._unmet = {transaction_id: LabelState(state) for transaction_id, state in early.items()}
        self.frontier = frontier

    def rebuilt(self, early: Mapping[str, str]) -> None:
        """Keep no labels but those of the snapshot: reading again met some whose examples had been dropped."""
        self._unmet = {
            transaction_id: LabelState(state)
            for transaction_id, state in early.items()
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
        state = self._unmet.pop(example.transaction_id, None)
        if state is not None:
            self._met[example.transaction_id] = state
        self._let_go()
        if example.transaction_id not in self._held:
            return None
        if state is not None:
            return self._say(held, state)
        return self._learn(held, is_fraud=False) if matured else None

    def labelled(self, label: Label) -> Lesson | None:
        """What a label teaches; nothing where it repeats what is known, or disputes without concluding."""
        if label.state is LabelState.DISPUTED:
            return None
        held = self._held.get(label.transaction_id)
        if held is not None:
            return self._say(held, label.state)
        self.unmatched += 1
        self._unmet[label.transaction_id] = label.state
        if len(self._unmet) > MOST_EARLY_LABELS:
            del self._unmet[next(iter(self._unmet))]
        return None

    def advance(self, now: float) -> Iterator[Lesson]:
        """Lessons of examples that matured by `now` without a report: legitimate. Old ones are let go.

        To be exhausted before anything else is taken.
        """
        self.frontier = max(self.frontier, now)
        while self._maturing and self._maturing[0][0] <= self.frontier - self._maturity:
            at_and_id = heapq.heappop(self._maturing)
            heapq.heappush(self._matured, at_and_id)
            held = self._held[at_and_id[1]]
            if held.learnt is None:
                yield self._learn(held, is_fraud=False)
        self._let_go()

    def _say(self, held: _Held, state: LabelState) -> Lesson | None:
        is_fraud = _IS_FRAUD[state]
        return self._learn(held, is_fraud=is_fraud) if held.learnt is not is_fraud else None

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

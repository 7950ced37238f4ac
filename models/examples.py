"""Joins labels to examples: a decided transaction is an example once somebody says, or silence tells, what it was.

Fraud is learnt when it is reported; legitimate when it is said, or when `maturity` has passed without a report. Labels
come late, twice, out of order, before their decision, and are taken back: an example is then learnt again as what it
turned out to be. Time is event time: the clock is an argument.
"""

import heapq
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.label import Label, LabelState

MOST_EARLY_LABELS = 10_000

_VERDICTS = {LabelState.FRAUD: True, LabelState.LEGITIMATE: False, LabelState.REVERSED: None}


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
    said: bool | None = None  # what labels say: fraud, legitimate, or nothing
    learnt: bool | None = None


class LabelJoin:
    """Holds the latest `limit` examples, at most `keep_seconds` beyond maturity, and makes lessons of them.

    What is held after a set of records depends on the set alone, not on how decisions and labels were interleaved, so
    that a restarted learner can rebuild it by reading them again and discarding the lessons.
    """

    def __init__(self, *, maturity_seconds: float, keep_seconds: float, limit: int) -> None:
        self._maturity = maturity_seconds
        self._keep = keep_seconds
        self._limit = limit
        self._held: dict[str, _Held] = {}  # in order of arrival
        self._early: dict[str, LabelState] = {}  # labels of transactions whose decision was not read yet
        self._maturing: list[tuple[float, int, str]] = []
        self._arrived = 0
        self.waiting = 0
        self.dropped = 0  # examples, of all that arrived, that are no longer held
        self.dropped_unlearnt = 0
        self.unmatched = 0  # labels of transactions not held

    @property
    def arrived(self) -> int:
        """Examples that ever came."""
        return self._arrived

    @property
    def early(self) -> dict[str, str]:
        """Labels that wait for their decision, plain, for the snapshot."""
        return {transaction_id: state.value for transaction_id, state in self._early.items()}

    def expect(self, early: dict[str, str]) -> None:
        """Take early labels out of a snapshot."""
        self._early = {transaction_id: LabelState(state) for transaction_id, state in early.items()}

    def decided(self, example: Example) -> Lesson | None:
        """Hold an example; a lesson at once if its label came before it."""
        if example.transaction_id in self._held:
            return None
        self._arrived += 1
        self.waiting += 1
        held = self._held[example.transaction_id] = _Held(example)
        heapq.heappush(self._maturing, (example.at, self._arrived, example.transaction_id))
        while len(self._held) > self._limit:
            self._drop(next(iter(self._held)))
        state = self._early.pop(example.transaction_id, None)
        return self._say(held, state) if state is not None else None

    def labelled(self, label: Label) -> Lesson | None:
        """What a label teaches; nothing where it repeats what is known, or disputes without concluding."""
        if label.state is LabelState.DISPUTED:
            return None
        held = self._held.get(label.transaction_id)
        if held is not None:
            return self._say(held, label.state)
        self.unmatched += 1
        self._early[label.transaction_id] = label.state
        if len(self._early) > MOST_EARLY_LABELS:
            del self._early[next(iter(self._early))]
        return None

    def advance(self, now: float) -> Iterator[Lesson]:
        """Lessons of examples that matured by `now` without a report: legitimate. Old ones are let go."""
        while self._maturing and self._maturing[0][0] <= now - self._maturity:
            _, _, transaction_id = heapq.heappop(self._maturing)
            held = self._held.get(transaction_id)
            if held is not None and held.learnt is None:
                yield self._learn(held, is_fraud=False)
        horizon = now - self._maturity - self._keep
        while self._held and (oldest := next(iter(self._held.values()))).example.at < horizon:
            self._drop(oldest.example.transaction_id)

    def _say(self, held: _Held, state: LabelState) -> Lesson | None:
        held.said = _VERDICTS[state]
        if held.said is None:  # taken back: what was learnt as fraud becomes legitimate
            return self._learn(held, is_fraud=False) if held.learnt else None
        return self._learn(held, is_fraud=held.said) if held.learnt is not held.said else None

    def _learn(self, held: _Held, *, is_fraud: bool) -> Lesson:
        corrects = held.learnt is not None
        self.waiting -= not corrects
        held.learnt = is_fraud
        return Lesson(example=held.example, is_fraud=is_fraud, corrects=corrects)

    def _drop(self, transaction_id: str) -> None:
        held = self._held.pop(transaction_id)
        self.dropped += 1
        if held.learnt is None:
            self.waiting -= 1
            self.dropped_unlearnt += 1

"""Which decisions are scored again, and when: each once, in order, never before the model is back, whatever is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from streams.reconciling.backlog import Backlog, Sighting

Log = Sequence[Sighting[int]]  # the entry is the offset


def log(*decisions: tuple[int, dict[str, bool]]) -> Log:
    """Broker's times, and what the decisions are."""
    return [Sighting(offset=n, at_ms=at, entry=n, **kind) for n, (at, kind) in enumerate(decisions)]


DARK = {"due": True, "doubted": True}
LIT = {"proves": True}
LATE = {"due": True}  # the model was not asked
UNHEARD = {"due": True, "proves": True}  # it answered, and was not followed


@dataclass
class Reader:
    """Reads logs from where it stands, a few records at a time, as the reconciler does."""

    logs: Sequence[Log]
    backlog: Backlog[int] = field(init=False)
    taken: list[tuple[int, int]] = field(default_factory=list)
    rewinds: int = 0

    def __post_init__(self) -> None:
        self.backlog = Backlog(dict.fromkeys(range(len(self.logs)), 0))
        self.places = [0] * len(self.logs)

    def poll(self, sizes: Sequence[int]) -> bool:
        """Whether anything was read."""
        polled = {
            partition: log[self.places[partition] : self.places[partition] + size]
            for partition, (log, size) in enumerate(zip(self.logs, sizes, strict=True))
        }
        for partition, sightings in polled.items():
            self.places[partition] += len(sightings)
            self.backlog.proven(max((each.at_ms for each in sightings if each.proves), default=-1))
        for partition, sightings in polled.items():
            for offset in self.backlog.take(partition, sightings):
                sighting = self.logs[partition][offset]
                assert not sighting.doubted or sighting.at_ms <= self.backlog.proven_ms, "the model was not back"
                self.taken.append((partition, offset))
        for partition in self.backlog.ripened():
            self.places[partition] = self.backlog.next[partition]
            self.rewinds += 1
        return any(polled.values())


moments = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([DARK, LIT, LATE, UNHEARD, {}])), max_size=30)
logs = st.lists(moments.map(lambda each: log(*sorted(each, key=lambda one: one[0]))), min_size=1, max_size=4)


@given(logs=logs, data=st.data())
def test_all_that_the_model_can_speak_of_is_taken_once_and_in_order(logs: Sequence[Log], data: st.DataObject) -> None:
    reader = Reader(logs)
    for _ in range(10):
        reader.poll(data.draw(st.lists(st.integers(0, 5), min_size=len(logs), max_size=len(logs))))
    while reader.poll([7] * len(logs)):
        pass

    back = max((each.at_ms for log in logs for each in log if each.proves), default=-1)
    due = [
        (partition, each.offset)
        for partition, log in enumerate(logs)
        for each in log[: next((n for n, each in enumerate(log) if each.doubted and each.at_ms > back), None)]
        if each.due
    ]
    assert sorted(reader.taken) == due
    for partition in range(len(logs)):
        offsets = [offset for each, offset in reader.taken if each == partition]
        assert offsets == sorted(offsets)


@given(logs=logs, data=st.data())
def test_below_what_is_noted_nothing_is_left_and_from_there_on_nothing_was_taken(
    logs: Sequence[Log], data: st.DataObject
) -> None:
    """So a successor that begins at the noted places takes exactly the rest."""
    reader = Reader(logs)
    for _ in range(data.draw(st.integers(0, 10))):
        reader.poll(data.draw(st.lists(st.integers(0, 5), min_size=len(logs), max_size=len(logs))))

    expected = [
        (partition, each.offset)
        for partition, log in enumerate(logs)
        for each in log[: reader.backlog.next[partition]]
        if each.due
    ]
    assert sorted(reader.taken) == expected


def test_another_partition_says_that_the_model_is_back() -> None:
    reader = Reader([log((5, DARK)), log((6, LIT))])

    reader.poll([1, 0])
    assert reader.backlog.waits_since_ms == 5
    reader.poll([0, 1])
    assert reader.backlog.waits_since_ms is None
    reader.poll([1, 0])
    assert reader.taken == [(0, 0)]


def test_an_answer_of_before_proves_nothing() -> None:
    reader = Reader([log((5, DARK)), log((4, LIT))])
    while reader.poll([1, 1]):
        pass
    assert reader.taken == []


def test_a_long_outage_is_read_twice_and_not_more() -> None:
    outage = log(*((at, DARK) for at in range(1000)), (1000, LIT))
    reader = Reader([outage])
    while reader.poll([10]):
        pass
    assert (len(reader.taken), reader.rewinds) == (1000, 1)


def test_where_the_model_was_not_in_doubt_nothing_waits_for_it() -> None:
    reader = Reader([log((5, LATE), (6, UNHEARD), (7, DARK), (8, LATE))])
    while reader.poll([10]):
        pass
    assert reader.taken == [(0, 0), (0, 1)]
    reader.backlog.proven(7)  # the end of an incident, with no payment after it
    assert reader.backlog.ripened() == [0]

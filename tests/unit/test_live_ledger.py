"""The live ledger: what has lain too long without an ending, told from records in any order, in bounded memory."""

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.auditing.accounting import Ledger, LedgerReport
from streams.auditing.live_ledger import LEAST_SHARE, Bounds, Contradiction, Ending, LiveLedger

GRACE = 30.0
BOUNDS = Bounds(grace_seconds=GRACE, most_outstanding=10_000, most_remembered=10_000, remember_seconds=1e6)
PARTITIONS = 2
FAR = 10_000.0  # a moment well after everything

Place = tuple[int, int]
# "transaction", id, content, or "decision", id, or "dead_letter", of a place
Record = tuple[str, Place, str | None, int]


@dataclass(frozen=True)
class Topics:
    """What lies on `transactions`, and which places were decided (under which id) or put aside."""

    transactions: dict[Place, tuple[str | None, int]]
    decisions: list[tuple[Place, str]]
    dead_letters: list[Place]

    def records(self) -> dict[str, list[Record]]:
        """Of each topic and partition in their order."""
        lanes: dict[str, list[Record]] = {}
        for place, (name, content) in sorted(self.transactions.items()):
            lanes.setdefault(f"transactions {place[0]}", []).append(("transaction", place, name, content))
        for place, name in self.decisions:
            lanes.setdefault(f"decisions {place[0]}", []).append(("decision", place, name, 0))
        for place in self.dead_letters:
            lanes.setdefault(f"letters {place[0]}", []).append(("dead_letter", place, None, 0))
        return lanes


places = st.tuples(st.integers(0, PARTITIONS - 1), st.integers(0, 9))


@st.composite
def histories(draw: st.DrawFn) -> Topics:
    """Random endings of random places; an id is of one partition, as a card is."""
    held = draw(st.dictionaries(places, st.tuples(st.none() | st.sampled_from("abcd"), st.integers(0, 1))))
    transactions = {place: (name and f"{name}{place[0]}", content) for place, (name, content) in held.items()}
    decided = draw(st.lists(places, max_size=20))
    named = [(place, transactions.get(place, ("x", 0))[0] or "x") for place in decided]
    return Topics(transactions, named, draw(st.lists(places, max_size=6)))


@st.composite
def sound_histories(draw: st.DrawFn) -> Topics:
    """Each place ends at most once, under its own id."""
    told = draw(histories())
    decisions = {place: name for place, name in told.decisions if told.transactions.get(place, (None,))[0] is not None}
    letters = {place for place in told.dead_letters if place in told.transactions} - decisions.keys()
    return Topics(told.transactions, list(decisions.items()), sorted(letters))


def interleaved(told: Topics, seed: int) -> Iterator[Record]:
    """The records of each topic in their order, the topics at random."""
    lanes, chance = [iter(lane) for lane in told.records().values()], random.Random(seed)
    while lanes:
        lane = chance.choice(lanes)
        record = next(lane, None)
        if record is None:
            lanes.remove(lane)
        else:
            yield record


def a_ledger(bounds: Bounds = BOUNDS, begins: int = 0, counted_from: int = 0) -> LiveLedger:
    return LiveLedger(bounds, dict.fromkeys(range(PARTITIONS), begins), dict.fromkeys(range(PARTITIONS), counted_from))


def tell(ledger: LiveLedger, record: Record, at: float = 0.0) -> None:
    kind, (partition, offset), name, content = record
    if kind == "transaction":
        ledger.transaction(partition, offset, at, name, content)
    elif kind == "decision":
        ledger.decision(partition, offset, name or "")
    else:
        ledger.dead_letter(partition, offset)


def settle(ledger: LiveLedger, known: float) -> None:
    for partition in range(PARTITIONS):
        ledger.settle(partition, known, known)


def followed(told: Topics, seed: int, settle_after: set[int], counted_from: int = 0) -> LiveLedger:
    ledger = a_ledger(counted_from=counted_from)
    for number, record in enumerate(interleaved(told, seed)):
        tell(ledger, record)
        if number in settle_after:
            settle(ledger, GRACE - 1)  # before anything is late nothing may be concluded
            assert ledger.unaccounted == 0
    for moment in (FAR, FAR + GRACE, FAR + 2 * GRACE):
        settle(ledger, moment)
    return ledger


def compared(told: Topics, counted_from: int = 0) -> LedgerReport:
    ledger = Ledger(dict.fromkeys(range(PARTITIONS), counted_from))
    for record in [each for lane in told.records().values() for each in lane]:
        kind, (partition, offset), name, content = record
        if kind == "transaction":
            ledger.transaction(partition, offset, name, content)
        elif kind == "decision":
            ledger.decision(partition, offset, name or "")
        else:
            ledger.dead_letter(partition, offset)
    return ledger.report()


# The second is a repeat of the first, which ended in two ways.
PUT_ASIDE_AND_DECIDED = Topics({(1, 0): ("a1", 0), (1, 1): ("a1", 0)}, [((1, 0), "a1")], [(1, 0)])
moments = st.sets(st.integers(0, 40))


@example(PUT_ASIDE_AND_DECIDED, 1, set(), 0)
@given(histories(), st.integers(), moments, st.integers(0, 5))
def test_in_the_end_it_agrees_with_the_ledger_that_holds_everything(
    told: Topics, seed: int, settle_after: set[int], counted_from: int
) -> None:
    live, whole = followed(told, seed, settle_after, counted_from), compared(told, counted_from)
    assert live.unaccounted == whole.unaccounted
    assert live.endings[Ending.DUPLICATE] + live.outstanding - whole.unaccounted == whole.duplicates


@given(sound_histories(), st.integers(), moments)
def test_where_everything_ends_once_the_counts_are_those_of_the_ledger(
    told: Topics, seed: int, settle_after: set[int]
) -> None:
    live, whole = followed(told, seed, settle_after), compared(told)
    assert (live.endings[Ending.DECISION], live.endings[Ending.DEAD_LETTER]) == (whole.decided, whole.dead_letters)
    assert live.contradictions.total() == 0


@given(histories(), st.integers(), moments)
def test_an_ending_too_many_is_one_contradiction_each(told: Topics, seed: int, settle_after: set[int]) -> None:
    ended = Counter([*(place for place, _ in told.decisions), *told.dead_letters])
    expected = sum(count - (place in told.transactions) for place, count in ended.items() if _can_be_told(told, place))
    assert followed(told, seed, settle_after).contradictions[Contradiction.ENDED_AGAIN] == expected


def _can_be_told(told: Topics, place: Place) -> bool:
    """Whether a later transaction of the partition was read, so that none can come at the place any more."""
    return any(partition == place[0] and offset >= place[1] for partition, offset in told.transactions)


@given(sound_histories(), st.integers(), moments)
def test_late_ones_that_end_after_all_are_unaccounted_no_more(told: Topics, seed: int, late: set[int]) -> None:
    ledger = a_ledger()
    for number, record in enumerate(interleaved(told, seed)):
        tell(ledger, record)
        if number in late:
            settle(ledger, FAR + number)
    settle(ledger, 2 * FAR)
    assert ledger.unaccounted == compared(told).unaccounted
    assert ledger.contradictions[Contradiction.OTHER_ID] == 0


def test_nothing_is_known_before_every_partition_was_settled() -> None:
    ledger = a_ledger()
    assert ledger.unaccounted is None
    ledger.settle(0, FAR, FAR)
    assert ledger.unaccounted is None
    ledger.settle(1, FAR, FAR)
    assert ledger.unaccounted == 0


def test_at_the_grace_time_a_transaction_is_unaccounted_and_just_before_it_is_not() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 100.0, "a", 1)
    settle(ledger, 100.0 + GRACE - 0.001)
    assert ledger.unaccounted == 0
    settle(ledger, 100.0 + GRACE)
    assert ledger.unaccounted == 1
    assert ledger.samples() == [(0, 0)]


def test_a_decision_ends_it_however_late() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "a", 1)
    settle(ledger, FAR)
    ledger.decision(0, 0, "a")
    settle(ledger, FAR + 1)
    assert (ledger.unaccounted, ledger.outstanding) == (0, 0)


def test_a_repeat_of_what_is_decided_only_later_is_recognised_then() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.transaction(0, 1, 0.0, "a", 1)
    settle(ledger, FAR)
    assert ledger.unaccounted == 2
    ledger.decision(0, 0, "a")
    settle(ledger, FAR + 1)
    assert ledger.unaccounted == 0


@pytest.mark.parametrize(("name", "content", "partition"), [("a", 2, 0), ("b", 1, 0), ("a", 1, 1)])
def test_another_content_id_or_partition_is_no_repeat(name: str, content: int, partition: int) -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.decision(0, 0, "a")
    ledger.transaction(partition, 5, 0.0, name, content)
    settle(ledger, FAR)
    assert ledger.unaccounted == 1


def test_a_repeat_that_is_decided_after_all_contradicts_nothing() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.decision(0, 0, "a")
    ledger.transaction(0, 1, 0.0, "a", 1)  # beyond the window of its card
    settle(ledger, FAR)
    ledger.decision(0, 1, "a")
    settle(ledger, FAR + GRACE)
    assert (ledger.endings[Ending.DECISION], ledger.contradictions.total(), ledger.unaccounted) == (2, 0, 0)


def test_a_decision_under_another_id_is_a_contradiction() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.decision(0, 0, "b")
    assert ledger.contradictions[Contradiction.OTHER_ID] == 1


def test_repeats_of_payments_before_the_counted_ones_are_recognised_and_those_not_counted() -> None:
    ledger = a_ledger(counted_from=2)
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.transaction(0, 1, 0.0, "lost long ago", 1)
    ledger.decision(0, 0, "a")
    ledger.transaction(0, 2, 0.0, "a", 1)
    settle(ledger, FAR)
    assert (ledger.unaccounted, ledger.endings.total()) == (0, 0)


def test_endings_of_what_lay_before_the_beginning_say_nothing() -> None:
    ledger = a_ledger(begins=10, counted_from=10)
    ledger.decision(0, 9, "before")
    ledger.decision(7, 9, "of no partition of ours")
    settle(ledger, FAR)
    assert (ledger.unaccounted, ledger.contradictions.total()) == (0, 0)


def test_what_was_deleted_unread_is_neither_lost_nor_a_contradiction() -> None:
    ledger = a_ledger()
    ledger.transaction(0, 0, 0.0, "kept", 1)
    ledger.decision(0, 5, "deleted before it was read")
    ledger.skipped(0, 10)
    ledger.decision(0, 7, "likewise")
    ledger.decision(0, 0, "kept")
    settle(ledger, FAR)
    assert (ledger.unaccounted, ledger.outstanding, ledger.contradictions.total()) == (0, 0, 0)


SMALL = Bounds(grace_seconds=GRACE, most_outstanding=2 * LEAST_SHARE, most_remembered=4_000, remember_seconds=60.0)


def traffic(ledger: LiveLedger, first: int, last: int) -> None:
    """A hundred a second: one in seven is a repeat, one in seventy a dead letter, and the very first is lost."""
    for offset in range(first, last):
        name = f"t{offset - 1 if offset % 7 == 0 else offset}"
        ledger.transaction(0, offset, offset / 100, name, 1)
        if offset % 70 == 1:
            ledger.dead_letter(0, offset)
        elif offset % 7:
            ledger.decision(0, offset, name)
        if offset % 500 == 0:
            settle(ledger, offset / 100)


def held_bytes(ledger: LiveLedger, first: int, last: int) -> int:
    traffic(ledger, first, last)
    return tracemalloc.get_traced_memory()[0]


def test_memory_does_not_grow_with_what_went_through() -> None:
    ledger = a_ledger(SMALL)
    tracemalloc.start()
    try:
        early = held_bytes(ledger, 0, 10_000)
        late = held_bytes(ledger, 10_000, 40_000)
    finally:
        tracemalloc.stop()
    assert ledger.unaccounted == 1
    assert late < early + 100_000
    assert ledger.remembered <= SMALL.most_remembered


def test_a_payment_is_remembered_for_so_long_and_no_longer() -> None:
    for later, unaccounted in ((60.0 - GRACE, 0), (60.0 - GRACE + 1, 1)):
        ledger = a_ledger(SMALL)
        ledger.transaction(0, 0, 0.0, "a", 1)
        ledger.decision(0, 0, "a")
        ledger.transaction(0, 1, later, "a", 1)
        settle(ledger, later + GRACE - 0.5)
        settle(ledger, later + GRACE)
        assert ledger.unaccounted == unaccounted


def test_what_no_worker_decides_is_read_only_as_far_as_there_is_room() -> None:
    ledger, offset = a_ledger(SMALL), 0
    while ledger.has_room(0):
        ledger.transaction(0, offset, 0.0, f"t{offset}", 1)
        offset += 1
    assert offset == LEAST_SHARE
    settle(ledger, FAR)
    assert ledger.unaccounted == LEAST_SHARE
    for place in range(offset):
        ledger.decision(0, place, f"t{place}")
    assert ledger.has_room(0)


def test_endings_whose_transactions_are_unread_are_held_only_as_far_as_there_is_room() -> None:
    ledger, offset = a_ledger(SMALL), 0
    while ledger.has_room_for_endings(0):
        ledger.decision(0, offset, f"t{offset}")
        offset += 1
    assert offset < LEAST_SHARE
    for place in range(offset):
        ledger.transaction(0, place, 0.0, f"t{place}", 1)
    assert ledger.has_room_for_endings(0)
    settle(ledger, FAR)
    assert (ledger.unaccounted, ledger.outstanding) == (0, 0)


def test_a_flood_of_repeats_leaves_room() -> None:
    ledger = a_ledger(SMALL)
    ledger.transaction(0, 0, 0.0, "a", 1)
    ledger.decision(0, 0, "a")
    for offset in range(1, LEAST_SHARE + 1):
        ledger.transaction(0, offset, 0.0, "a", 1)
    assert not ledger.has_room(0)
    settle(ledger, GRACE)
    assert ledger.has_room(0)
    assert (ledger.unaccounted, ledger.endings[Ending.DUPLICATE]) == (0, LEAST_SHARE)

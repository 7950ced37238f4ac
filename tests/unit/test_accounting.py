"""The ledger: every transaction ends exactly once, or is named."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.auditing.accounting import MOST_SAMPLES, Ledger, LedgerReport, Sample

Place = tuple[int, int]


@dataclass(frozen=True)
class Topics:
    """What the topics hold: transactions by place, decisions and dead letters as lists of what they name."""

    transactions: dict[Place, tuple[str | None, int]]
    decisions: list[tuple[Place, str]]
    dead_letters: list[Place]


places = st.tuples(st.integers(0, 2), st.integers(0, 6))
ids = st.sampled_from(["a", "b", "c", "d", "tx-" + "x" * 60])
topics = st.builds(
    Topics,
    transactions=st.dictionaries(places, st.tuples(st.none() | ids, st.integers(0, 2)), max_size=20),
    decisions=st.lists(st.tuples(places, ids), max_size=20),
    dead_letters=st.lists(places, max_size=10),
)
offsets = st.dictionaries(st.integers(0, 2), st.integers(0, 7))


def ledger_of(
    told: Topics, *, counted_from: dict[int, int] | None = None, committed: dict[int, int] | None = None
) -> LedgerReport:
    ledger = Ledger(counted_from)
    for (partition, offset), name in told.decisions:
        ledger.decision(partition, offset, name)
    for (partition, offset), (name_, content) in told.transactions.items():
        ledger.transaction(partition, offset, name_, content)
    for partition, offset in told.dead_letters:
        ledger.dead_letter(partition, offset)
    return ledger.report(committed)


def reference(told: Topics, counted_from: dict[int, int], committed: dict[int, int] | None) -> dict[str, int]:
    """The same, one record after the other, in dictionaries."""
    decided_at = {place for place, _ in told.decisions}
    originals = {told.transactions[place] for place in decided_at & told.transactions.keys()}
    tally: Counter[str] = Counter()
    for place, (name, content) in told.transactions.items():
        partition, offset = place
        if offset < counted_from.get(partition, 0):
            continue
        decided, dead = place in decided_at, place in told.dead_letters
        names = {named for at, named in told.decisions if at == place}
        tally["transactions"] += 1
        tally["decided"] += decided
        tally["dead_letters"] += dead
        tally["contradictory"] += bool((decided and dead) or told.dead_letters.count(place) > 1 or names - {name})
        if decided or dead:
            continue
        if name is not None and (name, content) in originals:
            tally["duplicates"] += 1
        elif committed is not None and offset >= committed.get(partition, 0):
            tally["in_flight"] += 1
        else:
            tally["unaccounted"] += 1
    tally["decided_twice"] = sum(count > 1 for count in Counter(name for _, name in told.decisions).values())
    return tally


@given(topics, offsets, st.none() | offsets)
def test_the_ledger_agrees_with_the_plain_reference(
    told: Topics, counted_from: dict[int, int], committed: dict[int, int] | None
) -> None:
    report = ledger_of(told, counted_from=counted_from, committed=committed)
    expected = reference(told, counted_from, committed)
    assert {name: getattr(report, name) for name in expected} == expected


@given(topics)
def test_every_transaction_is_in_exactly_one_column_or_contradictory(told: Topics) -> None:
    report = ledger_of(told)
    ended = report.decided + report.dead_letters + report.duplicates + report.unaccounted
    both = len({place for place, _ in told.decisions} & set(told.dead_letters) & told.transactions.keys())
    assert ended == report.transactions + both
    assert report.transactions == len(told.transactions)


SOUND = Topics(
    transactions={(0, 0): ("a", 1), (0, 1): (None, 0), (1, 0): ("b", 1), (1, 1): ("b", 1)},
    decisions=[((0, 0), "a"), ((1, 0), "b")],
    dead_letters=[(0, 1)],
)


def test_a_decision_a_dead_letter_and_a_repeat_account_for_all() -> None:
    report = ledger_of(SOUND)
    assert report.holds
    assert (report.decided, report.dead_letters, report.duplicates) == (2, 1, 1)


def test_a_lost_record_is_named_by_place_and_id() -> None:
    report = ledger_of(Topics(SOUND.transactions | {(2, 5): ("lost", 1)}, SOUND.decisions, SOUND.dead_letters))
    assert not report.holds
    assert report.unaccounted_samples == (Sample(partition=2, offset=5, transaction_id="lost"),)


def test_the_same_id_with_other_content_is_no_duplicate() -> None:
    report = ledger_of(Topics(SOUND.transactions | {(1, 2): ("b", 2)}, SOUND.decisions, SOUND.dead_letters))
    assert (report.duplicates, report.unaccounted) == (1, 1)


def test_two_records_without_an_id_are_no_repeats_of_each_other() -> None:
    told = Topics({(0, 0): (None, 0), (0, 1): (None, 0)}, [((0, 0), "a")], [])
    assert ledger_of(told).duplicates == 0


def test_an_id_decided_at_two_places_is_named() -> None:
    twice = Topics({(0, 0): ("a", 1), (0, 1): ("a", 1)}, [((0, 0), "a"), ((0, 1), "a")], [])
    report = ledger_of(twice)
    assert not report.holds
    assert report.decided_twice_samples == ("a",)


def test_a_record_decided_and_dead_lettered_contradicts_itself() -> None:
    report = ledger_of(Topics({(0, 0): ("a", 1)}, [((0, 0), "a")], [(0, 0)]))
    assert not report.holds
    assert report.contradictory_samples == (Sample(partition=0, offset=0, transaction_id="a"),)


def test_a_repeat_of_a_payment_before_the_range_is_recognised() -> None:
    report = ledger_of(SOUND, counted_from={0: 2, 1: 1})
    assert (report.transactions, report.duplicates, report.holds) == (1, 1, True)


def test_at_the_committed_offset_a_record_is_in_flight_and_just_below_it_is_lost() -> None:
    told = Topics({(0, 4): ("a", 1), (0, 5): ("b", 1)}, [], [])
    report = ledger_of(told, committed={0: 5})
    assert (report.unaccounted, report.in_flight) == (1, 1)
    assert report.unaccounted_samples[0].offset == 4


def test_samples_are_few() -> None:
    report = ledger_of(Topics({(0, offset): (f"t{offset}", 1) for offset in range(100)}, [], []))
    assert report.unaccounted == 100
    assert len(report.unaccounted_samples) == MOST_SAMPLES


def test_an_empty_ledger_holds() -> None:
    assert ledger_of(Topics({}, [], [])).holds

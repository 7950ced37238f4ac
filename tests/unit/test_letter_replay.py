"""Dead letters that go back: what is sent, what marks it as sent, and which letters stay."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.wire_samples import BROKER_TIME, CARD_NUMBER, KEY, transaction_bytes

from models.dead_letter import DeadLetterReason as Reason
from streams.letters.letter import Choice, Letter
from streams.letters.obstacles import Obstacle, Plan, Sieve
from streams.letters.showing import hexdump, letter_page, letter_table, plain_letter, printable_text
from streams.wire.codec import MalformedRecord
from streams.wire.dead_letter import Header, SourceRecord, dead_letter, read_dead_letter
from streams.wire.letter_replay import (
    LetterPlace,
    Mark,
    NotAMark,
    Origin,
    origin_of,
    read_mark,
    replay_of,
    replayed_headers,
    write_mark,
)

PLACE = LetterPlace(3, 120)
GOES_BACK_TO = {"transactions": 1_048_588, "labels": 1_048_588}
SIEVE = Sieve(marks={}, most_bytes=GOES_BACK_TO, again=False)

numbers = st.integers(0, 2**48)
places = st.builds(LetterPlace, numbers, numbers)
headers = st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=4).map(tuple)


def a_record(**changes: object) -> SourceRecord:
    whole = {"topic": "transactions", "partition": 3, "offset": 42, "timestamp": 1_767_323_045_678, "key": KEY}
    return SourceRecord(**{**whole, "value": transaction_bytes(mcc=5411), "headers": (), **changes})


def a_letter(
    record: SourceRecord | None = None, reason: Reason = Reason.WRONG_TYPE, place: LetterPlace = PLACE
) -> Letter:
    buried = dead_letter(record or a_record(), MalformedRecord(reason, "mcc: no text"))
    return Letter(
        place=place,
        written_at=datetime(2026, 1, 2, tzinfo=UTC),
        key=buried.key,
        value=buried.value,
        headers=tuple(buried.headers),
        report=read_dead_letter(*buried),
    )


def came_back(letter: Letter) -> Letter:
    """The letter that a refused replay of this one becomes."""
    assert letter.report is not None
    record = letter.report.record
    kept = tuple(replayed_headers(letter.place, record))
    return a_letter(replace(record, headers=kept, offset=43), place=LetterPlace(3, 121))


# names and marks


@given(places)
def test_a_place_is_read_as_it_is_written(place: LetterPlace) -> None:
    assert LetterPlace.read(str(place)) == place


@pytest.mark.parametrize("written", ["", "3", "3:", ":3", "-1:2", "1:-2", "1:2:3", "a:b", "1 :2", "\u0663:\u0661"])
def test_what_is_no_place_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="PARTITION:OFFSET"):
        LetterPlace.read(written)


@given(st.builds(Mark, places, st.builds(Origin, st.text(), numbers, numbers, numbers)))
def test_a_mark_is_read_as_it_is_written(mark: Mark) -> None:
    assert read_mark(*write_mark(mark)) == mark


@given(st.none() | st.binary(), st.none() | st.binary())
def test_any_other_record_is_no_mark(key: bytes | None, value: bytes | None) -> None:
    with pytest.raises(NotAMark):
        read_mark(key, value)


def test_a_mark_of_a_topic_that_was_made_anew_does_not_count() -> None:
    letter, other = a_letter(), a_record(timestamp=1)
    assert letter.report is not None
    assert letter.is_marked({PLACE: origin_of(letter.report.record)})
    assert not letter.is_marked({PLACE: origin_of(other)})
    assert not letter.is_marked({})


# what is sent


@given(headers)
def test_a_replay_has_the_headers_that_came_and_the_name_of_its_letter(kept: tuple[Header, ...]) -> None:
    letter = a_letter(a_record(headers=kept))
    assert letter.report is not None
    assert replayed_headers(PLACE, letter.report.record) == [*kept, ("holdfast-replay-of", b"3:120")]


def test_a_letter_names_the_letter_that_it_is_a_replay_of() -> None:
    first = a_letter()
    second = came_back(first)
    third = came_back(replace(second, place=LetterPlace(3, 121)))
    assert [replay_of(each.report) for each in (first, second, third) if each.report] == [None, "3:120", "3:121"]


# what stays


def test_a_letter_as_it_came_may_be_sent() -> None:
    assert SIEVE.obstacle(a_letter()) is None


@pytest.mark.parametrize(
    ("letter", "obstacle"),
    [
        (replace(a_letter(), report=None), Obstacle.UNREADABLE),
        (a_letter(a_record(topic="decisions.approve")), Obstacle.FOREIGN),
        (a_letter(a_record(value=CARD_NUMBER.encode())), Obstacle.MASKED),
        (a_letter(a_record(headers=(("card", CARD_NUMBER.encode()),))), Obstacle.MASKED),
        (a_letter(reason=Reason.ID_REUSED), Obstacle.ID_REUSED),
        (a_letter(a_record(value=b"x" * 1_048_000)), Obstacle.TOO_LARGE),
        (a_letter(a_record(headers=(("h", b"x" * 1_048_000),))), Obstacle.TOO_LARGE),
        (came_back(a_letter()), Obstacle.CAME_BACK),
    ],
)
def test_a_letter_that_cannot_be_sent_says_why(letter: Letter, obstacle: Obstacle) -> None:
    assert SIEVE.obstacle(letter) is obstacle


def test_a_marked_letter_is_not_sent_even_when_asked_for_again() -> None:
    letter = a_letter()
    assert letter.report is not None
    marked = Sieve(marks={PLACE: origin_of(letter.report.record)}, most_bytes=GOES_BACK_TO, again=True)
    assert marked.obstacle(letter) is Obstacle.REPLAYED


def test_what_came_back_is_sent_when_asked_for_again() -> None:
    assert replace(SIEVE, again=True).obstacle(came_back(a_letter())) is None


def decidable(number: int) -> Letter:
    """A payment that was refused for its time, and would be decided now."""
    record = a_record(value=transaction_bytes(transaction_id=f"tx-{number}"))
    return a_letter(record, Reason.EVENT_TIME_IN_FUTURE, LetterPlace(3, number))


def test_a_payment_whose_id_has_a_decision_stays() -> None:
    plan = Plan()
    for number in (1, 2):
        plan.take(decidable(number), SIEVE, BROKER_TIME)
    plan.hold_back({"tx-1", "another"})
    assert plan.to_send == {LetterPlace(3, 2)}
    assert plan.obstacles == {LetterPlace(3, 1): Obstacle.DECIDED}


def test_of_two_letters_that_would_be_decided_under_one_id_the_first_is_sent() -> None:
    plan = Plan()
    first, second = decidable(1), replace(decidable(1), place=LetterPlace(3, 9))
    for letter in (first, second):
        plan.take(letter, SIEVE, BROKER_TIME)
    assert plan.to_send == {first.place}
    assert plan.obstacles == {second.place: Obstacle.DECIDED}


def test_an_id_that_nobody_would_decide_holds_nothing_back() -> None:
    plan = Plan()
    for number in (1, 2):
        plan.take(a_letter(place=LetterPlace(3, number)), SIEVE, BROKER_TIME)
    plan.hold_back({"bd4a5379-9c14-4ed3-9326-7fc445c30937"})
    assert plan.to_send == {LetterPlace(3, 1), LetterPlace(3, 2)}


def test_a_place_without_a_letter_is_said_to_be_absent() -> None:
    plan = Plan()
    plan.take(a_letter(), SIEVE, BROKER_TIME)
    plan.note_absent({PLACE, LetterPlace(0, 0)})
    assert plan.obstacles == {LetterPlace(0, 0): Obstacle.ABSENT}


# which are chosen


def test_letters_are_chosen_by_place_or_by_reason() -> None:
    letter = a_letter()
    assert Choice().takes(letter)
    assert Choice(places=frozenset({PLACE})).takes(letter)
    assert not Choice(places=frozenset({LetterPlace(3, 121)})).takes(letter)
    assert Choice(reasons=frozenset({Reason.WRONG_TYPE})).takes(letter)
    assert not Choice(reasons=frozenset({Reason.NOT_JSON})).takes(letter)
    assert not Choice(reasons=frozenset({Reason.NOT_JSON})).takes(replace(letter, report=None))


# how they look


def page(letter: Letter) -> str:
    return "\n".join(line.plain for line in letter_page(letter, {}))


def test_json_is_shown_as_text_and_anything_else_in_hexadecimal() -> None:
    assert '"mcc":5411' in page(a_letter())
    assert "6e 6f" in page(a_letter(a_record(value=b"no json")))
    assert "none" in page(a_letter(a_record(value=None, key=None)))


@pytest.mark.parametrize("trick", ["\x1b[2J", "\u202e", "\x9b31m", "\r", "\x00"])
def test_nothing_of_a_record_reaches_the_terminal_as_a_command(trick: str) -> None:
    raw = f'"{trick}"'.encode()
    letter = a_letter(a_record(key=raw, value=raw, headers=((trick, raw),)))
    assert trick not in page(letter)
    assert printable_text(raw) is None


@pytest.mark.parametrize("trick", ["\x1b[2J", "\u202e", "\r"])
def test_nothing_of_a_forged_letter_does_either(trick: str) -> None:
    letter = a_letter(a_record(topic=f"a{trick}"))
    console = Console(width=200)
    with console.capture() as shown:
        console.print(letter_table([letter], {}))
        console.print(*letter_page(letter, {}), sep="\n")
    assert trick not in shown.get()


def test_a_table_fits_a_narrow_terminal_and_says_what_was_replayed() -> None:
    letter = a_letter(reason=Reason.EVENT_TIME_IN_FUTURE, place=LetterPlace(11, 123456))
    assert letter.report is not None
    console = Console(width=80)
    with console.capture() as shown:
        console.print(letter_table([letter], {letter.place: origin_of(letter.report.record)}))
    for part in ("11:123456", "replayed", "EVENT_TIME_IN_FUTURE", "mcc: no text", "01-02 00:00:00", "486"):
        assert part in shown.get()


@given(st.binary(max_size=70))
def test_a_hexdump_holds_every_byte(data: bytes) -> None:
    assert bytes.fromhex("".join(line[10:57] for line in hexdump(data))) == data


def test_a_row_has_what_the_headers_say() -> None:
    row = plain_letter(came_back(a_letter()), {})
    assert (row["letter"], row["topic"], row["partition"], row["offset"]) == ("3:121", "transactions", 3, 43)
    assert (row["reason"], row["detail"], row["replay_of"], row["replayed"]) == (
        "WRONG_TYPE",
        "mcc: no text",
        "3:120",
        False,
    )
    assert letter_table([a_letter(), replace(a_letter(), report=None)], {}).row_count == 2

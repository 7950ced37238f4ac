"""A dead letter is the record as it came, without card numbers, and says why and where it lay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire_samples import CARD_NUMBER

from models.dead_letter import DeadLetterReason as Reason
from streams.wire.card_guard import holds_card_number
from streams.wire.codec import MalformedRecord
from streams.wire.dead_letter import ERROR_HEADERS, NotADeadLetter, SourceRecord, dead_letter, read_dead_letter

REFUSAL = MalformedRecord(Reason.WRONG_TYPE, "mcc: Expected `str`, got `int`")


def record(**changes: object) -> SourceRecord:
    place = {"topic": "transactions", "partition": 3, "offset": 42, "timestamp": 1_767_323_045_678}
    return SourceRecord(**{**place, "key": b"tok_1", "value": b'{"mcc": 5411}', "headers": (), **changes})


headers = st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=4).map(tuple)
keys = st.none() | st.binary(max_size=12)


@given(key=keys, value=st.none() | st.binary(max_size=12), kept=headers, reason=st.sampled_from(list(Reason)))
def test_what_is_read_is_what_was_buried(
    key: bytes | None, value: bytes | None, kept: tuple[tuple[str, bytes | None], ...], reason: Reason
) -> None:
    source = record(key=key, value=value, headers=kept)
    report = read_dead_letter(*dead_letter(source, MalformedRecord(reason, "détail")))
    assert (report.record, report.reason, report.detail, report.masked) == (source, reason, "détail", 0)


def test_headers_say_why_and_where() -> None:
    assert dead_letter(record(), REFUSAL).headers == [
        ("holdfast-error-reason", b"WRONG_TYPE"),
        ("holdfast-error-detail", b"mcc: Expected `str`, got `int`"),
        ("holdfast-error-topic", b"transactions"),
        ("holdfast-error-partition", b"3"),
        ("holdfast-error-offset", b"42"),
        ("holdfast-error-timestamp", b"1767323045678"),
    ]


def test_every_header_is_described() -> None:
    letter = dead_letter(record(value=CARD_NUMBER.encode()), REFUSAL)
    assert [name for name, _ in letter.headers] == list(ERROR_HEADERS)


def test_card_numbers_are_masked_in_key_value_and_headers() -> None:
    number = CARD_NUMBER.encode()
    source = record(
        key=number, value=b"{broken " + number, headers=(("trace", b"4111-1111-1111-1111"), (CARD_NUMBER, b""))
    )
    letter = dead_letter(source, REFUSAL)
    assert letter.key == b"************1111"
    assert letter.value == b"{broken ************1111"
    assert letter.headers[0] == ("trace", b"****-****-****-1111")
    assert letter.headers[-1] == ("holdfast-error-masked", b"4")
    assert not holds_card_number(repr(letter).encode())


def test_a_detail_with_a_card_number_is_masked() -> None:
    letter = dead_letter(record(), MalformedRecord(Reason.INVALID_VALUE, CARD_NUMBER))
    assert read_dead_letter(*letter).detail == "************1111"


def test_a_tombstone_stays_one() -> None:
    assert dead_letter(record(value=None), REFUSAL).value is None


def test_of_a_letter_that_failed_again_the_last_failure_counts() -> None:
    first = dead_letter(record(value=CARD_NUMBER.encode()), REFUSAL)
    again = record(offset=77, value=first.value, headers=tuple(first.headers))
    report = read_dead_letter(*dead_letter(again, MalformedRecord(Reason.NOT_JSON, "")))
    assert (report.reason, report.record.offset, report.masked) == (Reason.NOT_JSON, 77, 0)
    assert report.record == again


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("holdfast-error-reason", b"NO_SUCH_REASON"),
        ("holdfast-error-offset", b"many"),
        ("holdfast-error-topic", b"\xff"),
        ("holdfast-error-partition", None),
    ],
)
def test_a_record_with_other_headers_is_no_dead_letter(name: str, content: bytes | None) -> None:
    letter = dead_letter(record(), REFUSAL)
    with pytest.raises(NotADeadLetter):
        read_dead_letter(
            letter.key, letter.value, [*(header for header in letter.headers if header[0] != name), (name, content)]
        )


def test_an_ordinary_record_is_no_dead_letter() -> None:
    with pytest.raises(NotADeadLetter, match="holdfast-error-reason"):
        read_dead_letter(b"k", b"v", [])

"""No card number gets by, and hardly anything else is taken for one."""

import random
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire_samples import transaction_bytes

from streams.wire.card_guard import holds_card_number, mask, mask_text

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def luhn_digit(payload: str) -> str:
    """The plain reference: ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(payload)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


card_numbers = st.builds(
    lambda lead, rest: lead + rest + luhn_digit(lead + rest),
    st.sampled_from("3456789"),
    st.text("0123456789", min_size=11, max_size=17),
)
surroundings = st.text("xyz :,\"'{}[]\n\\/äß€", max_size=6)


@pytest.mark.parametrize(
    "written",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4222222222222",  # 13 digits
        "378282246310005",
        "3782-822463-10005",
        "3056 930902 5904",
        "6304 0000 0000 0000 000",  # 19 digits
        "5000-0000-0000-0000-17",
        "2223003122003222",
        "135412345678911",  # UATP
        "PAN4111111111111111X",
        "1234 4111 1111 1111 1111",
        "4111 1111 1111 1111 123",  # with what looks like a last group, but is the CVV
        "id_4111111111111111_2026",
        "\\u0034111111111111111",
        "4111\\u002d1111\\u002D1111\\u002d1111",
        "\\u00e94111111111111111",
        "\\\\u00ff 4111111111111111",
    ],
)
def test_a_card_number_is_found_however_it_is_written(written: str) -> None:
    assert holds_card_number(f'{{"x": "{written}"}}'.encode())


@pytest.mark.parametrize(
    "written",
    [
        "4111111111111112",  # fails Luhn
        "411111111111",  # 12 digits
        "41111111111111111111",  # 20 digits
        "4111 1111-1111 1111",
        "4111  1111  1111  1111",
        "1767323045677",  # ms since the epoch, passes Luhn
        "1767323045000004",  # us since the epoch, passes Luhn
        "20260102030406",  # a date written out, passes Luhn
        "0000000000000000",
        "0.4111111111111111",
        "bd4a5379-4111-1111-1111-1111c30937ab",
        "abcd4111-1111-4111-1114-123456789012",
        "4111111111111111abcdefab",
        "5f4111111111111111abcdef0123456789abcdef",
    ],
)
def test_what_no_card_carries_is_left_alone(written: str) -> None:
    assert not holds_card_number(f'{{"x": "{written}"}}'.encode())


@pytest.mark.parametrize(
    "document",
    [
        {"x": {"y": [{"z": "4111111111111111"}]}},
        {"4111111111111111": 1},
        {"x": 4111111111111111},
        {"x": [-4111111111111111]},
        {"x": 4111111111111111.0},
    ],
)
def test_a_card_number_is_found_wherever_it_stands(document: dict[str, object]) -> None:
    assert holds_card_number(orjson.dumps(document))


def test_a_card_number_in_a_field_given_twice_is_found() -> None:
    assert holds_card_number(b'{"x": "4111111111111111", "x": "tok_1"}')


def test_random_identifiers_are_never_taken_for_card_numbers() -> None:
    chance = random.Random(20260102)
    for _ in range(70_000):
        plain = uuid.UUID(int=chance.getrandbits(128), version=4)
        ulid = "01" + "".join(chance.choices(CROCKFORD, k=24))
        object_id = f"{chance.getrandbits(96) | 1 << 95:024x}"
        line = orjson.dumps([str(plain), f"txn_{plain.hex}", ulid, object_id, f"{chance.getrandbits(256):064X}"])
        assert not holds_card_number(line), line


def test_an_ordinary_transaction_is_left_alone() -> None:
    record = transaction_bytes()
    assert mask(record) == (record, 0)


@given(number=card_numbers, before=surroundings, after=surroundings)
def test_every_card_number_is_found_and_nothing_is_left_of_it(number: str, before: str, after: str) -> None:
    record = f"{before}{number}{after}".encode()
    masked, count = mask(record)
    assert holds_card_number(record)
    assert count == 1
    assert masked == f"{before}{'*' * (len(number) - 4)}{number[-4:]}{after}".encode()


@given(number=card_numbers, escaped=st.sets(st.integers(0, 18)), after=surroundings)
def test_escapes_do_not_get_round_the_guard(number: str, escaped: set[int], after: str) -> None:
    written = "".join(f"\\u00{ord(digit):x}" if place in escaped else digit for place, digit in enumerate(number))
    record = f'{{"x":"é\\u00e9 {written}"}}{after}'.encode()
    masked, count = mask(record)
    assert count == 1
    assert len(masked) == len(record)
    assert not holds_card_number(masked)


@given(st.lists(st.one_of(card_numbers, surroundings, st.sampled_from([" ", "-", "\\u0034", "\\", "1"]))))
def test_what_was_masked_holds_no_card_number_and_is_as_long(pieces: list[str]) -> None:
    record = "".join(pieces).encode()
    masked, count = mask(record)
    assert not holds_card_number(masked)
    assert len(masked) == len(record)
    assert (count > 0) == holds_card_number(record)


@given(st.binary())
def test_any_bytes_are_masked_without_complaint(data: bytes) -> None:
    masked, count = mask(data)
    assert len(masked) == len(data)
    assert count or masked == data


def test_broken_records_are_masked_too() -> None:
    masked, count = mask(b'\xff\xfe{"card": "5500 0055 5555 5559", "name": \x00 4111111111111111')
    assert count == 2
    assert masked == b'\xff\xfe{"card": "**** **** **** 5559", "name": \x00 ************1111'


def test_card_numbers_that_overlap_are_both_masked() -> None:
    assert mask(b"8888 8888 8888 8888 8888") == (b"**** **** **** **** 8888", 2)


def test_digits_written_as_escapes_are_masked_in_full() -> None:
    masked, _ = mask(b'"\\u0034\\u0031111111 1111111\\u0031", "\\u00344111111111111111"'.replace(b" ", b""))
    assert masked.startswith(b'"' + b"*" * 22 + b"111")


def test_text_for_logs_is_masked() -> None:
    assert mask_text("declined: 3782-822463-10005 — sorry") == "declined: ****-******-*0005 — sorry"

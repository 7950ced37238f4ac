"""What is compiled says bit by bit what the same in Python says, whatever happens to a card."""

import copy
import os
import struct
from array import array
from datetime import UTC, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from models import card, plain_texts, texts
from models.activity import Activity
from models.features import FEATURES, Row, matrix_of
from models.marks import Marks, marks_of
from models.merchant_history import MerchantHistory, learn
from models.profile import RING_SIZE, Profile, ProfileCorrupt
from models.profile_packing import pack, unpack
from models.regard import regard
from models.transaction import Channel
from models.warm_up import Payment

DAY = 86_400
NOON = 1_700_000_000 // DAY * DAY + 43_200
PAID = Payment(float(NOON), "t", "c", "a", 77, "EUR", False)
CURRENCIES = ("EUR", "JPY", "BHD")

if not (card.COMPILED and texts.COMPILED):
    if os.environ.get("CI") == "true":
        pytest.fail("the hot path was not compiled", pytrace=False)
    pytest.skip("nothing is compiled here: there was no compiler", allow_module_level=True)

# To the minute, too: what is exactly an hour or a day before something else is where bounds are.
near = (
    st.integers(NOON - 40 * DAY, NOON)
    | st.integers(NOON - DAY, NOON)
    | st.sampled_from([NOON - minutes * 60 for minutes in (0, 1, 9, 10, 11, 59, 60, 61, 1_439, 1_440, 1_441, 2_880)])
)
moments = near | st.integers(-(2**33), 2**33)
amounts = st.integers(1, 20_000) | st.integers(-1, 10**13)
few = st.none() | st.sampled_from(["m0", "m1", "m2", "", "\u00e9"])
payments = st.builds(
    Payment,
    at=st.just(0.0),
    transaction_id=st.just("t"),
    card=st.just("c"),
    acceptor=st.sampled_from(["m0", "m1", "a"]),
    amount_minor=st.integers(1, 10**12),
    currency=st.sampled_from(CURRENCIES),
    is_fraud=st.just(False),
    merchant_id=few,
    mcc=few,
    merchant_country=few,
    card_country=few,
    device_id=few,
    channel=st.none() | st.sampled_from(Channel) | st.sampled_from([*Channel]).map(str) | st.just("by_pigeon"),
    pan_entry_mode=st.none()
    | st.from_regex(r"\A[0-9]{0,3}\Z")
    | st.sampled_from(["05", "07", "80", "901", "010", "\u00e9\u00e9"]),
    avs_result=st.none() | st.sampled_from([*"ABCDFMNPWXYZU", "", "YY", "\u00e9"]),
    cvv_result=st.none() | st.sampled_from([*"MNP", "", "MM"]),
    eci=st.none() | st.sampled_from(["05", "06", "5", "6", "07", "", "055"]),
    three_ds_status=st.none() | st.sampled_from([*"YANRU", "", "YY"]),
)
marked = st.sampled_from([0, 1, 2, 3]) | st.integers(0, 65_535)
marks = st.builds(Marks, marked, marked, marked, marked) | payments.map(marks_of)
# Observed, and perhaps approved by rules in the model's place.
events = st.tuples(moments, amounts, st.integers(0, 40) | st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), marks)
lives = st.lists(st.tuples(events, st.booleans()), max_size=60)


def lived(life: list[tuple[Any, bool]], profile: Any) -> Any:
    for (at, amount, hashed, content, its_marks), stood_in in life:
        profile.observe(float(at), amount, hashed, content, its_marks)
        if stood_in:
            profile.note_stand_in(float(at), amount, hashed)
    return profile


def bits(values: list[float]) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def same(compiled: tuple[Any, Any, Row], plain: tuple[Any, Any, Row]) -> None:
    assert compiled[:2] == plain[:2]
    assert [type(each) for each in compiled[:2]] == [Marks, Activity]
    assert bits(compiled[2]) == bits(plain[2])


def state(profile: Any) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in Profile.__slots__}


@settings(max_examples=300)
@given(lives)
def test_a_profile_that_lived_the_same_is_the_same(life: list[tuple[Any, bool]]) -> None:
    plain, compiled = lived(life, Profile()), lived(life, card.Profile())
    assert state(compiled) == state(plain)
    assert card.pack(compiled) == pack(plain)
    assert compiled.last_seen == plain.last_seen


@settings(max_examples=200)
@given(lives, lives)
def test_it_goes_on_the_same_from_bytes_whoever_wrote_them(
    before: list[tuple[Any, bool]], after: list[tuple[Any, bool]]
) -> None:
    packed = pack(lived(before, Profile()))
    plain, compiled = lived(after, unpack(packed)), lived(after, card.unpack(packed))
    assert state(compiled) == state(plain)
    assert card.pack(compiled) == pack(plain)


@settings(max_examples=300)
@given(lives, moments, st.floats(0, 0.999), payments, st.data())
def test_what_is_asked_of_it_is_answered_the_same(
    life: list[tuple[Any, bool]], at: int, part: float, paid: Payment, data: st.DataObject
) -> None:
    plain, compiled, now = lived(life, Profile()), lived(life, card.Profile()), at + part
    history = None
    if data.draw(st.booleans()):
        history = MerchantHistory()
        for days, is_fraud in data.draw(st.lists(st.tuples(st.floats(-40, 60), st.booleans()), max_size=12)):
            history = learn(history, now - days * DAY, is_fraud=is_fraud)
    fraud_at = data.draw(st.none() | st.floats(now - 40 * DAY, now + DAY))
    same(card.regard(now, paid, compiled, history, fraud_at), regard(now, paid, plain, history, fraud_at))

    for hashed in [hashed for (_, _, hashed, _, _), _ in life[-3:]] + [7]:
        assert compiled.find(hashed) == plain.find(hashed)
    assert compiled.stand_in_today(now) == plain.stand_in_today(now)
    assert compiled.stand_in_around(now) == plain.stand_in_around(now)
    assert compiled.ratio(paid.amount_minor) == plain.ratio(paid.amount_minor)
    assert compiled.against_habit(float(paid.amount_minor)) == plain.against_habit(float(paid.amount_minor))


def test_a_full_ring_and_crowded_days_are_the_same() -> None:
    for step in (1, 60, 3_000):
        plain, compiled = Profile(), card.Profile()
        for number in range(700):
            event = (NOON + number * step, 10 + number, number, number, Marks(number % 20, number % 5, number % 4, 1))
            plain.observe(*event)
            compiled.observe(*event)
        assert state(compiled) == state(plain)
        assert card.pack(compiled) == pack(plain)
        assert len(compiled.ring) <= RING_SIZE
        assert plain.n == 700  # beyond what one payment may weigh
        for amount in (1, 500, 10**9):
            assert compiled.ratio(amount) == plain.ratio(amount)
            assert compiled.against_habit(float(amount)) == plain.against_habit(float(amount))
        now = float(NOON + 699 * step)
        same(card.regard(now, PAID, compiled, None, None), regard(now, PAID, plain, None, None))


@pytest.mark.parametrize("count", [2**31, 2**63, 2**70])
def test_counts_that_no_acceptor_has_are_the_same(count: int) -> None:
    for history in (MerchantHistory(labelled=(count,) * 45, newest_day=NOON // DAY), MerchantHistory(fraud_run=count)):
        same(card.regard(NOON, PAID, card.Profile(), history, None), regard(NOON, PAID, Profile(), history, None))


def read(unpacking: Any, data: bytes) -> str:
    """What comes of bytes: a profile, or why there is none."""
    try:
        return repr(state(unpacking(data)))
    except ProfileCorrupt as refused:
        return str(refused)


@given(st.binary(max_size=40), lives, st.integers(0, 400), st.integers(0, 255))
def test_what_is_no_profile_is_refused_alike(
    noise: bytes, life: list[tuple[Any, bool]], position: int, value: int
) -> None:
    whole = pack(lived(life, Profile()))
    changed = bytearray(whole)
    changed[position % len(whole)] = value
    for data in (noise, whole[:-1], whole + b"\0", bytes(changed)):
        assert read(card.unpack, data) == read(unpack, data)


@given(lives)
def test_a_copy_is_the_same_and_another(life: list[tuple[Any, bool]]) -> None:
    profile = lived(life, card.Profile())
    other = copy.deepcopy(profile)
    assert state(other) == state(profile)
    other.observe(float(NOON), 1, 1, 1)
    assert other.n == profile.n + 1


@given(st.lists(st.lists(st.floats(), min_size=len(FEATURES), max_size=len(FEATURES)), max_size=4))
def test_a_matrix_has_the_rows_as_they_are(numbers: list[list[float]]) -> None:
    rows = [array("d", each) for each in numbers]
    made, plain = card.matrix_of(rows), matrix_of(rows)
    assert made.shape == plain.shape == (len(rows), len(FEATURES))
    assert made.tobytes() == plain.tobytes()


@pytest.mark.parametrize("row", [array("d", [1.0, 2.0]), array("q", [1] * len(FEATURES))])
def test_what_is_of_another_length_or_type_is_no_row(row: "array[Any]") -> None:
    with pytest.raises(ValueError, match=f"{len(row)} features of type {row.typecode}"):
        card.matrix_of([row])


# --- texts ---

DIGITS = st.text("0123456789 -x", max_size=40)


@given(st.binary() | st.builds(str.encode, DIGITS) | st.builds(lambda a, b: a.encode() + b, DIGITS, st.binary()))
def test_the_peculiarities_of_bytes_are_the_same(data: bytes) -> None:
    same_peculiarities(data)


def same_peculiarities(data: bytes) -> None:
    assert texts.peculiarities(data) == plain_texts.peculiarities(data)
    assert texts.may_hold_card_number(data) == plain_texts.may_hold_card_number(data)


def with_luhn_digit(digits: str) -> str:
    return next(digits + last for last in "0123456789" if passes_luhn(digits + last))


def passes_luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def grouped(digits: str, first: int, others: int, separator: str) -> str:
    rest = digits[first:]
    return separator.join([digits[:first], *(rest[i : i + others] for i in range(0, len(rest), others))])


def with_one_changed(text: str, place: int, to: str) -> str:
    """One character is another, or its escape where `to` is a format for it."""
    place %= len(text)
    return text[:place] + to.format(ord(text[place])) + text[place + 1 :]


luhn_valid = st.builds(with_luhn_digit, st.text("0123456789", min_size=11, max_size=19))
printed = st.builds(
    grouped, luhn_valid, st.sampled_from([4, 4, 4, 3, 5]), st.integers(3, 7), st.sampled_from(["", " ", "-"])
)
marred = st.builds(
    with_one_changed,
    printed,
    st.integers(0, 30),
    st.sampled_from(["\\u{0:04x}", "\\u{0:03x}", "\\", "{0:c}.", " ", "x"]),
)
between = st.sampled_from(
    ["", "1", "x", ".", "7.", "\\", "\\\\", "\\u00e9", "\\u0034", "\\U0034", "\\u00", "é", " ", "-"]
)


@settings(max_examples=1_500)  # what is to be found is rare
@given(st.lists(st.tuples(between, printed | marred), min_size=1, max_size=3), between)
def test_card_numbers_are_suspected_alike_however_they_are_written(parts: list[tuple[str, str]], end: str) -> None:
    same_peculiarities("".join([*(each for part in parts for each in part), end]).encode())


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 255, 256, 257, 1_000])
def test_ids_of_any_length_are_digested_the_same(length: int) -> None:
    for letter in ("a", "\x7f", "\xe9", "\u20ac"):
        assert texts.id_hash(letter * length) == plain_texts.id_hash(letter * length)


@given(st.text())
def test_ids_are_digested_the_same(transaction_id: str) -> None:
    assume(not any(0xD800 <= ord(letter) < 0xE000 for letter in transaction_id))
    assert texts.id_hash(transaction_id) == plain_texts.id_hash(transaction_id)


class Paper(Struct):
    """Texts, numbers and a time."""

    name: Any
    code: Any
    at: Any


PATTERNS = {"name": "[A-Za-z0-9_.:-]{1,4}", "code": "[0-9]{2}", "at": "[A-Z]"}
letters = st.text("Aa0_.:-!", max_size=5) | st.text(st.characters(blacklist_characters="\0\n"), max_size=3)


@given(st.builds(Paper, letters | st.none(), letters | st.none(), letters | st.none()))
def test_texts_keep_to_their_form_or_not_alike(paper: Paper) -> None:
    assert texts.Forms(PATTERNS).holds(paper) == plain_texts.Forms(PATTERNS).holds(paper)


@pytest.mark.parametrize("pattern", ["a|_", "[a0]+", ".", "[^a]", "", "[a-z]?"])
@given(st.builds(Paper, letters | st.none(), st.none(), st.none()))
def test_a_pattern_that_is_more_than_a_set_of_characters_is_kept_alike(pattern: str, paper: Paper) -> None:
    patterns = {"name": pattern, "code": "[0-9]"}
    assert texts.Forms(patterns).holds(paper) == plain_texts.Forms(patterns).holds(paper)


instants = st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(timezone(timedelta(hours=2))))
values = st.none() | st.text(max_size=9) | st.sampled_from(Channel) | st.integers(-(2**63), 2**63 - 1) | instants


@given(st.builds(Paper, values | st.text("nul],", max_size=4), values, values))
def test_contents_have_the_same_fingerprints(paper: Paper) -> None:
    assume(not any(isinstance(each, str) and not each.isprintable() for each in (paper.name, paper.code, paper.at)))

    def encode(said: tuple[Any, ...]) -> bytes:
        return orjson.dumps(said, option=orjson.OPT_UTC_Z)

    fields = ("name", "code", "at")
    assert texts.Contents(fields, encode).fingerprint(paper) == plain_texts.Contents(fields, encode).fingerprint(paper)

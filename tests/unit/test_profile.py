"""The card's profile: bounded memory that stays true whatever order events come in."""

import hashlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.activity import activity
from models.fingerprint import fingerprint, id_hash
from models.marks import NO_MARKS, Marks, mark
from models.profile import MERCHANTS, RING_SIZE, Profile, ProfileCorrupt
from models.profile_packing import pack, unpack

NOON = 1_700_000_000 // 86_400 * 86_400 + 43_200
DAY = 86_400

moments = st.integers(0, 4_102_444_800)  # 1970 to 2100
amounts = st.integers(1, 10**12)
hashes = st.integers(0, 2**64 - 1)
contents = st.integers(0, 2**32 - 1)
shops = st.builds(Marks, *(st.sampled_from([0, 1, 2, 65_535]) | st.integers(0, 65_535),) * 4)
events = st.tuples(moments, amounts, hashes, contents, shops)
PACKED = ["0c2a5819", "f4a9d731", "35265c68", "81509630"]
near_events = st.tuples(st.integers(NOON - 3 * DAY, NOON), amounts, hashes, contents, shops)


def state(profile: Profile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in Profile.__slots__}


def profile_of(*seen: tuple[int, int, int, int] | tuple[int, int, int, int, Marks]) -> Profile:
    profile = Profile()
    for event in seen:
        profile.observe(*event)
    return profile


@settings(deadline=None)
@given(st.lists(events | near_events, max_size=60), st.sets(st.integers(0, 59)))
def test_a_packed_profile_comes_back_bit_by_bit_the_same(seen, stand_ins):
    profile = Profile()
    for number, (at, amount, hashed, content, marks) in enumerate(seen):
        profile.observe(at, amount, hashed, content, marks)
        if number in stand_ins:
            profile.note_stand_in(at, amount, hashed)
    assert state(unpack(pack(profile))) == state(profile)


def test_a_profile_is_packed_byte_for_byte_as_by_the_release_before():
    """Profiles on topics are compared with recomputed ones; these are narrow, of stand-ins, of a crowded day, wide."""
    marks = [Marks(merchant=k % 30 + 1, country=k % 3 + 1, device=k % 5 + 1, category=k % 9 + 1) for k in range(300)]
    plain = profile_of(*((NOON + k * DAY // 3, 5_000 + 17 * k, 77**k % 2**64, k, marks[k]) for k in range(300)))
    told = profile_of((NOON, 500, 1, 1), (NOON + 60, 700, 2, 2, marks[7]))
    told.note_stand_in(NOON, 500, 1)
    crowded = profile_of(*((NOON + k, 100 + k, k, k) for k in range(300)), (NOON - DAY, 100, 999, 999))
    wide = profile_of((NOON, 10**12, 1, 1), (NOON - 3 * DAY, 5 * 10**9, 2, 2))
    packed = [hashlib.sha256(pack(each)).hexdigest()[:8] for each in (plain, told, crowded, wide)]
    assert packed == PACKED


def test_a_card_with_a_crowded_day_takes_wide_columns_until_that_day_is_forgotten():
    busy = [(NOON + k, 100, k, k) for k in range(256)]
    sizes = [len(pack(profile_of(*busy[:255]))), len(pack(crowded := profile_of(*busy)))]
    assert (list(crowded.counts[:2]), sizes[1] > sizes[0]) == ([256, 0], True)
    assert state(unpack(pack(crowded))) == state(crowded)
    crowded.observe(NOON + 30 * DAY, 100, 1_000, 1_000)
    assert isinstance(crowded.counts, list)
    crowded.observe(NOON + 31 * DAY, 100, 1_001, 1_001)
    assert crowded.counts == bytearray([1, 1] + [0] * 29)
    assert len(pack(crowded)) < sizes[0]


@pytest.mark.parametrize("known", [65_534, 65_535])
def test_a_day_counts_no_further_than_its_column_goes(known):
    profile = profile_of((NOON, 100, 1, 1))
    profile.counts = [known, *[0] * 30]
    profile.observe(NOON, 100, 2, 2)
    assert unpack(pack(profile)).counts[0] == 65_535


def test_a_typical_card_takes_at_most_400_bytes():
    """Three payments a day at many merchants, with all that a profile keeps of them."""
    marks = [Marks(merchant=k % 30 + 1, country=k % 3 + 1, device=k % 5 + 1, category=k % 9 + 1) for k in range(300)]
    three_a_day = [(NOON + k * DAY // 3, 5_000 + 17 * k, k, k, marks[k]) for k in range(300)]
    profile = profile_of(*three_a_day)
    assert (len(profile.ring), len(profile.merchants)) == (4, MERCHANTS)
    assert len(pack(profile)) <= 400


@pytest.mark.parametrize("length", range(0, 272, 5))
def test_a_truncated_profile_is_refused(length):
    with pytest.raises(ProfileCorrupt):
        unpack(pack(profile_of((NOON, 100, 1, 1)))[:length])


def test_bytes_added_to_a_profile_are_refused():
    with pytest.raises(ProfileCorrupt, match="takes 272 bytes"):
        unpack(pack(profile_of((NOON, 100, 1, 1))) + b"\0")


@pytest.mark.parametrize("version", [0, 4, 255])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(ProfileCorrupt, match="version 3"):
        unpack(bytes([version]) + pack(Profile())[1:])


def test_statistics_that_are_not_finite_are_refused():
    profile = profile_of((NOON, 100, 1, 1))
    profile.mean = math.nan
    with pytest.raises(ProfileCorrupt, match="not finite"):
        unpack(pack(profile))


@settings(deadline=None)
@given(st.lists(events | near_events, min_size=1, max_size=80))
def test_memory_and_numbers_stay_bounded_whatever_comes(seen):
    profile = profile_of(*seen)
    assert len(profile.ring) <= RING_SIZE
    assert 0 < profile.mean <= 10**12
    assert 0 <= profile.variance < math.inf
    assert profile.last_seen == max(at for at, *_ in seen)


@settings(deadline=None)
@given(st.lists(near_events, max_size=RING_SIZE), st.integers(0, 2 * DAY))
def test_velocities_equal_a_count_over_all_events(seen, later):
    now = NOON + later
    told = activity(now, profile_of(*seen))
    ages = [(now - at, amount) for at, amount, *_ in seen]
    assert told.card_count_10m == sum(age < 600 for age, _ in ages)
    assert told.card_count_1h == sum(age < 3_600 for age, _ in ages)
    assert told.card_sum_1h_minor == sum(amount for age, amount in ages if age < 3_600)
    assert told.card_sum_1d_minor == sum(amount for age, amount in ages if age < DAY)


def test_a_new_card_has_no_last_time():
    assert activity(NOON, Profile()).seconds_since_last is None


def test_time_since_the_last_event_is_never_negative():
    assert activity(NOON - 50, profile_of((NOON, 100, 1, 1))).seconds_since_last == 0


def test_a_late_event_counts_on_its_own_day_and_moves_nothing_back():
    profile = profile_of((NOON, 100, 1, 1), (NOON - 2 * DAY, 700, 2, 2))
    assert profile.last_seen == NOON
    assert list(profile.counts[:4]) == [1, 0, 1, 0]
    assert profile.sums[:4] == [100, 0, 700, 0]


def test_an_event_older_than_the_buckets_only_moves_the_statistics():
    profile = profile_of((NOON, 100, 1, 1), (NOON - 400 * DAY, 300, 2, 2))
    assert sum(profile.counts) == 1
    assert profile.n == 2


def test_buckets_move_on_with_the_days():
    profile = profile_of((NOON, 100, 1, 1), (NOON + 3 * DAY, 200, 2, 2))
    assert list(profile.counts[:5]) == [1, 0, 0, 1, 0]


@settings(deadline=None)
@given(st.lists(near_events, max_size=RING_SIZE - 1), near_events)
def test_the_transaction_just_observed_is_found_again(seen, last):
    profile = profile_of(*(event for event in seen if event[2] != last[2]), last)
    assert profile.find(last[2]) == last[3]


def test_a_late_record_sent_twice_is_recognised():
    profile = profile_of((NOON, 100, 1, 1), (NOON - 5 * DAY, 700, 2, 22))
    assert unpack(pack(profile)).find(2) == 22


def test_what_the_ring_forgot_is_not_found():
    profile = profile_of(*((NOON + k, 100, k, k) for k in range(RING_SIZE + 1)))
    assert profile.find(0) is None
    assert profile.find(1) == 1


def test_entries_older_than_a_day_leave_the_ring_but_for_the_latest_arrivals():
    profile = profile_of(*((NOON + 2 * k * DAY, 100, k, k) for k in range(9)))
    assert [id_hash for _, _, id_hash, _, _ in profile.ring] == [5, 6, 7, 8]


def test_one_enormous_amount_does_not_become_the_habit():
    usual = [(NOON + k * 3_600, 1_000, k, k) for k in range(20)]
    profile = profile_of(*usual, (NOON + 21 * 3_600, 10**12, 99, 99))
    assert profile.mean < 1_300


def test_an_odd_first_amount_is_soon_forgotten():
    profile = profile_of((NOON, 100_000, 0, 0), *((NOON + k, 1_000, k, k) for k in range(1, 30)))
    assert profile.mean < 1_300


def test_the_first_amount_of_a_card_is_its_usual_one():
    assert Profile().ratio(123_456) == 1.0


def test_the_ratio_tells_how_many_times_the_usual_amount():
    profile = profile_of(*((NOON + k, 1_000, k, k) for k in range(300)))
    assert profile.ratio(5_000) == pytest.approx(5.0, rel=0.03)


def test_a_peak_and_a_count_of_big_amounts_are_kept_for_the_day():
    profile = profile_of(*((NOON + k, 1_000, k, k) for k in range(100)), (NOON + 200, 4_000, 200, 200))
    assert profile.peak_ratios[0] / 64 == pytest.approx(3.9, abs=0.1)
    assert profile.big_counts[0] == 1


def test_stand_in_approvals_add_up_within_a_day():
    profile = Profile()
    profile.note_stand_in(NOON, 500, 1)
    profile.note_stand_in(NOON + 60, 700, 2)
    assert profile.stand_in_today(NOON + 90) == (2, 1_200)


def test_stand_in_approvals_start_anew_at_midnight_utc():
    profile = Profile()
    profile.note_stand_in(NOON, 500, 1)
    assert profile.stand_in_today(NOON + DAY // 2) == (0, 0)


def test_a_late_event_cannot_draw_on_an_allowance_that_is_over():
    profile = Profile()
    profile.note_stand_in(NOON, 500, 1)
    profile.note_stand_in(NOON - DAY, 700, 2)
    assert profile.stand_in_today(NOON) == (2, 1_200)
    assert profile.stand_in_today(NOON - DAY) == (2, 1_200)


def stood_in(profile: Profile, at: int, amount: int, number: int) -> None:
    profile.observe(at, amount, number, 0)
    profile.note_stand_in(at, amount, number)


def test_stand_in_approvals_are_told_by_their_distance():
    profile = Profile()
    stood_in(profile, NOON, 500, 1)
    profile.observe(NOON + 10, 9_000, 2, 0)
    stood_in(profile, NOON + 60, 700, 3)
    assert profile.stand_in_around(NOON + 20) == (((20, 500), (40, 700)), DAY - 40)
    assert profile.stand_in_around(NOON + 90) == (((90, 500), (30, 700)), DAY)


def test_nothing_is_known_of_stand_in_approvals_once_payments_leave_the_ring_early():
    profile = profile_of(*((NOON + k, 1_000, k, k) for k in range(RING_SIZE - 1)))
    assert profile.stand_in_around(NOON + 100)[1] == DAY
    profile.observe(NOON + 100, 1_000, 1_000, 0)
    assert profile.stand_in_around(NOON + 100)[1] == 0


def test_only_a_profile_with_stand_in_approvals_takes_room_for_them():
    plain, marked = profile_of((NOON, 500, 1, 1)), profile_of((NOON, 500, 1, 1))
    marked.note_stand_in(NOON, 500, 1)
    assert len(pack(marked)) == len(pack(plain)) + 16


# Packed before profiles knew habits and merchants: of three payments the second was approved by rules.
EARLIER = {
    1: (
        "0100030300000040615365000000000000994000000000400619410000000000000000000000000201000000000000000000"
        "0000000000000000000000000000000000000000740e0000e803000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000005b0040000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000c00f5265e85e5365406153"
        "65e803000000000000c409000000000000b004000000000000ffffffffffffffff160000000000000021000000000000000b"
        "000000ffffffff21000000"
    ),
    2: (
        "020003030000004061536500000000000099400000000040061941db4c0100c4090000000000000201000000000000000000"
        "0000000000000000000000000000000000000000740e0000e803000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000005b0040000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000c00f5265e85e5365406153"
        "65e803000000000000c409000000000080b004000000000000ffffffffffffffff160000000000000021000000000000000b"
        "000000ffffffff21000000"
    ),
}


@pytest.mark.parametrize("version", EARLIER)
def test_a_profile_of_an_earlier_layout_is_read_with_the_new_parts_empty(version):
    told = state(unpack(bytes.fromhex(EARLIER[version])))
    seen = [(NOON - DAY, 1_000, 2**64 - 1, 11), (NOON - 600, 2_500, 22, 2**32 - 1), (NOON, 1_200, 33, 33)]
    now = profile_of(*seen)
    if version == 2:
        now.note_stand_in(NOON - 600, 2_500, 22)
    expected = state(now) | {"hours": bytearray(12), "weekdays": bytearray(7)}
    assert told == expected


def test_what_was_read_of_an_earlier_layout_is_packed_in_this_one():
    old = unpack(bytes.fromhex(EARLIER[2]))
    assert state(unpack(pack(old))) == state(old)


@pytest.mark.parametrize("length", [1, 2, 3, 100, 310])
def test_a_truncated_profile_of_an_earlier_layout_is_refused(length):
    with pytest.raises(ProfileCorrupt):
        unpack(bytes.fromhex(EARLIER[1])[:length])


def test_merchants_are_known_newest_first_with_the_days_since():
    visits = [(NOON - 9 * DAY, 1), (NOON - 4 * DAY, 2), (NOON, 3), (NOON, 1), (NOON - 2 * DAY, 4)]
    profile = profile_of(*((at, 100, k, k, Marks(merchant=shop)) for k, (at, shop) in enumerate(visits)))
    assert (profile.merchants, list(profile.merchant_ages)) == ([1, 3, 4, 2], [0, 0, 2, 4])


def test_a_late_visit_makes_no_merchant_older():
    profile = profile_of((NOON, 100, 1, 1, Marks(merchant=1)), (NOON - 5 * DAY, 100, 2, 2, Marks(merchant=1)))
    assert list(profile.merchant_ages) == [0]


def test_merchants_grow_older_with_the_days_and_are_at_last_as_old_as_can_be():
    profile = profile_of((NOON, 100, 1, 1, Marks(merchant=1)), (NOON + 3 * DAY, 100, 2, 2))
    assert list(profile.merchant_ages) == [3]
    profile.observe(NOON + 900 * DAY, 100, 3, 3)
    assert list(profile.merchant_ages) == [255]


def test_the_latest_places_push_out_the_oldest():
    profile = profile_of(*((NOON + k, 100, k, k, Marks(k, k, k, k)) for k in range(1, 20)), (NOON, 1, 1, 1, NO_MARKS))
    assert profile.merchants == list(range(19, 7, -1))
    assert (profile.countries, profile.devices) == ((19, 18, 17), (19, 18, 17))
    assert profile.categories == (19, 18, 17, 16, 15, 14)


def test_an_old_habit_fades_before_a_new_one():
    profile = profile_of(*((NOON + k * DAY, 100, k, k) for k in range(40)))
    assert profile.hours[6] == max(profile.hours) <= 255
    for k in range(40, 120):
        profile.observe(NOON + k * DAY + DAY // 4, 100, k, k)
    assert profile.hours[6] < profile.hours[9] // 2
    assert abs(sum(profile.weekdays) - sum(profile.hours)) < 12


def test_marks_are_the_same_in_every_process_and_release():
    assert (mark("mer_1"), mark("DE"), mark(None)) == (20289, 349, 0)


def test_hashes_are_the_same_in_every_process_and_release():
    assert id_hash("tx-1") == 7_726_700_342_316_911_226
    assert fingerprint(b"content") == 1_214_046_153

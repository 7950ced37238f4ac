"""The card's profile: bounded memory that stays true whatever order events come in."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import activity
from models.fingerprint import fingerprint, id_hash
from models.profile import RING_SIZE, Profile, ProfileCorrupt, pack, unpack

NOON = 1_700_000_000 // 86_400 * 86_400 + 43_200
DAY = 86_400

moments = st.integers(0, 4_102_444_800)  # 1970 to 2100
amounts = st.integers(1, 10**12)
hashes = st.integers(0, 2**64 - 1)
contents = st.integers(0, 2**32 - 1)
events = st.tuples(moments, amounts, hashes, contents)
near_events = st.tuples(st.integers(NOON - 3 * DAY, NOON), amounts, hashes, contents)


def state(profile: Profile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in Profile.__slots__}


def profile_of(*seen: tuple[int, int, int, int]) -> Profile:
    profile = Profile()
    for event in seen:
        profile.observe(*event)
    return profile


@settings(deadline=None)
@given(st.lists(events | near_events, max_size=60), st.sets(st.integers(0, 59)))
def test_a_packed_profile_comes_back_bit_by_bit_the_same(seen, stand_ins):
    profile = Profile()
    for number, (at, amount, hashed, content) in enumerate(seen):
        profile.observe(at, amount, hashed, content)
        if number in stand_ins:
            profile.note_stand_in(at, amount, hashed)
    assert state(unpack(pack(profile))) == state(profile)


def test_a_typical_card_takes_at_most_400_bytes():
    three_a_day = [(NOON + k * DAY // 3, 5_000 + 17 * k, k, k) for k in range(300)]
    assert len(pack(profile_of(*three_a_day))) <= 400


@pytest.mark.parametrize("length", range(0, 263, 5))
def test_a_truncated_profile_is_refused(length):
    with pytest.raises(ProfileCorrupt):
        unpack(pack(profile_of((NOON, 100, 1, 1)))[:length])


def test_bytes_added_to_a_profile_are_refused():
    with pytest.raises(ProfileCorrupt, match="takes 263 bytes"):
        unpack(pack(profile_of((NOON, 100, 1, 1))) + b"\0")


@pytest.mark.parametrize("version", [0, 3, 255])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(ProfileCorrupt, match="version 1"):
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
    assert len(profile.ring_times) <= RING_SIZE
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
    assert profile.counts[:4] == [1, 0, 1, 0]
    assert profile.sums[:4] == [100, 0, 700, 0]


def test_an_event_older_than_the_buckets_only_moves_the_statistics():
    profile = profile_of((NOON, 100, 1, 1), (NOON - 400 * DAY, 300, 2, 2))
    assert sum(profile.counts) == 1
    assert profile.n == 2


def test_buckets_move_on_with_the_days():
    profile = profile_of((NOON, 100, 1, 1), (NOON + 3 * DAY, 200, 2, 2))
    assert profile.counts[:5] == [1, 0, 0, 1, 0]


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
    assert profile.ring_ids == [5, 6, 7, 8]


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


def test_a_profile_without_stand_in_approvals_is_packed_as_releases_before_packed_it():
    plain, marked = profile_of((NOON, 500, 1, 1)), profile_of((NOON, 500, 1, 1))
    marked.note_stand_in(NOON, 500, 1)
    assert (pack(plain)[0], pack(marked)[0]) == (1, 2)
    assert len(pack(plain)) == len(pack(marked))


def test_hashes_are_the_same_in_every_process_and_release():
    assert id_hash("tx-1") == 7_726_700_342_316_911_226
    assert fingerprint(b"content") == 1_214_046_153

"""Stand-in limits and the safe default: what may pass while nobody can judge."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.profile import Profile
from models.profile_packing import pack, unpack
from models.transaction import Channel
from rules.decision import Outcome
from rules.safe_default import AmountBand, SafeDefaultPolicy
from rules.stand_in import StandInLimits, StandInUse, StandInWindow

LIMITS = StandInLimits(max_amount_minor=100, max_count=3, max_sum_minor=250, windows=())


@pytest.mark.parametrize(
    ("count", "sum_minor", "amount_minor"),
    [(0, 0, 100), (2, 0, 1), (0, 150, 100), (2, 249, 1)],
)
def test_a_payment_exactly_at_a_limit_may_pass(count: int, sum_minor: int, amount_minor: int) -> None:
    assert LIMITS.allow(amount_minor, StandInUse(count=count, sum_minor=sum_minor))


@pytest.mark.parametrize(
    ("count", "sum_minor", "amount_minor"),
    [(0, 0, 101), (3, 0, 1), (0, 151, 100), (2, 250, 1)],
)
def test_a_payment_one_beyond_a_limit_may_not(count: int, sum_minor: int, amount_minor: int) -> None:
    assert not LIMITS.allow(amount_minor, StandInUse(count=count, sum_minor=sum_minor))


@given(st.lists(st.integers(1, 200)))
def test_whatever_comes_a_day_of_stand_in_stays_within_the_limits(amounts: list[int]) -> None:
    approved: list[int] = []
    for amount in amounts:
        if LIMITS.allow(amount, StandInUse(count=len(approved), sum_minor=sum(approved))):
            approved.append(amount)
    assert len(approved) <= 3
    assert sum(approved) <= 250


HOUR = StandInWindow(hours=1, max_count=2, max_sum_minor=100)
LARGE = StandInWindow(hours=2, max_count=1, max_sum_minor=90, from_minor=50)
WINDOWED = StandInLimits(max_amount_minor=10**6, max_count=10**6, max_sum_minor=10**9, windows=(HOUR, LARGE))


@pytest.mark.parametrize(
    ("amount_minor", "recent"),
    [
        (40, ((10, 30), (3599, 30))),  # a third within the hour
        (71, ((10, 30),)),  # 101 together
        (60, ((7199, 55),)),  # a second large one within two hours
        (91, ()),  # a large one alone, beyond its sum
    ],
)
def test_a_window_that_is_used_up_allows_nothing(amount_minor: int, recent: tuple[tuple[float, int], ...]) -> None:
    assert not WINDOWED.allow(amount_minor, StandInUse(recent=recent))


@pytest.mark.parametrize(
    ("amount_minor", "recent"),
    [
        (40, ((10, 30), (3600, 30))),
        (49, ((10, 51),)),
        (60, ((7200, 55),)),
        (40, ((3600, 55),)),  # a small one is not of the band
    ],
)
def test_a_window_allows_up_to_its_limits(amount_minor: int, recent: tuple[tuple[float, int], ...]) -> None:
    assert WINDOWED.allow(amount_minor, StandInUse(recent=recent))


def test_where_approvals_may_be_missing_nothing_is_allowed() -> None:
    assert WINDOWED.allow(40, StandInUse(known_seconds=3600))
    assert not WINDOWED.allow(40, StandInUse(known_seconds=3599))
    assert not WINDOWED.allow(60, StandInUse(known_seconds=3600))  # of its band two hours must be known


payments = st.lists(st.tuples(st.integers(0, 12 * 3600), st.integers(1, 100)), max_size=60)


@given(payments=payments)
def test_no_stretch_of_time_holds_more_than_its_window_whatever_comes_in_whatever_order(
    payments: list[tuple[int, int]],
) -> None:
    """Through the profile of the card, packed between payments, as they are decided."""
    packed, approved = pack(Profile()), list[tuple[int, int]]()
    for number, (second, amount) in enumerate(payments):
        profile, at = unpack(packed), 10**9 + second
        profile.observe(at, amount, number, 0)
        recent, known = profile.stand_in_around(at)
        if WINDOWED.allow(amount, StandInUse(recent=recent, known_seconds=known)):
            profile.note_stand_in(at, amount, number)
            approved.append((at, amount))
        packed = pack(profile)
    for window in WINDOWED.windows:
        counted = [(at, amount) for at, amount in approved if amount >= window.from_minor]
        for begin, _ in counted:
            within = [amount for at, amount in counted if begin <= at < begin + window.hours * 3600]
            assert len(within) <= window.max_count
            assert sum(within) <= window.max_sum_minor


@pytest.mark.parametrize("changes", [{"hours": 0}, {"hours": 24}, {"max_count": -1}, {"from_minor": -1}])
def test_a_window_that_cannot_be_kept_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"hours|negative"):
        StandInWindow(**{"hours": 1, "max_count": 1, "max_sum_minor": 1} | changes)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        StandInLimits(max_count=-1)


BANDS = SafeDefaultPolicy(
    bands=(
        AmountBand(below_minor=100, outcome=Outcome.APPROVE),
        AmountBand(below_minor=1_000, outcome=Outcome.REVIEW),
        AmountBand(outcome=Outcome.BLOCK),
    )
)


@pytest.mark.parametrize(
    ("amount_minor", "outcome"),
    [
        (1, Outcome.APPROVE),
        (99, Outcome.APPROVE),
        (100, Outcome.REVIEW),
        (999, Outcome.REVIEW),
        (1_000, Outcome.BLOCK),
        (10**12, Outcome.BLOCK),
    ],
)
def test_a_band_ends_right_below_its_bound(amount_minor: int, outcome: Outcome) -> None:
    assert BANDS.outcome_for(amount_minor) is outcome


@pytest.mark.parametrize(
    "bounds", [[], [100], [None, None], [100, 100, None], [200, 100, None], [0, None], [-5, None], [100, None, None]]
)
def test_bands_that_leave_a_gap_or_overlap_are_refused(bounds: list[int | None]) -> None:
    with pytest.raises(ValueError, match="band"):
        SafeDefaultPolicy(bands=tuple(AmountBand(below_minor=bound, outcome=Outcome.REVIEW) for bound in bounds))


BY_CHANNEL = SafeDefaultPolicy(
    bands=(
        AmountBand(channel=Channel.ECOMMERCE, outcome=Outcome.REVIEW),
        AmountBand(channel=Channel.MOTO, below_minor=10, outcome=Outcome.REVIEW),
        AmountBand(channel=Channel.MOTO, outcome=Outcome.BLOCK),
        AmountBand(below_minor=100, outcome=Outcome.APPROVE),
        AmountBand(outcome=Outcome.REVIEW),
    )
)


@pytest.mark.parametrize(
    ("channel", "outcomes"),
    [
        (Channel.ECOMMERCE, ["review", "review", "review"]),
        (Channel.MOTO, ["review", "block", "block"]),
        (Channel.CARD_PRESENT, ["approve", "approve", "review"]),
        (None, ["approve", "approve", "review"]),
    ],
)
def test_a_channel_has_bands_of_its_own_or_those_of_all(channel: Channel | None, outcomes: list[str]) -> None:
    assert [BY_CHANNEL.outcome_for(amount, channel) for amount in (9, 10, 100)] == outcomes


def test_a_channel_whose_bands_leave_a_gap_is_refused() -> None:
    gap = AmountBand(channel=Channel.MOTO, below_minor=10, outcome=Outcome.REVIEW)
    with pytest.raises(ValueError, match="band"):
        SafeDefaultPolicy(bands=(gap, AmountBand(outcome=Outcome.REVIEW)))
    with pytest.raises(ValueError, match="band"):
        SafeDefaultPolicy(bands=(AmountBand(channel=Channel.MOTO, outcome=Outcome.REVIEW),))


def test_bands_are_read_from_plain_settings() -> None:
    plain = {"bands": [{"below_minor": 5, "outcome": "block"}, {"outcome": "approve"}]}
    assert msgspec.convert(plain, SafeDefaultPolicy).outcome_for(4) is Outcome.BLOCK


def test_bands_with_a_gap_are_refused_in_settings_too() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"bands": [{"below_minor": 5, "outcome": "block"}]}, SafeDefaultPolicy)

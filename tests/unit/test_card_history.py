"""What people see of a card: its days and its latest payments, as they were."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.card_history import RecentPayment, card_history
from models.profile import BUCKET_DAYS, Profile

DAY = 86_400
NOON = 1_700_000_000 // DAY * DAY + 43_200

payments = st.lists(st.tuples(st.integers(NOON - 20 * DAY, NOON), st.integers(1, 10**9)), min_size=1, max_size=20)


def profile_of(made: list[tuple[int, int]]) -> Profile:
    profile = Profile()
    for number, (at, amount) in enumerate(made):
        profile.observe(at, amount, number, number)
    return profile


def day_of(at: int) -> date:
    return datetime.fromtimestamp(at, UTC).date()


@given(payments)
def test_each_payment_of_a_month_is_on_its_day_whatever_order_they_come_in(made: list[tuple[int, int]]) -> None:
    history = card_history(made[-1][0], profile_of(made))
    spent: dict[date, int] = {}
    for at, amount in made:
        spent[day_of(at)] = spent.get(day_of(at), 0) + amount
    told = {history.newest_day - timedelta(days=ago): each for ago, each in enumerate(history.spent_minor) if each}
    assert told == spent
    assert history.newest_day == max(spent)
    assert history.payments == len(made)
    assert history.spent_minor[-1] > 0


@given(payments)
def test_the_latest_say_how_long_before_the_payment_they_were_made(made: list[tuple[int, int]]) -> None:
    now = made[-1][0]
    history = card_history(now, profile_of(made))
    assert history.recent[-1] == RecentPayment(0, made[-1][1])
    kept = [(now - each.seconds_before, each.amount_minor) for each in history.recent]
    rest = iter(made)
    assert all(each in rest for each in kept)  # in the order of arrival


def test_of_a_month_nothing_more_is_told_than_is_remembered() -> None:
    history = card_history(NOON, profile_of([(NOON - days * DAY, 100) for days in range(100, -1, -1)]))
    assert history.spent_minor == (100,) * BUCKET_DAYS
    assert history.usual_minor == 100

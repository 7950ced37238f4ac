"""What pages show of a case, in people's words and figures."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from msgspec import structs
from support.reviews import REVIEWED_AT, an_opening

from models.card_history import CardHistory, RecentPayment
from models.score import Contribution
from rules.decision import Outcome
from rules.review_case import Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy
from streams.reviewing.kept_case import KeptCase
from streams.reviewing.web.chart import HEIGHT, WIDTH
from streams.reviewing.web.views import amount, bars_of, card_of, is_open, left, line_of

NOW = REVIEWED_AT
ANN = Reviewer(name="ann")


def kept(**changes: object) -> KeptCase:
    opening = an_opening(1, ReviewPolicy(), **changes)
    return KeptCase(case=opening.case, version=0, decision=opening.decision, place=opening.place)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(123_456, "EUR", "1,234.56 EUR"), (500, "JPY", "500 JPY"), (1_234, "BHD", "1.234 BHD"), (5, "EUR", "0.05 EUR")],
)
def test_money_is_shown_with_the_digits_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert amount(minor, currency) == shown


def test_the_time_that_is_left_is_told_until_there_is_none() -> None:
    case = kept().case
    assert left(case, NOW) == "4 h 00 min"
    assert left(case, case.due_at - timedelta(minutes=59)) == "59 min"
    assert left(case, case.due_at) == "0 min"
    assert left(case, case.due_at + timedelta(seconds=1)) == "overdue"
    assert left(case.decided(ANN, Outcome.BLOCK, VerdictReason.OTHER, NOW), NOW) == "closed"


def test_a_line_says_who_has_it_and_how_risky_it_is() -> None:
    one = kept(risk_score=0.257)
    leased = replace(one, case=one.case.leased(ANN, NOW, NOW + timedelta(minutes=30)))
    assert (line_of(leased, NOW).holder, line_of(leased, NOW).state) == ("ann", "leased")
    assert line_of(leased, NOW).risk == "25.7%"
    assert line_of(kept(risk_score=None), NOW).risk == "unknown"


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    given = (Contribution(feature="a", log_odds=0.5), Contribution(feature="b", log_odds=-2.0))
    bars = bars_of(kept(contributions=given).decision)
    assert [(each.name, each.width, each.raises, each.log_odds) for each in bars] == [
        ("b", 100, False, "-2.00"),
        ("a", 25, True, "+0.50"),
    ]
    assert bars_of(kept(contributions=()).decision) == []


def test_what_is_closed_takes_no_more_words() -> None:
    case = kept().case
    assert is_open(case, NOW)
    assert not is_open(case.displaced(NOW), NOW)


def a_history(**changes: object) -> CardHistory:
    given = CardHistory(
        payments=3,
        usual_minor=2_000,
        newest_day=date(2026, 1, 2),
        spent_minor=(5_000, 0, 2_500),
        recent=(RecentPayment(90_000, 2_500), RecentPayment(43_200, 1_000), RecentPayment(0, 4_000)),
    )
    return structs.replace(given, **changes)


def test_a_card_is_drawn_as_its_decision_tells_it() -> None:
    card = card_of(kept(card_history=a_history()).decision)
    assert card is not None
    assert (card.payments, card.usual, card.most_of_a_day) == (3, "20.00 EUR", "50.00 EUR")
    earlier, newest = card.days
    assert (newest.title, earlier.title) == ("2026-01-02: 50.00 EUR", "2025-12-31: 25.00 EUR")
    assert (newest.y, newest.height, earlier.y, earlier.height) == (0, HEIGHT, HEIGHT / 2, HEIGHT / 2)
    assert WIDTH - newest.x <= newest.x - earlier.x  # the newest day is the last on the right
    assert [(each.x, each.y, each.title) for each in card.latest] == [
        (WIDTH / 2, HEIGHT * 0.75, "12 h 00 min before: 10.00 EUR"),
        (WIDTH, 0, "this payment: 40.00 EUR"),
    ]


def test_of_payments_that_came_later_and_of_days_before_the_last_nothing_is_drawn() -> None:
    recent = (RecentPayment(-60, 1_000), RecentPayment(86_400, 1_000))
    card = card_of(kept(card_history=a_history(recent=recent, spent_minor=())).decision)
    assert card is not None
    assert (card.latest, card.days, card.most_at_once) == ([], [], "0.00 EUR")


def test_a_decision_of_before_it_was_told_draws_no_card() -> None:
    assert card_of(kept().decision) is None

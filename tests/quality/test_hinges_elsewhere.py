"""Hinges on data that nobody had in mind: our own simulator, and another logic, with few frauds to learn."""

from collections.abc import Callable

import pytest
from support.elsewhere import DAY, another_generator, own_simulator, precisions
from support.sparkov import Sparkov

from models.online import OnlineModel
from models.warm_up import Payment

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

MOST_LOST = 0.015  # of average precision


class Straight(OnlineModel):
    """The same without hinges."""

    def _should_bend(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("generator", "test_days"),
    [(another_generator, 21), (own_simulator, 10)],
    ids=["another generator", "own simulator"],
)
def test_where_few_frauds_are_known_hinges_cost_next_to_nothing(
    generator: Callable[[], list[Payment]], test_days: int
) -> None:
    bent, straight = precisions(generator(), (OnlineModel(), Straight()), test_days=test_days)
    assert bent >= straight - MOST_LOST


def test_the_other_generator_repeats_itself_and_no_other_seed() -> None:
    few = Sparkov(seed=4, customers=20, days=20)
    assert few.payments() == few.payments()
    assert few.payments() != Sparkov(seed=5, customers=20, days=20).payments()


def test_the_other_generator_abuses_few_cards_at_night_for_other_amounts() -> None:
    payments = Sparkov(seed=4, customers=300).payments()
    frauds = [each for each in payments if each.is_fraud]
    assert 0.004 < len(frauds) / len(payments) < 0.02
    nightly = [each for each in frauds if each.at % DAY // 3_600 in (22, 23, 0, 1, 2, 3)]
    assert len(nightly) > 0.8 * len(frauds)
    assert [each.at for each in payments] == sorted(each.at for each in payments)

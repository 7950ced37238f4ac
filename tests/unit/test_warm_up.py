"""Warm-up: nobody learns a label before it is known, and everybody after."""

import pytest
from support.simulated import first

from models.activity import activity
from models.features import FEATURES, features
from models.marks import marks_of
from models.paid import Paid
from models.profile import Profile
from models.profile_packing import pack
from models.track_record import Wanted
from models.warm_up import Payment, WarmUp, prequential
from streams.operating.warming import payment_of

DAY = 86_400
START = 20_000 * DAY


def payment(day: float, *, card: str = "card", acceptor: str = "shop", is_fraud: bool = False) -> Payment:
    return Payment(START + day * DAY, f"tx-{day}", card, acceptor, 1_000, "EUR", is_fraud)


def features_of_a_new_card(paid: Paid) -> list[float]:
    return features(START, paid, marks_of(paid), Profile(), activity(START, Profile()), None, None)


def test_a_label_is_learnt_seven_days_after_its_payment_and_not_before():
    warm_up = WarmUp()
    warm_up.live(payment(0))
    warm_up.live(payment(6.999))
    assert warm_up.learner.model.labels == 0
    warm_up.live(payment(7))
    assert warm_up.learner.model.labels == 1


def test_a_fraud_shows_in_features_once_its_label_is_known():
    warm_up = WarmUp()
    warm_up.live(payment(0, is_fraud=True))
    early, late = warm_up.live(payment(6)), warm_up.live(payment(8))
    known, run = FEATURES.index("card_fraud_known"), FEATURES.index("merchant_fraud_run")
    assert (early.features[known], early.features[run]) == (0.0, 0.0)
    assert (late.features[known], late.features[run]) == (1.0, 1.0)


def test_a_payment_is_not_part_of_its_own_history():
    scored = WarmUp().live(payment(0))
    assert scored.features[FEATURES.index("card_history")] == 0.0


def test_a_simulated_payment_shows_what_a_worker_would_see_in_its_transaction():
    for simulated in first(300):
        payment, transaction = payment_of(simulated), simulated.transaction
        assert marks_of(payment) == marks_of(transaction)
        assert features_of_a_new_card(payment) == features_of_a_new_card(transaction)


def test_what_is_new_to_a_card_is_known_at_its_next_payment():
    warm_up = WarmUp()
    shops = [warm_up.live(payment(day, acceptor=shop)).features for day, shop in ((0, "a"), (1, "b"), (2, "a"))]
    assert [row[FEATURES.index("merchant_is_new")] for row in shops] == [0.0, 1.0, 0.0]


def test_profiles_are_kept_per_card():
    warm_up = WarmUp()
    for _ in prequential([payment(0, card="a"), payment(1, card="a"), payment(1.5, card="b")], warm_up):
        pass
    assert {card: profile.n for card, profile in warm_up.profiles.items()} == {"a": 2, "b": 1}
    assert len(pack(warm_up.profiles["a"])) <= 400


def test_merchants_without_fraud_are_not_published():
    warm_up = WarmUp()
    warm_up.live(payment(0, acceptor="good"))
    warm_up.live(payment(0.5, acceptor="bad", is_fraud=True))
    warm_up.settle()
    assert warm_up.published("good", START + DAY) is None
    assert warm_up.published("bad", START + DAY) is not None
    assert warm_up.published("bad", START + 60 * DAY) is None


def test_settling_learns_all_that_remains():
    warm_up = WarmUp()
    for day in range(5):
        warm_up.live(payment(day))
    assert warm_up.unlabelled == 5
    assert warm_up.settle() == 5
    assert (warm_up.unlabelled, warm_up.learner.model.labels) == (0, 5)


def test_scores_are_given_from_the_time_asked_for():
    steps = list(prequential([payment(0), payment(1)], WarmUp(), score_from=START + DAY))
    assert [step.fraud_probability for step in steps] == [None, 0.5]


def test_the_score_is_the_one_before_anything_later_is_learnt():
    payments = [payment(day / 10, is_fraud=day % 3 == 0) for day in range(150)]
    whole = [step.fraud_probability for step in prequential(payments, WarmUp())]
    part = [step.fraud_probability for step in prequential(payments[:100], WarmUp())]
    assert whole[:100] == part


def test_its_scores_leave_a_track_record_whether_anybody_read_them_or_not():
    history = [payment(day / 100, is_fraud=day % 5 == 0) for day in range(1_300)]
    read, unread = WarmUp(wanted=lambda *_: Wanted.APPROVE), WarmUp(wanted=lambda *_: Wanted.APPROVE)
    for each in history:
        read.live(each)
        unread.live(each, score=False)
    read.settle()
    unread.settle()
    for warm_up in (read, unread):
        known = warm_up.learner.model.track_record.outcomes[Wanted.APPROVE]
        assert known.fraud.sum() + known.legitimate.sum() > 900
        assert not warm_up.learner.model.track_record.outcomes[Wanted.REVIEW].legitimate.any()


def test_another_delay_of_labels_can_be_lived_through():
    warm_up = WarmUp(label_delay=DAY)
    warm_up.live(payment(0))
    warm_up.live(payment(1))
    assert warm_up.learner.model.labels == pytest.approx(1)

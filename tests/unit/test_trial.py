"""The trial: who is no worse is not convicted, who is worse soon, also after a long good life and over a restart."""

import json

import numpy as np
import pytest

from models.trial import BETS, Trial

FRAUD_SHARE = 0.01


def stream(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True log-odds of payments, about one in a hundred a fraud, and what they turned out to be."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-6.5, 2.0, count)
    return log_odds, chance.random(count) < told(log_odds)


def told(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def convicted_after(champion: np.ndarray, reference: np.ndarray, outcomes: np.ndarray, step: int = 50) -> int | None:
    trial = Trial(reference="v1")
    for begin in range(0, len(outcomes), step):
        part = slice(begin, begin + step)
        trial.take(champion[part], reference[part], outcomes[part].tolist())
        if trial.is_worse:
            return begin + step
    return None


@pytest.mark.parametrize("seed", range(4))
def test_one_that_is_as_good_is_not_convicted(seed: int) -> None:
    log_odds, outcomes = stream(60_000, seed=seed)
    chance = np.random.default_rng(seed + 100)
    one, other = (told(log_odds + chance.normal(0.0, 0.5, len(log_odds))) for _ in range(2))
    assert convicted_after(one, other, outcomes, 5_000) is None


def test_one_that_is_better_is_not_convicted() -> None:
    log_odds, outcomes = stream(60_000, seed=1)
    chance = np.random.default_rng(2)
    assert convicted_after(told(log_odds), told(log_odds + chance.normal(0.0, 1.0, 60_000)), outcomes, 5_000) is None


WORSE = {
    "inverted": (lambda log_odds: -log_odds, 50),
    "all is fraud": (lambda log_odds: np.full_like(log_odds, 3.0), 100),
    "suspects ten times as much": (lambda log_odds: log_odds + 2.3, 5_000),
    "knows the base rate only": (lambda log_odds: np.full_like(log_odds, np.log(FRAUD_SHARE)), 15_000),
    "sees no fraud": (lambda log_odds: np.full_like(log_odds, -12.0), 10_000),
}


@pytest.mark.parametrize(("spoil", "within"), WORSE.values(), ids=WORSE)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_that_is_worse_is_convicted_soon(spoil, within: int, seed: int) -> None:
    log_odds, outcomes = stream(within, seed=seed)
    assert convicted_after(told(spoil(log_odds)), told(log_odds), outcomes) is not None


def test_a_long_good_life_is_no_credit() -> None:
    log_odds, outcomes = stream(42_000, seed=5)
    noise = np.random.default_rng(6).normal(0.0, 1.0, len(log_odds))
    champion = told(np.where(np.arange(len(log_odds)) < 40_000, log_odds, -log_odds))
    reference = told(log_odds + np.where(np.arange(len(log_odds)) < 40_000, noise, 0.0))
    after = convicted_after(champion, reference, outcomes)
    assert after is not None
    assert 40_000 < after <= 40_100


def test_a_trial_goes_on_over_a_restart() -> None:
    log_odds, outcomes = stream(4_000, seed=3)
    champion, reference = told(log_odds + 1.0), told(log_odds)
    one = Trial(reference="v1")
    one.take(champion, reference, outcomes.tolist())
    other = Trial(reference="v1")
    other.take(champion[:1_500], reference[:1_500], outcomes[:1_500].tolist())
    other = Trial.from_plain(json.loads(json.dumps(other.to_plain())))
    other.take(champion[1_500:], reference[1_500:], outcomes[1_500:].tolist())
    assert other.payments == one.payments == 4_000
    assert other._log_wealth == one._log_wealth
    assert other.lost_more == pytest.approx(one.lost_more)


def test_what_is_no_trial_is_refused() -> None:
    plain = Trial(reference="v1").to_plain()
    with pytest.raises(ValueError, match="2 bets"):
        Trial.from_plain(plain | {"log_wealth": [0.0, 0.0]})
    assert len(plain["log_wealth"]) == len(BETS)

"""How good the probabilities are, by the measures and the protocol of the Fraud Detection Handbook (chapters 4 and 5).

Everything works on plain arrays of one row per transaction, in order of time: `day` or seconds, `card`, `is_fraud` and
`probability`. Ties in probability are given their due: no measure depends on the order of equal scores.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.daily import SECONDS_PER_DAY

TRAINING_DAYS = 7
DELAY_DAYS = 7
TEST_DAYS = 7
CALIBRATION_BINS = 20

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Anything = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Area under the ROC curve, average precision, and the daily share of defrauded among the k most suspect cards.

    NaN where the measure has no meaning: no fraud, or nothing but fraud. The calibration error is that of
    `expected_calibration_error`.
    """

    transactions: int
    frauds: int
    auc: float
    average_precision: float
    card_precision: float
    k: int
    calibration_error: float


def auc(is_fraud: Anything, probability: Anything) -> float:
    """Chance that a fraud scores above a legitimate one, ties counted half; NaN without both."""
    fraud = np.asarray(is_fraud, dtype=bool)
    frauds = int(fraud.sum())
    others = fraud.size - frauds
    if not frauds or not others:
        return float("nan")
    _, which, counts = np.unique(np.asarray(probability, dtype=float), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]  # from 1, the mean rank for ties
    return float((ranks[fraud].sum() - frauds * (frauds + 1) / 2) / (frauds * others))


def average_precision(is_fraud: Anything, probability: Anything) -> float:
    """Precision averaged over the recall gained at each distinct score; NaN without fraud."""
    fraud = np.asarray(is_fraud, dtype=bool)
    if not fraud.any():
        return float("nan")
    order = np.argsort(-np.asarray(probability, dtype=float), kind="stable")
    ranked = np.asarray(probability, dtype=float)[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    found = np.cumsum(fraud[order])[last_of_tie]
    precision = found / (last_of_tie + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / fraud.sum())


def expected_calibration_error(is_fraud: Anything, probability: Anything, *, bins: int = CALIBRATION_BINS) -> float:
    """How far the mean probability of a bin is from its share of fraud, over all rows; bins end at quantiles.

    Of bins with equal width (Guo et al. 2017) nearly all rows would be in the first: fraud is rare. NaN without rows.
    """
    fraud, told = np.asarray(is_fraud, dtype=float), np.asarray(probability, dtype=float)
    if not fraud.size:
        return float("nan")
    edges = np.quantile(told, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    off = np.bincount(np.searchsorted(edges, told, side="right"), weights=told - fraud)
    return float(np.abs(off).sum() / fraud.size)


def card_precision(day: Anything, card: Anything, is_fraud: Anything, probability: Anything, *, k: int = 100) -> float:
    """Mean over days of the share of truly defrauded among the k cards with the highest score of that day.

    A card found on one day is blocked from then on: its later transactions are not looked at.
    """
    day, fraud = np.asarray(day), np.asarray(is_fraud, dtype=bool)
    names, cards = np.unique(np.asarray(card), return_inverse=True)
    found = np.zeros(names.size, dtype=bool)
    shares = []
    for today in np.unique(day):
        rows = (day == today) & ~found[cards]
        suspects, defrauded = _most_suspect(cards[rows], fraud[rows], np.asarray(probability)[rows], k)
        found[suspects[defrauded]] = True
        shares.append(defrauded.sum() / k)
    return float(np.mean(shares)) if shares else float("nan")


def handbook_test_rows(seconds: Anything, card: Anything, is_fraud: Anything, *, first_day: int) -> Flags:
    """The rows of the Handbook's test week that starts on `first_day` (days since the epoch of `seconds`).

    Cards known to be defrauded are left out: by the training week that ends DELAY_DAYS before the test week, and by
    every day whose labels have come by the day tested.
    """
    day = np.asarray(seconds) // SECONDS_PER_DAY
    fraud = np.asarray(is_fraud, dtype=bool)
    _, cards = np.unique(np.asarray(card), return_inverse=True)
    rows = np.zeros(day.size, dtype=bool)
    for tested in range(first_day, first_day + TEST_DAYS):
        known_days = (day >= first_day - DELAY_DAYS - TRAINING_DAYS) & (day < tested - DELAY_DAYS)
        rows |= (day == tested) & ~np.isin(cards, cards[known_days & fraud])
    return rows


def quality(seconds: Anything, card: Anything, is_fraud: Anything, probability: Anything, *, k: int = 100) -> Quality:
    """All measures on the rows given. Raises ValueError for NaN: rows nobody scored are the caller's to leave out."""
    if np.isnan(np.asarray(probability, dtype=float)).any():
        raise ValueError("some rows have no probability")
    fraud = np.asarray(is_fraud, dtype=bool)
    return Quality(
        transactions=fraud.size,
        frauds=int(fraud.sum()),
        auc=auc(fraud, probability),
        average_precision=average_precision(fraud, probability),
        card_precision=card_precision(np.asarray(seconds) // SECONDS_PER_DAY, card, fraud, probability, k=k),
        k=k,
        calibration_error=expected_calibration_error(fraud, probability),
    )


def handbook_quality(
    seconds: Anything, card: Anything, is_fraud: Anything, probability: Anything, *, first_day: int, k: int = 100
) -> Quality:
    """All measures on the Handbook's test week that starts on `first_day`."""
    rows = handbook_test_rows(seconds, card, is_fraud, first_day=first_day)
    return quality(
        np.asarray(seconds)[rows],
        np.asarray(card)[rows],
        np.asarray(is_fraud)[rows],
        np.asarray(probability)[rows],
        k=k,
    )


def _most_suspect(cards: Anything, fraud: Flags, probability: Floats, k: int) -> tuple[Anything, Flags]:
    """The k cards with the highest score, and which of them were defrauded; ties go to the smaller card number."""
    names, which = np.unique(cards, return_inverse=True)
    highest = np.full(names.size, -np.inf)
    np.maximum.at(highest, which, probability)
    defrauded = np.zeros(names.size, dtype=bool)
    np.logical_or.at(defrauded, which, fraud)
    chosen = np.argsort(-highest, kind="stable")[:k]
    return names[chosen], defrauded[chosen]

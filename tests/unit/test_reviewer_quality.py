"""Agreement is that of the published formula, and drift is of the reviewer and not of the cases."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decision import Outcome
from rules.reviewer_quality import DRIFTING, KnownVerdict, agreement, cohens_kappa, drifts

APPROVE, BLOCK = Outcome.APPROVE, Outcome.BLOCK
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
OUTCOMES = st.sampled_from([APPROVE, BLOCK])
PAIRS = st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=1, max_size=60)


def pairs_of(both_approve: int, first_only: int, second_only: int, both_block: int) -> list[tuple[Outcome, Outcome]]:
    return (
        [(APPROVE, APPROVE)] * both_approve
        + [(APPROVE, BLOCK)] * first_only
        + [(BLOCK, APPROVE)] * second_only
        + [(BLOCK, BLOCK)] * both_block
    )


def plain_kappa(shares: dict[tuple[Outcome, Outcome], float]) -> float:
    """As a function of the four shares, by the definition."""
    one = shares[APPROVE, APPROVE] + shares[APPROVE, BLOCK]
    other = shares[APPROVE, APPROVE] + shares[BLOCK, APPROVE]
    by_chance = one * other + (1 - one) * (1 - other)
    return (shares[APPROVE, APPROVE] + shares[BLOCK, BLOCK] - by_chance) / (1 - by_chance)


def by_the_delta_method(pairs: list[tuple[Outcome, Outcome]]) -> float:
    """The standard error of kappa from its slopes, worked out by small steps, and the multinomial covariance."""
    cells = [(one, other) for one in (APPROVE, BLOCK) for other in (APPROVE, BLOCK)]
    counts = Counter(pairs)
    shares = {cell: counts[cell] / len(pairs) for cell in cells}
    step = 1e-6
    slopes = {}
    for cell in cells:  # each at the cost of all, so that shares stay shares
        up = {each: (share + step * (each == cell)) / (1 + step) for each, share in shares.items()}
        slopes[cell] = (plain_kappa(up) - plain_kappa(shares)) / step
    mean = sum(shares[cell] * slopes[cell] for cell in cells)
    return sqrt(sum(shares[cell] * (slopes[cell] - mean) ** 2 for cell in cells) / len(pairs))


def test_kappa_is_that_of_a_worked_example() -> None:
    found = cohens_kappa(pairs_of(20, 5, 10, 15))
    assert found is not None
    assert (found.pairs, found.observed) == (50, pytest.approx(0.7))
    assert found.kappa == pytest.approx(0.4)


@pytest.mark.parametrize("counts", [(20, 5, 10, 15), (90, 4, 3, 3), (5, 30, 20, 6), (40, 0, 12, 40)])
def test_the_interval_is_that_of_the_delta_method(counts: tuple[int, int, int, int]) -> None:
    pairs = pairs_of(*counts)
    found = cohens_kappa(pairs)
    assert found is not None
    margin = 1.959964 * by_the_delta_method(pairs)
    assert found.high - found.kappa == pytest.approx(min(margin, 1 - found.kappa), rel=1e-3)
    assert found.kappa - found.low == pytest.approx(min(margin, found.kappa + 1), rel=1e-3)


@given(PAIRS)
def test_kappa_is_within_its_interval_and_knows_no_order(pairs: list[tuple[Outcome, Outcome]]) -> None:
    found = cohens_kappa(pairs)
    if found is None:
        assert len({word for pair in pairs for word in pair}) == 1
        return
    assert -1 <= found.low <= found.kappa + 1e-12
    assert found.kappa - 1e-12 <= found.high <= 1
    turned = cohens_kappa([(other, one) for one, other in reversed(pairs)])
    assert turned is not None
    assert turned.kappa == pytest.approx(found.kappa)
    assert (found.kappa == pytest.approx(1)) == all(one is other for one, other in pairs)


def test_of_nothing_and_of_what_chance_explains_nothing_is_said() -> None:
    assert cohens_kappa([]) is None
    assert cohens_kappa([(APPROVE, APPROVE)] * 9) is None


def verdict(
    case: int, reviewer: str, outcome: Outcome, *, risk: float | None = 0.3, blind: bool = False, week: int = 0
) -> KnownVerdict:
    at = MONDAY + timedelta(weeks=week, hours=case % 100)
    return KnownVerdict(case_id=f"d.{case}", reviewer=reviewer, outcome=outcome, risk=risk, at=at, blind=blind)


def test_only_cases_looked_at_twice_count_and_each_reviewer_against_the_others() -> None:
    verdicts = [verdict(number, "ann", BLOCK if number % 2 else APPROVE) for number in range(20)]
    verdicts += [verdict(number, "bob", BLOCK if number % 2 else APPROVE, blind=True) for number in range(10)]
    verdicts += [verdict(number, "cleo", APPROVE if number % 2 else BLOCK, blind=True) for number in range(10, 14)]
    everybody, ann, cleo = (agreement(verdicts, name) for name in (None, "ann", "cleo"))
    assert everybody is not None
    assert everybody == ann
    assert (everybody.pairs, everybody.observed) == (14, pytest.approx(10 / 14))
    assert cleo is not None
    assert (cleo.pairs, cleo.kappa) == (4, -1.0)
    assert agreement(verdicts, "dan") is None


def dealt(rates: dict[str, float], *, risks: dict[str, float] | None = None, seed: int = 1) -> list[KnownVerdict]:
    """400 cases of each reviewer, who block so large a share of them."""
    random = Random(seed)
    risk = risks or {}
    return [
        verdict(number, name, BLOCK if random.random() < rate else APPROVE, risk=risk.get(name, 0.3))
        for name, rate in rates.items()
        for number in range(400)
    ]


def test_who_blocks_more_than_the_others_is_seen_and_the_others_are_not() -> None:
    verdicts = dealt({"ann": 0.3, "bob": 0.3, "cleo": 0.3, "dan": 0.3, "eve": 0.6})
    found = {each.reviewer: each for each in drifts(verdicts)}
    assert found["eve"].is_drifting
    assert found["eve"].blocked_more > 0.15
    assert found["eve"].deviations is not None
    assert found["eve"].deviations > DRIFTING
    assert all(found[name].blocked_more < 0 for name in ("ann", "bob", "cleo", "dan"))


def test_whoever_is_dealt_riskier_cases_is_not_taken_for_severe() -> None:
    calm = {"ann": 0.1, "bob": 0.1}
    severe = {"cleo": 0.7, "dan": 0.7}
    risky = {"cleo": 0.9, "dan": 0.9}
    assert not any(each.is_drifting for each in drifts(dealt(calm | severe, risks=risky)))
    assert any(each.is_drifting for each in drifts(dealt(calm | severe)))


def test_reviewers_who_decide_alike_seldom_look_otherwise() -> None:
    rates = dict.fromkeys(("ann", "bob", "cleo", "dan"), 0.3)
    found = [each for seed in range(50) for each in drifts(dealt(rates, seed=seed))]
    assert sum(each.is_drifting for each in found) <= 4  # of 200, at 0.27 %


def test_drift_is_told_week_by_week_of_monday_and_blind_verdicts_do_not_count() -> None:
    verdicts = [verdict(1, "ann", BLOCK), verdict(2, "bob", APPROVE), verdict(3, "ann", BLOCK, week=1)]
    verdicts.append(verdict(4, "cleo", BLOCK, blind=True))
    found = drifts(verdicts)
    assert [(each.reviewer, each.week) for each in found] == [
        ("ann", date(2026, 1, 5)),
        ("bob", date(2026, 1, 5)),
        ("ann", date(2026, 1, 12)),
    ]
    assert found[2].deviations is None  # nobody else decided that week
    assert (found[0].deviations, found[1].deviations) == (pytest.approx(1.0), pytest.approx(-1.0))


@given(st.lists(st.tuples(st.sampled_from("abc"), OUTCOMES, st.none() | st.floats(0, 1)), max_size=40))
def test_what_some_block_more_others_block_less(found: list[tuple[str, Outcome, float | None]]) -> None:
    verdicts = [verdict(number, name, outcome, risk=risk) for number, (name, outcome, risk) in enumerate(found)]
    weeks = drifts(verdicts)
    assert sum(each.verdicts for each in weeks) == len(verdicts)
    by_week: Counter[date] = Counter()
    for each in weeks:
        by_week[each.week] += each.blocked_more * each.verdicts  # type: ignore[assignment]
    assert all(total == pytest.approx(0, abs=1e-9) for total in by_week.values())

"""The exam: what is spoilt does not pass, whatever spoilt it, and what goes on learning does."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
from support.labelled_rows import labelled_rows, taught
from support.sabotage import probed

from models import exam as exams
from models.exam import Exam, Refusal
from models.examples import pack_features
from models.hinges import Hinges
from models.snapshot import Column, Snapshot

CHAMPION = taught(2_000).snapshot()


def still() -> float:
    return 0.0


def sat(
    candidate: Snapshot, champion: Snapshot | None = CHAMPION, *, rows: int = 1_000, clock: Callable[[], float] = still
):
    exam = Exam(clock)
    for row, is_fraud in zip(*labelled_rows(rows, seed=11), strict=True):
        exam.add(row, is_fraud=is_fraud)
    return exam.judge(candidate, champion)


def with_columns(change: Callable[[Column], Column], *, intercept: float = CHAMPION.scored_intercept) -> Snapshot:
    """A champion that was tampered with by somebody who knows how to make its probes fit again."""
    return probed(replace(CHAMPION, columns=tuple(map(change, CHAMPION.columns)), scored_intercept=intercept))


SABOTAGED = {
    "inverted": (with_columns(lambda each: replace(each, scored_weight=-each.scored_weight)), Refusal.WORSE),
    "all is fraud": (with_columns(lambda each: each, intercept=6.0), Refusal.WORSE),
    "nothing is": (with_columns(lambda each: each, intercept=-40.0), Refusal.CONSTANT),
    "exploded": (with_columns(lambda each: replace(each, scored_weight=1e3 * each.scored_weight)), Refusal.WORSE),
    "shuffled": (
        replace(CHAMPION, columns=CHAMPION.columns[5:] + CHAMPION.columns[:5], probes=()),
        Refusal.WORSE,
    ),
    "constant": (with_columns(lambda each: replace(each, scored_weight=0.0)), Refusal.CONSTANT),
    "endless weights": (
        replace(
            CHAMPION,
            columns=tuple(replace(each, scored_weight=1e308 * (-1) ** n) for n, each in enumerate(CHAMPION.columns)),
            probes=(),
        ),
        Refusal.UNSOUND,
    ),
    "not a number": (with_columns(lambda each: replace(each, scored_weight=float("nan"))), Refusal.UNSOUND),
    "another's probes": (replace(CHAMPION, scored_intercept=CHAMPION.scored_intercept + 0.1), Refusal.UNSOUND),
}


@pytest.mark.parametrize(("candidate", "refusal"), SABOTAGED.values(), ids=SABOTAGED)
def test_what_was_sabotaged_does_not_pass(candidate: Snapshot, refusal: Refusal) -> None:
    assert sat(candidate).refusal is refusal


@pytest.mark.parametrize("labels", [1_900, 2_000, 2_100, 3_000])
def test_what_has_learnt_a_little_more_or_less_passes(labels: int) -> None:
    verdict = sat(taught(labels).snapshot())
    assert verdict.refusal is None
    assert set(verdict.measured) == {
        f"{whose}_{what}"
        for whose in ("champion", "candidate")
        for what in ("average_precision", "log_loss", "spread", "seconds")
    }


def test_each_step_of_a_model_that_learns_passes_against_the_one_before() -> None:
    exam, champion = Exam(still), None
    for labels in range(500, 4_001, 250):
        exam_rows = zip(*labelled_rows(labels), strict=True)
        for row, is_fraud in list(exam_rows)[-250:]:
            exam.add(row, is_fraud=is_fraud)
        candidate = taught(labels).snapshot()
        assert exam.judge(candidate, champion).refusal is None, labels
        champion = candidate


@pytest.mark.parametrize(("times", "refusal"), [(1.0, None), (2.9, None), (3.1, Refusal.SLOW)])
def test_a_model_that_takes_long_does_not_pass(times: float, refusal: Refusal | None) -> None:
    calls = count()
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.01 if next(calls) < 2 * exams._TRIES else 0.01 * times
        return now

    assert sat(CHAMPION, clock=clock).refusal is refusal


def test_a_slow_champion_is_no_excuse_below_the_bound_and_no_reason_to_refuse() -> None:
    steps = iter([0.0, 0.0001] * exams._TRIES + [0.0, 0.0049] * exams._TRIES)
    assert sat(CHAMPION, clock=lambda: next(steps)).refusal is None


def test_one_try_that_nothing_disturbed_clears_a_model() -> None:
    disturbed = [0.0, 0.5] * (exams._TRIES - 1) + [0.0, 0.0004]
    steps = iter([0.0, 0.0005] * exams._TRIES + disturbed)
    assert sat(CHAMPION, clock=lambda: next(steps)).refusal is None


@pytest.mark.parametrize("rows", [0, 1, 150])
def test_with_too_few_labels_only_what_is_broken_fails(rows: int) -> None:
    assert sat(SABOTAGED["inverted"][0], rows=rows).refusal is None
    assert sat(SABOTAGED["not a number"][0], rows=rows).refusal is Refusal.UNSOUND


def test_the_first_model_is_held_against_nobody() -> None:
    assert sat(SABOTAGED["inverted"][0], None).refusal is None
    assert sat(SABOTAGED["endless weights"][0], None).refusal is Refusal.UNSOUND


def test_an_exam_remembers_the_newest_and_frauds_for_longer() -> None:
    exam = Exam(still)
    for number in range(exams.ROWS + 10):
        exam.add([float(number)], is_fraud=number < 5)
    rows, outcomes = exam._sheet()
    assert rows.shape == (exams.ROWS + 5, 1)
    assert rows[0, 0] == 10.0
    assert outcomes.sum() == 5


# On the latest payments of all


HISTORY = CHAMPION.hinges.names.index("card_history")
SETTLED = replace(CHAMPION, labels=exams.SETTLED_LABELS)


def sat_today(candidate: Snapshot, champion: Snapshot = SETTLED, *, rows: int = 1_000):
    """What comes today are cards with longer histories than any that was labelled."""
    exam = Exam(still)
    for row, is_fraud in zip(*labelled_rows(1_000, seed=11), strict=True):
        exam.add(row, is_fraud=is_fraud)
    for row, _ in zip(*labelled_rows(rows, seed=12), strict=True):
        exam.saw(pack_features([*row[:HISTORY], 500.0 + row[HISTORY], *row[HISTORY + 1 :]]))
    return exam.judge(candidate, champion)


def with_long_histories(log_odds: float) -> Snapshot:
    """A model that says the same of all that was labelled, and something else of long histories."""
    knots = list(SETTLED.hinges.knots)
    knots[HISTORY] = (*knots[HISTORY], 5.5)
    hinges = Hinges(names=SETTLED.hinges.names, knots=tuple(knots))
    columns = dict(zip(SETTLED.hinges.columns, SETTLED.columns, strict=True))
    added = Column(count=1, mean=0.0, variance=0.49, weight=0.0, scored_weight=log_odds, gradient_squares=0.0)
    return replace(
        SETTLED, hinges=hinges, columns=tuple(columns.get(each, added) for each in hinges.columns), probes=()
    )


def test_what_judges_the_past_well_and_today_strangely_does_not_pass() -> None:
    assert sat(with_long_histories(6.0), SETTLED).refusal is None
    verdict = sat_today(with_long_histories(6.0))
    assert verdict.refusal is Refusal.STRANGE
    assert verdict.measured["candidate_mean"] > 3 * verdict.measured["champion_mean"] + 0.01


def test_what_knows_nothing_of_today_does_not_pass() -> None:
    assert sat_today(with_columns(lambda each: replace(each, scored_weight=-each.scored_weight / 50))).refusal in (
        Refusal.WORSE,
        Refusal.STRANGE,
    )


@pytest.mark.parametrize("labels", [2_100, 3_000])
def test_what_has_learnt_on_is_not_strange(labels: int) -> None:
    verdict = sat_today(taught(labels).snapshot())
    assert verdict.refusal is None
    assert verdict.measured["correlation"] > 0.7


def test_today_says_nothing_of_a_champion_in_its_infancy_nor_by_a_few_payments() -> None:
    assert sat_today(with_long_histories(6.0), replace(SETTLED, labels=exams.SETTLED_LABELS - 1)).refusal is None
    assert sat_today(with_long_histories(6.0), rows=exams.LEAST_ROWS - 1).refusal is None
    assert sat_today(with_long_histories(6.0), rows=exams.LEAST_ROWS).refusal is Refusal.STRANGE

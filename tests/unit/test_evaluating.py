"""`holdfast evaluate`: a labelled file in, measures, a page and JSON out."""

import csv
import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from support.sparkov import Sparkov
from typer.testing import CliRunner, Result

from streams.operating.cli import main

DAYS = 63
COLUMNS = ("transaction_id", "seconds", "pan_token", "terminal_id", "amount_minor", "currency", "is_fraud")


@cache
def lines() -> list[tuple[object, ...]]:
    """A few cards, much abused."""
    payments = Sparkov(seed=3, customers=50, days=DAYS, abused_share=0.3).payments()
    begin = min(each.at for each in payments) // 86_400 * 86_400
    return [
        (number, int(each.at - begin), each.card, each.acceptor, each.amount_minor, each.currency, int(each.is_fraud))
        for number, each in enumerate(payments)
    ]


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    file = tmp_path / "labelled.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([COLUMNS, *lines()])
    return file


def evaluate(*arguments: object) -> Result:
    environment = {"COLUMNS": "120", "HOLDFAST_SETTINGS": None}
    return CliRunner(env=environment).invoke(main, ["evaluate", *map(str, arguments)])


def measured(*arguments: object) -> dict:
    done = evaluate(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_all_whole_weeks_are_measured_and_those_of_all_together_stand_at_the_top(labelled: Path) -> None:
    found = measured(labelled)
    assert [week["first_day"] for week in found["weeks"]] == [35, 42, 49, 56]
    assert (found["test_day"], found["days"]) == (35, 28)
    assert found["frauds"] == sum(week["frauds"] for week in found["weeks"])
    assert 0 < found["average_precision"] <= 1
    assert found["money"]["USD"]["saved_minor"] > 0
    assert found["against"] == {}


def test_from_a_test_day_on_weeks_are_counted_from_there(labelled: Path) -> None:
    assert [week["first_day"] for week in measured(labelled, "--test-day", 50)["weeks"]] == [50]


def test_the_measures_of_a_week_do_not_depend_on_what_else_is_measured(labelled: Path) -> None:
    alone, among = measured(labelled, "--test-day", 56), measured(labelled, "--test-day", 42)
    assert alone["weeks"][0] == among["weeks"][-1]


def test_costs_are_those_of_the_settings(labelled: Path, tmp_path: Path) -> None:
    settings = tmp_path / "holdfast.toml"
    settings.write_text("[policy]\nreview_minor = 0\n", "utf-8")
    done = CliRunner().invoke(
        main, ["--settings", str(settings), "evaluate", str(labelled), "--test-day", "56", "--json"]
    )
    assert json.loads(done.stdout)["money"]["USD"]["review_all_minor"] == 0


def test_the_page_needs_nothing_else(labelled: Path, tmp_path: Path) -> None:
    done = evaluate(labelled, "--report", tmp_path / "out")
    page = (tmp_path / "out" / "evaluation.html").read_text("utf-8")
    assert done.exit_code == 0
    assert re.findall(r"(?:src|href)=[\"'](?!#)", page) == []
    assert "url(http" not in page
    assert "prefers-color-scheme:dark" in page
    assert "average precision" in page


def test_pictures_take_their_colours_from_the_page(labelled: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    evaluate(labelled, "--test-day", 56, "--report", tmp_path)
    page = (tmp_path / "evaluation.html").read_text("utf-8")
    assert page.count("<svg") == 6
    assert "var(--main)" in page
    assert set(re.findall(r"(?:stroke|fill): (#[0-9a-f]{6})", page)) == set()


def test_the_rival_is_measured_on_the_same_payments(labelled: Path) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed: the optional group `compare`")
    found = measured(labelled, "--test-day", 56, "--against", "xgboost", "--against-trees", 5)
    rival = found["against"]["xgboost, daily"]
    assert (rival["transactions"], rival["frauds"]) == (found["transactions"], found["frauds"])
    assert rival["average_precision"] > 2 * found["frauds"] / found["transactions"]


def test_without_the_rival_it_says_what_to_install(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    done = evaluate(labelled, "--test-day", 56, "--against", "xgboost")
    assert done.exit_code == 2
    assert "holdfast[compare]" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a labelled file, or say --topics"),
        (("--topics", "--against", "xgboost"), "a rival needs a labelled file"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: tuple[str, ...], said: str) -> None:
    done = evaluate(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_file_that_is_too_short_says_so(labelled: Path) -> None:
    done = evaluate(labelled, "--test-day", DAYS - 3)
    assert done.exit_code == 2
    assert "there is no whole week" in done.output

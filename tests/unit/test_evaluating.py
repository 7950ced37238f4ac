"""`holdfast evaluate`: a labelled file in, measures, a page and JSON out."""

import csv
import json
import re
import sys
from pathlib import Path

import pytest
from support.sparkov import Sparkov
from typer.testing import CliRunner, Result

from streams.operating.cli import main

DAYS = 56
COLUMNS = ("transaction_id", "seconds", "pan_token", "terminal_id", "amount_minor", "currency", "is_fraud")


def lines() -> list[tuple[object, ...]]:
    """A few cards, much abused."""
    payments = Sparkov(seed=3, customers=30, days=DAYS, abused_share=0.3).payments()
    begin = min(each.at for each in payments) // 86_400 * 86_400
    return [
        (number, int(each.at - begin), each.card, each.acceptor, each.amount_minor, each.currency, int(each.is_fraud))
        for number, each in enumerate(payments)
    ]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("evaluating") / "labelled.csv"
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


@pytest.fixture(scope="module")
def found(labelled: Path) -> dict:
    return measured(labelled, "--report", labelled.parent)


@pytest.fixture(scope="module")
def page(found: dict, labelled: Path) -> str:
    return (labelled.parent / "evaluation.html").read_text("utf-8")


def test_all_whole_weeks_are_measured_and_those_of_all_together_stand_at_the_top(found: dict) -> None:
    assert [week["first_day"] for week in found["weeks"]] == [35, 42, 49]
    assert (found["test_day"], found["days"]) == (35, 21)
    assert found["frauds"] == sum(week["frauds"] for week in found["weeks"])
    assert 0 < found["average_precision"] <= 1
    assert found["money"]["USD"]["saved_minor"] > 0
    assert found["against"] == {}


def test_a_week_alone_is_measured_as_among_others_and_by_the_costs_of_the_settings(
    found: dict, labelled: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "holdfast.toml"
    settings.write_text("[policy]\nreview_minor = 0\n", "utf-8")
    arguments = ["--settings", str(settings), "evaluate", str(labelled), "--test-day", "49", "--json"]
    (week,) = json.loads(CliRunner().invoke(main, arguments).stdout)["weeks"]
    assert week["average_precision"] == found["weeks"][-1]["average_precision"]
    assert week["money"]["USD"]["review_all_minor"] == 0
    assert found["weeks"][-1]["money"]["USD"]["review_all_minor"] > 0


def test_the_page_needs_nothing_else(page: str) -> None:
    assert re.findall(r"(?:src|href)=[\"'](?!#)", page) == []
    assert "url(http" not in page
    assert "prefers-color-scheme:dark" in page
    assert "average precision" in page


def test_pictures_take_their_colours_from_the_page(page: str) -> None:
    pytest.importorskip("matplotlib")
    assert page.count("<svg") == 6
    assert "var(--main)" in page
    assert set(re.findall(r"(?:stroke|fill): (#[0-9a-f]{6})", page)) == set()


def test_the_rival_is_measured_on_the_same_payments(labelled: Path) -> None:
    pytest.importorskip("xgboost", reason="xgboost is not installed: the optional group `compare`")
    found = measured(labelled, "--test-day", 49, "--against", "xgboost", "--against-trees", 5)
    rival = found["against"]["xgboost, daily"]
    assert (rival["transactions"], rival["frauds"]) == (found["transactions"], found["frauds"])
    assert rival["average_precision"] > 2 * found["frauds"] / found["transactions"]


def test_without_the_rival_it_says_what_to_install(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    done = evaluate(labelled, "--test-day", 49, "--against", "xgboost")
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

"""`holdfast rules check|show`: what it prints and how it exits."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rules.ruleset import parse_ruleset
from streams.operating.rules_commands import app, shipped_rules

GOOD = """
name = "shop"
version = "7"
[lists]
cards = ["b", "a"]
[[rule]]
id = "deny"
if = "pan_token in cards"
outcome = "block"
reason = "LISTED_DENY"
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD, "utf-8")
    return path


def test_a_good_file_is_shown_with_exit_code_0(file: Path) -> None:
    result = run("check", str(file))
    assert result.exit_code == 0
    assert "shop 7+" in result.output
    assert "deny" in result.output


def test_each_fault_is_a_line_with_its_place_and_exit_code_1(file: Path) -> None:
    file.write_text(GOOD.replace('cards"', 'crads"').replace("block", "blok"), "utf-8")
    result = run("check", str(file))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{file}:8:20: unknown list 'crads': did you mean 'cards'?",
        f"{file}:9:11: unknown outcome 'blok': did you mean 'block'?",
    ]


def test_bytes_that_are_no_text_are_a_fault_with_its_place(file: Path) -> None:
    file.write_bytes(b'name = "x"\nversion = "\xff"')
    result = run("check", str(file))
    assert (result.exit_code, result.output) == (1, f"{file}:2:12: not UTF-8\n")


def test_a_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_text(GOOD, "utf-8-sig")
    assert run("check", str(file)).exit_code == 0


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run("check", str(tmp_path / "none.toml")).exit_code == 2


def test_show_without_a_file_shows_the_shipped_rules() -> None:
    result = run("show")
    assert result.exit_code == 0
    assert "sanctioned-country" in result.output


def test_show_as_json_says_everything_of_the_file(file: Path) -> None:
    shown = json.loads(run("show", str(file), "--json").output)
    assert shown["ruleset_version"] == parse_ruleset(GOOD).ruleset_version
    assert shown["lists"] == {"cards": ["a", "b"]}
    assert shown["rules"] == [
        {
            "id": "deny",
            "description": "",
            "if": "pan_token in cards",
            "outcome": "block",
            "reason": "LISTED_DENY",
            "priority": 100,
            "when": "fallback",
            "on_error": "review",
            "enabled": True,
        }
    ]


def test_show_refuses_a_file_with_faults(file: Path) -> None:
    file.write_text("x", "utf-8")
    assert run("show", str(file), "--json").exit_code == 1


def test_the_shipped_rules_come_with_the_package() -> None:
    assert parse_ruleset(shipped_rules()).name == "default"

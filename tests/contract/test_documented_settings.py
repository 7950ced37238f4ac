"""The settings' table and the example file say what the code says."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy/holdfast.example.toml"
DOCUMENT = (ROOT / "docs/settings.md").read_text("utf-8")
ROW = re.compile(r"^\| `(?P<name>[a-z_.]+)` \| (?P<variable>[^|]+) \| `(?P<default>[^|]+)` \| [^|]* \| [^|]+ \|$", re.M)
ROWS = {row["name"]: row for row in ROW.finditer(DOCUMENT)}
FILE_ONLY = {"safe_default.bands", "stand_in.windows", "review.queues"}  # a list of tables fits into no variable
NEEDS = {
    "topics.min_insync_replicas": {"HOLDFAST_TOPICS_REPLICATION_FACTOR": "3"},
    "oidc.issuer": {"HOLDFAST_OIDC_CLIENT_ID": "x", "HOLDFAST_OIDC_REDIRECT_URL": "http://x"},
}
OTHER_WORDS = {
    "broker.security_protocol": "SSL",
    "broker.sasl_mechanism": "SCRAM-SHA-256",
    "exploration.outcome": "approve",
    "learner.family": "blend",
    "review.unanswered": "approve",
    "console.store_url": "sqlite:///x",
    "forward.webhook_url": "http://x",
    "forward.alertmanager_url": "http://x",
    "forward.questions_url": "http://x",
    "oidc.issuer": "https://x",
    "oidc.redirect_url": "http://x",
}


def every_setting(record: Any, section: str = "") -> Iterator[tuple[str, Any]]:
    for each in fields(record):
        value = getattr(record, each.name)
        if is_dataclass(value):
            yield from every_setting(value, f"{each.name}.")
        else:
            yield section + each.name, value


SETTINGS = dict(every_setting(Settings()))


def keys_of(plain: dict[str, Any], section: str = "") -> Iterator[str]:
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{key}.")
        else:
            yield section + key


def another(name: str) -> Any:
    """A value that the setting may have and has not by default."""
    match SETTINGS[name]:
        case bool() as value:
            return not value
        case int() as value:
            return value + 1
        case float() as value:
            return value * 0.99
    return OTHER_WORDS.get(name, "x")


def documented_settings() -> dict[str, Any]:
    """What an installation would have that spelt every default of the table out."""
    plain: dict[str, Any] = {}
    for name, row in ROWS.items():
        *section, key = name.split(".")
        place = plain.setdefault(section[0], {}) if section else plain
        place[key] = tomllib.loads(f"value = {row['default']}")["value"]
    return dict(every_setting(msgspec.convert(plain, Settings)))


def test_the_example_file_loads_and_changes_nothing() -> None:
    assert load_settings(EXAMPLE, {}) == Settings()


def test_the_example_file_has_every_setting() -> None:
    assert list(keys_of(tomllib.loads(EXAMPLE.read_text("utf-8")))) == list(SETTINGS)


def test_the_example_file_explains_every_setting() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[a-z_]+ = ", line) and "  # " not in line and not before.startswith("# ")
    ]
    assert bare == []


def test_the_table_has_every_setting_and_nothing_else() -> None:
    assert list(ROWS) == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_table_has_the_default(name: str) -> None:
    assert documented_settings()[name] == SETTINGS[name]


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - FILE_ONLY))
def test_the_variable_of_the_table_sets_it(name: str) -> None:
    environment = NEEDS.get(name, {}) | {ROWS[name]["variable"].strip("`"): str(another(name))}
    assert dict(every_setting(load_settings(EXAMPLE, environment)))[name] == another(name)


def test_every_variable_of_a_process_is_documented() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "streams").rglob("*.py"))
    of_settings = {f"HOLDFAST_{name.replace('.', '_').upper()}" for name in SETTINGS} | {"HOLDFAST_BROKER"}
    of_processes = set(re.findall(r'"(HOLDFAST_[A-Z_]*[A-Z])"', sources)) - of_settings
    assert {name for name in of_processes if f"| `{name}` |" not in DOCUMENT} == set()

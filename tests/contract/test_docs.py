"""The documents say what is so: every name has its place, every link leads somewhere, every command line parses."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer import Context

from models.dead_letter import DeadLetterReason
from models.features import FEATURES
from models.label import LabelSource, LabelState
from rules.decision import DecisionSource, FallbackReason, ReasonCode
from rules.incidents import KINDS
from rules.sandbox import FORCED_FALLBACKS, FORCED_OUTCOMES
from streams.broker.topics import CATALOGUE
from streams.crash import EXIT_INDEFINITE, EXIT_MISCONFIGURED
from streams.operating import audit_command, deciding_one, demo, kafka_commands
from streams.operating.cli import CANNOT, COMMANDS, load
from streams.wire.codec import read_decision, read_label, read_transaction
from streams.wire.dead_letter import ERROR_HEADERS
from streams.wire.scorer_fault import FaultKind

ROOT = Path(__file__).parents[2]
PAGES = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))}
README, RECORDS, OPERATIONS = PAGES["README.md"], PAGES["docs/records.md"], PAGES["docs/operations.md"]
ARCHITECTURE, RUNBOOK = PAGES["docs/architecture.md"], PAGES["docs/runbook.md"]
MAKEFILE, LOCK = (ROOT / "Makefile").read_text("utf-8"), (ROOT / "requirements.txt").read_text("utf-8")

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
USAGE = str.maketrans("", "", "[]")  # `[--json]` says that it may be left out
NAMED_PATH = re.compile(r"(?:[\w.-]+/)+(?:[\w.-]+\.\w+)?")

EXIT_CODES = {
    0,
    audit_command.FAILED,
    CANNOT,
    deciding_one.NO_DECISION,
    kafka_commands.NOT_RUNNING,
    *deciding_one.EXIT_CODES.values(),
    deciding_one.DEAD_LETTER,
    EXIT_INDEFINITE,
    EXIT_MISCONFIGURED,
    demo.INTERRUPTED,
}


def blocks(page: str, language: str) -> list[str]:
    return [code for _, named, code in FENCED.findall(page) if named == language]


def prose(page: str) -> str:
    return FENCED.sub("", page)


def first_columns(page: str) -> set[str]:
    """Everything in backticks, or bare numbers, that begins a row of a table."""
    cells = re.findall(r"^\| ([^|]+) \|", page, re.M)
    return {name for cell in cells for name in (*INLINE.findall(cell), cell)}


def anchors(page: str) -> set[str]:
    """What GitHub makes of the headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose(page))}


def links() -> Iterator[tuple[str, str]]:
    for name, page in PAGES.items():
        for target in LINK.findall(prose(page)):
            if "://" not in target:
                yield name, target


def command_lines() -> Iterator[tuple[str, str]]:
    for name, page in PAGES.items():
        shown = [line.strip() for code in blocks(page, "sh") for line in code.splitlines()]
        for line in (*shown, *INLINE.findall(prose(page))):
            if re.match(r"holdfast \w+", line) and "|" not in line:
                yield name, line.translate(USAGE)


def json_examples(page: str) -> list[dict[str, Any]]:
    return [json.loads(code) for code in blocks(page, "json")]


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_every_link_and_picture_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.is_file()
    if anchor:
        assert anchor in anchors(file.read_text("utf-8"))


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_every_command_line_is_understood(page: str, line: str) -> None:
    name, *words = shlex.split(line, comments=True)[1:]
    command = load(name)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    _, left, _ = command.make_parser(Context(command)).parse_args(words)
    assert left == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    shown = [line for code in blocks(PAGES[page], "sh") for line in code.splitlines()]
    named = {
        found[1] for line in (*shown, *INLINE.findall(prose(PAGES[page]))) if (found := re.match(r"make (\w+)", line))
    }
    assert named <= set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))


@pytest.mark.parametrize("page", PAGES)
def test_every_piece_of_python_is_python(page: str) -> None:
    for code in blocks(PAGES[page], "python"):
        ast.parse(code)


def test_the_readme_has_every_command() -> None:
    assert {f"holdfast {name}" for name in COMMANDS} == {
        cell for cell in first_columns(README) if " " in cell and "`" not in cell
    }


@pytest.mark.parametrize("topic", [spec.topic for spec in CATALOGUE])
def test_every_topic_has_its_row(topic: str) -> None:
    assert topic in first_columns(RECORDS.partition("## Transaction")[0])


@pytest.mark.parametrize(
    "name",
    [*DecisionSource, *FallbackReason, *ReasonCode, *DeadLetterReason, *ERROR_HEADERS],
)
def test_every_word_of_a_record_is_explained(name: str) -> None:
    assert name in first_columns(RECORDS)


@pytest.mark.parametrize("word", [*LabelSource, *LabelState])
def test_every_word_of_a_label_is_there(word: str) -> None:
    assert f"`{word}`" in RECORDS.partition("## Label")[2].partition("## Alert")[0]


@pytest.mark.parametrize("field", json_examples(RECORDS)[0])
def test_every_field_of_a_decision_is_explained_or_repeats_the_transaction(field: str) -> None:
    explained = first_columns(RECORDS)
    assert field in explained or field == "decided_at"


@pytest.mark.parametrize("token", [*FORCED_OUTCOMES, *FORCED_FALLBACKS])
def test_every_test_token_has_its_row(token: str) -> None:
    assert token in first_columns(OPERATIONS)


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = OPERATIONS.partition("## Exit codes")[2]
    assert {int(cell) for cell in first_columns(table) if cell.isdigit()} == EXIT_CODES


@pytest.mark.parametrize("reason", KINDS)
def test_every_reason_of_an_alert_has_its_section(reason: str) -> None:
    assert f"\n### {reason.lower()}\n" in RUNBOOK


def test_the_operators_words_do_what_the_table_says(knowledge: Any) -> None:
    told, faults, orders = knowledge
    for key, value in re.findall(r"^echo '(\w+):(.*?)' \| kcat", OPERATIONS, re.M):
        told.take_control(key.encode(), value.encode())
    assert [(order.force, order.why) for order in orders] == [("rules", "drift since noon"), (None, "")]
    assert [(fault.kind, fault.delay_ms) for fault in faults] == [(FaultKind.SLEEP, 200.0)]


def test_every_fault_is_explained() -> None:
    part = OPERATIONS[OPERATIONS.index("### Faults") :]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", part.split("\n## ")[0], re.M)
    assert {kind for row in rows for kind in re.findall(r"`(\w+)`", row)} - {"kind"} == set(FaultKind)


@pytest.fixture
def knowledge() -> tuple[Any, list[Any], list[Any]]:
    from rules.ruleset import parse_ruleset
    from streams.deciding.knowledge import Knowledge
    from streams.overseeing.rules_pushing import shipped_rules

    faults: list[Any] = []
    orders: list[Any] = []
    told = Knowledge(
        parse_ruleset(shipped_rules()),
        on_snapshot=lambda *_: None,
        on_fault=faults.append,
        on_ruleset=lambda _: None,
        on_order=orders.append,
    )
    return told, faults, orders


def test_the_payment_of_the_readme_keeps_the_contract() -> None:
    payment = json_examples(README)[0]
    value = json.dumps(payment).encode()
    transaction = read_transaction(payment["pan_token"].encode(), value, broker_time=2e9)
    assert transaction.transaction_id == "ord-22107"


def test_the_label_of_the_readme_keeps_the_contract() -> None:
    label = read_label(json.dumps(json_examples(README)[1]).encode())
    assert label.transaction_id == json_examples(README)[0]["transaction_id"]


def test_the_decision_of_the_documents_is_one_and_the_readme_quotes_it() -> None:
    whole, quoted = json_examples(RECORDS)[0], json_examples(README)[2]
    decision = read_decision(json.dumps(whole).encode())
    assert len(decision.features) == len(FEATURES)
    assert quoted.items() <= whole.items()


def test_every_path_that_the_architecture_names_exists() -> None:
    named = {span for span in INLINE.findall(ARCHITECTURE) if NAMED_PATH.fullmatch(span)}
    assert len(named) > 40
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_room_is_in_the_architecture() -> None:
    rooms = {f"streams/{room.parent.name}/" for room in ROOT.glob("streams/*/__init__.py")}
    assert rooms <= first_columns(ARCHITECTURE)


def test_the_versions_that_the_hot_path_relies_on_are_those_locked() -> None:
    section = ARCHITECTURE.partition("### What it relies on")[2].partition("## ")[0]
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", section, re.M)
    assert len(rows) == 5
    assert [f"{name}=={version}" for name, version in rows if f"\n{name}=={version} " not in LOCK] == []

"""The `holdfast` command: light to start, clear when it cannot go on, and each command explained with an example."""

import shlex
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from streams.operating import cli
from streams.operating.cli import CANNOT, COMMANDS, load, main

HEAVY = ("faust", "aiokafka", "river", "numpy", "pyarrow", "orjson", "msgspec", "structlog", "streams.settings")
SPARED = ("rich.markdown", "markdown_it", "rich.traceback", "pygments")  # what help prints nothing with
LIST_MODULES = "import sys; from streams.operating.cli import main; main(standalone_mode=False); print(*sys.modules)"


def run(*arguments, **environment):
    return CliRunner(env={"COLUMNS": "120", "HOLDFAST_SETTINGS": None, **environment}).invoke(main, arguments)


def one_line(text):
    return " ".join(text.split())


def test_help_names_every_command_and_says_what_it_does():
    shown = one_line(run("--help").output.replace("│", ""))

    assert all(f"{name} {command.summary}" in shown for name, command in COMMANDS.items())


def test_help_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    imported = set(done.stdout.splitlines()[-1].split())

    assert "typer" in imported
    assert not imported & {*HEAVY, *SPARED}


def test_what_help_spared_is_there_for_others():
    real = (
        "import rich.markdown, rich.traceback as t; print(rich.markdown.Markdown('*a*').markup, t.Traceback.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{LIST_MODULES}; {real}", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.splitlines()[-1] == "*a* Traceback"


@pytest.mark.parametrize("name", COMMANDS)
def test_summary_is_the_first_sentence_of_the_commands_own_help(name):
    first_paragraph = one_line(load(name).help.split("\n\n")[0])

    assert first_paragraph == COMMANDS[name].summary


@pytest.mark.parametrize("name", COMMANDS)
def test_example_is_shown_and_would_be_understood(name):
    example = COMMANDS[name].example
    words = [word for word in shlex.split(example) if not word.startswith("HOLDFAST_")]
    command, arguments = load(name), words[2:]

    assert words[:2] == ["holdfast", name]
    assert f"Example: {example}" in one_line(run(name, "--help").output)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in arguments if word.startswith("--")} <= options


def test_misspelt_command_names_the_near_one():
    result = run("wroker")

    assert result.exit_code == CANNOT
    assert "'worker'" in result.output


def test_version_is_the_distributions():
    result = run("--version")

    assert result.exit_code == 0
    assert result.output.startswith("holdfast 0.")


def test_wrong_setting_is_one_sentence_and_exit_code_2():
    result = run("topics", "check", HOLDFAST_LANES_MAX_BATCH="many")

    assert result.exit_code == CANNOT
    assert result.output.count("\n") == 1
    assert "lanes.max_batch" in result.output


def test_unknown_setting_in_the_named_file_is_one_sentence(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[lanes]\nmax_bach = 3\n")
    result = run("--settings", str(file), "topics", "check")

    assert result.exit_code == CANNOT
    assert "did you mean `max_batch`?" in result.output


def test_debug_shows_where_it_came_from():
    result = run("--debug", "topics", "check", HOLDFAST_LANES_MAX_BATCH="many")

    assert type(result.exception).__name__ == "SettingsError"


def test_absent_kafka_is_one_sentence_that_names_the_address():
    result = run("topics", "check", HOLDFAST_BROKER="127.0.0.1:1")

    assert result.exit_code == CANNOT
    assert "✗ No Kafka answers at 127.0.0.1:1." in result.output


def test_failure_of_one_task_among_many_is_told_as_its_own(monkeypatch):
    from streams.settings import SettingsError

    def fail():
        """Fail."""
        raise ExceptionGroup("tasks", [ExceptionGroup("more tasks", [SettingsError("this one")])])

    monkeypatch.setattr(cli, "load", lambda _: _command(fail))
    result = run("worker")

    assert result.exit_code == CANNOT
    assert result.output == "✗ this one\n"


def test_error_that_nobody_expected_keeps_its_traceback(monkeypatch):
    def fail():
        """Fail."""
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "load", lambda _: _command(fail))

    assert isinstance(run("worker").exception, ZeroDivisionError)


def _command(function):
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app)

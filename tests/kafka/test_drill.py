"""`holdfast drill` as people run it: failures are played, judged by the topics, reported, and nothing is left."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.outside import Outside, outside_of
from support.processes import environment_of, running, running_worker
from support.trained import champion_record, trained
from typer.testing import CliRunner

from streams.broker.topics import Topic
from streams.operating.cli import CANNOT, main
from streams.wire.snapshot_record import CHAMPION

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

HOLDFAST = ("-m", "streams.operating.cli")
DRILL = (sys.executable, *HOLDFAST, "drill")
PATIENT = {"scorer_budget_ms": "300", "scorer_hung_after_ms": "3000", "deadline_deadline_ms": "60000"}


def failed(judged: dict[str, Any]) -> list[str]:
    """Expectations that do not hold, but those of speed: other tests run beside this one."""
    speed = ("decided at p99", "the model decides again within")
    return [
        each["expected"] for each in judged["checks"] if not each["holds"] and not each["expected"].startswith(speed)
    ]


def environment(scratch: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(Path.cwd()), "HOLDFAST_BROKER": "127.0.0.1:1"}


def test_drills_are_played_judged_and_reported(tmp_path: Path) -> None:
    scratch, report = tmp_path / "scratch", tmp_path / "report"
    scratch.mkdir()
    played = subprocess.run(
        [*DRILL, "dead-model", "forced-rules", "--rate", "100", "--json", "--report", str(report)],
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    judged = [json.loads(line) for line in played.stdout.splitlines()]
    assert [each["drill"] for each in judged] == ["dead-model", "forced-rules"], played.stderr
    for each in judged:
        assert failed(each) == []
        assert each["detected_seconds"] <= 2.0
        assert each["without_model"] > 0
        assert each["detected_seconds"] <= each["restored_seconds"] <= each["settled_seconds"]
    assert "0 unaccounted, 0 decided twice" in played.stderr
    assert "| dead-model |" in (report / "report.md").read_text()
    assert "<svg" in (report / "report.html").read_text()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def live(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    """An installation that decides payments: a worker with a model, the reconciler, and traffic."""
    with (
        outside_of(bootstrap, topic_prefix) as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables(**PATIENT)),
        running((*HOLDFAST, "reconciler"), variables(outside)),
    ):
        outside.send(champion_record(trained()), key=CHAMPION, topic=Topic.MODELS)
        outside.flush()
        outside.until(lambda: outside.decided()["fallback_reason"] is None)
        with running((*HOLDFAST, "simulate", "--rate", "40"), variables(outside), await_ready=False):
            yield outside


def variables(outside: Outside, **changes: str) -> dict[str, str]:
    return environment_of(outside.bootstrap, outside.prefix, **outside.variables(**PATIENT)) | changes


def drill_live(outside: Outside, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *HOLDFAST, "drill", "--live", *arguments],
        env=os.environ | variables(outside, **changes),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_live_installation_is_drilled_where_it_is_well_and_left_as_it_was(live: Outside) -> None:
    def workers() -> str:
        shown = CliRunner(env=variables(live)).invoke(main, ["mode", "show"])
        return shown.output

    live.until(lambda: "worker-1: normal" in workers())
    played = drill_live(live, "forced-rules", "--yes", "--why", "a test", "--who", "ada", "--json")
    (judged,) = [json.loads(line) for line in played.stdout.splitlines()]
    assert failed(judged) == [], played.stderr
    assert set(judged["fallback_reasons"]) == {"FORCED"}
    assert judged["detected_seconds"] <= judged["restored_seconds"] <= judged["settled_seconds"]
    assert "0 unaccounted, 0 decided twice" in played.stderr
    assert "Nothing is forced (by ada: a test)." in workers()

    CliRunner(env=variables(live)).invoke(main, ["mode", "force", "rules", "--who", "bob", "--why", "busy"])
    refused = drill_live(live, "forced-rules", "--yes", "--why", "again")
    assert refused.returncode == CANNOT
    assert "Not now: rules is forced (by bob: busy)." in refused.stderr
    assert "Rules decide until it is released (by bob: busy)." in workers()


@pytest.mark.parametrize(
    ("arguments", "changes", "why"),
    [
        (("slow-model", "--yes", "--why", "x"), {"HOLDFAST_SANDBOX": "false"}, "not where real payments are decided"),
        (("broker-outage", "--yes", "--why", "x"), {}, "on a scratch installation only"),
        (("forced-rules", "--yes"), {}, "say why"),
        (("forced-rules", "--why", "x"), {}, "Aborted"),
    ],
    ids=str,
)
def test_what_must_not_be_done_to_a_live_installation_is_refused_before_anything_is_said(
    bootstrap: str, topic_prefix: str, arguments: tuple[str, ...], changes: dict[str, str], why: str
) -> None:
    with outside_of(bootstrap, topic_prefix) as outside:
        refused = drill_live(outside, *arguments, **changes)
        assert refused.returncode != 0
        assert why in refused.stderr
        assert outside.all_of(Topic.CONTROL, Topic.DEAD_LETTERS) == []


def test_where_nobody_decides_there_is_nobody_to_drill(bootstrap: str, topic_prefix: str) -> None:
    with outside_of(bootstrap, topic_prefix) as outside:
        refused = drill_live(outside, "forced-rules", "--yes", "--why", "x")
        assert refused.returncode == CANNOT
        assert "no worker was heard of" in refused.stderr


def test_a_drill_that_there_is_not_is_refused_at_once() -> None:
    refused = subprocess.run([*DRILL, "earthquake"], capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 2
    assert "slow-model" in refused.stderr

"""`holdfast drill` as people run it: failures are played, judged by the topics, reported, and nothing is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

DRILL = (sys.executable, "-m", "streams.operating.cli", "drill")


def environment(scratch: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(Path.cwd()), "HOLDFAST_BROKER": "127.0.0.1:1"}


def test_drills_are_played_judged_and_reported(tmp_path: Path) -> None:
    scratch, report = tmp_path / "scratch", tmp_path / "report"
    scratch.mkdir()
    # On a machine that does much else a payment may be late: what is judged in milliseconds is not judged here.
    played = subprocess.run(
        [*DRILL, "dead-model", "malformed-flood", "--rate", "100", "--json", "--report", str(report)],
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    judged = [json.loads(line) for line in played.stdout.splitlines()]
    assert [each["drill"] for each in judged] == ["dead-model", "malformed-flood"], played.stderr
    dead, flood = judged
    for each in judged:
        failed = [check for check in each["checks"] if not check["holds"] and "p99" not in check["expected"]]
        assert failed == []
        assert each["detected_seconds"] <= 2.0
    assert dead["without_model"] > 0
    assert dead["detected_seconds"] <= dead["restored_seconds"] <= dead["settled_seconds"]
    assert flood["settled_seconds"] is None  # nothing was decided without the model
    assert "0 unaccounted, 0 decided twice" in played.stderr
    assert "| dead-model |" in (report / "report.md").read_text()
    assert "<svg" in (report / "report.html").read_text()
    assert list(scratch.iterdir()) == []


def test_a_drill_that_there_is_not_is_refused_at_once() -> None:
    refused = subprocess.run([*DRILL, "earthquake"], capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 2
    assert "slow-model" in refused.stderr

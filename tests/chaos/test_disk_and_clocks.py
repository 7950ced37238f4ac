"""A full disk of the broker, and clocks that are set wrong, under load: every promise holds, judged from the topics."""

import os
from pathlib import Path

import orjson
import pytest
from chaos import clock, disk
from chaos.left_out import left_out
from chaos.leg import run
from chaos.order import Order
from chaos.outcome import Outcome
from chaos.schedule import CLOCK_STEPS, FaultKind

pytestmark = pytest.mark.chaos

PATIENT = {"HOLDFAST_DEADLINE_DEADLINE_MS": "20000"}  # a busy machine makes no payment late, a clock hours ahead does
TALKATIVE = {"HOLDFAST_LEARNER_PUBLISH_INTERVAL_SECONDS": "0.5"}  # it says something at each hour
AHEAD, BEHIND = FaultKind.CLOCK_HOURS_AHEAD, FaultKind.CLOCK_HOUR_BEHIND


def order(*faults: FaultKind, **overrides: str) -> Order:
    return Order(
        seed=1,
        seconds=120.0,
        rate=200.0,
        workers=2,
        partitions=4,
        exactly=faults,
        calm_seconds=4.0,
        overrides=PATIENT | overrides,
    )


def no_space(logs: Path) -> int:
    """How many starts of the broker ended for want of space."""
    return sum("No space left on device" in each.read_text() for each in logs.glob("kafka-*.log"))


async def test_a_full_disk_of_the_broker_loses_and_repeats_nothing(tmp_path: Path) -> None:
    if reason := disk.obstacle():
        pytest.skip(f"no disk can be mounted: {reason}")

    outcome = await run(order(FaultKind.FULL_DISK), tmp_path)

    assert no_space(tmp_path / "logs") == 1
    assert outcome.verdict.broken == {}
    assert outcome.holds
    assert not os.path.ismount(tmp_path / "kafka" / "data")


def stepped(outcome: Outcome, kind: FaultKind) -> tuple[int, int]:
    """Decisions heard during a fault by a clock that was as far off as it says, and by one that was right."""
    [episode] = [each for each in outcome.episodes if each.kind is kind]
    step = CLOCK_STEPS[kind]
    wrong = sum(count for ahead, count in episode.clocks.items() if abs(ahead - step) < 60)
    return wrong, sum(count for ahead, count in episode.clocks.items() if abs(ahead) < 60)


def learner_said(log: Path) -> set[str]:
    """The hours at which a log's lines were written, by the clock of who wrote it."""
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    return {line["timestamp"][:13] for line in lines}


async def test_clocks_hours_off_lose_and_repeat_nothing_and_leave_no_incident_open(tmp_path: Path) -> None:
    if reason := clock.obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)

    outcome = await run(order(AHEAD, BEHIND, **TALKATIVE), tmp_path)

    # Few are by the wrong clock on a busy machine, whose worker finds its scorer hung for as long as the clock is off.
    wrong, right = map(sum, zip(*(stepped(outcome, kind) for kind in (AHEAD, BEHIND)), strict=True))
    assert wrong > 0
    assert right > 0
    assert len(learner_said(tmp_path / "logs" / "learner.log")) >= 3
    assert outcome.verdict.broken == {}
    assert outcome.holds


def test_what_cannot_be_done_here_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "obstacle", lambda: "mount: permission denied")
    monkeypatch.setattr(clock, "obstacle", lambda: "libfaketime is not installed")

    assert left_out([FaultKind.KILL_WORKER]) == {}
    assert left_out(FaultKind) == {FaultKind.FULL_DISK: "mount: permission denied"} | dict.fromkeys(
        CLOCK_STEPS, "libfaketime is not installed"
    )

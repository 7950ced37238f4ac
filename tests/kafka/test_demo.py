"""`holdfast demo` as people run it: it ends well, and whatever ends it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

DEMO = (sys.executable, "-m", "streams.operating.cli", "demo", "--rate", "300", "--slow-for", "8s")


@pytest.fixture
def scratch(tmp_path):
    """Where the demo keeps what it needs; what a failing test leaves running there is killed."""
    (tmp_path / "scratch").mkdir()
    yield tmp_path / "scratch"
    for process in below(tmp_path / "scratch"):
        process.kill()


def environment(scratch):
    return {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(Path.cwd()), "HOLDFAST_BROKER": "127.0.0.1:1"}


def below(scratch):
    """Processes that were started with this scratch directory, or that name it."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process, scratch)]


def _belongs(process, scratch):
    try:
        return str(scratch) in " ".join((*process.cmdline(), *process.environ().values()))
    except psutil.Error:
        return False


def nothing_within(scratch, seconds):
    end = time.monotonic() + seconds
    while below(scratch) and time.monotonic() < end:
        time.sleep(0.1)
    return not below(scratch)


def test_demo_holds_and_leaves_nothing(scratch, tmp_path):
    done = subprocess.run(
        [*DEMO, "--svg", str(tmp_path / "demo.svg")],
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Holdfast held" in done.stdout
    assert "unaccounted" in (tmp_path / "demo.svg").read_text()
    assert nothing_within(scratch, seconds=5)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_demo_that_is_ended_by_a_signal_leaves_no_process(number, code, scratch):
    with subprocess.Popen(DEMO, env=environment(scratch), stdout=subprocess.PIPE, text=True) as demo:
        for line in demo.stdout:
            if "Cold start" in line:
                break
        assert len(below(scratch)) > 5  # Kafka, workers and their scorers, learner, the demo itself
        demo.send_signal(number)
        demo.stdout.read()

    assert demo.returncode == code
    assert nothing_within(scratch, seconds=20)

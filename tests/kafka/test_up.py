"""`holdfast up` as people run it: everything starts, what dies comes back, Ctrl-C ends it all."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

UP = (sys.executable, "-m", "streams.operating.cli", "up", "--workers", "2", "--simulate", "40")
DECISIONS = re.compile(r"^holdfast_decisions_total\{.*\} (\d+)", re.MULTILINE)


@pytest.fixture
def home(tmp_path):
    """Where data and logs lie; what a failing test leaves running there is killed."""
    yield tmp_path / "home"
    for process in below(tmp_path / "home"):
        process.kill()


def below(home):
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process, home)]


def _belongs(process, home):
    try:
        return str(home) in " ".join((*process.cmdline(), *process.environ().values()))
    except psutil.Error:
        return False


@contextmanager
def started(home):
    """`holdfast up`; where the test fails it is killed, and its processes go with it: nobody waits for it to end."""
    environment = {**os.environ, "HOLDFAST_HOME": str(home), "PYTHONPATH": str(Path.cwd()), "COLUMNS": "200"}
    environment["HOLDFAST_TOPICS_PARTITIONS"] = "4"
    with subprocess.Popen(UP, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        try:
            yield up
        except BaseException:
            up.kill()
            raise


def read_until(up, wanted):
    """What it says, up to the line that has this in it."""
    said = []
    for line in up.stdout:
        said.append(line)
        if wanted in line:
            return "".join(said)
    raise AssertionError(f"it never said {wanted!r}:\n{''.join(said)}")


def decided(url):
    with urllib.request.urlopen(url, timeout=5) as page:
        return sum(map(int, DECISIONS.findall(page.read().decode())))


def audited(url):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with urllib.request.urlopen(url, timeout=5) as page:
            text = page.read().decode()
        ended = re.search(r'^holdfast_accounted_transactions_total{ending="decision"} (\S+)', text, re.MULTILINE)
        if ended and float(ended[1]) > 0:
            return "\nholdfast_unaccounted_transactions 0.0\n" in text
        time.sleep(0.2)
    return False


def gone_within(home, seconds):
    end = time.monotonic() + seconds
    while below(home) and time.monotonic() < end:
        time.sleep(0.1)
    return not below(home)


def test_everything_runs_comes_back_and_ends_by_ctrl_c(home):
    with started(home) as up:
        panel = read_until(up, "Ctrl-C stops it")
        urls = re.findall(r"metrics of worker-\d\s+(http://\S+)", panel)
        [auditor] = re.findall(r"metrics of auditor\s+(http://\S+)", panel)
        assert len(urls) == 2
        end = time.monotonic() + 60
        while not all(map(decided, urls)) and time.monotonic() < end:
            time.sleep(0.2)
        assert all(map(decided, urls))
        assert audited(auditor)

        workers = [
            each for each in below(home) if each.cmdline()[-1:] == ["worker"] and "leash" not in str(each.cmdline())
        ]
        min(workers, key=psutil.Process.create_time).kill()  # those that came later are spares
        assert "was killed by signal 9" in read_until(up, "is back after")

        up.send_signal(signal.SIGINT)
        up.stdout.read()
    assert up.returncode == 0
    assert gone_within(home, seconds=5)
    assert {log.name for log in (home / "logs").iterdir()} == {
        "worker-1.log",
        "worker-2.log",
        "learner.log",
        "reconciler.log",
        "watcher.log",
        "auditor.log",
        "simulator.log",
    }

"""`holdfast worker` and `holdfast learner` as their supervisor sees them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.strangers import create_topic

pytestmark = pytest.mark.kafka

READY = {"worker": "lanes_open", "learner": "learner_ready"}


def environment(bootstrap, topic_prefix):
    return {
        **os.environ,
        "PYTHONPATH": str(Path.cwd()),
        "HOLDFAST_BROKER": bootstrap,
        "HOLDFAST_TOPICS_PREFIX": topic_prefix,
        "HOLDFAST_TOPICS_PARTITIONS": "2",
    }


def holdfast(*arguments):
    return [sys.executable, "-m", "streams.operating.cli", *arguments]


@pytest.mark.parametrize("role", READY)
def test_process_ends_well_on_sigterm(role, bootstrap, topic_prefix):
    its = environment(bootstrap, topic_prefix)
    subprocess.run(holdfast("topics", "create"), env=its, check=True, timeout=60, capture_output=True)
    with subprocess.Popen(
        holdfast(role), env=its, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert any(READY[role] in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()

    assert process.returncode == 0
    assert said == ""


@pytest.mark.parametrize("role", READY)
def test_wrong_topic_is_reported_and_not_used(role, bootstrap, topic_prefix):
    create_topic(bootstrap, f"{topic_prefix}transactions")
    done = subprocess.run(
        holdfast(role), env=environment(bootstrap, topic_prefix), capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert f"{topic_prefix}transactions: has 1 partitions, not 2" in done.stderr
    assert "Traceback" not in done.stderr

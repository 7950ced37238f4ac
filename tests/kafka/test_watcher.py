"""`holdfast watcher` on a real broker: who goes silent is told once, and who comes back or ends well, too."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from support.outside import Outside, outside_of
from support.processes import Running, environment_of, running, running_worker

from streams.broker.topics import Topic
from streams.wire.heartbeat import read_heartbeat

pytestmark = pytest.mark.kafka

QUICK = {
    "watch_heartbeat_seconds": "0.5",
    "watch_silent_after_seconds": "3",
    "incidents_quiet_seconds": "1",
    "incidents_late_quiet_seconds": "1",
}


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@pytest.fixture
def watcher(outside: Outside) -> Iterator[Running]:
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables(**QUICK))
    with running(("-m", "streams.operating.cli", "watcher"), environment) as started:
        yield started


def told(outside: Outside, component: str) -> list[tuple[str, str]]:
    return [(each["status"], each["reason"]) for each in outside.alerts(component)]


def silent(watcher: Running) -> float:
    return watcher.metric("holdfast_process_silent")


def test_a_worker_that_is_stopped_goes_silent_and_one_that_goes_on_is_heard(outside: Outside, watcher: Running) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**QUICK)) as worker:
        outside.until(lambda: 'process="worker-1"' in watcher.exposed())
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            outside.until(lambda: told(outside, "worker-1") == [("open", "PROCESS_SILENT")])
            assert silent(watcher) == 1
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        outside.until(lambda: told(outside, "worker-1")[1:] == [("resolved", "PROCESS_SILENT")] or not worker.alive())


def test_a_worker_that_is_killed_is_missed_and_one_that_ends_is_not(outside: Outside, watcher: Running) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**QUICK)) as worker:
        outside.until(lambda: 'process="worker-1"' in watcher.exposed())
        worker.kill()
        outside.until(lambda: told(outside, "worker-1") == [("open", "PROCESS_SILENT")])
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**QUICK)):
        outside.until(lambda: silent(watcher) == 0)
    outside.until(lambda: told(outside, "worker-1") == [("open", "PROCESS_SILENT"), ("resolved", "PROCESS_SILENT")])
    outside.until(lambda: 'process="worker-1"' not in watcher.exposed())
    assert told(outside, "kafka") == []


def test_a_partition_that_nobody_decides_is_told_until_somebody_does(outside: Outside) -> None:
    quick = QUICK | {"watch_canary_seconds": "0.5", "watch_canary_late_seconds": "3"}
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables(**quick))
    with running(("-m", "streams.operating.cli", "watcher"), environment) as watcher:
        outside.until(lambda: told(outside, "partitions") == [("open", "PARTITION_SILENT")])
        assert watcher.metric("holdfast_partition_silent") == 2
        with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**quick)) as worker:
            outside.until(lambda: told(outside, "partitions")[1:] == [("resolved", "PARTITION_SILENT")])
            assert watcher.metric("holdfast_partition_silent") == 0
            assert watcher.metric("holdfast_canary_seconds") > 0
            outside.decided(partition=0)
            assert worker.metric("holdfast_decisions") == 1
            outside.until(lambda: worker.metric("holdfast_profiles") == 1)
    assert [each["merchant_id"] for each in outside.decisions()] == ["mer_1"]
    audit = outside.audit()
    assert audit.holds
    assert audit.ledger.transactions == audit.ledger.decided == 1


def test_payments_that_come_no_more_are_missed_and_canaries_are_none(outside: Outside) -> None:
    quick = QUICK | {"watch_canary_seconds": "0.2", "watch_input_silent_seconds": "3"}
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables(**quick))
    with running(("-m", "streams.operating.cli", "watcher"), environment) as watcher:

        def seen_to_pay() -> bool:
            outside.pay()
            return watcher.metric("holdfast_input_silent_seconds") > 0

        outside.until(seen_to_pay)
        outside.until(lambda: told(outside, "input") == [("open", "INPUT_SILENT")])
        assert watcher.metric("holdfast_input_silent_seconds") > 3
        outside.pay()
        outside.until(lambda: told(outside, "input")[1:] == [("resolved", "INPUT_SILENT")])


def test_a_heartbeat_says_what_a_worker_is_at(outside: Outside) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**QUICK)):
        beats: list[Any] = []

        def beaten() -> bool:
            beats[:] = [read_heartbeat(each.value()) for each in outside.all_of(Topic.HEARTBEATS) if each.value()]
            return any(each.lanes == 2 for each in beats)

        outside.until(beaten)
        last = beats[-1]
        assert (last.instance, last.mode, last.mode_reason) == ("worker-1", "stand_in", "MODEL_COLD_START")
        assert last.started_at <= last.mode_since <= last.at
    assert outside.all_of(Topic.HEARTBEATS)[-1].value() is None  # it ended as it should

"""Three embedded brokers: started as one, each to be killed by itself, nothing left behind."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from support.processes import environment_of
from support.strangers import consume, produce
from typer.testing import CliRunner

from streams.broker.embedded import EmbeddedKafka
from streams.broker.embedded_cluster import EmbeddedCluster
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import check_topics, create_topics
from streams.operating.kafka_commands import app
from streams.settings import load_settings

pytestmark = pytest.mark.kafka

SMALL = KafkaOptions(heap_mb=256)
VALUES = [f"payment {number}".encode() for number in range(20)]
PATIENCE_SECONDS = 30.0
STARTER = """
import sys, time
from streams.broker.embedded_cluster import EmbeddedCluster
EmbeddedCluster(sys.argv[1]).start()
print("up", flush=True)
time.sleep(60)
"""


def processes_of(directory: Path) -> list[int]:
    lines = ((each.pid, " ".join(each.info["cmdline"] or ())) for each in psutil.process_iter(["cmdline"]))
    return [pid for pid, line in lines if str(directory) in line]


def until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def in_sync(bootstrap: str, topic: str) -> set[int]:
    metadata = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(topic, timeout=10)
    return set.intersection(*(set(each.isrs) for each in metadata.topics[topic].partitions.values()))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A data directory; whatever a failing test leaves running in it is killed."""
    yield tmp_path / "kafka"
    EmbeddedCluster(tmp_path / "kafka").kill()


async def test_a_broker_that_is_killed_is_missed_by_nobody_and_takes_its_place_again(directory: Path) -> None:
    async with EmbeddedCluster(directory, SMALL) as cluster:
        three = {"topics_replication_factor": "3", "topics_min_insync_replicas": "2"}
        settings = load_settings(None, environment_of(cluster.bootstrap, "", topics_partitions="2", **three))
        await create_topics(settings)
        assert await check_topics(settings) == []
        before = cluster.bootstrap

        cluster.nodes[1].kill()
        produce(before, "transactions", VALUES)
        assert len(consume(before, "transactions", len(VALUES), group="meanwhile")) == len(VALUES)
        until(lambda: in_sync(before, "transactions") == {2, 3})

        cluster.nodes[1].start()
        assert cluster.bootstrap == before
        until(lambda: in_sync(before, "transactions") == {1, 2, 3})

        four = environment_of(before, "", topics_partitions="2", **(three | {"topics_replication_factor": "4"}))
        findings = await check_topics(load_settings(None, four))
        assert {each.problem for each in findings} == {"has 3 copies, not 4"}

    assert processes_of(directory) == []


def test_all_brokers_die_with_a_parent_that_is_killed(directory: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTER, str(directory)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.kill()

    until(lambda: not processes_of(directory))


def test_commands_start_show_and_stop_three_brokers(directory: Path) -> None:
    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "streams.operating.cli", "kafka", *arguments, "--data-dir", str(directory)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    started = call("start", "--brokers", "3", "--heap-mb", "256", "--json")
    running = json.loads(started.stdout)
    assert (started.returncode, running["state"]) == (0, "running")
    assert [each["bootstrap"] for each in running["brokers"]] == running["bootstrap"].split(",")
    assert json.loads(call("start", "--json").stdout) == running
    assert call("start", "--brokers", "1").returncode == 1

    EmbeddedKafka(directory / "node-2").kill()
    degraded = call("status", "--json")
    assert (degraded.returncode, json.loads(degraded.stdout)["state"]) == (0, "degraded")
    assert json.loads(call("start", "--json").stdout)["state"] == "running"

    assert call("stop").returncode == 0
    assert (call("status").returncode, processes_of(directory)) == (3, [])


def test_three_brokers_do_not_take_over_the_data_of_one(directory: Path) -> None:
    (directory / "data").mkdir(parents=True)
    with pytest.raises(KafkaUnavailable, match="holds the data of one broker, not of 3"):
        EmbeddedCluster(directory, SMALL).start()


def test_two_brokers_are_refused(directory: Path) -> None:
    assert CliRunner().invoke(app, ["start", "--brokers", "2", "--data-dir", str(directory)]).exit_code == 2

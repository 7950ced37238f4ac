"""The embedded Kafka: a real broker that starts by itself, keeps its data and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource
from support.strangers import consume, create_topic, produce

from streams.broker.embedded import EmbeddedKafka
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_configuration import SINGLE_NODE
from streams.broker.kafka_launch import KafkaOptions

pytestmark = pytest.mark.kafka

SMALL = KafkaOptions(heap_mb=256)
VALUES = [f"payment {number}".encode() for number in range(20)]

RUN_COMMAND = "from streams.operating.kafka_commands import app; app()"
STARTER = """
import sys, time
from streams.broker.embedded import EmbeddedKafka
EmbeddedKafka(sys.argv[1]).start()
print("up", flush=True)
time.sleep(60)
"""


def processes_of(directory):
    """Command lines of all processes that have anything to do with this data directory."""
    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if str(directory) in line]


def gone_within(directory, seconds):
    end = time.monotonic() + seconds
    while processes_of(directory) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes_of(directory)


@pytest.fixture
def directory(tmp_path):
    """A data directory; whatever a failing test leaves running in it is killed."""
    yield tmp_path / "kafka"
    EmbeddedKafka(tmp_path / "kafka").kill()


@pytest.fixture
def command(directory):
    """`holdfast kafka` as a process without Java, Maven or a network."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUN_COMMAND, *arguments, "--data-dir", str(directory)],
            env={
                "PATH": "/nonexistent",
                "PYTHONPATH": str(Path.cwd()),
                "HTTP_PROXY": "http://127.0.0.1:9",
                "HTTPS_PROXY": "http://127.0.0.1:9",
                **{name: os.environ[name] for name in ("HOME", "HOLDFAST_CACHE") if name in os.environ},
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_stranger_produces_and_consumes_in_a_group(bootstrap, topic_prefix):
    topic = f"{topic_prefix}payments"
    create_topic(bootstrap, topic)
    produce(bootstrap, topic, VALUES)

    assert consume(bootstrap, topic, len(VALUES), group=topic) == VALUES


def test_kafka_has_each_property_that_we_give_it(bootstrap):
    resource = ConfigResource(ConfigResource.Type.BROKER, SINGLE_NODE["node.id"])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (told,) = admin.describe_configs([resource]).values()
    in_force = {name: entry.value for name, entry in told.result(10).items()}

    assert {name: in_force.get(name) for name in SINGLE_NODE} == SINGLE_NODE  # one that it has not it would not mention


def test_misspelt_topic_is_refused_and_not_created(bootstrap, topic_prefix):
    with pytest.raises(KafkaException):
        produce(bootstrap, f"{topic_prefix}misspelt", VALUES, seconds=2)

    assert f"{topic_prefix}misspelt" not in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics


@pytest.mark.parametrize("end", [EmbeddedKafka.stop, EmbeddedKafka.kill], ids=["stopped", "killed"])
def test_restart_has_the_data_and_the_port_of_before(directory, end):
    broker = EmbeddedKafka(directory, SMALL).start()
    before = broker.bootstrap
    create_topic(before, "payments")
    produce(before, "payments", VALUES)
    end(broker)

    with broker:
        assert broker.bootstrap == before
        assert consume(before, "payments", len(VALUES), group="after") == VALUES


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities of their own elsewhere")
@pytest.mark.parametrize("detached", [False, True])
def test_compaction_comes_after_whoever_serves(directory, detached):
    broker = EmbeddedKafka(directory, SMALL).start(detached=detached)
    try:
        started = psutil.Process(broker.pid)
        java = next(iter(started.children()), started)  # below its leash, if it has one
        niceness = {}
        for thread in Path(f"/proc/{java.pid}/task").iterdir():
            name = (thread / "comm").read_text().strip()
            niceness.setdefault(name, set()).add(os.getpriority(os.PRIO_PROCESS, int(thread.name)))
    finally:
        broker.stop()

    assert niceness.pop("kafka-log-clean") == {19}
    assert set[int]().union(*niceness.values()) == {os.getpriority(os.PRIO_PROCESS, 0)}


def test_stop_leaves_no_process(directory):
    with EmbeddedKafka(directory, SMALL):
        assert processes_of(directory)

    assert processes_of(directory) == []


def test_broker_dies_with_a_parent_that_is_killed(directory):
    parent = subprocess.Popen([sys.executable, "-c", STARTER, str(directory)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout.readline() == "up\n"
        parent.kill()

    assert gone_within(directory, seconds=5)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's death signal")
def test_broker_dies_with_a_leash_that_is_killed(directory):
    broker = EmbeddedKafka(directory, SMALL).start()
    os.kill(broker.pid, signal.SIGKILL)

    assert gone_within(directory, seconds=5)
    broker.stop()


async def test_broker_lives_as_long_as_an_async_block(directory):
    async with EmbeddedKafka(directory, SMALL) as broker:
        assert AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).brokers

    assert processes_of(directory) == []


def test_second_broker_in_a_directory_is_refused(kafka):
    with pytest.raises(KafkaUnavailable, match=f"already running in .* at {kafka.bootstrap}"):
        EmbeddedKafka(kafka.home.directory).start()

    assert processes_of(kafka.home.directory)


def test_port_in_use_is_said_plainly(directory):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(KafkaUnavailable, match=f"Port {port} of 127.0.0.1 is in use"):
            EmbeddedKafka(directory, KafkaOptions(port=port, heap_mb=256)).start()

    assert processes_of(directory) == []


def test_broker_that_cannot_start_says_why_and_leaves_no_process(directory):
    options = KafkaOptions(heap_mb=256, properties={"num.io.threads": "many"})

    with pytest.raises(KafkaUnavailable, match=r"Invalid value many for configuration num\.io\.threads.*kafka\.log"):
        EmbeddedKafka(directory, options).start()
    assert processes_of(directory) == []


def test_broker_that_is_too_slow_is_given_up_and_leaves_no_process(directory):
    options = KafkaOptions(heap_mb=256, start_timeout_seconds=0.3)

    with pytest.raises(KafkaUnavailable, match=r"did not answer within 0\.3 s"):
        EmbeddedKafka(directory, options).start()
    assert processes_of(directory) == []


def test_clients_are_told_the_advertised_address(directory):
    with EmbeddedKafka(directory, KafkaOptions(heap_mb=256, advertised="127.0.0.1:19")) as broker:
        metadata = AdminClient({"bootstrap.servers": f"127.0.0.1:{broker.port}"}).list_topics(timeout=60)

        assert broker.bootstrap == "127.0.0.1:19"
        assert [(each.host, each.port) for each in metadata.brokers.values()] == [("127.0.0.1", 19)]


def test_commands_start_show_and_stop_a_broker_without_java_or_network(kafka, command, directory):
    started = command("start", "--json", "--heap-mb", "256")
    running = json.loads(started.stdout)
    again = command("start", "--json")
    elsewhere = command("start", "--port", "1")
    shown = command("status", "--json")
    stopped = command("stop")

    assert (started.returncode, again.returncode, shown.returncode, stopped.returncode) == (0, 0, 0, 0)
    assert json.loads(again.stdout) == json.loads(shown.stdout) == running
    assert running["state"] == "running"
    assert elsewhere.returncode == 1
    assert f"already running in {directory} at {running['bootstrap']}" in elsewhere.stderr
    assert processes_of(directory) == []


def test_status_of_no_broker_is_exit_code_3(command):
    shown = command("status")

    assert shown.returncode == 3
    assert "No Kafka is running" in shown.stdout


def test_stop_of_no_broker_is_no_error(command):
    assert command("stop").returncode == 0

"""The Faust app as the worker builds it: what the hot path relies on is switched so."""

import faust
import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.struct import Struct

from streams.broker import connections, layouts
from streams.settings import BrokerSettings, Settings
from streams.worker import Worker, build_app


@pytest.fixture(scope="module")
def app() -> faust.App:
    return build_app(Settings(), "worker-1")


def test_the_deciding_agent_is_one(app: faust.App) -> None:
    assert app.agents["decide"].concurrency == 1


def test_it_listens_nowhere(app: faust.App) -> None:
    assert not app.conf.web_enabled


async def test_it_starts_agents_and_no_kafka_of_its_own(app: faust.App) -> None:
    assert [type(each) for each in app.boot_strategy.server()] == [type(app.agents)]


def test_its_connections_survive_what_uvloop_makes_of_a_write_that_fails(app: faust.App) -> None:
    assert AIOKafkaConnection.send is connections._send_or_close


def test_its_connections_hand_answers_over_where_they_are_received(app: faust.App) -> None:
    assert AIOKafkaConnection._create_reader_task is connections._read_answers
    assert Struct.encode is layouts._encode or not layouts.COMPILED


def test_it_has_no_tables_and_no_transactions_of_its_own(app: faust.App) -> None:
    assert not app.tables
    assert "exactly" not in str(app.conf.processing_guarantee)


def test_no_password_is_in_its_address() -> None:
    broker = BrokerSettings(security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="hush")
    assert "hush" not in str(build_app(Settings(broker=broker), "worker-1").conf.broker)


async def test_nobody_looks_for_failures_any_more_once_the_scorer_is_stopped() -> None:
    """Or a clean end would be told as a scorer that was lost."""
    stopped: list[str] = []

    class Part:
        def __init__(self, name: str) -> None:
            self.name = name

        async def stop(self) -> None:
            stopped.append(self.name)

    worker = object.__new__(Worker)
    for name in ("lanes", "heart", "announcer", "broadcast", "scoring", "link", "outbox"):
        setattr(worker, f"_{name}", Part(name))
    await Worker.on_stop(worker)
    assert stopped.index("announcer") < stopped.index("scoring") < stopped.index("link")
    assert stopped[0] == "lanes"
    assert stopped[-1] == "outbox"

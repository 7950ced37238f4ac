"""Who lives in a data directory, what Kafka is told, and what is made of its last words."""

import os
import socket
from datetime import UTC, datetime

import pytest

from streams.broker.kafka_configuration import PORTS, Ports, choose_ports, is_free, render, server_properties
from streams.broker.kafka_home import KafkaHome, Occupant, Occupied, default_home
from streams.broker.kafka_launch import last_words
from streams.broker.readiness import serves

PORTS_GIVEN = Ports(clients=1, internal=2, controller=3)


@pytest.fixture
def home(tmp_path):
    return KafkaHome(tmp_path / "kafka")


def announce(home):
    home.announce(pid=17, bootstrap="127.0.0.1:9", port=9, started_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_empty_directory_has_no_occupant(home):
    assert not home.occupied()
    assert home.occupant() is None


def test_occupant_is_known_while_the_lock_is_held(home):
    held = home.occupy()
    announce(home)
    named = home.occupant()
    os.close(held)

    assert named == Occupant(pid=17, bootstrap="127.0.0.1:9", port=9, started_at="2026-01-02T00:00:00+00:00")


def test_state_of_a_dead_broker_is_not_believed(home):
    held = home.occupy()
    announce(home)
    os.close(held)

    assert home.occupant() is None


def test_directory_cannot_be_occupied_twice(home):
    held = home.occupy()

    with pytest.raises(Occupied):
        home.occupy()
    os.close(held)


def test_new_broker_is_unnamed_until_it_is_announced(home):
    os.close(home.occupy())
    announce(home)
    held = home.occupy()

    assert home.occupied()
    assert home.occupant() is None
    os.close(held)


def test_default_home_is_below_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("HOLDFAST_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    assert default_home().directory == tmp_path / ".holdfast" / "kafka"


def test_default_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "there"))

    assert default_home().directory == tmp_path / "there" / "kafka"


def test_proxy_stands_between_clients_and_broker_only():
    properties = server_properties(data="data", ports=PORTS_GIVEN, advertised="proxy:9")

    assert properties["advertised.listeners"] == "PLAINTEXT://proxy:9,INTERNAL://127.0.0.1:2"


def test_extra_properties_have_the_last_word():
    properties = server_properties(data="data", ports=PORTS_GIVEN, extra={"node.id": "7", "num.io.threads": "2"})

    assert (properties["node.id"], properties["num.io.threads"]) == ("7", "2")


def test_topics_are_not_created_by_a_slip():
    assert server_properties(data="data", ports=PORTS_GIVEN)["auto.create.topics.enable"] == "false"


def test_properties_escape_what_java_would_misread():
    assert render({"a": "back\\slash", "b": "caf\u00e9"}) == "a=back\\\\slash\nb=caf\\u00e9\n"


def test_chosen_ports_differ_and_are_never_those_of_outgoing_connections():
    chosen = choose_ports(None)
    numbers = {chosen.clients, chosen.internal, chosen.controller}

    assert len(numbers) == 3
    assert all(number in PORTS for number in numbers)


def test_port_with_a_listener_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_listener_that_says_nothing_does_not_serve():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not serves("127.0.0.1", server.getsockname()[1], timeout_seconds=0.05)


def test_closed_port_does_not_serve():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert not serves("127.0.0.1", port, timeout_seconds=0.05)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "it said nothing"),
        ("one line\nthe last line\n", "the last line"),
        ("x ERROR y\norg.a.BException: outer\n\tat z\nCaused by: java.net.CException: inner.\n\tat z\n", "inner"),
    ],
)
def test_last_words_are_the_innermost_cause(tmp_path, log, reason):
    path = tmp_path / "kafka.log"
    path.write_text(log)

    assert last_words(path) == f"{reason} (see {path})."

"""What three nodes have in common: their cluster, their ports, and how many copies make a record safe."""

import socket
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from streams.broker import readiness
from streams.broker.cluster_layout import NODES, Layout
from streams.broker.embedded import EmbeddedKafka
from streams.broker.embedded_cluster import EmbeddedCluster, kafka_in
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_configuration import Ports, server_properties

GIVEN = Layout(
    cluster_id="a-cluster",
    nodes={number: Ports(clients=10 + number, internal=20 + number, controller=30 + number) for number in (1, 2, 3)},
)
TWO_BROKERS = bytes.fromhex(
    "00000000 00000000 00000002"  # correlation, throttle, how many
    "00000001 0001 61 00002384 ffff"  # 1 at a:9092, in no rack
    "00000003 0002 6262 00002385 0002 7231"  # 3 at bb:9093, in rack r1
    "ffff 00000001 00000000"
)


def numbers(layout: Layout) -> list[int]:
    return [port for ports in layout.nodes.values() for port in asdict(ports).values()]


def test_nodes_listen_on_ports_that_are_all_different() -> None:
    chosen = Layout.choose()
    assert len(set(numbers(chosen))) == 3 * NODES


def test_clients_find_three_ports_in_a_row_from_the_one_asked_for() -> None:
    chosen = Layout.choose(first_port=20_500)
    assert chosen.bootstrap == "127.0.0.1:20500,127.0.0.1:20501,127.0.0.1:20502"
    assert len(set(numbers(chosen))) == 3 * NODES


def test_what_is_kept_is_what_was_chosen(tmp_path: Path) -> None:
    chosen = Layout.choose()
    chosen.write(tmp_path)
    assert Layout.read(tmp_path) == chosen


def test_a_directory_without_a_cluster_has_no_layout(tmp_path: Path) -> None:
    assert Layout.read(tmp_path) is None


def test_ports_that_are_free_are_kept() -> None:
    chosen = Layout.choose()
    assert chosen.on_free_ports(None) == chosen
    assert chosen.on_free_ports(chosen.nodes[1].clients) == chosen


def test_the_cluster_moves_where_a_port_is_taken_and_stays_the_same_cluster() -> None:
    chosen = Layout.choose()
    with closing(socket.create_server(("127.0.0.1", chosen.nodes[2].controller))):
        moved = chosen.on_free_ports(None)
    assert moved.cluster_id == chosen.cluster_id
    assert chosen.nodes[2].controller not in numbers(moved)


def test_each_node_is_itself_and_knows_all_voters() -> None:
    properties = server_properties(data="data", ports=GIVEN.nodes[2], member=GIVEN.member(2))
    assert properties["node.id"] == "2"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:31,2@127.0.0.1:32,3@127.0.0.1:33"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:12,INTERNAL://127.0.0.1:22"


def test_whatever_kafka_keeps_for_itself_has_three_copies_two_of_them_in_sync() -> None:
    properties = server_properties(data="data", ports=GIVEN.nodes[1], member=GIVEN.member(1))
    copies = {name: value for name, value in properties.items() if name.endswith("replication.factor")}
    assert len(copies) == 4
    assert set(copies.values()) == {"3"}
    in_sync = [value for name, value in properties.items() if name.endswith(("min.isr", "min.insync.replicas"))]
    assert in_sync == ["2", "2", "2"]
    assert properties["unclean.leader.election.enable"] == "false"


def test_a_directory_stays_what_it_was_first_used_for(tmp_path: Path) -> None:
    assert isinstance(kafka_in(tmp_path), EmbeddedKafka)
    assert isinstance(kafka_in(tmp_path, NODES), EmbeddedCluster)
    GIVEN.write(tmp_path)
    assert isinstance(kafka_in(tmp_path), EmbeddedCluster)
    with pytest.raises(KafkaUnavailable, match="holds the data of 3 brokers, not of 1"):
        kafka_in(tmp_path, 1)


def test_a_cluster_that_does_not_run_has_no_address_and_is_not_stopped(tmp_path: Path) -> None:
    GIVEN.write(tmp_path)
    assert not EmbeddedCluster(tmp_path).stop()
    with pytest.raises(KafkaUnavailable, match="No Kafka is running"):
        _ = EmbeddedCluster(tmp_path).bootstrap


def test_brokers_are_read_from_an_answer_with_and_without_racks(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = len(TWO_BROKERS).to_bytes(4) + TWO_BROKERS
    ours, theirs = socket.socketpair()
    theirs.sendall(answer)
    monkeypatch.setattr(readiness.socket, "create_connection", lambda *_: ours)
    with theirs:
        assert readiness.serving("anywhere", 9092) == {1, 3}

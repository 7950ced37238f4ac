"""What an embedded Kafka is configured with: a node in KRaft mode, broker and controller in one process."""

import json
import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"

# Below the ports that Linux and macOS give to outgoing connections: a client that knocks at the port of a stopped
# broker can otherwise be given that very port, connect to itself and keep the broker from coming back.
PORTS = range(20_000, 32_768)

SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, as it should be
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed may not register again before its old session has ended: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",  # of the heap; the default would take 128 MiB
    # Requests that waited and were answered stay reachable until so many have: each collection of the heap copies them
    # while everybody waits, and a thousand of them, the default, are most of what it copies.
    "fetch.purgatory.purge.interval.requests": "50",
    "producer.purgatory.purge.interval.requests": "50",
}

# One of three may be gone, and everything that was acknowledged is still there on two.
COPIES, COPIES_IN_SYNC = 3, 2
CLUSTERED = {
    "default.replication.factor": str(COPIES),
    "min.insync.replicas": str(COPIES_IN_SYNC),
    "offsets.topic.replication.factor": str(COPIES),  # its minimum in sync is that of the broker
    "transaction.state.log.replication.factor": str(COPIES),
    "transaction.state.log.min.isr": str(COPIES_IN_SYNC),
    "share.coordinator.state.topic.replication.factor": str(COPIES),
    "share.coordinator.state.topic.min.isr": str(COPIES_IN_SYNC),
    "unclean.leader.election.enable": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where it listens on 127.0.0.1: for clients, for brokers, for controllers."""

    clients: int
    internal: int
    controller: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which node of which cluster: all of them have the same `cluster_id` and know each other's ports by number."""

    cluster_id: str
    number: int
    nodes: Mapping[int, Ports]

    @property
    def ports(self) -> Ports:
        """Where this node listens."""
        return self.nodes[self.number]

    @property
    def properties(self) -> dict[str, str]:
        """What makes a node one of these."""
        voters = ",".join(f"{number}@{HOST}:{ports.controller}" for number, ports in self.nodes.items())
        return {**CLUSTERED, "node.id": str(self.number), "controller.quorum.voters": voters}


def server_properties(
    *,
    data: str,
    ports: Ports,
    advertised: str | None = None,
    listeners: Mapping[str, int] | None = None,
    member: Membership | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All properties of one start; `extra` has the last word.

    The broker speaks to itself on a listener of its own, so that a fault proxy at `advertised` (host:port) comes
    between it and its clients, never between it and itself.
    """
    clients, internal, controller = (f"{HOST}:{port}" for port in (ports.clients, ports.internal, ports.controller))
    further = "".join(f",{name}://{HOST}:{port}" for name, port in (listeners or {}).items())
    return {
        **SINGLE_NODE,
        "log.dirs": data,  # below the directory that it runs in: a comma in its path would part it in two
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{clients},INTERNAL://{internal},CONTROLLER://{controller}{further}",
        "advertised.listeners": f"PLAINTEXT://{advertised or clients},INTERNAL://{internal}{further}",
        **(member.properties if member else {}),
        **(extra or {}),
    }


def render(properties: Mapping[str, str]) -> str:
    """Write a Java properties file. JSON's escapes within a string are among those that it understands."""
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in properties.items())


def choose_ports(clients: int | None) -> Ports:
    """Choose free ports, with the one for clients as asked."""
    free = free_ports()
    return Ports(clients=clients or next(free), internal=next(free), controller=next(free))


def free_ports() -> Iterator[int]:
    """Ports that are free now, each once, in no order."""
    return (port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True

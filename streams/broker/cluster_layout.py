"""What the nodes of an embedded cluster have in common, chosen once and kept in its directory."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Self

from streams.broker.kafka_configuration import HOST, Membership, Ports, free_ports, is_free
from streams.broker.kafka_launch import new_cluster_id

FILE = "cluster.json"
NODES = 3  # the fewest of which one may be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The cluster's id, and where each node listens; nodes are numbered from 1."""

    cluster_id: str
    nodes: Mapping[int, Ports]

    @classmethod
    def choose(cls, first_port: int | None = None) -> Self:
        """A new cluster on free ports, or with those for clients from `first_port` on upwards."""
        return cls(cluster_id=new_cluster_id(), nodes=_ports(first_port))

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """The one kept here; none where there is no cluster."""
        try:
            kept = json.loads((directory / FILE).read_text())
        except FileNotFoundError:
            return None
        nodes = {number: Ports(**ports) for number, ports in enumerate(kept["nodes"], start=1)}
        return cls(cluster_id=kept["cluster_id"], nodes=nodes)

    def write(self, directory: Path) -> None:
        """Keep it here."""
        draft = directory / f"{FILE}.new"
        draft.write_text(json.dumps({"cluster_id": self.cluster_id, "nodes": [*map(asdict, self.nodes.values())]}))
        draft.rename(directory / FILE)

    def on_free_ports(self, first_port: int | None) -> Self:
        """The same nodes: elsewhere if they are wanted elsewhere, or one of their ports is taken. For none running."""
        wanted = first_port is None or first_port == self.nodes[1].clients
        if wanted and all(is_free(port) for ports in self.nodes.values() for port in asdict(ports).values()):
            return self
        return type(self)(cluster_id=self.cluster_id, nodes=_ports(first_port))

    @property
    def bootstrap(self) -> str:
        """Every node's host:port for clients, with commas."""
        return ",".join(f"{HOST}:{ports.clients}" for ports in self.nodes.values())

    def member(self, number: int) -> Membership:
        """One node's place in it."""
        return Membership(cluster_id=self.cluster_id, number=number, nodes=self.nodes)


def _ports(first_port: int | None) -> dict[int, Ports]:
    asked = range(first_port, first_port + NODES) if first_port else ()
    free = (port for port in free_ports() if port not in asked)
    clients = count(first_port) if first_port else free
    return {
        number: Ports(clients=next(clients), internal=next(free), controller=next(free))
        for number in range(1, NODES + 1)
    }

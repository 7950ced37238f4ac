"""Three real Kafka brokers on this machine, so that one may die and the other two go on."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from streams.broker.block import RunsInBlock
from streams.broker.cluster_layout import NODES, Layout
from streams.broker.embedded import EmbeddedKafka
from streams.broker.jars import KafkaUnavailable, Progress, kafka_jars
from streams.broker.kafka_home import KafkaHome, Occupied
from streams.broker.kafka_launch import HEAP_MB, POLL_SECONDS, KafkaOptions

NODE_HEAP_MB = 384


class EmbeddedCluster(RunsInBlock):
    """Kafka nodes with their data below `directory`, each broker and controller in a process of its own.

    Used as `EmbeddedKafka` is, which each of its `nodes` is too: kill one and start it again by itself. `options` are
    those of every node; the port is that of the first, the others take the next ones.
    Raises `KafkaUnavailable` for whatever keeps it from running.
    """

    def __init__(
        self, directory: Path | str, options: KafkaOptions | None = None, *, progress: Progress | None = None
    ) -> None:
        self.home = KafkaHome(Path(directory).absolute())
        self.options = options or KafkaOptions(heap_mb=NODE_HEAP_MB)
        self._progress = progress
        self.nodes = {number: EmbeddedKafka(self.home.directory / f"node-{number}") for number in range(1, NODES + 1)}

    @property
    def bootstrap(self) -> str:
        """The host:port of every node, with commas, also of one that is down. Raises `KafkaUnavailable` if all are."""
        layout = Layout.read(self.home.directory)
        if layout is None or not self._running():
            raise KafkaUnavailable(f"No Kafka is running in {self.home.directory}.")
        return layout.bootstrap

    def start(self, *, detached: bool = False) -> Self:
        """Start every node that does not run; return once all take requests. They die with us unless `detached`."""
        kafka_jars(progress=self._progress)  # once for all, and by the thread that Ctrl-C reaches
        try:
            lock = self.home.occupy()  # only while they are started: each node has a lock of its own
        except Occupied as error:
            raise KafkaUnavailable(f"A Kafka is already running or starting in {self.home.directory}.") from error
        except OSError as error:
            raise KafkaUnavailable(f"Kafka cannot use {self.home.directory}: {error.strerror}.") from error
        try:
            self._settle()
            absent = [node for node in self.nodes.values() if not node.home.occupied()]
            if not absent:
                raise KafkaUnavailable(f"A Kafka is already running in {self.home.directory} at {self.bootstrap}.")
            _start_side_by_side(absent, detached=detached)
        finally:
            os.close(lock)
        return self

    def stop(self) -> bool:
        """Stop all nodes, cleanly if they will; say whether one was there."""
        return self._each(EmbeddedKafka.stop)

    def kill(self) -> bool:
        """Kill all nodes at once, as a power cut would; say whether one was there."""
        return self._each(EmbeddedKafka.kill)

    def _running(self) -> bool:
        return any(node.home.occupied() for node in self.nodes.values())

    def _settle(self) -> None:
        """Give each node its place: the one that it has while any runs, else one on ports that are free."""
        if self.home.data.exists():
            raise KafkaUnavailable(f"{self.home.directory} holds the data of one broker, not of {NODES}.")
        kept = Layout.read(self.home.directory)
        if kept is None:
            layout = Layout.choose(self.options.port)
        elif self._running():
            layout = kept
        else:
            layout = kept.on_free_ports(self.options.port)
        layout.write(self.home.directory)
        for number, node in self.nodes.items():
            node.options = replace(self.options, port=None, member=layout.member(number))

    def _each(self, end: Callable[[EmbeddedKafka], bool]) -> bool:
        with ThreadPoolExecutor(NODES) as threads:
            return any(list(threads.map(end, self.nodes.values())))


def kafka_in(
    directory: Path,
    brokers: int | None = None,
    *,
    port: int | None = None,
    heap_mb: int | None = None,
    progress: Progress | None = None,
) -> EmbeddedKafka | EmbeddedCluster:
    """One broker or a cluster of three: as many as the directory was first used for, else `brokers`, else one.

    Raises `KafkaUnavailable` where that is not as many as are asked for.
    """
    if Layout.read(directory) and brokers not in (None, NODES):
        raise KafkaUnavailable(f"{directory} holds the data of {NODES} brokers, not of {brokers}.")
    if brokers == NODES or Layout.read(directory):
        return EmbeddedCluster(directory, KafkaOptions(port=port, heap_mb=heap_mb or NODE_HEAP_MB), progress=progress)
    return EmbeddedKafka(directory, KafkaOptions(port=port, heap_mb=heap_mb or HEAP_MB), progress=progress)


def _start_side_by_side(nodes: Sequence[EmbeddedKafka], *, detached: bool) -> None:
    """Start all, since a quorum of them must run before any takes requests; where one fails, leave none of these."""
    with ThreadPoolExecutor(NODES) as threads:
        starts = {threads.submit(node.start, detached=detached): node for node in nodes}
        try:
            done, _ = wait(starts, return_when=FIRST_EXCEPTION)
            for each in done:
                each.result()
        except BaseException:  # Ctrl-C included
            for start, node in starts.items():
                while not start.done():
                    with suppress(KafkaUnavailable):  # it has no process yet
                        node.kill()
                    time.sleep(POLL_SECONDS)
            for node in nodes:
                node.kill()
            raise

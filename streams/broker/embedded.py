"""A real Apache Kafka that starts by itself: no Java, no Maven and no container on the machine."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from streams.broker.block import RunsInBlock
from streams.broker.jars import KafkaUnavailable, Progress, kafka_jars
from streams.broker.kafka_home import KafkaHome, Occupant, Occupied
from streams.broker.kafka_launch import POLL_SECONDS, KafkaOptions, format_data, launch
from streams.broker.rehearsal import rehearse

STOP_SECONDS = 20.0  # for a clean stop; it takes half a second


class EmbeddedKafka(RunsInBlock):
    """One Kafka node with its data in `directory`, which is formatted once and keeps its topics ever after.

    As a context manager, plain or async, the broker lives as long as the block, and dies with this process however
    that ends. `start(detached=True)` leaves it running for others; any process may stop it, by its directory.
    Raises `KafkaUnavailable` for whatever keeps it from running.
    """

    def __init__(
        self, directory: Path | str, options: KafkaOptions | None = None, *, progress: Progress | None = None
    ) -> None:
        self.home = KafkaHome(Path(directory).absolute())
        self.options = options or KafkaOptions()
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The host:port that clients are given. Raises `KafkaUnavailable` if none runs here."""
        return self._occupant().bootstrap

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that it listens on: where a proxy at the advertised address must lead."""
        return self._occupant().port

    @property
    def pid(self) -> int:
        """The leader of the broker's process group; a signal to the group reaches all of it."""
        return self._occupant().pid

    def start(self, *, detached: bool = False) -> Self:
        """Start it and return once it takes requests; it dies with this process unless `detached`."""
        jars = kafka_jars(progress=self._progress)
        rehearse(jars)
        try:
            lock = self.home.occupy()
        except Occupied as error:
            where = self.home.occupant()
            at = f" at {where.bootstrap}" if where else ""
            raise KafkaUnavailable(f"A Kafka is already running in {self.home.directory}{at}.") from error
        except OSError as error:
            raise KafkaUnavailable(f"Kafka cannot use {self.home.directory}: {error.strerror}.") from error
        self._reap()
        try:
            self._bring_up(jars, lock, detached=detached)
        except BaseException:
            self._empty_within(STOP_SECONDS)  # what was killed takes a moment to be gone
            raise
        return self

    def stop(self) -> bool:
        """Stop whatever Kafka lives in the directory, cleanly if it will; say whether one did."""
        return self._end(signal.SIGTERM)

    def kill(self) -> bool:
        """Kill it without a word, as a power cut would; say whether one was there."""
        return self._end(signal.SIGKILL)

    def _bring_up(self, jars: tuple[Path, ...], lock: int, *, detached: bool) -> None:
        try:
            format_data(self.home, jars, self.options.member)
            self._process = launch(self.home, jars, self.options, lock=lock, detached=detached)
        finally:
            os.close(lock)  # the broker holds it now, if there is one

    def _occupant(self) -> Occupant:
        occupant = self.home.occupant()
        if occupant is None:
            raise KafkaUnavailable(f"No Kafka is running in {self.home.directory}.")
        return occupant

    def _end(self, first: signal.Signals) -> bool:
        occupant = self.home.occupant()
        if occupant:
            _signal(occupant, first)
            if not self._empty_within(STOP_SECONDS):
                _signal(occupant, signal.SIGKILL)
                self._empty_within(STOP_SECONDS)
        elif self.home.occupied():
            raise KafkaUnavailable(f"The Kafka in {self.home.directory} is only being started; try again in a moment.")
        self._reap()
        return occupant is not None

    def _empty_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.home.occupied():
            if time.monotonic() > end:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _reap(self) -> None:
        if self._process:
            self._process.wait()
            self._process = None


def _signal(occupant: Occupant, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it went by itself in between
        os.killpg(occupant.pid, number)

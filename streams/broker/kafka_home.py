"""The directory of one embedded Kafka: what lies where in it, and whether a Kafka lives in it now.

A lock file that the broker process itself holds says so: the kernel lets go of it when the last process that has it
is gone. A number in a file could not: process numbers are used again.
"""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

GLANCES, GLANCE_SECONDS = 5, 0.02  # somebody who only looks holds the lock for an instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """The Kafka that lives in a directory. `pid` leads a process group of its own."""

    pid: int
    bootstrap: str  # host:port that clients are told
    port: int  # that it listens on, on 127.0.0.1
    started_at: str  # RFC 3339, UTC


class Occupied(Exception):
    """Another Kafka lives in this directory, or is about to."""


@dataclass(frozen=True, slots=True)
class KafkaHome:
    """Paths below one data directory."""

    directory: Path

    @property
    def properties(self) -> Path:
        """The configuration that the broker was last started with."""
        return self.directory / "server.properties"

    @property
    def data(self) -> Path:
        """Kafka's own files; there once they are formatted."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What the broker says, from its last start on."""
        return self.directory / "kafka.log"

    @property
    def state(self) -> Path:
        """Who lives here; to be believed only while the lock is held."""
        return self.directory / "kafka.json"

    @property
    def lock(self) -> Path:
        """Held by the broker process as long as it lives."""
        return self.directory / "kafka.lock"

    def occupy(self) -> int:
        """Take the lock for the broker about to start; returns the descriptor to hand down. Raises `Occupied`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(GLANCES):
            if _locked(descriptor, fcntl.LOCK_EX):
                self.state.unlink(missing_ok=True)
                return descriptor
            time.sleep(GLANCE_SECONDS)
        os.close(descriptor)
        raise Occupied(str(self.directory))

    def occupied(self) -> bool:
        """Say whether a Kafka lives here or is being started."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def occupant(self) -> Occupant | None:
        """Name the Kafka that lives here; None where there is none, or none yet."""
        if not self.occupied():
            return None
        try:
            return Occupant(**json.loads(self.state.read_text()))
        except FileNotFoundError:
            return None

    def announce(self, *, pid: int, bootstrap: str, port: int, started_at: datetime) -> None:
        """Record who lives here. For whoever holds the lock."""
        occupant = Occupant(pid=pid, bootstrap=bootstrap, port=port, started_at=started_at.isoformat())
        draft = self.state.with_suffix(".new")
        draft.write_text(json.dumps(asdict(occupant)))
        draft.rename(self.state)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def default_home() -> KafkaHome:
    """The Kafka of this working directory: `.holdfast/kafka`, or `kafka` below HOLDFAST_HOME."""
    return KafkaHome(Path(os.environ.get("HOLDFAST_HOME") or ".holdfast").absolute() / "kafka")

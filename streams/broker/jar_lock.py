"""The lock of Kafka's jars: which files make up the broker, and what their bytes must be.

`python -m streams.broker.jar_lock` resolves the newest closure of `ROOTS` and writes `kafka-jars.lock` again;
change a version here, run it, review the difference, run the Kafka tests.
"""

import hashlib
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.2.1"
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedJar:
    """One jar of the class path: where Maven keeps it, its size in bytes and its SHA-256 in hex."""

    coordinates: str  # group:artifact:version
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """Its file name, as Maven repositories have it."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"

    def matches(self, path: Path) -> bool:
        """Say whether the file at `path` is there and is this jar, byte for byte."""
        try:
            return path.stat().st_size == self.size and sha256_of(path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class JarLock:
    """All jars of one Kafka. `name` changes with any of them, so no two sets share a directory."""

    jars: tuple[LockedJar, ...]

    @property
    def name(self) -> str:
        """A directory name for exactly this set."""
        pins = "\n".join(jar.sha256 for jar in self.jars)
        return f"kafka-{KAFKA_VERSION}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"

    @property
    def size(self) -> int:
        """Bytes of all jars together."""
        return sum(jar.size for jar in self.jars)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_lock(path: Path = LOCK_FILE) -> JarLock:
    """Read the lock that is shipped with the package."""
    return JarLock(jars=tuple(LockedJar(**entry) for entry in tomllib.loads(path.read_text())["jar"]))


def render_lock(jars: Iterable[LockedJar]) -> str:
    """Write the lock as TOML, sorted, so that a change of version reads well as a diff."""
    header = "# Apache Kafka and all it needs. Written by `python -m streams.broker.jar_lock`; not edited by hand.\n"
    entries = (
        f'\n[[jar]]\ncoordinates = "{jar.coordinates}"\nsize = {jar.size}\nsha256 = "{jar.sha256}"\n'
        for jar in sorted(jars, key=lambda jar: jar.coordinates)
    )
    return header + "".join(entries)


def main() -> None:
    """Resolve `ROOTS` anew and write the lock file."""
    from streams.broker.maven import fetch, resolve  # jgo is not needed to read a lock

    with tempfile.TemporaryDirectory() as scratch:
        paths = {coordinates: fetch(coordinates, Path(scratch)) for coordinates in resolve(ROOTS, Path(scratch))}
        jars = [
            LockedJar(coordinates=coordinates, size=path.stat().st_size, sha256=sha256_of(path))
            for coordinates, path in paths.items()
        ]
    LOCK_FILE.write_text(render_lock(jars))


if __name__ == "__main__":
    main()

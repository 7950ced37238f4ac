"""A Maven repository in a directory: gives what is in it, for tests of downloading without a network."""

import hashlib
from pathlib import Path

from streams.broker.jar_lock import JarLock, LockedJar

CONTENTS = {
    "org.example:broker:1.0": b"broker" * 1000,
    "org.example:clients:1.0": b"clients" * 1000,
    "org.example:logging:2.1": b"logging" * 10,
}


def lock_of(contents: dict[str, bytes]) -> JarLock:
    return JarLock(
        jars=tuple(
            LockedJar(coordinates=coordinates, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            for coordinates, data in contents.items()
        )
    )


class JarMirror:
    """Call it as `fetch`. Change `contents` to tamper; take one out and it is not found; `reachable` is the network."""

    def __init__(self) -> None:
        self.contents = dict(CONTENTS)
        self.lock = lock_of(CONTENTS)
        self.reachable = True
        self.fetched: list[str] = []

    def __call__(self, coordinates: str, directory: Path) -> Path:
        if not self.reachable:
            raise ConnectionError("HTTPSConnectionPool(host='example', port=443): Max retries exceeded")
        if coordinates not in self.contents:
            raise RuntimeError(f"Artifact {coordinates} not found in remote repositories")
        directory.mkdir(exist_ok=True)
        path = directory / f"{coordinates.replace(':', '-')}.part"
        path.write_bytes(self.contents[coordinates])
        self.fetched.append(coordinates)
        return path

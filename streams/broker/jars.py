"""Kafka's jars on this machine: fetched once, held against the lock at every start, installed whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from streams.broker import maven
from streams.broker.jar_lock import JarLock, LockedJar, read_lock

Fetch = Callable[[str, Path], Path]  # (coordinates, directory to work in) -> the file; may raise anything
Progress = Callable[[int, int], None]  # (bytes fetched and verified, bytes in all)

PARALLEL_DOWNLOADS = 8


class KafkaUnavailable(Exception):
    """The embedded Kafka cannot be had, started or reached. The message is one sentence for whoever asked for it."""


def cache_directory() -> Path:
    """Where downloads are kept: HOLDFAST_CACHE, or the user's cache directory of the platform."""
    return Path(os.environ.get("HOLDFAST_CACHE") or platformdirs.user_cache_dir("holdfast")).absolute()


def kafka_jars(
    *,
    cache: Path | None = None,
    lock: JarLock | None = None,
    fetch: Fetch = maven.fetch,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Return the class path of the pinned Kafka, downloading it first where it is missing or damaged.

    Every jar is hashed at each call (45 MB, 45 ms); nothing touches the network while all of them match. Any number
    of processes may call this at once: one downloads, the others wait for it. Raises `KafkaUnavailable`, and then
    the cache holds what it held before, less what was damaged.
    """
    cache = cache or cache_directory()
    lock = lock or read_lock()
    installed = cache / lock.name
    paths = tuple(installed / jar.file for jar in lock.jars)
    if _intact(lock, installed):
        return paths
    try:
        with only_one(cache):
            if not _intact(lock, installed):
                _install(lock, installed, fetch, progress or _silent)
    except OSError as error:
        raise KafkaUnavailable(f"Kafka cannot be installed in {cache}: {error.strerror or error}.") from error
    return paths


def _intact(lock: JarLock, directory: Path) -> bool:
    return all(jar.matches(directory / jar.file) for jar in lock.jars)


@contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Hold the installer's lock; the kernel gives it back should we die."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".installing").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(lock: JarLock, target: Path, fetch: Fetch, progress: Progress) -> None:
    for abandoned in target.parent.glob(".staging-*"):  # of an installer that was killed: we hold its lock now
        shutil.rmtree(abandoned, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    try:
        _fetch_all(lock, staging, fetch, progress)
        if target.exists():
            target.rename(staging / "damaged")
        (staging / "verified").rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_all(lock: JarLock, staging: Path, fetch: Fetch, progress: Progress) -> None:
    (staging / "verified").mkdir()
    fetched = 0
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        try:
            for done in as_completed([pool.submit(_fetch_one, jar, staging, fetch) for jar in lock.jars]):
                fetched += done.result()
                progress(fetched, lock.size)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: LockedJar, staging: Path, fetch: Fetch) -> int:
    try:
        path = fetch(jar.coordinates, staging / "maven")
    except Exception as error:  # jgo raises RuntimeError, AssertionError and whatever requests does
        raise KafkaUnavailable(f"Kafka cannot be downloaded: {_in_short(error)} ({jar.file}).") from error
    if not jar.matches(path):
        raise KafkaUnavailable(f"Kafka is not installed: the {jar.file} that was downloaded is not the one we pinned.")
    path.rename(staging / "verified" / jar.file)
    return jar.size


def _in_short(error: Exception) -> str:
    if not isinstance(error, OSError):
        return "the repository does not have it"
    return error.strerror or "the repository cannot be reached"


def _silent(fetched: int, total: int) -> None:
    """Nobody watches."""

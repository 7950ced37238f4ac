"""One start of Kafka that nobody waits for twice: Java remembers it, and every later one takes half the time.

Java's ahead-of-time cache (JEP 483, 514 and 515) holds the classes that a start loads, linked, and what was learnt of
their methods. It is as good for a broker that comes back after it was killed.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from streams.broker.jars import KafkaUnavailable, only_one
from streams.broker.java import start_cache
from streams.broker.kafka_home import KafkaHome
from streams.broker.kafka_launch import KafkaOptions, format_data, launch

log = structlog.get_logger()

WRITE_SECONDS = 120.0  # Java writes the cache when it ends: five seconds of a core


def rehearse(jars: Sequence[Path]) -> None:
    """Start and stop a broker for Java to remember, unless one was. Any number of processes may call this at once.

    Without it Kafka starts as well, only slower: whatever fails is said in the log and no more.
    """
    cache = start_cache(jars)
    if cache.exists():
        return
    try:
        with only_one(cache.parent.parent):
            if not cache.exists():
                _rehearse(jars, cache)
    except (OSError, KafkaUnavailable, subprocess.TimeoutExpired) as error:
        log.info("kafka_start_not_remembered", why=str(error))


def _rehearse(jars: Sequence[Path], cache: Path) -> None:
    for abandoned in cache.parent.parent.glob(".rehearsal-*"):  # of one that was killed: we hold its lock now
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".rehearsal-", dir=cache.parent.parent) as scratch:
        home, remembered = KafkaHome(Path(scratch)), Path(scratch) / "start.aot"
        lock = home.occupy()
        try:
            format_data(home, jars)
            broker = launch(
                home, jars, KafkaOptions(java=[f"-XX:AOTCacheOutput={remembered}"]), lock=lock, detached=False
            )
        finally:
            os.close(lock)
        os.killpg(broker.pid, signal.SIGTERM)
        broker.wait(WRITE_SECONDS)
        remembered.replace(cache)

"""Kafka's start is rehearsed once for each cache, and goes well without it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streams.broker import java
from streams.broker.jars import kafka_jars
from streams.broker.rehearsal import rehearse

pytestmark = pytest.mark.kafka


@pytest.fixture
def jars(tmp_path: Path) -> Iterator[tuple[Path, ...]]:
    """Those of Kafka, in a cache of their own where nothing was rehearsed."""
    installed = tmp_path / "cache" / "kafka"
    installed.mkdir(parents=True)
    for jar in kafka_jars():
        shutil.copy2(jar, installed)
    yield tuple(installed / jar.name for jar in kafka_jars())
    shutil.rmtree(installed)


def command(jars: tuple[Path, ...]) -> list[str]:
    return java.broker_command(jars, Path("server.properties"), heap_mb=64)


def test_a_start_is_remembered_and_rehearsed_no_second_time(jars: tuple[Path, ...]) -> None:
    cache = java.start_cache(jars)
    assert not any("AOTCache" in each for each in command(jars))
    abandoned = cache.parent.parent / ".rehearsal-killed"
    abandoned.mkdir()

    rehearse(jars)
    written = cache.stat()
    rehearse(jars)

    assert f"-XX:AOTCache={cache}" in command(jars)
    assert cache.stat() == written
    assert not list(cache.parent.parent.glob(".rehearsal-*"))


def test_a_kafka_that_does_not_start_is_said_and_no_more(
    jars: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "SAFETY", ("-XX:+NoSuchOption",))
    with capture_logs() as said:
        rehearse(jars)
    assert [each["event"] for each in said] == ["kafka_start_not_remembered"]
    assert not java.start_cache(jars).exists()

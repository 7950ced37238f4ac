"""The jars of Kafka are the pinned ones, or there are none."""

import tomllib

import pytest

from streams.broker.jar_lock import LOCK_FILE, ROOTS, read_lock, render_lock


def test_lock_pins_every_root():
    coordinates = {jar.coordinates for jar in read_lock().jars}

    assert set(ROOTS) <= coordinates


def test_lock_pins_each_file_once_with_a_whole_hash():
    jars = read_lock().jars

    assert len({jar.file for jar in jars}) == len(jars)
    assert all(len(jar.sha256) == 64 and int(jar.sha256, 16) and jar.size > 0 for jar in jars)


def test_written_lock_reads_back_the_same():
    assert render_lock(read_lock().jars) == LOCK_FILE.read_text()


def test_lock_names_no_place_to_download_from():
    assert "://" not in LOCK_FILE.read_text()
    assert all(
        entry.keys() == {"coordinates", "size", "sha256"} for entry in tomllib.loads(LOCK_FILE.read_text())["jar"]
    )


@pytest.mark.parametrize("content", [b"x" * 10, b"y" * 9, None])
def test_jar_with_other_content_does_not_match(tmp_path, content):
    jar = read_lock().jars[0]
    path = tmp_path / jar.file
    if content is not None:
        path.write_bytes(content)

    assert not jar.matches(path)

"""Fetching Kafka: installed whole and verified, or not at all and with one sentence."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.jar_mirror import CONTENTS, JarMirror, lock_of

from streams.broker.jars import KafkaUnavailable, kafka_jars


@pytest.fixture
def mirror():
    return JarMirror()


@pytest.fixture
def install(mirror, tmp_path):
    return lambda **options: kafka_jars(cache=tmp_path / "cache", lock=mirror.lock, fetch=mirror, **options)


@pytest.fixture
def remains(tmp_path):
    """Every file that is left in the cache but the installer's lock."""
    return lambda: sorted(
        path.name for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".installing"
    )


def test_first_call_installs_the_pinned_jars(install):
    assert [path.read_bytes() for path in install()] == list(CONTENTS.values())


def test_second_call_needs_no_network(install, mirror):
    first = install()
    mirror.reachable = False

    assert install() == first


def test_network_that_is_down_leaves_nothing_behind(install, mirror, remains):
    mirror.reachable = False

    with pytest.raises(KafkaUnavailable, match="repository cannot be reached"):
        install()
    assert remains() == []


def test_jar_that_is_not_there_leaves_nothing_behind(install, mirror, remains):
    del mirror.contents["org.example:clients:1.0"]

    with pytest.raises(KafkaUnavailable, match=r"clients-1\.0\.jar"):
        install()
    assert remains() == []


@pytest.mark.parametrize("forged", [b"clients" * 999 + b"evilevi", b"", b"clients" * 1001])
def test_tampered_download_is_refused_and_leaves_nothing_behind(install, mirror, remains, forged):
    mirror.contents["org.example:clients:1.0"] = forged

    with pytest.raises(KafkaUnavailable, match=r"clients-1\.0\.jar .* not the one we pinned"):
        install()
    assert remains() == []


def test_error_is_one_sentence(install, mirror):
    mirror.reachable = False

    with pytest.raises(KafkaUnavailable, match=r"\AKafka cannot be downloaded: [^:\n]+\.\Z"):
        install()


def test_installation_succeeds_once_the_network_is_back(install, mirror):
    mirror.reachable = False
    with pytest.raises(KafkaUnavailable):
        install()
    mirror.reachable = True

    assert all(path.is_file() for path in install())


def test_jar_tampered_with_after_installation_is_fetched_again(install):
    damaged = install()[1]
    damaged.write_bytes(b"evil" * 1750)

    assert install()[1].read_bytes() == CONTENTS["org.example:clients:1.0"]


def test_jar_lost_after_installation_is_fetched_again(install):
    install()[0].unlink()

    assert all(path.is_file() for path in install())


def test_damaged_installation_is_not_used_without_a_network(install, mirror):
    install()[1].write_bytes(b"evil" * 1750)
    mirror.reachable = False

    with pytest.raises(KafkaUnavailable):
        install()


def test_download_of_an_installer_that_was_killed_is_swept_away(install, tmp_path):
    abandoned = tmp_path / "cache" / ".staging-dead"
    abandoned.mkdir(parents=True)
    (abandoned / "half.jar").write_bytes(b"half")

    install()

    assert not abandoned.exists()


def test_callers_at_the_same_time_download_once(install, mirror):
    with ThreadPoolExecutor(4) as pool:
        results = [each.result() for each in [pool.submit(install) for _ in range(4)]]

    assert sorted(mirror.fetched) == sorted(CONTENTS)
    assert len(set(results)) == 1


def test_another_lock_gets_a_directory_of_its_own(install, mirror, tmp_path):
    old = install()
    mirror.contents = {"org.example:broker:1.1": b"newer"}

    new = kafka_jars(cache=tmp_path / "cache", lock=lock_of(mirror.contents), fetch=mirror)

    assert all(path.is_file() for path in (*old, *new))


def test_progress_ends_at_all_bytes(install, mirror):
    seen: list[tuple[int, int]] = []

    install(progress=lambda fetched, total: seen.append((fetched, total)))

    assert seen[-1] == (mirror.lock.size, mirror.lock.size)
    assert len(seen) == len(CONTENTS)


def test_cache_that_cannot_be_written_is_one_sentence(mirror, tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")

    with pytest.raises(KafkaUnavailable, match="cannot be installed in"):
        kafka_jars(cache=occupied, lock=mirror.lock, fetch=mirror)


def test_cache_directory_is_where_the_environment_says(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "elsewhere"))

    assert all(path.is_relative_to(tmp_path / "elsewhere") for path in kafka_jars(lock=mirror.lock, fetch=mirror))

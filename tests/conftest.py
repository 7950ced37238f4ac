"""What tests of all kinds share: one real Kafka for the session, started by the first test that asks for it.

Tests that drive real processes wait for them, and a machine that is busy elsewhere can outlast their patience. One that
fails is tried once more, as Kafka's own build does; its first failure is printed in full, and more than a few such
failures fail the run. Tests of pure logic, of quality and of faults under load are never tried twice.
"""

import signal
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions

# A deadline in milliseconds tells of a busy machine, not of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


# A run in the background of a shell is told to ignore Ctrl-C, and so would be all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TRIED_TWICE = ("kafka", "browser")
MOST_TRIED_TWICE = 5  # in one run, of some four hundred


# Minutes each: what is begun last would run alone in the end. Those that start many processes not beside each other.
LONGEST_FIRST = (
    "test_three_brokers",
    "test_handbook",
    "test_attacks",
    "test_disk_and_clocks",
    "test_simulated",
    "test_families_elsewhere",
    "test_drill",
    "test_demo",
    "test_documented_metrics",
    "test_installed_wheel",
    "test_reconciler",
)
_WHEN = {name: when for when, name in enumerate(LONGEST_FIRST)}


@pytest.hookimpl(trylast=True)  # after the order was made random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _WHEN.get(item.path.stem, len(_WHEN)))
    for item in items:
        if any(item.get_closest_marker(name) for name in TRIED_TWICE):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"failed at first: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and len(reporter.getreports("rerun")) > MOST_TRIED_TWICE:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """The session's broker. Not to be stopped or killed: tests that do that start one of their own."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), KafkaOptions(heap_mb=512)) as broker:
        yield broker


@pytest.fixture(scope="session")
def bootstrap(kafka: EmbeddedKafka) -> str:
    """Its address, host:port."""
    return kafka.bootstrap


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups and transactional ids that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}."

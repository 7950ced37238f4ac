"""Logs: one JSON object a line, no card number in it, and no line for what is not news."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.logs import configure_logs

CARD = "4111111111111111"


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = before
    for name in [each for each in root.manager.loggerDict if each.startswith("aiokafka")]:
        logging.getLogger(name).filters.clear()


def test_an_event_is_a_json_object_with_its_component(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("worker-1")
    structlog.get_logger().info("lanes_open", partitions=[0, 1])
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["component"], line["partitions"]) == ("lanes_open", "worker-1", [0, 1])


@pytest.mark.parametrize("field", [CARD, f"card {CARD} refused", [CARD], {"card": CARD}, int(CARD), CARD.encode()])
def test_no_card_number_is_logged_whatever_it_stands_in(capsys: pytest.CaptureFixture[str], field: object) -> None:
    configure_logs("worker-1")
    structlog.get_logger().warning("odd", field=field)
    told = capsys.readouterr().err
    assert CARD not in told
    assert json.loads(told)["event"] == "odd"


def test_no_library_logs_a_card_number(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("worker-1")
    logging.getLogger("faust").error("crashed at %s", CARD)
    told = capsys.readouterr().err
    assert "crashed" in told
    assert CARD not in told


def test_what_brokers_answer_for_a_moment_is_not_news(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("worker-1")
    sender = logging.getLogger("aiokafka.producer.sender")
    sender.warning("Got error produce response: CONCURRENT_TRANSACTIONS")
    sender.warning("Got error produce response: TOPIC_AUTHORIZATION_FAILED")
    told = capsys.readouterr().err
    assert "CONCURRENT" not in told
    assert "AUTHORIZATION" in told


def test_a_client_that_knocks_at_a_broker_that_is_away_says_so_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("worker-1")
    client = logging.getLogger("aiokafka")
    for port in range(9000, 9400):
        client.error("Unable connect to node with id %s", port)
        client.error("Unable to update metadata from %s", [1])
    told = capsys.readouterr().err
    assert told.count("Unable connect to node with id 9000") == 1
    assert told.count("\n") == 2

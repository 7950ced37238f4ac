"""An id that comes again: a repeat is counted and not decided again; other content is a dead letter and an alert."""

import json
import time
from collections.abc import Iterator

import pytest
from support.outside import Json, Outside, outside_of
from support.processes import Running, running_worker

from models.dead_letter import DeadLetterReason
from streams.broker.topics import Topic
from streams.wire.dead_letter import read_dead_letter

pytestmark = pytest.mark.kafka

UPDATE_SECONDS = 1.0


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@pytest.fixture
def worker(outside: Outside) -> Iterator[Running]:
    often = {"incidents_quiet_seconds": "3", "incidents_update_seconds": str(UPDATE_SECONDS)}
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**often)) as started:
        yield started


def send(outside: Outside, payment: Json) -> None:
    outside.send(json.dumps(payment).encode(), key=payment["pan_token"].encode())
    outside.flush()


def decisions_of(outside: Outside, payment: Json) -> list[Json]:
    return [each for each in outside.decisions() if each["transaction_id"] == payment["transaction_id"]]


def reasons(outside: Outside) -> list[DeadLetterReason]:
    heard = outside.heard(Topic.DEAD_LETTERS)
    return [read_dead_letter(each.key(), each.value(), each.headers() or []).reason for each in heard]


def test_a_repeat_is_counted_and_gives_no_second_decision(outside: Outside, worker: Running) -> None:
    payment = outside.payment()
    send(outside, payment)
    for spelling in (payment, dict(reversed(payment.items())), payment | {"unknown": "field"}):
        send(outside, spelling)
    outside.decided(payment["pan_token"])  # a later one of the same card: what came before it is done
    assert len(decisions_of(outside, payment)) == 1
    assert worker.metric("holdfast_duplicates") == 3
    assert (reasons(outside), outside.alerts("transaction-ids")) == ([], [])
    ledger = outside.audit().ledger
    assert (ledger.holds, ledger.decided, ledger.duplicates, ledger.dead_letters) == (True, 2, 3, 0)


def test_a_repeat_is_known_by_the_worker_that_comes_after(outside: Outside) -> None:
    payment = outside.payment()
    for _ in range(2):
        with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
            send(outside, payment)
            outside.decided(payment["pan_token"])
            duplicates = worker.metric("holdfast_duplicates")
    assert duplicates == 1
    assert len(decisions_of(outside, payment)) == 1
    assert outside.audit().holds


def test_an_id_with_other_content_is_a_letter_and_one_alert_for_the_episode(outside: Outside, worker: Running) -> None:
    payment = outside.payment()
    send(outside, payment)
    began = time.monotonic()
    for number in range(12):
        send(outside, payment | {"amount_minor": 5000 + number})
        outside.decided()  # payments that are well come among them
        time.sleep(0.25)

    def is_over() -> bool:
        outside.decided()  # one that came in a batch with the last repeat proves nothing
        return [each["status"] for each in outside.alerts("transaction-ids")] == ["open", "resolved"]

    outside.until(is_over)
    lasted = time.monotonic() - began
    assert reasons(outside) == [DeadLetterReason.ID_REUSED] * 12
    assert worker.metric("holdfast_duplicates") == 0
    [decision] = decisions_of(outside, payment)
    assert decision["amount_minor"] == payment["amount_minor"]
    told = [json.loads(each.value() or b"")["data"] for each in outside.heard(Topic.ALERTS)]
    told = [each for each in told if each["component"] == "transaction-ids"]
    assert {each["dedup_key"] for each in told} == {"worker-1/transaction-ids"}
    assert {(each["reason"], each["severity"]) for each in told} == {("ID_REUSED", "critical")}
    assert [each["status"] for each in told][1:-1] == ["update"] * (len(told) - 2)
    assert len(told) - 2 <= lasted / UPDATE_SECONDS + 2
    assert told[-1]["count"] == 12
    assert outside.audit().holds

"""`holdfast dlt` against a real broker: letters are seen, sent again exactly once, and deleted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import Running, environment_of, running_worker
from typer.testing import CliRunner, Result

from models.dead_letter import DeadLetterReason as Reason
from streams.broker.clients import sender
from streams.broker.topics import Topic
from streams.operating.dlt_commands import app
from streams.wire.codec import MalformedRecord
from streams.wire.dead_letter import SourceRecord, dead_letter, read_dead_letter

pytestmark = pytest.mark.kafka

Call = Callable[..., Result]

MANY = 3_000
NOWHERE = 10_000_000  # an offset that no record of these tests has


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@pytest.fixture
def worker(outside: Outside) -> Iterator[Running]:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as started:
        yield started


@pytest.fixture
def call(outside: Outside) -> Call:
    """Call `holdfast dlt` in this process."""
    runner = CliRunner(
        env={"COLUMNS": "200"} | environment_of(outside.bootstrap, outside.prefix, **outside.variables())
    )

    def called(*arguments: str, given: str | None = None) -> Result:
        result = runner.invoke(app, arguments, input=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return called


def a_record(outside: Outside, number: int, value: bytes | None = None, **changes: Any) -> SourceRecord:
    record = SourceRecord(
        topic=outside.name(Topic.TRANSACTIONS),
        partition=number % 2,
        offset=NOWHERE + number,
        timestamp=1_767_323_045_678,
        key=b"tok_%d" % number,
        value=value or b'{"number": %d}' % number,
    )
    return replace(record, **changes)


def bury(outside: Outside, *records: SourceRecord, reason: Reason = Reason.MISSING_FIELD) -> list[str]:
    """Make a dead letter of each record; where they lie."""
    return asyncio.run(_bury(outside, records, reason))


async def _bury(outside: Outside, records: tuple[SourceRecord, ...], reason: Reason) -> list[str]:
    topic = outside.name(Topic.DEAD_LETTERS)
    async with sender(outside.settings.broker, max_request_size=2 << 20) as producer:
        sent = []
        for record in records:
            letter = dead_letter(record, MalformedRecord(reason, "merchant_id: [b]is missing[/b]"))
            sent.append(
                await producer.send(
                    topic, key=letter.key, value=letter.value, headers=letter.headers, partition=record.partition
                )
            )
        places = await asyncio.gather(*sent)
    return [f"{each.partition}:{each.offset}" for each in places]


def replayed(outside: Outside, topic: Topic = Topic.TRANSACTIONS) -> list[Message]:
    """Committed records that are replays."""
    return [each for each in outside.all_of(topic) if named(each)]


def named(message: Message) -> list[str]:
    """The letters that a record's headers name."""
    return [value.decode() for name, value in message.headers() or [] if name == "holdfast-replay-of"]


def letters(outside: Outside) -> list[Message]:
    return outside.all_of(Topic.DEAD_LETTERS)


# list and show


def test_letters_are_listed_newest_first_one_object_a_line(outside: Outside, call: Call) -> None:
    places = [bury(outside, a_record(outside, number))[0] for number in range(3)]
    listed = [json.loads(line) for line in call("list", "--json", "--count", "2").stdout.splitlines()]
    assert [each["letter"] for each in listed] == places[:0:-1]
    assert listed[0] | {"written_at": ""} == {
        "letter": places[2],
        "written_at": "",
        "topic": outside.name(Topic.TRANSACTIONS),
        "partition": 0,
        "offset": NOWHERE + 2,
        "reason": "MISSING_FIELD",
        "detail": "merchant_id: [b]is missing[/b]",
        "bytes": 13,
        "masked": 0,
        "replay_of": None,
        "replayed": False,
    }


def test_letters_are_listed_by_reason_and_by_time(outside: Outside, call: Call) -> None:
    bury(outside, a_record(outside, 0))
    time.sleep(2.5)
    [place] = bury(outside, a_record(outside, 1), reason=Reason.NOT_JSON)
    bury(outside, a_record(outside, 2))
    by_reason = call("list", "--json", "--reason", "NOT_JSON").stdout.splitlines()
    assert [json.loads(line)["letter"] for line in by_reason] == [place]
    assert len(call("list", "--json", "--last", "2s").stdout.splitlines()) == 2
    table = call("list").stdout
    assert "3 of 3 dead letters" in table
    assert "merchant_id: [b]is missing[/b]" in table


def test_a_letter_is_shown_whole_and_raw(outside: Outside, call: Call) -> None:
    headers = (("trace", b"7"), ("empty", None))
    [text] = bury(outside, a_record(outside, 1, headers=headers))
    [binary] = bury(outside, a_record(outside, 1, value=b"\xff\x00\x1b[2J"))
    shown = call("show", text).stdout
    for part in ("MISSING_FIELD", "merchant_id", "trace: 7", "empty: none", '{"number": 1}', "tok_1"):
        assert part in shown
    assert "ff 00 1b 5b 32 4a" in call("show", binary).stdout
    assert call("show", binary, "--raw").stdout_bytes == b"\xff\x00\x1b[2J"


@pytest.mark.parametrize("place", ["0:0", "9:0", "1:99"])
def test_a_letter_that_is_not_there_is_not_shown(outside: Outside, call: Call, place: str) -> None:
    bury(outside, a_record(outside, 1))
    assert call("show", place).exit_code == 1


# replay


def test_a_record_is_sent_again_as_it_came(outside: Outside, call: Call) -> None:
    headers = (("trace", b"7"), ("empty", None), ("holdfast-error-reason", b"forged"))
    [place] = bury(outside, a_record(outside, 1, value=b"\xff\x00", headers=headers))
    assert call("replay", place).exit_code == 0
    [sent] = replayed(outside)
    assert (sent.partition(), sent.key(), sent.value()) == (1, b"tok_1", b"\xff\x00")
    assert sent.headers() == [*headers, ("holdfast-replay-of", place.encode())]
    assert json.loads(call("list", "--json").stdout)["replayed"] is True


def test_labels_go_back_to_labels(outside: Outside, call: Call) -> None:
    bury(outside, a_record(outside, 0, topic=outside.name(Topic.LABELS)))
    call("replay", "--all")
    assert [each.value() for each in replayed(outside, Topic.LABELS)] == [b'{"number": 0}']
    assert replayed(outside) == []


def test_a_letter_is_sent_once_however_often_it_is_asked_for(outside: Outside, call: Call) -> None:
    places = bury(outside, *(a_record(outside, number) for number in range(250)))
    for arguments in (["--all"], ["--all"], places[:2], ["--reason", "MISSING_FIELD"], ["--last", "1h"]):
        assert call("replay", *arguments).exit_code == 0
    assert sorted(name for each in replayed(outside) for name in named(each)) == sorted(places)


def test_a_dry_run_sends_nothing(outside: Outside, call: Call) -> None:
    bury(outside, a_record(outside, 0))
    told = json.loads(call("replay", "--all", "--dry-run", "--json").stdout)
    assert told == {"sent": 1, "dry_run": True, "not_sent": {}}
    assert replayed(outside) == []
    assert outside.all_of(Topic.LETTER_REPLAYS) == []


def test_masked_letters_and_reused_ids_stay_and_are_said_so(outside: Outside, call: Call) -> None:
    [masked] = bury(outside, a_record(outside, 0, value=b"4111111111111111"), reason=Reason.CARD_NUMBER_PRESENT)
    [reused] = bury(outside, a_record(outside, 1), reason=Reason.ID_REUSED)
    told = call("replay", "--all")
    assert (told.exit_code, replayed(outside)) == (0, [])
    assert "card numbers in it were masked" in told.stdout
    assert "send the payment with a new id" in told.stdout
    assert [call("replay", place).exit_code for place in (masked, reused, "0:77")] == [1, 1, 1]


def test_letters_must_be_chosen(outside: Outside, call: Call) -> None:
    assert [call("replay", *wrong).exit_code for wrong in ([], ["0:1", "--all"], ["nonsense"])] == [2, 2, 2]


def test_what_is_refused_again_is_a_new_letter_and_every_record_still_ends_once(
    outside: Outside, call: Call, worker: Running
) -> None:
    for number in range(5):
        outside.pay()
        outside.send(b'{"no": %d}' % number, key=b"tok_x", partition=number % 2)
    outside.flush()
    outside.until(lambda: len(outside.heard(Topic.DEAD_LETTERS)) == 5)
    assert json.loads(call("replay", "--all", "--json").stdout)["sent"] == 5
    outside.until(lambda: len(outside.heard(Topic.DEAD_LETTERS)) == 10)
    again = json.loads(call("replay", "--all", "--json").stdout)
    assert (again["sent"], Counter(again["not_sent"].values())) == (0, {"REPLAYED": 5, "CAME_BACK": 5})
    assert json.loads(call("replay", "--all", "--again", "--json").stdout)["sent"] == 5
    began = time.monotonic()
    audit = outside.audit()
    assert time.monotonic() - began < PATIENCE_SECONDS / 2  # the ends of transactions are nothing to wait for
    assert audit.holds
    assert (audit.ledger.transactions, audit.ledger.decided, audit.ledger.dead_letters) == (20, 5, 15)
    assert len(letters(outside)) == 15


def test_a_payment_that_can_be_read_by_now_is_decided_once(outside: Outside, call: Call, worker: Running) -> None:
    payment = outside.payment("tok_late")
    late = a_record(outside, 0, value=json.dumps(payment).encode(), key=b"tok_late")
    places = bury(outside, late, replace(late, offset=NOWHERE + 7), reason=Reason.EVENT_TIME_IN_FUTURE)
    told = json.loads(call("replay", "--all", "--json").stdout)
    assert told["not_sent"] == {places[1]: "DECIDED"}
    assert outside.decision(payment["transaction_id"])["input"]["partition"] == 0
    assert json.loads(call("replay", places[1], "--json").stdout)["sent"] == 0
    assert outside.audit().holds


def test_a_payment_that_its_producer_sent_again_itself_is_not_decided_twice(
    outside: Outside, call: Call, worker: Running
) -> None:
    """Its card has since paid so often that the ring would not know it any more."""
    payment = outside.payment("tok_sent")
    value = json.dumps(payment).encode()
    bury(outside, a_record(outside, 1, value=value, key=b"tok_sent"), reason=Reason.EVENT_TIME_IN_FUTURE)
    outside.send(value, key=b"tok_sent", partition=1)
    for _ in range(40):
        last = outside.pay("tok_sent", partition=1)
    outside.decision(last)
    assert json.loads(call("replay", "--all", "--json").stdout)["sent"] == 0
    assert outside.audit().holds
    assert replayed(outside) == []


# a replay that is killed, or meets another


@contextmanager
def replaying(outside: Outside) -> Iterator["subprocess.Popen[bytes]"]:
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables())
    arguments = [sys.executable, "-m", "streams.operating.cli", "dlt", "replay", "--all"]
    with subprocess.Popen(arguments, env=os.environ | environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


class Uncommitted:
    """Counts the records of `transactions` as soon as they are written, committed or not."""

    def __init__(self, outside: Outside) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": outside.bootstrap, "group.id": "x", "isolation.level": "read_uncommitted"}
        )
        topic = outside.name(Topic.TRANSACTIONS)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(2)])
        self.count = 0

    def wait_for_more(self, process: "subprocess.Popen[bytes]", more: int) -> None:
        """Until so many more are there, or the process has ended."""
        wanted, give_up_at = self.count + more, time.monotonic() + 60
        while self.count < wanted and process.poll() is None:
            assert time.monotonic() < give_up_at
            self.count += sum(each.error() is None for each in self._consumer.consume(50, timeout=0.01))

    def catch_up(self) -> None:
        while found := self._consumer.consume(1000, timeout=0.5):
            self.count += sum(each.error() is None for each in found)

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def uncommitted(outside: Outside) -> Iterator[Uncommitted]:
    counting = Uncommitted(outside)
    yield counting
    counting.close()


def test_a_replay_killed_again_and_again_sends_each_letter_once(outside: Outside, uncommitted: Uncommitted) -> None:
    places = bury(outside, *(a_record(outside, number) for number in range(MANY)))
    killed = 0
    for more in (1, 40, 110, 250, 7):
        with replaying(outside) as process:
            uncommitted.wait_for_more(process, more)
            killed += process.poll() is None
        uncommitted.catch_up()
    assert killed >= 3
    with replaying(outside) as process:
        assert process.wait(60) == 0
    uncommitted.catch_up()
    assert Counter(name for each in replayed(outside) for name in named(each)) == Counter(places)
    assert uncommitted.count > MANY  # some of what was written was taken back: it was killed in the midst


def test_a_replay_that_stood_still_meanwhile_sends_nothing_more(
    outside: Outside, uncommitted: Uncommitted, call: Call
) -> None:
    places = bury(outside, *(a_record(outside, number) for number in range(MANY)))
    with replaying(outside) as first:
        uncommitted.wait_for_more(first, 150)
        first.send_signal(signal.SIGSTOP)
        assert first.poll() is None
        assert call("replay", "--all").exit_code == 0
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 2
        assert first.stderr is not None
        assert b"goes on in place of this one" in first.stderr.read()
    assert Counter(name for each in replayed(outside) for name in named(each)) == Counter(places)


def test_an_interrupted_replay_leaves_nobody_waiting(outside: Outside, uncommitted: Uncommitted) -> None:
    bury(outside, *(a_record(outside, number) for number in range(MANY)))
    with replaying(outside) as process:
        uncommitted.wait_for_more(process, 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    began = time.monotonic()
    outside.send(b"{}", key=b"k", partition=0)
    outside.flush()
    assert any(each.value() == b"{}" for each in outside.all_of(Topic.TRANSACTIONS))
    assert time.monotonic() - began < 4.0


# purge


def test_letters_are_deleted_up_to_a_place_once_somebody_says_yes(outside: Outside, call: Call) -> None:
    places = bury(outside, *(a_record(outside, 2 * number) for number in range(5)))
    kept = bury(outside, a_record(outside, 1))
    refused = call("purge", places[2], given="n\n")
    assert (refused.exit_code, len(letters(outside))) == (1, 6)
    assert "3 MISSING_FIELD" in refused.stdout
    done = call("purge", places[2], given="y\n")
    assert done.exit_code == 0
    left = [f"{each.partition()}:{each.offset()}" for each in letters(outside)]
    assert sorted(left) == sorted([*places[3:], *kept])
    assert call("purge", places[2], "--yes").stdout.startswith("0 letters")


def test_letters_are_deleted_by_age(outside: Outside, call: Call) -> None:
    bury(outside, a_record(outside, 0), a_record(outside, 1), reason=Reason.NOT_JSON)
    time.sleep(2.5)
    bury(outside, a_record(outside, 2))
    assert call("purge", "--older-than", "2s", "--yes").exit_code == 0
    said = [read_dead_letter(each.key(), each.value(), each.headers() or []).reason for each in letters(outside)]
    assert said == [Reason.MISSING_FIELD]


def test_a_purge_says_what_an_audit_will_miss(outside: Outside, call: Call) -> None:
    outside.send(b"x", key=b"k", partition=0)
    outside.flush()
    bury(outside, a_record(outside, 0, offset=0))
    assert "of 1 still lie on transactions" in call("purge", "--older-than", "0s", given="n\n").stdout


def test_a_purge_needs_one_bound_and_a_place_that_is_there(outside: Outside, call: Call) -> None:
    [place] = bury(outside, a_record(outside, 0))
    wrong = ([], [place, "--older-than", "1s"], ["0:9"], ["7:0"])
    assert [call("purge", *each, "--yes").exit_code for each in wrong] == [2, 2, 2, 2]
    assert len(letters(outside)) == 1

"""kill -9 under load: nothing is lost, nothing is decided twice, no card's order or memory suffers, no orphan stays."""

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import psutil
import pytest
from aiokafka.errors import KafkaError
from chaos.checker import judge
from chaos.evidence import gather
from confluent_kafka import Message
from msgspec import structs
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import environment_of, running_worker
from support.scorers import scorers_of
from support.trained import champion_record, trained
from support.wire_samples import a_decision

from models.simulator.policy import TrafficPolicy
from models.warm_up import WarmUp
from rules.decision import InputPosition
from streams.auditing.audit import audit_topics
from streams.broker.topics import DECISIONS, Topic
from streams.deciding.ownership import lock, take_over
from streams.deciding.resumption import note
from streams.deciding.transactional import fencing_producer
from streams.operating.simulating import simulate
from streams.reconciling.reading import reconciled
from streams.supervising import supervisor as supervising
from streams.supervising.restarts import RestartPolicy
from streams.supervising.supervisor import Child, Kept, State, Supervisor
from streams.wire.codec import read_decision, read_revision, write_decision
from streams.wire.snapshot_record import CHAMPION

pytestmark = pytest.mark.chaos

PARTITIONS = 4
RATE, SECONDS = 250.0, 14.0
TRAFFIC = TrafficPolicy(cards=400, merchants=600)  # so few that a card pays several times in a batch
QUICK = RestartPolicy(first_pause=0.1, longest_pause=0.5)
QUICK_LEARNER = {
    "learner_least_labels": "50",
    "learner_least_frauds": "1",
    "learner_publish_interval_seconds": "1",
}


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix, PARTITIONS) as outside:
        yield outside


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# Under load


def child(outside: Outside, name: str) -> Child:
    kind = name if name in ("learner", "reconciler") else "worker"
    settings = outside.variables(**QUICK_LEARNER)
    return Child(
        name=name,
        command=(sys.executable, "-m", "streams.operating.cli", kind),
        environment=os.environ
        | environment_of(outside.bootstrap, outside.prefix, **settings)
        | {"HOLDFAST_INSTANCE": name},
        ready_within_seconds=PATIENCE_SECONDS,
    )


def process_of(kept: Kept) -> psutil.Process:
    """The child itself, below its leash."""
    [process] = psutil.Process(kept.pid).children()
    return process


def family(children: dict[str, Kept]) -> list[int]:
    return [each.pid for kept in children.values() for each in psutil.Process(kept.pid).children(recursive=True)]


async def kill_each_once(children: dict[str, Kept]) -> list[int]:
    """Kill a worker, another's scorer, learner and reconciler, some apart; who was killed, once all are replaced."""
    await asyncio.sleep(2.0)
    worker = process_of(children["worker-1"])
    worker.kill()
    await asyncio.sleep(2.0)
    other = process_of(children["worker-2"])
    await until(lambda: len(scorers_of(other.pid)) == 1)
    [scorer] = scorers_of(other.pid)
    scorer.kill()
    await asyncio.sleep(2.0)
    learner, reconciler = process_of(children["learner"]), process_of(children["reconciler"])
    learner.kill()
    reconciler.kill()
    await until(lambda: all(children[name].restarts == 1 for name in ("worker-1", "learner", "reconciler")))
    await until(lambda: all(kept.state is State.READY for kept in children.values()))
    await until(lambda: [each.pid for each in scorers_of(other.pid)] not in ([], [scorer.pid]))
    return [worker.pid, scorer.pid, learner.pid, reconciler.pid]


async def test_kill_9_of_worker_scorer_learner_and_reconciler_loses_and_repeats_nothing(
    outside: Outside, tmp_path: Path
) -> None:
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(*(child(outside, name) for name in ("worker-1", "worker-2", "learner", "reconciler")))
        children = {kept.child.name: kept for kept in supervisor}
        killing = asyncio.create_task(kill_each_once(children))
        sent = await simulate(outside.settings, rate=RATE, seconds=SECONDS, policy=TRAFFIC, bad=0.02)
        killed = await killing
        audit = await audit_topics(outside.settings, wait_seconds=PATIENCE_SECONDS)
        await reconciled(outside.settings, wait_seconds=10.0)
        everybody = family(children)

    ledger = audit.ledger
    assert audit.holds, ledger
    assert (ledger.in_flight, ledger.duplicates) == (0, 0)
    assert (ledger.decided, ledger.dead_letters) == (sent.sent, sent.bad_sent)
    assert sent.sent > 0.8 * RATE * SECONDS
    assert sent.labels_sent > 50
    assert not any(map(lives, [*killed, *everybody]))
    verdict = judge(gather(outside.settings, WarmUp()), [])
    # A label that corrects another is in no history, and no calm payment came to prove that incidents are over.
    assert verdict.broken.keys() <= {"labels are learnt once", "alerts open and resolve once"}, verdict.broken
    decisions = outside.all_of(*DECISIONS.values())
    assert made_out_of_order(decisions) == []
    assert_revised_once(decisions, outside.all_of(Topic.REVISED))


def assert_revised_once(decisions: list[Message], revisions: list[Message]) -> None:
    """Of what was decided without the model, all but what came after it last answered, and nothing else."""
    made = [read_decision(each.value()) for each in decisions]
    answered = max(each.timestamp()[1] for each, one in zip(decisions, made, strict=True) if one.risk_score is not None)
    due = {
        one.decision_id
        for each, one in zip(decisions, made, strict=True)
        if one.fallback_reason is not None and each.timestamp()[1] <= answered
    }
    revised = Counter(read_revision(each.value()).decision_id for each in revisions)
    assert due
    assert due <= revised.keys() <= {one.decision_id for one in made if one.fallback_reason is not None}
    assert set(revised.values()) == {1}


async def test_a_spare_decides_in_the_place_of_a_killed_worker(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "SPARE_AFTER_SECONDS", 0.2)
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(replace(child(outside, "worker-1"), spare=True))
        [kept] = supervisor
        await until(lambda: kept.spare is not None and nurseries_below(kept.spare.pid))
        spare, mothers = kept.spare.pid, nurseries_below(kept.spare.pid)
        await asyncio.to_thread(outside.decided)
        assert kept.log.read_text().count("worker_starting") == 1
        process_of(kept).kill()
        await until(lambda: kept.restarts == 1 and kept.state is State.READY)
        assert kept.pid == spare
        assert nurseries_below(spare) == mothers
        await asyncio.to_thread(outside.decided)
    assert kept.log.read_text().count("worker_starting") == 2


def nurseries_below(pid: int) -> list[int]:
    """Process ids of those whose scorers are borne for this process or one below it."""
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if "streams.deciding.scorer_nursery" in each.cmdline() and each.parent().cmdline() != each.cmdline():
                found.append(each.pid)
    return found


def made_out_of_order(decisions: list[Message]) -> list[str]:
    """Decisions that were made before that of an earlier payment of their partition, on whichever topic each lies."""
    read = sorted((read_decision(each.value()) for each in decisions), key=lambda each: _place(each.input))
    pairs = [(earlier, later) for earlier, later in pairwise(read) if earlier.input.partition == later.input.partition]
    return [later.transaction_id for earlier, later in pairs if later.decided_at < earlier.decided_at]


def _place(position: InputPosition) -> tuple[int, int]:
    return position.partition, position.offset


# A predecessor that does not know that it was replaced

WAITING = 4_000  # payments in each partition: more than it can decide, one a transaction, while a worker starts


async def decide_until_fenced(outside: Outside, partition: int, began: asyncio.Event) -> int:
    """Go on as a worker does that lost its partition unawares, a transaction for each record; how many it decided."""
    topic, name = outside.name(Topic.TRANSACTIONS), f"lanes-earlier-{partition}"
    producer = await fencing_producer(outside.settings, name)
    locked = await lock(outside.settings, partition)
    await take_over(outside.settings, {partition: locked}, name)
    await locked.stop()
    try:
        for offset in range(WAITING):
            place = InputPosition(topic=topic, partition=partition, offset=offset)
            decision = structs.replace(a_decision(), transaction_id=f"tx_{partition}_{offset}", input=place)
            await producer.begin_transaction()
            await producer.send_and_wait(outside.name(Topic.REVIEW), write_decision(decision), b"tok", partition)
            noted = note(offset + 1)
            await producer.send_and_wait(outside.name(Topic.PROFILES), noted.value, noted.key, partition)
            await producer.commit_transaction()
            began.set()
    except KafkaError:
        return offset
    finally:
        await producer.stop()
    return WAITING


async def test_a_predecessor_that_goes_on_deciding_loses_and_repeats_nothing(outside: Outside) -> None:
    for partition in range(PARTITIONS):
        for number in range(WAITING):
            payment = outside.payment(f"tok_{partition}_{number}", transaction_id=f"tx_{partition}_{number}")
            outside.send(msgspec.json.encode(payment), key=payment["pan_token"].encode(), partition=partition)
    outside.flush()
    began = [asyncio.Event() for _ in range(PARTITIONS)]
    predecessors = [
        asyncio.create_task(decide_until_fenced(outside, number, event)) for number, event in enumerate(began)
    ]
    await asyncio.gather(*(event.wait() for event in began))
    with ExitStack() as running:
        successor = running_worker(outside.bootstrap, outside.prefix, **outside.variables())
        await asyncio.to_thread(running.enter_context, successor)
        decided = await asyncio.gather(*predecessors)
        audit = await audit_topics(outside.settings, wait_seconds=PATIENCE_SECONDS)

        assert 0 < min(decided) <= max(decided) < WAITING
        assert audit.holds, audit.ledger
        assert (audit.ledger.decided, audit.ledger.in_flight) == (PARTITIONS * WAITING, 0)


# What a killed worker had told


def test_an_incident_that_was_open_at_a_kill_is_resolved_by_the_next_process(outside: Outside) -> None:
    variables = outside.variables(incidents_quiet_seconds="1", incidents_late_quiet_seconds="1")
    with running_worker(outside.bootstrap, outside.prefix, **variables) as worker:
        outside.decided()
        outside.until(lambda: len(outside.alerts("model")) == 1)
        worker.kill()
    with running_worker(outside.bootstrap, outside.prefix, **variables):
        outside.decided()  # without a model still: the incident goes on
        outside.send(champion_record(trained()), key=CHAMPION, topic=Topic.MODELS)
        outside.flush()
        outside.until(lambda: outside.decided()["decision_source"] == "model")
        outside.until(lambda: outside.alerts("model")[-1]["status"] == "resolved")
    opened, resolved = outside.alerts("model")
    assert (opened["status"], resolved["status"]) == ("open", "resolved")
    assert resolved["started_at"] == opened["started_at"]
    assert resolved["count"] >= 2


# Orphans


def await_started(scorer: int) -> None:
    """Wait until the scorer serves, which it does once it ignores SIGTERM."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        [ignored] = re.findall(r"SigIgn:\s*(\w+)", Path(f"/proc/{scorer}/status").read_text())
        if int(ignored, 16) >> (signal.SIGTERM - 1) & 1:
            return
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's death signal")
@pytest.mark.parametrize("stopped", [False, True], ids=["that waits", "that is stopped"])
def test_a_scorer_does_not_outlive_its_killed_worker(outside: Outside, stopped: bool) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
        [scorer] = scorers_of(worker.pid)
        if stopped:
            await_started(scorer.pid)
            scorer.suspend()
        worker.kill()

        give_up_at = time.monotonic() + 5.0
        while lives(scorer.pid) and time.monotonic() < give_up_at:
            time.sleep(0.02)
        assert not lives(scorer.pid)

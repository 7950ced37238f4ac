"""The scorer link with a real scorer process: late, hung, dead, babbling, refusing, renewed and gone."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import psutil
import pytest
from support.labelled_rows import labelled_rows, taught

from models.online import OnlineModel
from models.snapshot import to_plain
from rules.decision import FallbackReason
from streams.deciding import nursery, scorer_nursery
from streams.deciding.nursery import Nursery, Offspring
from streams.deciding.scorer_child import NotScored, ScorerChild
from streams.deciding.scorer_frames import HEADER, Kind, frame
from streams.deciding.scorer_link import ScorerLink
from streams.settings import ScorerSettings
from streams.wire.scorer_fault import FaultKind, ScorerFault
from streams.wire.snapshot_record import SnapshotRecord, write_for_scorer

SETTINGS = ScorerSettings(hung_after_ms=150, restart_backoff_seconds=0.01, start_timeout_seconds=10.0)
AMPLE = 5.0
ROWS = labelled_rows(4, seed=3)[0]
MATRIX = np.asarray(ROWS, dtype="<f8").tobytes()


@pytest.fixture(scope="module")
def model() -> OnlineModel:
    return taught(400)


@pytest.fixture(scope="module")
def snapshot(model: OnlineModel) -> bytes:
    return for_scorer(model)


@pytest.fixture(scope="module")
def later_snapshot() -> bytes:
    return for_scorer(taught(450))


def for_scorer(model: OnlineModel) -> bytes:
    record = SnapshotRecord(created_at=datetime.now(UTC), snapshot=to_plain(model.snapshot()))
    return write_for_scorer(record)


def version(snapshot: bytes) -> str:
    return json.loads(snapshot)["model_version"]


def altered(snapshot: bytes) -> bytes:
    plain = json.loads(snapshot)
    plain["scored_intercept"] += 1.0
    return json.dumps(plain).encode()


@asynccontextmanager
async def running(settings: ScorerSettings = SETTINGS) -> AsyncIterator[ScorerLink]:
    link = ScorerLink(settings)
    await link.start()
    try:
        yield link
    finally:
        await link.stop()


@pytest.fixture
async def link() -> AsyncIterator[ScorerLink]:
    async with running() as started:
        yield started


@pytest.fixture
async def loaded(link: ScorerLink, snapshot: bytes) -> ScorerLink:
    link.load(snapshot)
    await until(lambda: link.model_version == version(snapshot))
    return link


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.005)


async def refusal(link: ScorerLink, budget: float = AMPLE) -> FallbackReason:
    with pytest.raises(NotScored) as refused:
        await link.score(MATRIX, len(ROWS), budget)
    return refused.value.reason


async def test_it_answers_what_the_model_would(loaded: ScorerLink, model: OnlineModel) -> None:
    scored = await loaded.score(MATRIX, len(ROWS), AMPLE)
    assert scored.answer.probabilities.tolist() == pytest.approx([model.score(row) for row in ROWS], abs=1e-9)
    assert scored.model_version == loaded.model_version


def test_a_scorer_is_sent_nothing_that_only_a_learner_needs(snapshot: bytes) -> None:
    assert not {"sample", "label_offsets"} & set(json.loads(snapshot))


async def test_without_a_snapshot_it_is_cold(link: ScorerLink) -> None:
    assert await refusal(link) is FallbackReason.MODEL_COLD_START


async def test_a_matrix_that_is_none_is_an_error_of_the_application(loaded: ScorerLink) -> None:
    with pytest.raises(NotScored) as refused:
        await loaded.score(MATRIX[:-8], len(ROWS), AMPLE)
    assert refused.value.reason is FallbackReason.APPLICATION_ERROR
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


async def test_a_late_answer_is_not_waited_for_and_harms_nobody(snapshot: bytes) -> None:
    patient = ScorerSettings(hung_after_ms=10_000, restart_backoff_seconds=0.01, start_timeout_seconds=10.0)
    async with running(patient) as link:
        link.load(snapshot)
        await until(lambda: link.model_version)
        pid = link.pid
        link.inject(ScorerFault(delay_ms=1000))
        began = time.monotonic()
        assert await refusal(link, 0.02) is FallbackReason.RESPONSE_TIMEOUT
        assert time.monotonic() - began < 0.8
        link.inject(ScorerFault(delay_ms=0))
        one_row = np.asarray(ROWS[:1], dtype="<f8").tobytes()
        scored = await link.score(one_row, 1, AMPLE)
        assert scored.answer.probabilities.size == 1
        assert link.pid == pid


async def test_an_answer_that_came_in_time_is_used_though_the_loop_was_late(loaded: ScorerLink) -> None:
    asked = asyncio.create_task(loaded.score(MATRIX, len(ROWS), 0.05))
    await asyncio.sleep(0)
    time.sleep(0.1)  # the loop stands still, the scorer does not
    assert (await asked).answer.probabilities.size == len(ROWS)


async def test_a_stopped_scorer_is_killed_and_replaced(loaded: ScorerLink, snapshot: bytes) -> None:
    pid = loaded.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert await refusal(loaded, 0.02) is FallbackReason.RESPONSE_TIMEOUT
    await until(lambda: loaded.pid != pid)
    assert time.monotonic() - began < 1.0
    await until(lambda: loaded.model_version == version(snapshot))
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version == version(snapshot)
    assert not psutil.pid_exists(pid)


async def test_a_killed_scorer_is_replaced_with_the_latest_snapshot(loaded: ScorerLink, later_snapshot: bytes) -> None:
    loaded.load(later_snapshot)
    await until(lambda: loaded.model_version == version(later_snapshot))
    pid = loaded.pid
    assert pid is not None
    loaded.inject(ScorerFault(delay_ms=100))
    asked = asyncio.create_task(loaded.score(MATRIX, len(ROWS), AMPLE))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NotScored) as refused:
        await asked
    assert refused.value.reason is FallbackReason.CONNECTION_ERROR
    assert await refusal(loaded) is FallbackReason.CONNECTION_ERROR
    loaded.inject(ScorerFault(delay_ms=0))
    await until(lambda: loaded.model_version == version(later_snapshot))
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version == version(later_snapshot)
    assert loaded.restarts == 1


async def test_a_condemned_scorer_is_replaced(loaded: ScorerLink) -> None:
    pid = loaded.pid
    loaded.condemn()
    assert await refusal(loaded) is FallbackReason.CONNECTION_ERROR
    await until(lambda: loaded.pid not in (None, pid) and loaded.model_version)


async def test_a_fault_outlives_the_process_it_was_told(loaded: ScorerLink) -> None:
    pid = loaded.pid
    loaded.inject(ScorerFault(delay_ms=100))
    loaded.condemn()
    await until(lambda: loaded.pid not in (None, pid) and loaded.model_version)
    assert await refusal(loaded, 0.05) is FallbackReason.RESPONSE_TIMEOUT


async def test_a_fault_that_does_not_last_dies_with_its_process(loaded: ScorerLink) -> None:
    pid = loaded.pid
    loaded.inject(ScorerFault(delay_ms=100, lasting=False))
    loaded.condemn()
    await until(lambda: loaded.pid not in (None, pid) and loaded.model_version)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


ANSWERED = {
    FaultKind.RAISE: FallbackReason.APPLICATION_ERROR,
    FaultKind.EXIT: FallbackReason.CONNECTION_ERROR,
    FaultKind.SEGFAULT: FallbackReason.CONNECTION_ERROR,
    FaultKind.ALLOCATE: FallbackReason.CONNECTION_ERROR,
    FaultKind.SPIN: FallbackReason.RESPONSE_TIMEOUT,
    FaultKind.TRICKLE: FallbackReason.RESPONSE_TIMEOUT,
    FaultKind.PREVIOUS: FallbackReason.MODEL_INVALID_OUTPUT,
}


@pytest.mark.parametrize("kind", ANSWERED)
async def test_each_fault_ends_the_wait_with_its_reason(loaded: ScorerLink, kind: FaultKind) -> None:
    before = np.asarray(ROWS[::-1], dtype="<f8").tobytes()  # as many rows: nothing but the question tells it
    assert (await loaded.score(before, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)
    loaded.inject(ScorerFault(kind=kind, delay_ms=20, lasting=False))
    assert await refusal(loaded, 0.1) is ANSWERED[kind]


async def test_a_fault_that_has_an_end_ends_by_itself(loaded: ScorerLink) -> None:
    loaded.inject(ScorerFault(kind=FaultKind.RAISE, until=time.time() + 1.0))
    assert await refusal(loaded, AMPLE) is FallbackReason.APPLICATION_ERROR
    await asyncio.sleep(1.1)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


async def test_a_fault_whose_end_has_passed_is_none(loaded: ScorerLink) -> None:
    loaded.inject(ScorerFault(kind=FaultKind.RAISE, until=time.time() - 1.0))
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


async def test_a_scorer_that_spins_or_trickles_is_replaced(loaded: ScorerLink) -> None:
    for kind in (FaultKind.SPIN, FaultKind.TRICKLE):
        pid = loaded.pid
        loaded.inject(ScorerFault(kind=kind, delay_ms=20, lasting=False))
        assert await refusal(loaded, 0.05) is FallbackReason.RESPONSE_TIMEOUT
        await until(lambda pid=pid: loaded.pid not in (None, pid) and loaded.model_version)
        assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


async def test_a_refused_snapshot_leaves_the_model_before_it_in_force(
    loaded: ScorerLink, snapshot: bytes, later_snapshot: bytes
) -> None:
    loaded.load(altered(later_snapshot))
    await until(lambda: loaded.refusal)
    assert "hash" in str(loaded.refusal)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version == version(snapshot)
    pid = loaded.pid
    loaded.condemn()
    await until(lambda: loaded.pid not in (None, pid) and loaded.model_version)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version == version(snapshot)
    loaded.load(later_snapshot)
    await until(lambda: loaded.model_version == version(later_snapshot))
    assert loaded.refusal is None


@pytest.mark.parametrize("nonsense", [b"[]", b"{", b"null", b"{}", b"\xff"])
async def test_a_snapshot_that_is_none_is_refused_and_the_model_cold(link: ScorerLink, nonsense: bytes) -> None:
    link.load(nonsense)
    await until(lambda: link.refusal)
    assert await refusal(link) is FallbackReason.MODEL_COLD_START


async def test_the_first_snapshot_is_verified_by_the_process_that_is_there_however_long_it_takes(
    snapshot: bytes,
) -> None:
    async with running(replace(SETTINGS, hung_after_ms=1)) as link:
        pid = link.pid
        link.load(snapshot)
        await until(lambda: link.model_version)
        assert (link.pid, link.restarts) == (pid, 0)


async def test_a_new_snapshot_is_verified_by_a_process_that_no_batch_waits_for(
    loaded: ScorerLink, snapshot: bytes, later_snapshot: bytes
) -> None:
    pid, versions = loaded.pid, []
    loaded.load(later_snapshot)
    while loaded.pid == pid:
        versions.append((await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version)
        await asyncio.sleep(0.001)
    versions.append((await loaded.score(MATRIX, len(ROWS), AMPLE)).model_version)
    assert set(versions[:-1]) == {version(snapshot)}
    assert versions[-1] == version(later_snapshot)


async def test_what_the_old_scorer_was_asked_it_still_answers(loaded: ScorerLink, later_snapshot: bytes) -> None:
    pid = loaded.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    asked = asyncio.create_task(loaded.score(MATRIX, len(ROWS), AMPLE))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGCONT)
    loaded.load(later_snapshot)
    assert (await asked).answer.probabilities.size == len(ROWS)


async def test_many_batches_at_once_each_get_their_own_answer(loaded: ScorerLink) -> None:
    asked = [
        loaded.score(np.asarray(ROWS[:rows], dtype="<f8").tobytes(), rows, AMPLE) for rows in (1, 2, 3, 4, 3, 2, 1)
    ]
    answers = await asyncio.gather(*asked)
    assert [scored.answer.probabilities.size for scored in answers] == [1, 2, 3, 4, 3, 2, 1]


BABBLER = """
import socket, sys
connection = socket.socket(fileno=int(sys.argv[-1]))
while connection.recv(1 << 20):
    connection.sendall(bytes.fromhex("{babble}"))
"""


class BabblingNursery(Nursery):
    """Bears what answers the same to everything."""

    def __init__(self, babble: bytes) -> None:
        super().__init__()
        self._script = BABBLER.format(babble=babble.hex())

    async def bear(self, memory_mb: int) -> tuple[Offspring, socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs:
            number = str(theirs.fileno())
            self._process = subprocess.Popen((sys.executable, "-c", self._script, number), pass_fds=[theirs.fileno()])
        return Offspring(self._process.pid), ours


@pytest.mark.parametrize(
    "babble",
    [b"hello, I am a model", frame(Kind.LOADED, 99, b"m-9"), frame(Kind.SCORES, 99, b""), HEADER.pack(2, 1, 1, 2**31)],
    ids=["words", "a load unasked", "scores unasked", "an endless frame"],
)
async def test_a_scorer_that_babbles_is_lost(babble: bytes) -> None:
    babbling = BabblingNursery(babble)
    child = await ScorerChild.spawn(babbling, 1024)
    try:
        with pytest.raises(NotScored) as refused:
            await child.score(MATRIX, len(ROWS), AMPLE)
        assert refused.value.reason is FallbackReason.CONNECTION_ERROR
        assert child.lost.is_set()
    finally:
        await child.end()
        await babbling.close()


async def test_a_scorer_that_cannot_be_started_is_tried_again(
    loaded: ScorerLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(nursery.sys, "executable", "/nonexistent/python")
        for each in nurseries():
            os.kill(each, signal.SIGKILL)
        await until(lambda: loaded.pid is None)
        await asyncio.sleep(0.05)
        assert await refusal(loaded) is FallbackReason.CONNECTION_ERROR
    await until(lambda: loaded.model_version)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5, 6, 8, 12])
async def test_stopping_leaves_no_process_in_whichever_turn_of_the_loop(snapshot: bytes, turns: int) -> None:
    link = ScorerLink(SETTINGS)
    await link.start()
    link.load(snapshot)
    for _ in range(turns):
        await asyncio.sleep(0)
    link.condemn()
    await link.stop()
    assert processes() == []
    assert link.pid is None


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_start_that_is_called_off_leaves_no_process(turns: int) -> None:
    nursery = Nursery()
    start = asyncio.create_task(ScorerChild.spawn(nursery, 1024))
    for _ in range(turns):
        await asyncio.sleep(0.0002)
    start.cancel()
    with suppress(asyncio.CancelledError):
        await (await start).end()
    await nursery.close()
    assert processes() == []


async def test_a_nursery_that_was_open_before_there_was_a_loop_bears_the_first_scorer() -> None:
    mother = Nursery()
    await asyncio.to_thread(mother.open)
    [before] = nurseries()
    link = ScorerLink(SETTINGS, mother)
    await link.start()
    assert nurseries() == [before]
    await link.stop()
    assert processes() == []


async def test_scorers_die_with_their_nursery_and_another_is_raised(loaded: ScorerLink) -> None:
    pid = loaded.pid
    [nursery_pid] = nurseries()
    os.kill(nursery_pid, signal.SIGKILL)
    await until(lambda: loaded.pid not in (None, pid) and loaded.model_version)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)
    assert nurseries() != [nursery_pid]


async def test_a_nursery_has_one_thread_and_a_new_scorer_takes_it_next_to_no_time(loaded: ScorerLink) -> None:
    """What has several threads may not fork."""
    [mother] = [psutil.Process(each) for each in nurseries()]
    before = mother.cpu_times()
    for _ in range(5):
        pid = loaded.pid
        loaded.condemn()
        await until(lambda pid=pid: loaded.pid not in (None, pid) and loaded.model_version)
    spent = mother.cpu_times()
    assert mother.num_threads() == 1
    assert [each.num_threads() for each in mother.children()] == [1]
    assert spent.user + spent.system - before.user - before.system < 0.5  # five starts would take a second


async def test_where_there_is_no_room_for_another_scorer_those_that_are_there_live_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mother = Nursery()
    child = await ScorerChild.spawn(mother, 1024)
    with monkeypatch.context() as full:
        full.setattr(Nursery, "_asked", staticmethod(no_room))
        with pytest.raises(OSError, match="no room"):
            await ScorerChild.spawn(mother, 1024)
    assert not child.lost.is_set()
    another = await ScorerChild.spawn(mother, 1024)
    await asyncio.gather(child.end(), another.end())
    await mother.close()


async def no_room(*_: object) -> int:
    return 0


def test_a_nursery_that_cannot_fork_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(scorer_nursery.os, "fork", fork)
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=scorer_nursery.serve, args=(theirs,))
    serving.start()
    with theirs, ours:
        for _ in range(2):
            connection, other = socket.socketpair()
            with connection, other:
                socket.send_fds(ours, [scorer_nursery.ORDER.pack(1024)], [other.fileno()])
                assert scorer_nursery.BORN.unpack(ours.recv(4)) == (0,)
        ours.shutdown(socket.SHUT_WR)
        serving.join(5.0)
    assert not serving.is_alive()


async def test_a_nursery_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    mother = Nursery()
    child = await ScorerChild.spawn(mother, 1024)
    monkeypatch.setattr(nursery, "START_SECONDS", 0.2)
    [pid] = nurseries()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await ScorerChild.spawn(mother, 1024)
    await child.end()
    await mother.close()
    assert processes() == []


def nurseries() -> list[int]:
    """Process ids of those that this process has started."""
    return [each.pid for each in processes() if each.ppid() == os.getpid()]


def processes() -> list[psutil.Process]:
    """Nurseries of this process and whoever they have borne, wherever they are by now; zombies are none."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.cmdline()[-3:-2] == ["streams.deciding.scorer_nursery"] and each.cmdline()[-1] == str(os.getpid()):
                found.append(each)
    return found

"""The scorer link with a real scorer process: late, hung, dead, babbling, refusing, renewed and gone."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.labelled_rows import labelled_rows, taught

from models.online import OnlineModel
from models.snapshot import to_plain
from rules.decision import FallbackReason
from streams.deciding import scorer_child
from streams.deciding.scorer_child import NotScored, ScorerChild
from streams.deciding.scorer_frames import HEADER, Kind, frame
from streams.deciding.scorer_link import ScorerLink
from streams.settings import ScorerSettings
from streams.wire.scorer_fault import FaultKind, ScorerFault

SETTINGS = ScorerSettings(hung_after_ms=150, restart_backoff_seconds=0.01, start_timeout_seconds=10.0)
AMPLE = 5.0
ROWS = labelled_rows(4, seed=3)[0]
MATRIX = np.asarray(ROWS, dtype="<f8").tobytes()


@pytest.fixture(scope="module")
def model() -> OnlineModel:
    return taught(400)


@pytest.fixture(scope="module")
def snapshot(model: OnlineModel) -> bytes:
    return json.dumps(to_plain(model.snapshot())).encode()


@pytest.fixture(scope="module")
def later_snapshot() -> bytes:
    return json.dumps(to_plain(taught(450).snapshot())).encode()


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
    assert not Path(f"/proc/{pid}").exists()


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


@pytest.mark.parametrize(
    "babble",
    [b"hello, I am a model", frame(Kind.LOADED, 99, b"m-9"), frame(Kind.SCORES, 99, b""), HEADER.pack(2, 1, 1, 2**31)],
    ids=["words", "a load unasked", "scores unasked", "an endless frame"],
)
async def test_a_scorer_that_babbles_is_lost(babble: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "babbler"
    script.write_text(f"#!{sys.executable}\n{BABBLER.format(babble=babble.hex())}")
    script.chmod(0o700)
    monkeypatch.setattr(scorer_child.sys, "executable", str(script))
    child = await ScorerChild.spawn(1024)
    try:
        with pytest.raises(NotScored) as refused:
            await child.score(MATRIX, len(ROWS), AMPLE)
        assert refused.value.reason is FallbackReason.CONNECTION_ERROR
        assert child.lost.is_set()
    finally:
        await child.end()


async def test_a_scorer_that_cannot_be_started_is_tried_again(
    loaded: ScorerLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(scorer_child.sys, "executable", "/nonexistent/python")
        loaded.condemn()
        await until(lambda: loaded.pid is None)
        await asyncio.sleep(0.05)
        assert await refusal(loaded) is FallbackReason.CONNECTION_ERROR
    await until(lambda: loaded.model_version)
    assert (await loaded.score(MATRIX, len(ROWS), AMPLE)).answer.probabilities.size == len(ROWS)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5, 6, 8, 12])
async def test_stopping_leaves_no_process_in_whichever_turn_of_the_loop(snapshot: bytes, turns: int) -> None:
    before = children()
    link = ScorerLink(SETTINGS)
    await link.start()
    link.load(snapshot)
    for _ in range(turns):
        await asyncio.sleep(0)
    link.condemn()
    await link.stop()
    assert children() <= before  # a broker of other tests may be among them
    assert link.pid is None


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_start_that_is_called_off_leaves_no_process(turns: int) -> None:
    before = children()
    start = asyncio.create_task(ScorerChild.spawn(1024))
    for _ in range(turns):
        await asyncio.sleep(0.0002)
    start.cancel()
    with suppress(asyncio.CancelledError):
        await (await start).end()
    assert children() <= before  # a broker of other tests may be among them


def children() -> set[str]:
    """Of the thread that runs the loop: it is the one that starts processes."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())

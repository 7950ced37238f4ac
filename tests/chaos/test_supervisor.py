"""The supervisor, on real processes: what dies comes back, and nothing outlives it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from streams.supervising import supervisor as supervising
from streams.supervising.restarts import RestartPolicy
from streams.supervising.supervisor import Child, ChildNotReady, State, Supervisor

pytestmark = pytest.mark.chaos

PATIENCE_SECONDS = 20.0  # on a machine that does much else
SPEAK = "import os, signal, sys, time; print('here', flush=True);"
READY = "os.write(int(os.environ['HOLDFAST_READY_FD']), b'ready\\n');"
FOREVER = "time.sleep(600)"
QUICK = RestartPolicy(first_pause=0.05, longest_pause=0.2)


def child(name, script, *, within=PATIENCE_SECONDS, **environment):
    return Child(
        name=name,
        command=(sys.executable, "-I", "-S", "-c", SPEAK + script),
        ready_within_seconds=within,
        environment={**os.environ, **environment},
    )


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


def lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def family(kept):
    """Process ids of the leash and of all below it."""
    return [kept.pid, *(each.pid for each in psutil.Process(kept.pid).children(recursive=True))]


async def test_start_returns_once_the_child_says_that_it_is_ready(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(child("worker-1", READY + FOREVER))

        (kept,) = supervisor
        assert kept.state is State.READY
        assert lives(kept.pid)


async def test_child_gets_its_environment_and_a_log_of_its_own(tmp_path):
    script = "print('port', os.environ['HOLDFAST_METRICS_WORKER_PORT'], flush=True);" + READY + FOREVER
    async with Supervisor(tmp_path / "logs") as supervisor:
        await supervisor.start(child("worker-1", script, HOLDFAST_METRICS_WORKER_PORT="9101"))

    assert (tmp_path / "logs" / "worker-1.log").read_text() == "here\nport 9101\n"


@pytest.mark.parametrize("victim", [0, 1], ids=["its leash", "itself"])
async def test_child_comes_back_after_kill_9_of(victim, tmp_path):
    told = []
    async with Supervisor(tmp_path, policy=QUICK, told=lambda name, what: told.append((name, what))) as supervisor:
        await supervisor.start(child("worker-1", READY + FOREVER))
        (kept,) = supervisor
        before = family(kept)
        os.kill(before[victim], signal.SIGKILL)
        await until(lambda: kept.restarts == 1 and kept.state is State.READY)

        assert not set(before) & set(family(kept))
        assert not any(map(lives, before))
    assert told[0][0] == "worker-1"
    assert told[0][1].startswith("was killed by signal 9")
    assert told[1][1].startswith("is back after")


async def test_child_that_keeps_dying_is_started_again_and_again(tmp_path):
    mark = tmp_path / "been-here"
    script = READY + f"open({str(mark)!r}, 'a').write('x'); sys.exit(3)"
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(child("learner", script))
        await until(lambda: len(mark.read_text() if mark.exists() else "") >= 4)


async def test_stop_goes_from_the_last_started_to_the_first(tmp_path):
    order = tmp_path / "order"

    def noting(name):
        note = f"lambda *_: (open({str(order)!r}, 'a').write('{name} '), sys.exit(0))"
        return child(name, f"signal.signal(signal.SIGTERM, {note});" + READY + FOREVER)

    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(noting("worker"))
        await supervisor.start(noting("learner"))
        await supervisor.start(noting("simulator"))

    assert order.read_text() == "simulator learner worker "


async def test_child_that_ignores_sigterm_is_killed_with_its_own_children(tmp_path):
    script = (
        "import subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, '-I', '-S', '-c', {'import time; ' + FOREVER!r}]);"
    )
    async with Supervisor(tmp_path, grace_seconds=0.2) as supervisor:
        await supervisor.start(child("stubborn", script + READY + FOREVER))
        (kept,) = supervisor
        everybody = family(kept)
    assert len(everybody) == 3
    await until(lambda: not any(map(lives, everybody)))


async def test_silence_is_reported_with_the_end_of_the_log_and_nothing_stays(tmp_path):
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildNotReady, match=r"worker-1 did not get ready within 0\.5 s[^\n]*\n  here") as failure:
            await supervisor.start(child("worker-1", FOREVER, within=0.5))
        (kept,) = supervisor
        assert str(kept.log) in str(failure.value)
        assert kept.pid is None


async def test_end_before_readiness_is_reported_at_once(tmp_path):
    began = time.monotonic()
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildNotReady, match=r"worker-1 ended with 4 before it was ready"):
            await supervisor.start(child("worker-1", "sys.exit(4)"), child("worker-2", FOREVER))
    assert time.monotonic() - began < PATIENCE_SECONDS


async def test_stop_during_a_restart_leaves_nothing(tmp_path):
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(
            child("worker-1", f"os.path.exists({str(tmp_path / 'again')!r}) or {READY[:-1]};" + FOREVER)
        )
        (kept,) = supervisor
        (tmp_path / "again").touch()
        os.kill(kept.pid, signal.SIGKILL)
        await until(lambda: kept.restarts == 1 and kept.state is State.STARTING and kept.pid)
        started = kept.pid
    await until(lambda: not lives(started))


TURN = "os.read(int(os.environ['HOLDFAST_TURN_FD']), 1) or sys.exit(0) if 'HOLDFAST_TURN_FD' in os.environ else 0;"


def spared(name, script):
    return replace(child(name, TURN + "print('goes', flush=True);" + script), spare=True)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(supervising, "SPARE_AFTER_SECONDS", 0.1)


async def test_spare_takes_the_place_of_a_child_that_ends_and_another_waits_then(tmp_path, at_once):
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(spared("worker-1", READY + FOREVER))
        (kept,) = supervisor
        for number in (1, 2):
            await until(lambda: kept.spare is not None and len(family(kept.spare)) == 2)
            before, waiting = family(kept), family(kept.spare)
            assert kept.log.read_text().count("goes") == number
            os.kill(before[1], signal.SIGKILL)
            await until(lambda number=number: kept.restarts == number and kept.state is State.READY)
            assert family(kept) == waiting
            assert not any(map(lives, before))
    assert not any(map(lives, waiting))


async def test_spare_that_ended_is_no_obstacle(tmp_path, at_once):
    async with Supervisor(tmp_path, policy=QUICK) as supervisor:
        await supervisor.start(spared("worker-1", READY + FOREVER))
        (kept,) = supervisor
        await until(lambda: kept.spare is not None)
        dead = kept.spare.pid
        os.killpg(dead, signal.SIGKILL)
        os.killpg(kept.pid, signal.SIGKILL)
        await until(lambda: kept.restarts == 1 and kept.state is State.READY)
        assert kept.pid != dead


async def test_spare_ends_with_the_supervisor(tmp_path, at_once):
    async with Supervisor(tmp_path) as supervisor:
        await supervisor.start(spared("worker-1", READY + FOREVER))
        (kept,) = supervisor
        await until(lambda: kept.spare is not None and len(family(kept.spare)) == 2)
        everybody = family(kept) + family(kept.spare)
    assert not any(map(lives, everybody))
    assert kept.log.read_text().count("goes") == 1


SUPERVISE = """
import asyncio, sys
from pathlib import Path
from streams.supervising.supervisor import Child, Supervisor

async def main():
    async with Supervisor(Path(sys.argv[1])) as supervisor:
        script = sys.argv[2]
        await supervisor.start(*(Child(name=f"child-{n}", command=(sys.executable, "-I", "-S", "-c", script),
                                       ready_within_seconds=20) for n in range(3)))
        pids = [kept.pid for kept in supervisor]
        print(*pids, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_no_child_outlives_a_supervisor_that_is_killed_with_9(tmp_path):
    command = [sys.executable, "-c", SUPERVISE, str(tmp_path), SPEAK + READY + FOREVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as supervisor:
        leashes = [int(pid) for pid in supervisor.stdout.readline().split()]
        everybody = [each.pid for each in psutil.Process(supervisor.pid).children(recursive=True)]
        supervisor.kill()

    assert len(leashes) == 3
    assert len(everybody) == 6
    await until(lambda: not any(map(lives, everybody)))

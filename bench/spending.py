"""What processes use of the processors, looked at from outside; and on which of these they run."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

LOOK_SECONDS = 0.05
LOOKS_A_SEARCH = 20  # for what was started: a search looks at every process of the machine
CLIENT_CORE, BROKER_CORE = 0, 1
COMPILERS = ("C1 CompilerThre", "C2 CompilerThre")


@dataclass(frozen=True, slots=True)
class _Spent:
    at: float  # seconds since 1970
    worker: float  # processor seconds
    scorer: float
    broker: float


def pin(process: psutil.Process, core: int) -> None:
    """Have it, and what it starts from now on, run on one core; anywhere where there are not two."""
    if (os.cpu_count() or 1) > 1:
        process.cpu_affinity([core])


def compiling_seconds(java: psutil.Process) -> float:
    """Processor seconds of the compilers of a Java, or of those below a process; 0 where threads have no names.

    They are the names that the HotSpot machine gives its threads, cut to the fifteen characters that Linux keeps.
    """
    spent = 0.0
    for process in (java, *_below(java)):
        for thread in process.threads():
            name = Path(f"/proc/{process.pid}/task/{thread.id}/comm")
            if name.exists() and name.read_text().startswith(COMPILERS):
                spent += thread.user_time + thread.system_time
    return spent


class Spending:
    """What processes use of the processor, looked at from a thread."""

    def __init__(self, workers: Sequence[psutil.Process], broker: psutil.Process) -> None:
        self._workers, self._broker = workers, broker
        self._looks: list[_Spent] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Spending":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> tuple[float, float, float]:
        """Seconds of workers, of their other processes, of the broker."""
        looks = list(self._looks)  # another may come any moment
        at = [each.at for each in looks]
        by_process = ([getattr(each, name) for each in looks] for name in ("worker", "scorer", "broker"))
        worker, scorer, broker = (float(np.diff(np.interp((begin, end), at, spent))[0]) for spent in by_process)
        return worker, scorer, broker

    def _look(self) -> None:
        while not self._ended.is_set():
            scorers, broker = [each for worker in self._workers for each in _below(worker)], _below(self._broker)
            for _ in range(LOOKS_A_SEARCH):
                spent = (sum(map(_used, each)) for each in (self._workers, scorers, broker))
                self._looks.append(_Spent(time.time(), *spent))
                if self._ended.wait(LOOK_SECONDS):
                    break


def _used(process: psutil.Process) -> float:
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(spent.user + spent.system)


def _below(process: psutil.Process) -> list[psutil.Process]:
    """Those that it started: scorers of a worker, the broker's Java below its leash."""
    started: list[psutil.Process] = process.children(recursive=True)
    return started

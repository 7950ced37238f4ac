"""Compaction comes last: a log can wait for it, a payment cannot.

Kafka compacts logs in a thread of its own, with the priority of those that serve. Where a broker has no core to spare,
as beside its clients on a small machine, payments queued in front of it for half a second each time.
"""

import contextlib
import os
from pathlib import Path

THREAD = "kafka-log-clean"  # "kafka-log-cleaner-thread-0", as much of it as Linux keeps
LEAST = 19  # niceness; it still has its turns on a core that is full


def let_compaction_wait(pid: int) -> None:
    """Give the compacting threads of this broker, or of the one that this process has started, the least priority.

    Threads have priorities of their own on Linux only; elsewhere nothing is done.
    """
    for process in (pid, *_children(pid)):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            with contextlib.suppress(OSError):  # it has ended
                if (thread / "comm").read_text("utf-8", "replace").startswith(THREAD):
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), LEAST)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []

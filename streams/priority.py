"""Leaves the processor to others."""

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Lower this process's priority to this, and its session's where it leads one: 0 is the usual, 19 is the least.

    Where Linux groups processes by session (sched(7), "The autogroup feature"), each session has an equal share of the
    processors, and niceness counts among processes of the same session only. A child of our supervisor leads a session.
    """
    niceness = max(niceness, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no Linux, or one that does not group
            AUTOGROUP.write_text(str(niceness))

"""Runs a command that must not outlive the process that wants it, however that process dies.

`python leash.py OWNER_PID COMMAND...`, started by the owner itself. The leash asks the kernel who its parent is:
a pipe to the owner would stay open in every process the owner forks, and Linux's death signal goes off when the
*thread* that forked ends. Standard library only: it runs isolated, without site-packages.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

GLANCE_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


def run(owner: int, command: list[str]) -> int:
    """Run `command` until it ends, or kill it once `owner` is gone. SIGTERM and SIGINT are passed on."""
    # Safe here, unlike in the owner: this process has one thread, and it lives as long as the process.
    child = subprocess.Popen(command, close_fds=False, preexec_fn=_die_with_the_leash)  # noqa: S603 - not a shell
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != owner:
            child.kill()
        time.sleep(GLANCE_SECONDS)
    return child.returncode


def _die_with_the_leash() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))

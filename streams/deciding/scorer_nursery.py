"""The nursery: a process that has imported all that a scorer needs, and forks into one as often as the worker asks.

A scorer started from nothing takes 0.2 s of a processor, and payments wait for it: when one is replaced,
and for each new model. A fork takes milliseconds. It has one thread and no connection but the worker's, so that nothing
is forked that should not be; run as `python -m streams.deciding.scorer_nursery <fd> <pid of the worker>`.
"""

import gc
import os
import signal
import socket
import struct
import sys

from streams.deciding.scorer_process import become_scorer, die_with

ORDER = struct.Struct("<I")  # MB that the scorer may take, with its end of a socket
BORN = struct.Struct("<I")  # its process id; 0 where the machine has no room for it


def serve(control: socket.socket) -> None:
    """Fork for each order until the other side closes."""
    own = os.getpid()
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, ORDER.size, 1)
        if not order:
            return
        [connection] = descriptors
        try:
            pid = os.fork()
        except OSError:  # those that were borne before live on
            os.close(connection)
            control.sendall(BORN.pack(0))
            continue
        if pid == 0:
            control.close()
            become_scorer(connection, memory_mb=ORDER.unpack(order)[0], parent=own)
        os.close(connection)
        control.sendall(BORN.pack(pid))


def main() -> None:
    """Serve on the inherited socket whose number is the first argument; the second is the worker's process id."""
    die_with(int(sys.argv[2]))
    for interrupt in (signal.SIGINT, signal.SIGTERM):  # the worker decides when it ends, by closing the socket
        signal.signal(interrupt, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for its children: they leave nothing behind
    gc.freeze()  # what is imported stays shared with the scorers
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control)


if __name__ == "__main__":
    main()

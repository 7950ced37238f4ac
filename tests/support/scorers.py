"""The scorer processes of a worker, as the operating system has them."""

import contextlib

import psutil


def scorers_of(worker: int) -> list[psutil.Process]:
    """Those that live; there are two for a moment while a new model takes over."""
    found = []
    for each in psutil.Process(worker).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is none either
            if _is_nursery(each.parent()):
                found.append(each)
    return found


def _is_nursery(process: psutil.Process | None) -> bool:
    return process is not None and "streams.deciding.scorer_nursery" in process.cmdline()

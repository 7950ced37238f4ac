"""A disk of the broker's own, as large as what is free, that can be full to its last byte for a while.

An ext4 in a sparse file: neither its size nor the ballast that fills it costs anything. Mounting it needs root and a
loop device.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Self

LARGEST_PIECE, BLOCK = 1 << 30, 1 << 12

# Unmounts when its standard input ends, and that ends with this process, however that does.
KEEPER = 'mount -o loop "$1" "$2" || exit 1; echo mounted; cat > /dev/null; umount --lazy "$2"'


class NoDisk(Exception):
    """Why a disk cannot be had here, in a sentence."""


class Disk:
    """Takes the place of `directory`, with what is in it, for the length of the block. Raises NoDisk.

    What was written stays in the image beside it, and is there again in the next block.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._image = directory.with_name(f"{directory.name}.img")
        self._ballast = directory / "ballast"
        self._keeper: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        while os.path.ismount(self._directory):  # left over from a run whose keeper was killed too
            _run("umount", "--lazy", str(self._directory))
        if not self._image.exists():
            self._format()
        self._keeper = subprocess.Popen(
            ("sh", "-c", KEEPER, "keeper", self._image, self._directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
        )
        if not self._keeper.stdout.readline():  # type: ignore[union-attr]
            raise NoDisk(self._keeper.communicate()[1].decode().strip())
        shutil.rmtree(self._directory / "lost+found", ignore_errors=True)  # Kafka would take it for a partition
        self._ballast.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._keeper.communicate()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free in the block but what others free."""
        with self._ballast.open("wb") as ballast:
            try:
                _fill(ballast.fileno())
                yield
            finally:
                self._ballast.unlink()

    def _format(self) -> None:
        draft = self._image.with_suffix(".new")
        with draft.open("wb") as image:
            image.truncate(shutil.disk_usage(self._image.parent).free)
        # Without reserved blocks: root could write on. Without a journal: nothing here outlives a power cut.
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-d", str(self._directory), str(draft))
        draft.rename(self._image)


def obstacle() -> str | None:
    """Why no disk can be had here; None where it can: it is tried."""
    with tempfile.TemporaryDirectory(prefix="holdfast-disk-") as scratch:
        directory = Path(scratch) / "data"
        directory.mkdir()
        try:
            with Disk(directory):
                return None
        except NoDisk as error:
            return str(error)


def _fill(descriptor: int) -> None:
    piece = LARGEST_PIECE
    while piece >= BLOCK:
        try:
            os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, piece)
        except OSError as error:
            if error.errno != ENOSPC:
                raise
            piece //= 2


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoDisk(f"{command[0]} is not installed") from error
    if done.returncode:
        raise NoDisk(done.stderr.strip())

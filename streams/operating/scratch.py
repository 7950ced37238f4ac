"""A scratch directory for an installation that is gone afterwards, with an environment of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streams.settings import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def scratch_home(name: str, console: "Console", *, keep: bool) -> Iterator[Path]:
    """A directory for the block; kept afterwards if it is wanted, and then it is said where."""
    home = Path(tempfile.mkdtemp(prefix=f"holdfast-{name}-"))
    try:
        yield home
    finally:
        if keep:
            console.print(f"Kafka's data and the logs are in {home}", soft_wrap=True)
        else:
            shutil.rmtree(home, ignore_errors=True)


def scratch_environment(home: Path, settings: str) -> dict[str, str]:
    """Of all processes: these settings (TOML), written below `home`, none of this shell's or directory's."""
    file = home / "holdfast.toml"
    file.write_text(settings)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    return {**plain, "HOLDFAST_SETTINGS": str(file), "TMPDIR": str(home)}  # Faust leaves an empty directory there

"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a socket there, for an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url, text
from support.tools import tool

DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 60.0


class Postgres:
    """A running server; each database is made for whoever asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://holdfast@/{database}?host={self._folder}"

    def database(self) -> str:
        """The address of a new and empty database."""
        name = f"t{next(self._numbers)}"
        with self._connected() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def end_connections(self, address: str) -> int:
        """End all connections to a database, as its restart would; how many there were."""
        ending = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
        with self._connected() as connection:
            return int(connection.execute(ending, {"name": make_url(address).database}).scalar_one())

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = create_engine(self.url().replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection
        engine.dispose()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Skips, or in CI fails, where PostgreSQL is not installed."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))  # a short path: that of a socket is at most 107 bytes
    who = _unprivileged()
    if who is not None:
        os.chown(folder, who.pw_uid, who.pw_gid)
    try:
        made = ["--auth=trust", "--username=holdfast", "--encoding=UTF8", "--locale=C", "--no-sync"]
        _run([programs / "initdb", *made, "-D", folder / "data"], who, folder)
        settings = ["-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *settings],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                **_as(who),
            )
        try:
            _await_ready(server, folder)
            yield Postgres(folder)
        finally:
            server.send_signal(2)  # SIGINT is its fast shutdown
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of its programs: on Debian they are not on the path."""
    for folder in sorted(DEBIAN.glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    return Path(tool("initdb", package="postgresql")).resolve().parent


def _unprivileged() -> "pwd.struct_passwd | None":
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(who: "pwd.struct_passwd | None") -> dict[str, object]:
    return {} if who is None else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _run(command: list[object], who: "pwd.struct_passwd | None", folder: Path) -> None:
    subprocess.run([str(each) for each in command], check=True, capture_output=True, cwd=folder, **_as(who))


def _await_ready(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while "ready to accept connections" not in (folder / "log").read_text():
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < give_up_at, (folder / "log").read_text()
        time.sleep(0.05)

"""The database of the store: SQLite in a file, or PostgreSQL, by its address.

Threads, not asyncio: SQLite's driver blocks, and one way of speaking to both is less to get wrong. The event loop of
the process hands its calls to threads.
"""

import math
import sqlite3
import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0  # a writer waits so long for another one
BUSY_AGAIN_SECONDS = 0.02  # and looks again so often, where SQLite does not wait by itself
READ_ONLY = "read_only"  # an execution option: the transaction writes nothing
IDLE_SECONDS = 1.0  # a connection of PostgreSQL that nobody used for so long is tried first: it may be dead
_IDLE_SINCE = "idle since"
_MIGRATING = 7_263_911_004  # the advisory lock of PostgreSQL, so that two who start at once do not migrate at once


def connect(url: str) -> Engine:
    """An engine with up-to-date tables; a file of SQLite is made, with its folder, where there is none.

    Raises what SQLAlchemy raises where the database does not answer.
    """
    engine = _sqlite(url) if make_url(url).get_backend_name() == "sqlite" else _postgresql(url)
    with engine.begin() as connection:
        migrate(connection)
    return engine


def migrate(connection: Connection) -> None:
    """Carry out the steps that are missing, within the connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATING})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _postgresql(url: str) -> Engine:
    """Read committed, as is its default: what two write at once is told apart by the version of a case."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_size=8, max_overflow=8)

    @event.listens_for(engine, "checkin")
    def _note(_: Any, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _try(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        if time.monotonic() - record.info.get(_IDLE_SINCE, math.inf) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens another one

    return engine


def _sqlite(url: str) -> Engine:
    address = make_url(url)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else the driver begins transactions where it likes
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")  # what is committed outlives a power cut

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that first reads and then writes would fail where another one has written in between.
        reads = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers do not wait for the writer. Of two who make the file at once one is refused, whatever its timeout."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(BUSY_AGAIN_SECONDS)
        else:
            return

"""What people did in the console: a log that is only added to, each entry chained to the one before by its digest.

Whoever changes, inserts or takes out an entry would have to make all later digests anew; whoever does that, or cuts the
end off, ends with another head. So note the head elsewhere from time to time, and compare.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa

from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros, moment
from streams.reviewing.tables import log, log_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The latest entry: its number, from 1, and its digest; 0 and none where there is no entry."""

    number: int
    digest: str


class LogTampered(Exception):
    """The log is not as it was written; the message names the first entry that is wrong."""


class AuditLog:
    """In the database of the store; its methods may be called by any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def add(self, who: str, what: str, details: dict[str, str], at: datetime) -> Head:
        """Add an entry; of two who do at once one waits for the other."""
        noted, text = micros(at), orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode()
        with self._engine.begin() as connection:
            locking = log_head.update().values(number=log_head.c.number + 1)
            number, before = connection.execute(locking.returning(log_head.c.number, log_head.c.digest)).one()
            digest = _digest(before, number, noted, who, what, text)
            connection.execute(
                log.insert().values(number=number, at=noted, who=who, what=what, details=text, digest=digest)
            )
            connection.execute(log_head.update().values(digest=digest))
        return Head(number=number, digest=digest)

    def verify(self) -> Head:
        """Work every digest out anew; the head, to be noted elsewhere. Raises LogTampered."""
        before, expected = "", 1
        with self._reading.begin() as connection:
            for number, at, who, what, details, digest in connection.execute(sa.select(log).order_by(log.c.number)):
                if number != expected:
                    raise LogTampered(f"entry {expected} is missing")
                if digest != _digest(before, number, at, who, what, details):
                    raise LogTampered(f"entry {number} ({who}, {what}, {moment(at):%Y-%m-%d %H:%M:%S} UTC) was changed")
                before, expected = digest, number + 1
            kept = connection.execute(sa.select(log_head.c.number, log_head.c.digest)).one()
        head = Head(number=expected - 1, digest=before)
        if tuple(kept) != (head.number, head.digest):
            raise LogTampered(f"{kept.number} entries were written, {head.number} are there")
        return head

    def holds(self, head: Head) -> bool:
        """Whether a head that was noted earlier is still part of it."""
        with self._reading.begin() as connection:
            found = connection.scalar(sa.select(log.c.digest).where(log.c.number == head.number))
        return found == head.digest or head.number == 0


def _digest(before: str, *fields: object) -> str:
    return hashlib.sha256(orjson.dumps([before, *fields])).hexdigest()

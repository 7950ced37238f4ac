"""Users of the console and their sessions."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import argon2
import msgspec
import sqlalchemy as sa
from msgspec import Meta

from rules.access import Right, Role, may
from rules.review_case import Reviewer
from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros
from streams.reviewing.tables import sessions, users

IDLE = timedelta(minutes=30)  # a session that is not used for so long is over
LONGEST = timedelta(hours=12)  # and any after this
LEAST_PASSWORD = 12  # characters

UserName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.@-]{1,64}\Z")]


class AccountRefused(Exception):
    """A user cannot be as is asked for; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who is there, and what they may do."""

    name: str
    role: Role

    def may(self, right: Right) -> bool:
        """Whether they have the right."""
        return may(self.role, right)

    @property
    def reviewer(self) -> Reviewer:
        """The same as cases know them."""
        return Reviewer(name=self.name, second_line=self.may(Right.SECOND_LINE))


class Accounts:
    """In the database of the store. Passwords cost tens of milliseconds and 64 MB each time: argon2id, RFC 9106."""

    def __init__(self, engine: sa.Engine, hasher: argon2.PasswordHasher | None = None) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})
        self._hasher = hasher or argon2.PasswordHasher()
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def put(self, name: str, role: Role, password: str | None) -> None:
        """Make a user, or give one another role and password; their sessions end. Raises AccountRefused.

        Without a password nobody but the identity provider lets them in.
        """
        try:
            msgspec.convert(name, UserName)
        except msgspec.ValidationError:
            raise AccountRefused("a name is 1 to 64 of A-Z a-z 0-9 _ . @ -") from None
        if password is not None and len(password) < LEAST_PASSWORD:
            raise AccountRefused(f"a password has at least {LEAST_PASSWORD} characters")
        hidden = "" if password is None else self._hasher.hash(password)
        kept = {"role": role.value, "password": hidden, "active": True}
        with self._engine.begin() as connection:
            if connection.execute(users.update().where(users.c.name == name).values(**kept)).rowcount == 0:
                connection.execute(users.insert().values(name=name, **kept))
            connection.execute(sessions.delete().where(sessions.c.name == name))

    def disable(self, name: str) -> None:
        """The user cannot come in any more, and is out at once. Raises AccountRefused where there is none."""
        with self._engine.begin() as connection:
            if connection.execute(users.update().where(users.c.name == name).values(active=False)).rowcount == 0:
                raise AccountRefused(f"there is no user {name}")
            connection.execute(sessions.delete().where(sessions.c.name == name))

    def all(self) -> list[tuple[User, bool]]:
        """All users, and whether they may come in."""
        with self._reading.begin() as connection:
            rows = connection.execute(sa.select(users.c.name, users.c.role, users.c.active).order_by(users.c.name))
            return [(User(name=name, role=Role(role)), active) for name, role, active in rows]

    def log_in(self, name: str, password: str, now: datetime) -> str | None:
        """The token of a new session; None for a wrong name or password, which take equally long."""
        with self._reading.begin() as connection:
            asking = sa.select(users.c.password).where(users.c.name == name, users.c.active)
            kept = connection.scalar(asking)
        try:
            self._hasher.verify(kept or self._nobodys, password)
        except argon2.exceptions.VerificationError:
            return None
        return self._begin(name, now) if kept else None

    def let_in(self, name: str, now: datetime) -> str | None:
        """The token of a new session for somebody who has proved elsewhere who they are; None for no user of ours."""
        with self._reading.begin() as connection:
            known = connection.scalar(sa.select(users.c.name).where(users.c.name == name, users.c.active))
        return None if known is None else self._begin(name, now)

    def _begin(self, name: str, now: datetime) -> str:
        token = secrets.token_urlsafe(32)
        with self._engine.begin() as connection:
            connection.execute(
                sessions.insert().values(token=_hidden(token), name=name, began_at=micros(now), used_at=micros(now))
            )
            connection.execute(sessions.delete().where(_over(now)))
        return token

    def user_of(self, token: str, now: datetime) -> User | None:
        """Whose session it is, if it is not over; it is used by this."""
        if (found := self._session(token, now)) is None:
            return None
        user, used_at = found
        if used_at < micros(now - IDLE / 30):  # not at each request: it is a write
            with self._engine.begin() as connection:
                this = sessions.c.token == _hidden(token)
                connection.execute(sessions.update().where(this).values(used_at=micros(now)))
        return user

    def watcher_of(self, token: str, now: datetime) -> User | None:
        """The same without using it: a page that stands open keeps no session alive."""
        found = self._session(token, now)
        return None if found is None else found[0]

    def on_duty(self, now: datetime) -> list[User]:
        """Users with a session that is not over."""
        asking = (
            sa.select(users.c.name, users.c.role)
            .where(users.c.active, sa.exists().where(sessions.c.name == users.c.name, ~_over(now)))
            .order_by(users.c.name)
        )
        with self._reading.begin() as connection:
            return [User(name=name, role=Role(role)) for name, role in connection.execute(asking)]

    def log_out(self, token: str) -> None:
        """End a session."""
        with self._engine.begin() as connection:
            connection.execute(sessions.delete().where(sessions.c.token == _hidden(token)))

    def _session(self, token: str, now: datetime) -> tuple[User, int] | None:
        asking = (
            sa.select(users.c.name, users.c.role, sessions.c.used_at)
            .join(users, users.c.name == sessions.c.name)
            .where(sessions.c.token == _hidden(token), users.c.active, ~_over(now))
        )
        with self._reading.begin() as connection:
            row = connection.execute(asking).one_or_none()
        return None if row is None else (User(name=row.name, role=Role(row.role)), row.used_at)


def _over(now: datetime) -> sa.ColumnElement[bool]:
    return (sessions.c.used_at <= micros(now - IDLE)) | (sessions.c.began_at <= micros(now - LONGEST))


def _hidden(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

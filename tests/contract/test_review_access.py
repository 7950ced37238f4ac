"""Users, sessions and the log on both databases: who is out is out, and what was logged cannot be changed unseen."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import argon2
import pytest
import sqlalchemy as sa

from rules.access import Right, Role
from rules.review_case import Reviewer
from streams.reviewing.accounts import IDLE, LONGEST, AccountRefused, Accounts, User
from streams.reviewing.audit_log import AuditLog, Head, LogTampered
from streams.reviewing.database import connect
from streams.reviewing.tables import log, log_head, sessions, users

NOW = datetime(2026, 1, 2, 4, 5, 6, tzinfo=UTC)
PASSWORD = "correct horse battery"
TICK = timedelta(microseconds=1)


@pytest.fixture
def engine(reviews_url: str) -> Iterator[sa.Engine]:
    there = connect(reviews_url)
    yield there
    there.dispose()


@pytest.fixture
def accounts(engine: sa.Engine) -> Accounts:
    """With passwords that cost little."""
    kept = Accounts(engine, argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    kept.put("ann", Role.ANALYST, PASSWORD)
    return kept


@pytest.fixture
def audit_log(engine: sa.Engine) -> AuditLog:
    return AuditLog(engine)


def logged_in(accounts: Accounts, now: datetime = NOW) -> str:
    token = accounts.log_in("ann", PASSWORD, now)
    assert token is not None
    return token


def test_whoever_knows_the_password_is_in_until_they_leave(accounts: Accounts) -> None:
    token = logged_in(accounts)
    assert accounts.user_of(token, NOW) == User(name="ann", role=Role.ANALYST)
    accounts.log_out(token)
    assert accounts.user_of(token, NOW) is None


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("bob", PASSWORD), ("", ""), ("ANN", PASSWORD)])
def test_nobody_else_is(accounts: Accounts, name: str, password: str) -> None:
    assert accounts.log_in(name, password, NOW) is None


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --"])
def test_an_invented_token_is_nobodys(accounts: Accounts, token: str) -> None:
    logged_in(accounts)
    assert accounts.user_of(token, NOW) is None


def test_a_session_that_is_not_used_is_over(accounts: Accounts) -> None:
    token = logged_in(accounts)
    assert accounts.user_of(token, NOW + IDLE - TICK) is not None
    assert accounts.user_of(token, NOW + 2 * IDLE - 3 * TICK) is not None
    assert accounts.user_of(token, NOW + 4 * IDLE) is None


def test_a_session_does_not_last_for_ever(accounts: Accounts) -> None:
    token, now = logged_in(accounts), NOW
    while now < NOW + LONGEST - IDLE:
        now += IDLE - TICK
        assert accounts.user_of(token, now) is not None
    assert accounts.user_of(token, NOW + LONGEST) is None


def test_who_is_disabled_or_gets_another_password_is_out_at_once(accounts: Accounts) -> None:
    token = logged_in(accounts)
    accounts.put("ann", Role.LEAD, "another good one")
    assert accounts.user_of(token, NOW) is None
    token = accounts.log_in("ann", "another good one", NOW)
    assert token is not None
    accounts.disable("ann")
    assert accounts.user_of(token, NOW) is None
    assert accounts.log_in("ann", "another good one", NOW) is None
    assert accounts.all() == [(User(name="ann", role=Role.LEAD), False)]


def test_whoever_has_a_session_is_on_duty(accounts: Accounts) -> None:
    accounts.put("bob", Role.LEAD, PASSWORD)
    accounts.put("cat", Role.LEAD, PASSWORD)
    token = logged_in(accounts)
    for _ in range(2):
        accounts.log_in("bob", PASSWORD, NOW + TICK)
    assert [each.name for each in accounts.on_duty(NOW)] == ["ann", "bob"]
    assert [each.name for each in accounts.on_duty(NOW + IDLE)] == ["bob"]
    accounts.log_out(token)
    assert [each.name for each in accounts.on_duty(NOW)] == ["bob"]


def test_neither_passwords_nor_tokens_are_in_the_database(engine: sa.Engine, accounts: Accounts) -> None:
    token = logged_in(accounts)
    with engine.connect() as connection:
        everything = str([connection.execute(sa.select(each)).all() for each in (users, sessions)])
    assert PASSWORD not in everything
    assert token not in everything
    assert "$argon2id$" in everything


@pytest.mark.parametrize(
    ("name", "password"), [("a b", PASSWORD), ("", PASSWORD), ("x" * 65, PASSWORD), ("bob", "short")]
)
def test_bad_names_and_short_passwords_are_refused(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(AccountRefused):
        accounts.put(name, Role.ANALYST, password)


def test_who_is_not_there_cannot_be_disabled(accounts: Accounts) -> None:
    with pytest.raises(AccountRefused):
        accounts.disable("bob")


def test_a_lead_is_of_the_second_line_and_an_admin_decides_nothing() -> None:
    assert User(name="lea", role=Role.LEAD).reviewer == Reviewer(name="lea", second_line=True)
    assert User(name="ann", role=Role.ANALYST).reviewer == Reviewer(name="ann")
    admin = User(name="root", role=Role.ADMIN)
    assert [each for each in Right if admin.may(each)] == [Right.MANAGE_USERS]


def written(audit_log: AuditLog, count: int = 5) -> Head:
    for number in range(count):
        audit_log.add("ann", "verdict", {"case": f"d.1.{number}"}, NOW)
    return audit_log.verify()


def test_a_log_as_it_was_written_has_its_head(audit_log: AuditLog) -> None:
    assert audit_log.verify() == Head(number=0, digest="")
    early = written(audit_log)
    assert early.number == 5
    late = written(audit_log)
    assert late.number == 10
    assert audit_log.holds(early)
    assert not audit_log.holds(replace(early, digest="0" * 64))


def test_many_who_log_at_once_make_one_chain(audit_log: AuditLog) -> None:
    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(lambda number: audit_log.add(f"r{number}", "verdict", {}, NOW), range(40)))
    assert sorted(each.number for each in heads) == list(range(1, 41))
    assert audit_log.verify().number == 40
    assert max(Counter(each.digest for each in heads).values()) == 1


@pytest.mark.parametrize("statement", [log.update().values(who="bob"), log.delete()])
def test_the_database_refuses_to_change_the_log(engine: sa.Engine, audit_log: AuditLog, statement: sa.Update) -> None:
    written(audit_log)
    with pytest.raises(sa.exc.DBAPIError), engine.begin() as connection:
        connection.execute(statement)
    assert audit_log.verify().number == 5


TAMPERED: dict[str, Callable[[sa.Connection], object]] = {
    "somebody else's": lambda connection: connection.execute(log.update().where(log.c.number == 3).values(who="bob")),
    "another time": lambda connection: connection.execute(log.update().where(log.c.number == 3).values(at=1)),
    "other details": lambda connection: connection.execute(log.update().where(log.c.number == 3).values(details="{}")),
    "left out": lambda connection: connection.execute(log.delete().where(log.c.number == 3)),
    "cut off": lambda connection: connection.execute(log.delete().where(log.c.number == 5)),
    "all gone": lambda connection: connection.execute(log.delete()),
    "a head of before": lambda connection: connection.execute(log_head.update().values(number=4)),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_whoever_gets_past_that_is_found_out(engine: sa.Engine, audit_log: AuditLog, how: str) -> None:
    written(audit_log)
    with engine.begin() as connection:
        drop_guards(connection)
        TAMPERED[how](connection)
    with pytest.raises(LogTampered):
        audit_log.verify()


def test_one_who_makes_the_whole_chain_anew_ends_with_another_head(engine: sa.Engine, audit_log: AuditLog) -> None:
    noted = written(audit_log)
    with engine.begin() as connection:
        drop_guards(connection)
        connection.execute(log.delete())
        connection.execute(log_head.update().values(number=0, digest=""))
    for number in range(5):
        audit_log.add("bob", "verdict", {"case": f"d.1.{number}"}, NOW)
    audit_log.verify()
    assert not audit_log.holds(noted)


def drop_guards(connection: sa.Connection) -> None:
    """As somebody with all rights on the database could."""
    if connection.dialect.name == "sqlite":
        for name in ("log_is_not_changed", "log_is_not_cut"):
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
    else:
        connection.execute(sa.text("DROP TRIGGER log_is_not_changed ON log"))

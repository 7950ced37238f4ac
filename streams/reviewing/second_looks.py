"""Second looks: some cases that one reviewer has decided go to another one, who does not know what the first did.

Nothing comes of them but knowledge of how well reviewers agree: a case keeps its outcome.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from rules.decision import Outcome
from rules.reviewer_quality import KnownVerdict
from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros, moment
from streams.reviewing.tables import second_looks, verdicts, words

MOST_ATTEMPTS = 20  # to have one in hand, each but the last lost to somebody who was faster


class LookState(StrEnum):
    """Whether it was looked at yet."""

    WAITING = "waiting"
    DONE = "done"


class SecondLookRefused(Exception):
    """Whoever looks does not have the case in hand for it."""


class SecondLooks:
    """In the database of the store. A method is one transaction, and may be called by any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def waiting(self, reviewer: str, now: datetime) -> int:
        """How many this reviewer may take."""
        with self._reading.begin() as connection:
            return connection.execute(sa.select(sa.func.count()).where(_free_for(reviewer, now))).scalar_one()

    def take_next(self, reviewer: str, now: datetime, until: datetime) -> str | None:
        """Have one in hand until then, the one that is in hand already if there is one; None where there is none."""
        if (held := self.in_hand(reviewer, now)) is not None:
            return held
        offering = sa.select(second_looks.c.case_id).where(_free_for(reviewer, now)).order_by(second_looks.c.free_from)
        for _ in range(MOST_ATTEMPTS):
            with self._reading.begin() as connection:
                case_id: str | None = connection.scalar(offering.limit(1))
            if case_id is None:
                return None
            taking = second_looks.update().where(second_looks.c.case_id == case_id, _free_for(reviewer, now))
            with self._engine.begin() as connection:
                if connection.execute(taking.values(holder=reviewer, free_from=micros(until))).rowcount == 1:
                    return case_id
        return None

    def in_hand(self, reviewer: str, now: datetime) -> str | None:
        """Which case this reviewer looks at."""
        with self._reading.begin() as connection:
            held: str | None = connection.scalar(sa.select(second_looks.c.case_id).where(_held_by(reviewer, now)))
        return held

    def give(self, case_id: str, reviewer: str, outcome: Outcome, risk: float | None, now: datetime) -> None:
        """What this reviewer would have decided. Raises SecondLookRefused unless the case is in hand for it."""
        done = second_looks.update().where(second_looks.c.case_id == case_id, _held_by(reviewer, now))
        with self._engine.begin() as connection:
            if connection.execute(done.values(free_from=None)).rowcount == 0:
                raise SecondLookRefused(case_id)
            connection.execute(verdicts.insert(), verdict_row(case_id, reviewer, outcome, risk, now, blind=True))

    def counts(self) -> dict[LookState, int]:
        """How many wait, and how many are done."""
        asking = sa.select(sa.func.count(), sa.func.count(second_looks.c.free_from))
        with self._reading.begin() as connection:
            all_, waiting = connection.execute(asking).one()
        return {LookState.WAITING: waiting, LookState.DONE: all_ - waiting}

    def verdicts(self, since: datetime) -> list[KnownVerdict]:
        """All that were given since then, blind or not, but for those of before it was noted what they were."""
        asking = sa.select(verdicts).where(verdicts.c.at >= micros(since)).order_by(verdicts.c.at)
        with self._reading.begin() as connection:
            return [
                KnownVerdict(
                    case_id=row.case_id,
                    reviewer=row.reviewer,
                    outcome=Outcome(row.outcome),
                    risk=row.risk,
                    at=moment(row.at),
                    blind=row.blind,
                )
                for row in connection.execute(asking)
            ]


def verdict_row(
    case_id: str, reviewer: str, outcome: Outcome, risk: float | None, at: datetime, *, blind: bool
) -> dict[str, Any]:
    """As the table holds it."""
    return {
        "case_id": case_id,
        "reviewer": reviewer,
        "outcome": outcome.value,
        "risk": risk,
        "at": micros(at),
        "blind": blind,
    }


def second_look_row(case_id: str, from_: datetime) -> dict[str, Any]:
    """As the table holds it before anybody has looked."""
    return {"case_id": case_id, "free_from": micros(from_)}


def _free_for(reviewer: str, now: datetime) -> sa.ColumnElement[bool]:
    """Nobody has it in hand, and this reviewer has had nothing to do with the case."""
    spoken = sa.exists().where(words.c.case_id == second_looks.c.case_id, words.c.speaker == reviewer)
    return sa.and_(second_looks.c.free_from <= micros(now), ~spoken)


def _held_by(reviewer: str, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(second_looks.c.holder == reviewer, second_looks.c.free_from > micros(now))

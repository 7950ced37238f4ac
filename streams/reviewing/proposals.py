"""Rule sets that somebody proposed: another one activates each, or anybody withdraws it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros, moment
from streams.reviewing.tables import rule_proposals as table


class ProposalState(StrEnum):
    """Where it stands."""

    PROPOSED = "proposed"
    ACTIVATED = "activated"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rule set as it was checked, who wants it and why."""

    number: int
    text: str
    ruleset_version: str
    why: str
    proposed_by: str
    proposed_at: datetime
    state: ProposalState
    closed_by: str | None
    closed_at: datetime | None


class NoSuchProposal(Exception):
    """There is none of this number that waits."""


class Proposals:
    """In the database of the store; its methods may be called by any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def add(self, text: str, ruleset_version: str, why: str, who: str, at: datetime) -> int:
        """Propose a set; its number."""
        row = {"text": text, "ruleset_version": ruleset_version, "why": why, "proposed_by": who}
        adding = table.insert().values(**row, proposed_at=micros(at), state=ProposalState.PROPOSED.value)
        with self._engine.begin() as connection:
            return int(connection.execute(adding.returning(table.c.number)).scalar_one())

    def waiting(self) -> list[Proposal]:
        """Those that are neither activated nor withdrawn, the latest first."""
        asking = sa.select(table).where(table.c.state == ProposalState.PROPOSED.value)
        with self._reading.begin() as connection:
            return [_proposal(row) for row in connection.execute(asking.order_by(table.c.number.desc()))]

    def one(self, number: int) -> Proposal:
        """One that waits. Raises NoSuchProposal."""
        found = [each for each in self.waiting() if each.number == number]
        if not found:
            raise NoSuchProposal(number)
        return found[0]

    def close(self, number: int, state: ProposalState, who: str, at: datetime) -> None:
        """It waits no more. Raises NoSuchProposal."""
        waits = (table.c.number == number, table.c.state == ProposalState.PROPOSED.value)
        closing = table.update().where(*waits).values(state=state.value, closed_by=who, closed_at=micros(at))
        with self._engine.begin() as connection:
            if connection.execute(closing).rowcount == 0:
                raise NoSuchProposal(number)


def _proposal(row: Any) -> Proposal:
    return Proposal(
        number=row.number,
        text=row.text,
        ruleset_version=row.ruleset_version,
        why=row.why,
        proposed_by=row.proposed_by,
        proposed_at=moment(row.proposed_at),
        state=ProposalState(row.state),
        closed_by=row.closed_by,
        closed_at=None if row.closed_at is None else moment(row.closed_at),
    )

"""Finds cases that people have decided and that may be like another one: of its card, of its merchant, or scored for
the same reason first of all. Of each the latest, read from an index.
"""

import sqlalchemy as sa

from rules.decision import Decision
from rules.precedent import Precedent, chief_reason, precedents
from streams.reviewing.database import READ_ONLY
from streams.reviewing.kept_case import kept_case
from streams.reviewing.tables import cases, second_looks

MOST_LOOKED_AT = 50  # of each kind


class Precedents:
    """In the database of the store. May be called by any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def of(self, decision: Decision, most: int) -> list[Precedent]:
        """Those that are most like it, the most alike first."""
        looked_for = [(cases.c.card, decision.pan_token), (cases.c.merchant, decision.merchant_id)]
        if (reason := chief_reason(decision)) is not None:
            looked_for.append((cases.c.chief_reason, reason))
        # What somebody has yet to look at blindly tells nobody its verdict.
        blind = sa.exists().where(second_looks.c.case_id == cases.c.case_id, second_looks.c.free_from.is_not(None))
        closed = sa.select(cases).where(cases.c.expires_at.is_(None), ~blind).order_by(cases.c.opened_at.desc())
        found = {}
        with self._reading.begin() as connection:
            for column, value in looked_for:
                for row in connection.execute(closed.where(column == value).limit(MOST_LOOKED_AT)):
                    found[row.case_id] = kept_case(row)
        return precedents(decision, ((each.case, each.decision) for each in found.values()), most)

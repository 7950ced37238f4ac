"""Complaints: each linked to what it is about, settled once, and told with its label through the outbox.

Like a case, a complaint and what the world is to be told of it change in one transaction of the database. Of two who
settle one at once the second comes too late, and looks again.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rules.complaint import (
    Complaint,
    ComplaintFigures,
    ComplaintRefusal,
    ComplaintRefused,
    ComplaintState,
    StoppedPayment,
    figures_of,
)
from rules.revision import Revision
from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros, moment
from streams.reviewing.publications import complaint_tellings, write_tellings
from streams.reviewing.tables import complaints, outbox, stopped
from streams.wire.card_guard import holds_card_number

MOST_FORGOTTEN = 10_000  # payments in one transaction: others wait for it

_complaint = msgspec.json.Decoder(Complaint)
_payment = msgspec.json.Decoder(StoppedPayment)


class NoSuchComplaint(Exception):
    """There is no complaint of this name."""


class Grouping(StrEnum):
    """What figures are told by."""

    SOURCE = "decision_source"
    MODEL_VERSION = "model_version"


class Complaints:
    """In the database of the store. A method is one transaction, and may be called by any thread."""

    def __init__(self, engine: sa.Engine, settings_version: str) -> None:
        self._engine = engine
        self._settings_version = settings_version
        self._reading = engine.execution_options(**{READ_ONLY: True})
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    def receive(self, handed_in: Complaint) -> Complaint:
        """Keep a complaint, and tell what it is about. Handed in again, or beside another that holds, it is as it was.

        Raises ComplaintRefused where no payment of the id was stopped, or a card number stands in it.
        """
        if holds_card_number(handed_in.text.encode()):
            raise ComplaintRefused(ComplaintRefusal.CARD_NUMBER)
        with self._engine.begin() as connection:
            payment = self._stopped(connection, handed_in.transaction_id)
            complaint = handed_in.about(payment)
            row = _columns(complaint) | {"payment": _document(payment)}
            keeping = self._insert(complaints).values(**row).on_conflict_do_nothing()
            if connection.scalar(keeping.returning(complaints.c.complaint_id)) is not None:
                _tell(connection, complaint, None)
                return complaint
            this = (complaints.c.complaint_id == complaint.complaint_id) | (
                (complaints.c.decision_id == complaint.decision_id) & (complaints.c.state != ComplaintState.REJECTED)
            )
            return _complaint.decode(connection.scalars(sa.select(complaints.c.document).where(this)).first() or "")

    def settle(self, complaint_id: str, state: ComplaintState, by: str, now: datetime) -> Complaint:
        """Uphold or reject it, and tell what follows. Raises NoSuchComplaint, and ComplaintRefused as `settled`."""
        before, payment = self._kept(complaint_id)
        after = before.settled(state, by, now)
        if after == before:
            return after
        revision = after.revision(payment, self._settings_version)
        this = (complaints.c.complaint_id == complaint_id) & (complaints.c.state == ComplaintState.RECEIVED)
        with self._engine.begin() as connection:
            if connection.execute(complaints.update().where(this).values(**_columns(after))).rowcount == 1:
                _tell(connection, after, revision)
                return after
        return self.complaint(complaint_id).settled(state, by, now)

    def complaint(self, complaint_id: str) -> Complaint:
        """Read one. Raises NoSuchComplaint."""
        return self._kept(complaint_id)[0]

    def of_transaction(self, transaction_id: str) -> list[Complaint]:
        """Those about a payment, the first first."""
        asking = sa.select(complaints.c.document).where(complaints.c.transaction_id == transaction_id)
        with self._reading.begin() as connection:
            return [_complaint.decode(each) for each in connection.scalars(asking.order_by(complaints.c.complained_at))]

    def to_settle(self, most: int) -> list[Complaint]:
        """Complaints that nobody has settled, the longest waiting first."""
        asking = (
            sa.select(complaints.c.document)
            .where(complaints.c.state == ComplaintState.RECEIVED)
            .order_by(complaints.c.complained_at)
            .limit(most)
        )
        with self._reading.begin() as connection:
            return [_complaint.decode(each) for each in connection.scalars(asking)]

    def waiting(self) -> tuple[int, datetime | None]:
        """How many nobody has settled, and since when the first waits."""
        asking = sa.select(sa.func.count(), sa.func.min(complaints.c.complained_at)).where(
            complaints.c.state == ComplaintState.RECEIVED
        )
        with self._reading.begin() as connection:
            count, first = connection.execute(asking).one()
        return count, None if first is None else moment(first)

    def figures(self, by: Grouping, since: datetime) -> dict[str, ComplaintFigures]:
        """Of payments stopped since then, by who stopped them or by model version; `none` where it was no model."""
        column = stopped.c.source if by is Grouping.SOURCE else stopped.c.model_version
        counting = sa.select(column, sa.func.count()).where(stopped.c.stopped_at >= micros(since)).group_by(column)
        asking = sa.select(complaints.c.document).where(complaints.c.stopped_at >= micros(since))
        with self._reading.begin() as connection:
            counted = {name or "none": count for name, count in connection.execute(counting)}
            found = [_complaint.decode(each) for each in connection.scalars(asking)]
        return figures_of(counted, [(getattr(each, by.value) or "none", each) for each in found])

    def forget(self, before: datetime) -> int:
        """Forget payments that were stopped before then, some of them at a time; how many."""
        old = sa.select(stopped.c.decision_id).where(stopped.c.stopped_at < micros(before)).limit(MOST_FORGOTTEN)
        with self._reading.begin() as connection:
            forgotten = list(connection.scalars(old))
        if forgotten:
            with self._engine.begin() as connection:
                connection.execute(stopped.delete().where(stopped.c.decision_id.in_(old)))
        return len(forgotten)

    def _stopped(self, connection: sa.Connection, transaction_id: str) -> StoppedPayment:
        """The latest of the id. Raises ComplaintRefused."""
        asking = sa.select(stopped.c.document).where(stopped.c.transaction_id == transaction_id)
        row = connection.scalar(asking.order_by(stopped.c.stopped_at.desc()).limit(1))
        if row is None:
            raise ComplaintRefused(ComplaintRefusal.NOT_STOPPED)
        return _payment.decode(row)

    def _kept(self, complaint_id: str) -> tuple[Complaint, StoppedPayment]:
        asking = sa.select(complaints.c.document, complaints.c.payment).where(complaints.c.complaint_id == complaint_id)
        with self._reading.begin() as connection:
            row = connection.execute(asking).one_or_none()
        if row is None:
            raise NoSuchComplaint(complaint_id)
        return _complaint.decode(row.document), _payment.decode(row.payment)


def stopped_rows(payments: Sequence[StoppedPayment]) -> list[dict[str, object]]:
    """As the table holds them."""
    return [
        {
            "decision_id": each.decided.decision_id,
            "transaction_id": each.decided.transaction_id,
            "stopped_at": micros(each.stopped_at),
            "source": each.source.value,
            "model_version": each.model_version,
            "document": _document(each),
        }
        for each in payments
    ]


def _tell(connection: sa.Connection, complaint: Complaint, revision: Revision | None) -> None:
    records = write_tellings(complaint_tellings(complaint, revision))
    connection.execute(outbox.insert().values(case_id=complaint.complaint_id, records=records))


def _columns(complaint: Complaint) -> dict[str, object]:
    return {
        "complaint_id": complaint.complaint_id,
        "decision_id": complaint.decision_id,
        "transaction_id": complaint.transaction_id,
        "state": complaint.state.value,
        "complained_at": micros(complaint.complained_at),
        "stopped_at": None if complaint.stopped_at is None else micros(complaint.stopped_at),
        "document": _document(complaint),
    }


def _document(record: Complaint | StoppedPayment) -> str:
    return msgspec.json.encode(record).decode()

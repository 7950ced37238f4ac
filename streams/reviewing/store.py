"""The store of cases: a word is taken only if nobody else's was since the case was read, with what it has told.

A case, its history and what the world is to be told of it change in one transaction of the database, which holds the
case from reading it on: of two who speak at once one waits, and then sees what the other made of it. Its version is
compared and set all the same. So each case has one ending, on any database that keeps a transaction whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from models.information import InformationAnswer
from rules.complaint import StoppedPayment, stopped_by_revision
from rules.decision import Decision, InputPosition
from rules.precedent import chief_reason
from rules.review_case import LINES, Case, Reviewer, WordRefused, case_of
from rules.review_outcome import final_revision
from rules.review_policy import ReviewPolicy
from rules.revision import Revision
from streams.reviewing.complaints import Complaints, stopped_rows
from streams.reviewing.database import READ_ONLY
from streams.reviewing.kept_case import KeptCase, kept_case
from streams.reviewing.moments import micros, moment
from streams.reviewing.precedents import Precedents
from streams.reviewing.prices import Prices
from streams.reviewing.publications import Telling, answer_telling, read_tellings, tellings, write_tellings
from streams.reviewing.second_looks import SecondLooks, second_look_row, verdict_row
from streams.reviewing.tables import cases, deliveries, outbox, positions, second_looks, stopped, verdicts, words

MOST_ATTEMPTS = 50  # first cases of a queue that may refuse a word

# What each verdict executes is built once: to build them takes SQLAlchemy longer than the database to carry them out.
_THIS: sa.BindParameter[str] = sa.bindparam("this")
_AT_VERSION: sa.BindParameter[int] = sa.bindparam("at_version")
_HELD = sa.select(cases).where(cases.c.case_id == _THIS).with_for_update()
_CHANGED = cases.update().where(cases.c.case_id == _THIS, cases.c.version == _AT_VERSION)
_SAID, _GIVEN, _TOLD = words.insert(), verdicts.insert(), outbox.insert()

Word = Callable[[Case], Case]

_unforeseen = SystemRandom()


class NoSuchCase(Exception):
    """There is no case of this name."""


class Contended(Exception):
    """Others' words were taken first, over and over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A case to be opened: the decision as it lay on its topic, and where."""

    case: Case
    decision: Decision
    raw: bytes
    place: InputPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said of a case, when, and by whom; None is the clock, the model, or whoever was asked."""

    word: str
    speaker: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A batch of a store's outbox: its own number, which goes up by one, and those of the rows that went in it."""

    store: str
    batch: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLength:
    """Cases of one line of a queue that are not closed."""

    queue: str
    line: int
    cases: int
    waiting: int  # of them for information
    late: int  # of them in danger of being late, or late
    oldest: datetime  # opened at


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """Records that the topics are to have, together, and that the outbox holds until they do."""

    number: int
    tellings: tuple[Telling, ...]


class Store:
    """Cases in a database. A method is one transaction, may wait for another one, and may be called by any thread."""

    def __init__(
        self,
        engine: sa.Engine,
        policy: ReviewPolicy,
        settings_version: str,
        draw: Callable[[], float] = _unforeseen.random,
    ) -> None:
        """Which cases are looked at twice depends on what is drawn, 0 to 1: no reviewer can foresee it."""
        self.engine = engine
        self.complaints = Complaints(engine, settings_version)
        self.second_looks = SecondLooks(engine)
        self.precedents = Precedents(engine)
        self.prices = Prices(engine)
        self._draw = draw
        self._reading = engine.execution_options(**{READ_ONLY: True})
        self._policy = policy
        self._settings_version = settings_version
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert

    def close(self) -> None:
        """Disconnect."""
        self.engine.dispose()

    def open(
        self,
        openings: Sequence[Opening],
        next_offsets: Mapping[str, int],
        payments: Sequence[StoppedPayment] = (),
    ) -> None:
        """Open those cases that there are not yet, and note payments that were stopped, and where to read on."""
        rows = [self._row(each) for each in openings]
        with self.engine.begin() as connection:
            if rows:
                connection.execute(self._insert(cases).on_conflict_do_nothing(), rows)
            if payments:
                connection.execute(self._insert(stopped).on_conflict_do_nothing(), stopped_rows(payments))
            for place, offset in next_offsets.items():
                noting = self._insert(positions).values(place=place, next_offset=offset)
                connection.execute(
                    noting.on_conflict_do_update(
                        index_elements=[positions.c.place], set_={"next_offset": noting.excluded.next_offset}
                    )
                )

    def next_offsets(self) -> dict[str, int]:
        """From where each partition is to be read on."""
        with self._reading.begin() as connection:
            return {row.place: row.next_offset for row in connection.execute(sa.select(positions))}

    def case(self, case_id: str) -> KeptCase:
        """Read a case. Raises NoSuchCase."""
        with self._reading.begin() as connection:
            row = connection.execute(sa.select(cases).where(cases.c.case_id == case_id)).one_or_none()
        if row is None:
            raise NoSuchCase(case_id)
        return kept_case(row)

    def cases(self, case_ids: Sequence[str]) -> list[KeptCase]:
        """Read several cases, in the order asked for; those that there are not are left out."""
        asking = sa.select(cases).where(cases.c.case_id.in_(case_ids))
        with self._reading.begin() as connection:
            found = {row.case_id: kept_case(row) for row in connection.execute(asking)}
        return [found[each] for each in case_ids if each in found]

    def of_transaction(self, transaction_id: str) -> list[str]:
        """Cases of a transaction."""
        return self._names(sa.select(cases.c.case_id).where(cases.c.transaction_id == transaction_id))

    def take(self, kept: KeptCase, after: Case, said: Said) -> bool:
        """Keep what a word made of a case, and tell the world; False where another word was taken since it was read."""
        with self.engine.begin() as connection:
            return self._take(connection, kept, after, said)

    def _take(self, connection: sa.Connection, kept: KeptCase, after: Case, said: Said) -> bool:
        final = self._final(kept, after)
        told = tellings(kept.case, after, kept.decision, kept.place, final)
        case_id, version = after.case_id, kept.version + 1
        which = {"this": case_id, "at_version": kept.version}
        if connection.execute(_CHANGED, {**which, "version": version, **self._columns(after)}).rowcount == 0:
            return False
        spoken = {"at": micros(said.at), "word": said.word, "speaker": said.speaker}
        connection.execute(_SAID, {"case_id": case_id, "version": version, **spoken})
        for each in after.verdicts[len(kept.case.verdicts) :]:
            risk = kept.decision.risk_score
            row = verdict_row(case_id, each.reviewer, each.outcome, risk, each.at, blind=False)
            connection.execute(_GIVEN, row)
        if self._policy.wants_second_look(kept.case, after, self._draw()):
            connection.execute(second_looks.insert(), second_look_row(case_id, said.at))
        if final is not None and (payment := stopped_by_revision(final)) is not None:
            connection.execute(self._insert(stopped).on_conflict_do_nothing(), stopped_rows([payment]))
        if told:  # after the case: what it had told before has a lower number, whatever else is written at once
            connection.execute(_TOLD, {"case_id": case_id, "records": write_tellings(told)})
        return True

    def change_first(self, queue: str, reviewer: Reviewer, word: Word, said: Said) -> Case | None:
        """Say a word to the first case of a queue that this reviewer may take, and that takes it; None where none does.

        In one transaction, which passes over what others have in theirs: who take at once would else wait for each
        other, and all but one look again. Raises Contended where the word is refused over and over.
        """
        refused: list[str] = []
        with self.engine.begin() as connection:
            while (kept := self._first(connection, queue, reviewer, said.at, refused)) is not None:
                with suppress(WordRefused):
                    after = word(kept.case)
                    if self._take(connection, kept, after, said):
                        return after
                refused.append(kept.case.case_id)
                if len(refused) == MOST_ATTEMPTS:
                    raise Contended(queue)
        return None

    def _first(
        self, connection: sa.Connection, queue: str, reviewer: Reviewer, now: datetime, but: Sequence[str]
    ) -> KeptCase | None:
        """Locked, where the database can lock a row."""
        rows: list[sa.Row[Any]] = []
        for where in _free(queue, reviewer, now):
            asking = sa.select(cases).where(*where, cases.c.case_id.not_in(but)).order_by(cases.c.rank).limit(1)
            rows += connection.execute(asking.with_for_update(skip_locked=True)).all()
        return kept_case(min(rows, key=lambda row: float(row.rank))) if rows else None

    def change(self, case_id: str, word: Word, said: Said) -> Case:
        """Say a word to a case, once nobody else is at it; what says nothing new is not kept.

        Raises NoSuchCase, Contended, and the WordRefused of the word.
        """
        with self.engine.begin() as connection:
            row = connection.execute(_HELD, {"this": case_id}).one_or_none()
            if row is None:
                raise NoSuchCase(case_id)
            kept = kept_case(row)
            after = word(kept.case)
            if after != kept.case and not self._take(connection, kept, after, said):
                raise Contended(case_id)  # on a database that locks no row
            return after

    def pass_on(self, answer: InformationAnswer) -> None:
        """Have an answer told on its topic, from where cases hear it. Raises NoSuchCase."""
        case_id = case_of(answer)
        asking = sa.select(cases.c.case_id).where(cases.c.case_id == case_id)
        with self.engine.begin() as connection:
            if connection.scalar(asking) is None:
                raise NoSuchCase(case_id)
            records = write_tellings((answer_telling(answer),))
            connection.execute(_TOLD, {"case_id": case_id, "records": records})

    def history(self, case_id: str) -> list[Said]:
        """All words that were taken, in their order."""
        asking = sa.select(words.c.word, words.c.speaker, words.c.at).where(words.c.case_id == case_id)
        with self._reading.begin() as connection:
            found = connection.execute(asking.order_by(words.c.version)).all()
        return [Said(word=word, speaker=speaker, at=moment(at)) for word, speaker, at in found]

    def to_take(self, queue: str, reviewer: Reviewer, now: datetime, most: int) -> list[str]:
        """Cases of a queue that this reviewer may take now, the first first."""
        found: list[tuple[float, str]] = []
        with self._reading.begin() as connection:
            for where in _free(queue, reviewer, now):
                asking = sa.select(cases.c.rank, cases.c.case_id).where(*where)
                rows = connection.execute(asking.order_by(cases.c.rank).limit(most))
                found += [(rank, case_id) for rank, case_id in rows]
        return [case_id for _, case_id in sorted(found)[:most]]

    def in_hand(self, reviewer: str, now: datetime) -> list[str]:
        """Cases that a reviewer has in hand, the first first."""
        asking = sa.select(cases.c.case_id).where(cases.c.holder == reviewer, cases.c.free_from > micros(now))
        return self._names(asking.order_by(cases.c.rank))

    def to_displace(self, queue: str, most_open: int, most: int) -> list[str]:
        """Cases of a queue beyond so many, the last first; those that wait for information take no place in it."""
        free = (cases.c.queue == queue, cases.c.free_from.is_not(None))
        counting = sa.select(sa.func.count()).select_from(cases).where(*free)
        with self._reading.begin() as connection:
            too_many = connection.execute(counting).scalar_one() - most_open
            if too_many <= 0:
                return []
            asking = sa.select(cases.c.case_id).where(*free).order_by(cases.c.rank.desc()).limit(min(too_many, most))
            return list(connection.scalars(asking))

    def queues(self, now: datetime) -> list[QueueLength]:
        """How long each line of each queue is, of those that have any case that is not closed."""
        columns = (cases.c.queue, cases.c.line)
        asking = (
            sa.select(
                *columns,
                sa.func.count(),
                sa.func.count(cases.c.free_from),
                sa.func.count(sa.case((cases.c.warn_at <= micros(now), 1))),
                sa.func.min(cases.c.opened_at),
            )
            .where(cases.c.expires_at.is_not(None))
            .group_by(*columns)
            .order_by(*columns)
        )
        with self._reading.begin() as connection:
            return [
                QueueLength(queue=queue, line=line, cases=all_, waiting=all_ - free, late=late, oldest=moment(oldest))
                for queue, line, all_, free, late, oldest in connection.execute(asking)
            ]

    def to_expire(self, now: datetime, most: int) -> list[str]:
        """Cases whose time is over, the longest over first."""
        asking = sa.select(cases.c.case_id).where(cases.c.expires_at.is_not(None), cases.c.expires_at <= micros(now))
        return self._names(asking.order_by(cases.c.expires_at).limit(most))

    def unsent(self, most: int) -> list[Unsent]:
        """What the topics do not have yet, as far as is known; those of one case in their order."""
        asking = sa.select(outbox.c.number, outbox.c.records).order_by(outbox.c.number).limit(most)
        with self._reading.begin() as connection:
            return [
                Unsent(number=number, tellings=read_tellings(records)) for number, records in connection.execute(asking)
            ]

    def delivered(self) -> Delivery:
        """The batch of the outbox that went last, as far as is known."""
        with self._reading.begin() as connection:
            store, batch = connection.execute(sa.select(deliveries.c.store, deliveries.c.batch)).one()
        return Delivery(store=store, batch=batch)

    def sent(self, delivery: Delivery) -> None:
        """The topics have these: the outbox does not hold them any more."""
        with self.engine.begin() as connection:
            connection.execute(outbox.delete().where(outbox.c.number.in_(delivery.numbers)))
            later = deliveries.c.batch < delivery.batch  # else one who was fenced says so too late
            connection.execute(deliveries.update().where(later).values(batch=delivery.batch))

    def _names(self, asking: sa.Select[tuple[str]]) -> list[str]:
        with self._reading.begin() as connection:
            return list(connection.scalars(asking))

    def _row(self, opening: Opening) -> dict[str, Any]:
        return {
            "case_id": opening.case.case_id,
            "transaction_id": opening.decision.transaction_id,
            "card": opening.decision.pan_token,
            "merchant": opening.decision.merchant_id,
            "chief_reason": chief_reason(opening.decision),
            "version": 0,
            "opened_at": micros(opening.case.opened_at),
            "warn_at": micros(opening.case.warn_at),
            "decision": opening.raw.decode(),
            "place": msgspec.json.encode(opening.place).decode(),
            **self._columns(opening.case),
        }

    def _final(self, kept: KeptCase, after: Case) -> Revision | None:
        """The final word on the decision, if a word has just closed the case."""
        if after.ending is None or kept.case.ending is not None:
            return None
        return final_revision(after, after.ending, kept.decision, kept.place, self._settings_version)

    def _columns(self, case: Case) -> dict[str, Any]:
        """Those that change with a case."""
        return {
            "queue": case.queue,
            "line": case.line,
            "rank": self._policy.rank(case),
            "free_from": None if case.free_from is None else micros(case.free_from),
            "holder": case.lease.reviewer if case.lease is not None and case.free_from is not None else None,
            "expires_at": None if case.expires_at is None else micros(case.expires_at),
            "document": msgspec.json.encode(case).decode(),
        }


def _free(queue: str, reviewer: Reviewer, now: datetime) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Which cases of a queue this reviewer may take now: line by line, each is read from an index."""
    given = sa.exists().where(verdicts.c.case_id == cases.c.case_id, verdicts.c.reviewer == reviewer.name)
    for line in LINES if reviewer.second_line else LINES[:1]:
        free = (cases.c.free_from.is_not(None), cases.c.free_from <= micros(now), ~given)
        yield (cases.c.queue == queue, cases.c.line == line, *free)

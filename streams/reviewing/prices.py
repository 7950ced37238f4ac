"""What a review is taken to cost: kept with the cases, moved once for each reason, and told through the outbox."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from rules.review_price import CapacityPolicy, PriceMove, PriceReason, ReviewLoad, ReviewPrice, load_of, move_of
from streams.reviewing.database import READ_ONLY
from streams.reviewing.moments import micros, moment
from streams.reviewing.publications import price_tellings, write_tellings
from streams.reviewing.tables import cases, outbox, review_price, verdicts

ONE = 1  # row


class Prices:
    """In the database of the store. A method is one transaction, and may be called by any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})

    def price(self) -> ReviewPrice | None:
        """What it is now; None if this store has never told one."""
        with self._reading.begin() as connection:
            row = connection.execute(sa.select(review_price.c.minor, review_price.c.moved_at)).one_or_none()
        if row is None:
            return None
        return ReviewPrice(minor=row.minor, moved_at=moment(row.moved_at))

    def look(
        self, policy: CapacityPolicy, review_minor: int, due_minutes: dict[str, float], now: datetime
    ) -> tuple[ReviewLoad, PriceMove | None]:
        """See how it stands with queues that have so many minutes each, and move the price if it is time for it.

        A store that has never told a price begins with that of the cost policy, and says so.
        """
        load = self._load(timedelta(minutes=policy.window_minutes), due_minutes, now)
        price = self.price()
        if price is not None:
            move = move_of(policy, review_minor, price, load, now)
        elif policy.most_review_minor:
            begun = PriceReason.BEGUN
            move = PriceMove(before_minor=review_minor, after_minor=review_minor, reason=begun, load=load, at=now)
        else:
            move = None
        if move is not None and not self._take(move, begins=price is None):
            return load, None  # another console was faster
        return load, move

    def _load(self, window: timedelta, due_minutes: dict[str, float], now: datetime) -> ReviewLoad:
        since = micros(now - window)
        waiting = sa.select(cases.c.queue, sa.func.count()).where(cases.c.expires_at.is_not(None))
        arrived = sa.select(sa.func.count()).where(cases.c.opened_at >= since)
        handled = sa.select(sa.func.count()).where(verdicts.c.at >= since, ~verdicts.c.blind)
        longest = 60.0 * max(due_minutes.values())
        with self._reading.begin() as connection:
            queues = [
                (count, 60.0 * due_minutes.get(queue, longest / 60.0))
                for queue, count in connection.execute(waiting.group_by(cases.c.queue))
            ]
            counts = connection.scalar(arrived) or 0, connection.scalar(handled) or 0
        return load_of(queues, *counts, window.total_seconds(), longest)

    def _take(self, move: PriceMove, *, begins: bool) -> bool:
        moved_at, records = micros(move.at), write_tellings(price_tellings(move))
        with self._engine.begin() as connection:
            if begins:
                connection.execute(review_price.insert().values(one=ONE, minor=move.after_minor, moved_at=moved_at))
            else:
                moving = review_price.update().where(review_price.c.minor == move.before_minor)
                if connection.execute(moving.values(minor=move.after_minor, moved_at=moved_at)).rowcount == 0:
                    return False
            connection.execute(outbox.insert().values(case_id="review_price", records=records))
        return True

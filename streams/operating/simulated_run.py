"""One run of the simulator: the traffic put into the time of the run, under ids of its own, some records damaged.

Simulated time has one of two clocks. Without a time compression the cards keep their habits, hours and weekdays: event
times are those of the traffic, and simulated time runs as fast as the rate makes it (5,000 cards pay 15,500 times a
day, so 200 a second are 1,100 days in a day). With one, event times are even: so many simulated seconds in each second
of the wall clock, whatever that does to habits (at compression 1 and 200 a second, 5,000 cards pay every 25 seconds).

No event time is ahead of the wall clock: a run of known length starts so long ago that it ends about now, one
without an end starts now where time is not compressed, else 400 days ago, and is over when it has come to the present.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from random import Random

import msgspec

from models.simulator.bad_records import BAD_KINDS
from models.simulator.chance import seeded
from models.simulator.damage import Record
from models.simulator.policy import SimulatedTransaction, TrafficPolicy
from models.simulator.population import populate
from models.simulator.rhythm import DAY
from models.simulator.traffic import honest_per_day, traffic
from models.transaction import Transaction

LONG_AGO = timedelta(days=400)
LIVE_MARGIN = timedelta(days=2)  # habits are uneven: days and nights, workdays and weekends
LIVE_STRETCH = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When a run begins, and how many seconds of simulated time go into one of the wall clock; None: by habit."""

    start: datetime
    time_compression: float | None

    def moment(self, habitual: datetime, elapsed: float) -> datetime:
        """The event time of a payment made `elapsed` seconds after the run began."""
        if self.time_compression is None:
            return habitual
        return self.start + timedelta(milliseconds=int(elapsed * self.time_compression * 1000.0))


def span_of(
    now: datetime, *, seconds: float | None, time_compression: float | None, habitual_compression: float
) -> Span:
    """The span of a run that begins `now` and lasts so many seconds of the wall clock, or until it is stopped."""
    if time_compression is not None:
        if seconds is None:
            return Span(start=now if time_compression <= 1.0 else now - LONG_AGO, time_compression=time_compression)
        return Span(start=now - timedelta(seconds=seconds * time_compression), time_compression=time_compression)
    if seconds is None:
        return Span(start=now - LONG_AGO, time_compression=None)
    played = timedelta(seconds=seconds * habitual_compression)
    return Span(start=now - played * LIVE_STRETCH - LIVE_MARGIN, time_compression=None)


class SimulatedRun:
    """Makes the payments of a run, one after the other. Its ids are its own, so the same seed may run again."""

    def __init__(
        self,
        policy: TrafficPolicy,
        *,
        now: datetime,
        rate: float,
        seconds: float | None,
        time_compression: float | None,
    ) -> None:
        population = populate(policy)
        per_second = honest_per_day(population) / (1.0 - policy.fraud.total) / DAY
        self.span = span_of(
            now,
            seconds=seconds,
            time_compression=time_compression,
            habitual_compression=rate / per_second,
        )
        self.run_id = f"r{int(now.timestamp() * 1000):x}"
        self._traffic = traffic(replace(policy, start=self.span.start), population)

    def pay(self, elapsed: float) -> SimulatedTransaction:
        """The next payment, made so many seconds after the run began."""
        simulated = next(self._traffic)
        transaction = msgspec.structs.replace(
            simulated.transaction,
            transaction_id=f"{self.run_id}.{simulated.transaction.transaction_id}",
            event_time=self.span.moment(simulated.transaction.event_time, elapsed),
        )
        return SimulatedTransaction(transaction, simulated.fraud_type)


class BadRecords:
    """Damaged copies of good transactions, so that they make up `share` of all records; each kind in its turn."""

    def __init__(self, share: float, seed: int) -> None:
        if not 0.0 <= share < 1.0:
            raise ValueError("the share of bad records must be at least 0 and below 1")
        self._chance = share / (1.0 - share)
        self._rng: Random = seeded(seed << 2 | 3)
        self._kinds = cycle(BAD_KINDS)
        self._owed = 0.0

    def after(self, good: Transaction, now: datetime) -> Iterator[Record]:
        """Key and value of the bad records to send after a good one was sent."""
        self._owed += self._chance
        while self._owed >= 1.0:
            self._owed -= 1.0
            yield self._damaged(good, now)

    def _damaged(self, good: Transaction, now: datetime) -> Record:
        kind = next(self._kinds)
        if not kind.follows_good:  # a payment of its own, made now: else ten minutes ahead may still be in the past
            good = msgspec.structs.replace(good, transaction_id=f"{good.transaction_id}.bad", event_time=now)
        return kind.make(msgspec.to_builtins(good), self._rng)

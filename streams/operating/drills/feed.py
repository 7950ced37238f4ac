"""Payments to be sent beside the simulated traffic, each made when it is asked for."""

import uuid
from datetime import UTC, datetime
from itertools import count, islice

from msgspec.structs import replace

from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.transaction import Transaction


class Feed:
    """An endless stream, of cards of its own."""

    def __init__(self) -> None:
        self._traffic = traffic(TrafficPolicy(seed=7))
        self._numbers = count()
        self._run = uuid.uuid4().hex[:8]

    def next(self, payments: int) -> list[Transaction]:
        """So many, made now."""
        now = datetime.now(UTC)
        return [
            replace(each.transaction, transaction_id=f"{self._run}.{next(self._numbers)}", event_time=now)
            for each in islice(self._traffic, payments)
        ]

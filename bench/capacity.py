"""What the price of a review is worth when half of the reviewers go home at noon, against a price that stays.

    python -m bench.capacity

A day of simulated payments from 8 to 20 h, with scores that are calibrated. The default cost policy decides; a case is
taken in the order of its queue as soon as a reviewer is free, and goes by the queue's default when it is due. A
reviewer is right, and costs what the cost policy says. Both days have the same payments, and no time is measured.
"""

import heapq
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rules.decision import Outcome
from rules.policy import CostPolicy, judge
from rules.review_case import Case
from rules.review_policy import ReviewPolicy
from rules.review_price import CapacityPolicy, PriceMove, ReviewPrice, load_of, move_of

BEGIN, END = datetime(2026, 1, 2, 8, tzinfo=UTC), datetime(2026, 1, 2, 20, tzinfo=UTC)
NOON = BEGIN.replace(hour=12)
MINUTE = timedelta(minutes=1)
TAKES = timedelta(minutes=3)  # to review a case
COSTS, REVIEWS = CostPolicy(), ReviewPolicy()
QUEUE = REVIEWS.queues[0]
DUE = timedelta(minutes=QUEUE.due_minutes)
STAYS, MOVES = CapacityPolicy(), CapacityPolicy(most_review_minor=3000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment, how risky it looks, and what it is."""

    at: datetime
    amount_minor: int
    probability: float
    is_fraud: bool


@dataclass(slots=True, kw_only=True)
class Day:
    """What came of a day. Money in minor units, ages in minutes."""

    payments: int
    cost_minor: float = 0.0
    reviewed: int = 0
    overdue: int = 0  # went by default
    oldest_minutes: float = 0.0  # that a case ever was
    most_waiting: int = 0
    moves: list[PriceMove] = field(default_factory=list)

    @property
    def cost_per_payment(self) -> float:
        """Minor units."""
        return self.cost_minor / self.payments


def payments(per_hour: int, seed: int = 1) -> list[Paid]:
    """A day of them, in order of time."""
    drawn = random.Random(seed)  # noqa: S311
    made = []
    for _ in range(round(per_hour * (END - BEGIN) / timedelta(hours=1))):
        probability = 1.0 / (1.0 + exp(-drawn.gauss(-5.0, 1.5)))
        made.append(
            Paid(
                at=BEGIN + drawn.random() * (END - BEGIN),
                amount_minor=max(100, round(drawn.lognormvariate(8.7, 1.0))),
                probability=probability,
                is_fraud=drawn.random() < probability,
            )
        )
    return sorted(made, key=lambda each: each.at)


def lived(history: Sequence[Paid], capacity: CapacityPolicy, *, morning: int, afternoon: int) -> Day:
    """Live through a day with so many reviewers until noon and after it."""
    return _Shop(capacity, history).live(morning, afternoon)


class _Shop:
    """Reviewers, their queue, and the price, minute by minute."""

    def __init__(self, capacity: CapacityPolicy, history: Sequence[Paid]) -> None:
        self._capacity = capacity
        self._history = history
        self._day = Day(payments=len(history))
        self._price = ReviewPrice(minor=COSTS.review_minor)
        self._queue: list[tuple[float, int, Case]] = []
        self._paid: dict[int, Paid] = {}
        self._opened: list[datetime] = []
        self._handled: list[datetime] = []

    def live(self, morning: int, afternoon: int) -> Day:
        """From BEGIN until nothing waits any more; nobody pays after END."""
        free = [BEGIN] * morning
        now, number = BEGIN, 0
        while now < END or self._queue:
            while number < len(self._history) and self._history[number].at < now + MINUTE:
                self._decide(number, self._history[number])
                number += 1
            present = free[: morning if now < NOON else afternoon]
            for place, until in enumerate(present):
                if until <= now and self._queue:
                    self._review(now)
                    free[place] = now + TAKES
            now += MINUTE
            self._expire(now)
            self._look(now)
        return self._day

    def _decide(self, number: int, paid: Paid) -> None:
        costs = CostPolicy(review_minor=self._price.minor)
        outcome = judge(paid.probability, paid.amount_minor, costs).outcome
        if outcome is not Outcome.REVIEW:
            self._count(outcome, paid)
            return
        loss = min(
            COSTS.approve_cost(paid.probability, paid.amount_minor),
            COSTS.block_cost(paid.probability, paid.amount_minor),
        )
        case = Case(
            case_id=str(number),
            queue=QUEUE.name,
            opened_at=paid.at,
            warn_at=paid.at + DUE * QUEUE.warn_after_share,
            due_at=paid.at + DUE,
            default=QUEUE.default_for(paid.amount_minor),
            expected_loss_minor=round(loss),
        )
        self._paid[number] = paid
        self._opened.append(paid.at)
        heapq.heappush(self._queue, (REVIEWS.rank(case), number, case))
        self._day.most_waiting = max(self._day.most_waiting, len(self._queue))

    def _review(self, now: datetime) -> None:
        _, number, case = heapq.heappop(self._queue)
        paid = self._paid.pop(number)
        self._day.reviewed += 1
        self._day.cost_minor += COSTS.review_minor
        self._age(now - case.opened_at)
        self._handled.append(now)
        self._count(Outcome.BLOCK if paid.is_fraud else Outcome.APPROVE, paid)

    def _expire(self, now: datetime) -> None:
        over = [each for each in self._queue if each[2].due_at <= now]
        for each in over:
            self._queue.remove(each)
            self._day.overdue += 1
            self._age(now - each[2].opened_at)
            self._count(each[2].default, self._paid.pop(each[1]))
        heapq.heapify(self._queue)

    def _look(self, now: datetime) -> None:
        since = now - timedelta(minutes=self._capacity.window_minutes)
        arrived, handled = (sum(at > since for at in times) for times in (self._opened, self._handled))
        due = DUE.total_seconds()
        load = load_of([(len(self._queue), due)], arrived, handled, (now - since).total_seconds(), due)
        if (move := move_of(self._capacity, COSTS.review_minor, self._price, load, now)) is not None:
            self._price = move.price
            self._day.moves.append(move)

    def _age(self, age: timedelta) -> None:
        self._day.oldest_minutes = max(self._day.oldest_minutes, age / MINUTE)

    def _count(self, outcome: Outcome, paid: Paid) -> None:
        self._day.cost_minor += COSTS.cost_of(outcome, float(paid.is_fraud), paid.amount_minor)


def main(
    per_hour: Annotated[int, typer.Option(help="Payments.")] = 1200,
    morning: Annotated[int, typer.Option(help="Reviewers until noon.")] = 10,
    afternoon: Annotated[int, typer.Option(help="Reviewers after noon.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the payments.")] = 1,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Live through the day twice, and tell."""
    history = payments(per_hour, seed)
    days = {
        name: lived(history, capacity, morning=morning, afternoon=afternoon)
        for name, capacity in (("price stays", STAYS), ("price moves", MOVES))
    }
    if as_json:
        told = {name: asdict(day) | {"cost_per_payment": day.cost_per_payment} for name, day in days.items()}
        typer.echo(json.dumps(told, default=str))
        return
    console, table = Console(highlight=False), Table("", *days)
    for title, figure in (
        ("payments", lambda day: f"{day.payments:,}"),
        ("reviewed", lambda day: f"{day.reviewed:,}"),
        ("went by default, overdue", lambda day: f"{day.overdue:,}"),
        ("oldest case, minutes", lambda day: f"{day.oldest_minutes:.0f}"),
        ("most waiting at once", lambda day: f"{day.most_waiting:,}"),
        ("cost of a payment, minor units", lambda day: f"{day.cost_per_payment:.1f}"),
        ("moves of the price", lambda day: f"{len(day.moves)}"),
    ):
        table.add_row(title, *map(figure, days.values()))
    console.print(table)
    for move in days["price moves"].moves:
        console.print(f"{move.at:%H:%M} {move.before_minor} -> {move.after_minor} {move.reason}")


if __name__ == "__main__":
    typer.run(main)

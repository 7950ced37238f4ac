"""Whether reviewers' labels and late ones teach better together or apart: one model of both, or two that are averaged.

    python -m bench.feedback
    python -m bench.feedback --file handbook.parquet --most-suspect 100

Each day reviewers look at the cards that are most suspect, and what they find is known the next day; of all else the
label comes a week late. Dal Pozzolo et al. (2018, "Credit card fraud detection: a realistic modeling and a novel
learning strategy", IEEE TNNLS 29) found one classifier of feedback and one of delayed labels, averaged, better than one
of both. Features are the same in all arms; the cards that reviewers look at come from each arm's own scores.
"""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.histories import DAY, Silent, more_fraud, simulated
from models.classifier import Classifier
from models.evaluation import Quality, quality
from models.features import LABEL_DELAY
from models.online import OnlineModel
from models.simulator.policy import TrafficPolicy
from models.warm_up import Payment, WarmUp
from streams.operating.labelled_file import read_labelled

FRAUD_TIMES = 4

Seen = tuple[int, Payment, Sequence[float]]  # a payment by its number, with its features


@dataclass(slots=True, kw_only=True)
class Arm:
    """One way to learn from both. What it says of a payment is the mean of what its models say."""

    name: str
    by_feedback: Classifier | None  # learns what reviewers found, the next day
    by_delay: Classifier  # learns what is known a week later
    feedback_again: bool  # a week later it learns what reviewers had found, too
    today: list[float] = field(default_factory=list)  # scores of the day's payments
    told: list[float] = field(default_factory=list)  # of test days
    reviewed: set[int] = field(default_factory=set)  # payments, by their number

    def score(self, row: Sequence[float]) -> float:
        """Of one payment."""
        late = self.by_delay.score(row)
        if self.by_feedback is None or self.by_feedback is self.by_delay:
            return late
        return (late + self.by_feedback.score(row)) / 2


def arms() -> tuple[Arm, ...]:
    """Reviewers' labels unused until all labels are known, learnt by the one model, and by a model of their own."""
    together = OnlineModel()
    return (
        Arm(name="late labels only", by_feedback=None, by_delay=OnlineModel(), feedback_again=True),
        Arm(name="together", by_feedback=together, by_delay=together, feedback_again=False),
        Arm(name="apart", by_feedback=OnlineModel(), by_delay=OnlineModel(), feedback_again=True),
    )


def lived(payments: Sequence[Payment], *, test_days: int, most_suspect: int) -> dict[str, Quality]:
    """Live through them; how good each arm was on the last `test_days`."""
    every, world = arms(), WarmUp(model=Silent())
    tested_from = payments[-1].at - test_days * DAY
    waiting: deque[Seen] = deque()
    of_day: list[Seen] = []
    day = payments[0].at // DAY
    for number, payment in enumerate(payments):
        if payment.at // DAY > day:
            for arm in every:
                _review(arm, of_day, most_suspect)
            of_day.clear()
            day = payment.at // DAY
        while waiting and waiting[0][1].at <= payment.at - LABEL_DELAY:
            for arm in every:
                _mature(arm, *waiting[0])
            waiting.popleft()
        row = world.live(payment, score=False).features
        waiting.append((number, payment, row))
        of_day.append((number, payment, row))
        for arm in every:
            told = arm.score(row)
            arm.today.append(told)
            if payment.at >= tested_from:
                arm.told.append(told)
    tested = [each for each in payments if each.at >= tested_from]
    at, card, is_fraud = (
        np.array(column) for column in zip(*((p.at, p.card, p.is_fraud) for p in tested), strict=True)
    )
    return {arm.name: quality(at, card, is_fraud, np.array(arm.told), k=most_suspect) for arm in every}


def _review(arm: Arm, of_day: Sequence[Seen], most: int) -> None:
    """Have reviewers look at the most suspect cards of a day, all payments of each, and learn what they found."""
    today, arm.today = arm.today, []
    if arm.by_feedback is None:
        return
    highest: dict[str, float] = {}
    for told, (_, payment, _) in zip(today, of_day, strict=True):
        highest[payment.card] = max(told, highest.get(payment.card, 0.0))
    looked_at = set(sorted(highest, key=lambda card: -highest[card])[:most])
    for number, payment, row in of_day:
        if payment.card in looked_at:
            arm.reviewed.add(number)
            arm.by_feedback.learn(row, is_fraud=payment.is_fraud)


def _mature(arm: Arm, number: int, payment: Payment, row: Sequence[float]) -> None:
    if arm.feedback_again or number not in arm.reviewed:
        arm.by_delay.learn(row, is_fraud=payment.is_fraud)


def main(
    cards: Annotated[int, typer.Option(min=400)] = 600,
    days: Annotated[int, typer.Option(min=30)] = 75,
    test_days: Annotated[int, typer.Option(min=7)] = 28,
    most_suspect: Annotated[int, typer.Option(min=1, help="Cards a day that reviewers look at.")] = 12,
    seed: int = 1,
    file: Annotated[Path | None, typer.Option(help="Labelled payments in place of simulated ones.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002
) -> None:
    """Measure the three ways on the same payments."""
    if file is None:
        fraud = more_fraud(FRAUD_TIMES)
        policy = TrafficPolicy(seed=seed, cards=cards, merchants=cards // 2, currencies=("EUR",), fraud=fraud)
        payments = simulated(policy, days=days)
    else:
        payments = list(read_labelled(file, epoch=datetime(2018, 4, 1, tzinfo=UTC)))
    found = lived(payments, test_days=test_days, most_suspect=most_suspect)
    if as_json:
        typer.echo(json.dumps({name: asdict(each) for name, each in found.items()}))
        return
    table = Table(title=f"{len(payments):,} payments, the last {test_days} days")
    for title in ("", "average precision", "AUC", f"card precision@{most_suspect}", "calibration error"):
        table.add_column(title, justify="right" if title else "left")
    for name, each in found.items():
        figures = (each.average_precision, each.auc, each.card_precision, each.calibration_error)
        table.add_row(name, *(f"{figure:.4f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)

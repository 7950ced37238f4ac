"""`holdfast replay`: a labelled file through the real topics, judged from the decision topics alone."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.operating.evaluating import DAY, Epoch, LabelledPath
from streams.operating.evaluation_tables import quality_table

if TYPE_CHECKING:
    from models.evaluation import Quality
    from models.warm_up import Payment, WarmUp
    from streams.operating.replay_run import Replayed
    from streams.settings import Settings

FAILED = 1

# A replay asks how good decisions are, not how fast: a burst must not send payments past the model, and labels say
# everything, so that silence settles nothing.
_REPLAY_SETTINGS = {
    "HOLDFAST_DEADLINE_DEADLINE_MS": "60000",
    "HOLDFAST_DEADLINE_LAG_ENTER": "1000000",
    "HOLDFAST_SCORER_BUDGET_MS": "1000",
    "HOLDFAST_SCORER_HUNG_AFTER_MS": "10000",
    "HOLDFAST_LEARNER_MATURITY_DAYS": "60",
    "HOLDFAST_LEARNER_PUBLISH_INTERVAL_SECONDS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which days of the file are lived through how, counted from the epoch."""

    epoch: datetime
    warm_up_from: int
    replay_from: int
    test_from: int
    label_delay: float  # days

    def at(self, day: float) -> float:
        """Seconds since 1970 of a day's beginning."""
        return self.epoch.timestamp() + day * DAY


def replay(
    file: LabelledPath,
    epoch: Epoch = datetime(2018, 4, 1),  # noqa: DTZ001 - typer reads a naive default; UTC is put on below
    warm_up_from: Annotated[int, typer.Option(min=0, help="First day learnt offline.")] = 60,
    from_day: Annotated[int, typer.Option(min=0, help="First day sent through the topics.")] = 115,
    test_day: Annotated[int, typer.Option(min=14, help="First day of the test week, where the replay ends.")] = 129,
    label_delay: Annotated[float, typer.Option(min=0, help="Days until a label is known.")] = 7.0,
    rate: Annotated[float, typer.Option(min=1, help="Transactions a second.")] = 2500.0,
    keep: Annotated[Path | None, typer.Option(help="Keep the scratch directory here.", file_okay=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Send a recorded history through Kafka, worker and learner, and measure the decisions that come back.

    Earlier days are learnt offline first, all their labels included. Then transactions go to `transactions` at RATE,
    and each label to `labels` once the decisions have reached the day on which it was known. The measures are the
    Fraud Detection Handbook's, on the test week, from the decision topics alone. Everything runs in a scratch
    directory on a Kafka of its own, and nothing is left running.

    Example: holdfast replay handbook.parquet --rate 2500
    """
    from rich.console import Console

    span = Span(
        epoch=epoch.replace(tzinfo=UTC),
        warm_up_from=warm_up_from,
        replay_from=from_day,
        test_from=test_day,
        label_delay=label_delay,
    )
    with tempfile.TemporaryDirectory(prefix="holdfast-replay-") as scratch:
        outcome = asyncio.run(_replay(file, span, rate, (keep or Path(scratch)).absolute(), quiet=as_json))
    if as_json:
        typer.echo(json.dumps(outcome.plain()))
    else:
        Console().print(outcome.table(f"Days {from_day} to {test_day + 6} of {file.name}, through Kafka"))
    if outcome.undecided:
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a replay found."""

    quality: "Quality"
    transactions: int
    refused: int  # dead letters: the contract refuses an amount of 0
    undecided: int
    labels: int
    seconds: float
    by_source: dict[str, int]
    unscored_in_test: int  # decided without the model: they count as the least suspect

    def plain(self) -> dict[str, Any]:
        """For scripts."""
        return {**asdict(self), "transactions_per_second": self.transactions / self.seconds}

    def table(self, title: str) -> Any:
        """For people."""
        table = quality_table(self.quality, title=title)
        table.add_section()
        table.add_row("sent through the topics", f"{self.transactions:,}")
        table.add_row("refused: not of the contract", f"{self.refused:,}")
        table.add_row("without a decision", f"{self.undecided:,}")
        table.add_row("labels sent", f"{self.labels:,}")
        table.add_row("transactions a second", f"{self.transactions / self.seconds:,.0f}")
        for source, count in sorted(self.by_source.items()):
            table.add_row(f"decided by {source}", f"{count:,}")
        table.add_row("of the test week without a score", f"{self.unscored_in_test:,}")
        return table


async def _replay(file: Path, span: Span, rate: float, home: Path, *, quiet: bool) -> Outcome:
    from streams.broker.embedded import EmbeddedKafka
    from streams.broker.topic_admin import create_topics
    from streams.operating.installation import Plan, running
    from streams.operating.labelled_file import read_labelled
    from streams.operating.progress import shown
    from streams.operating.replay_run import Pace, Replayed, replay_payments
    from streams.operating.warming import hand_over
    from streams.settings import load_settings

    end = span.at(span.test_from + 7)
    rows = (each for each in read_labelled(file, epoch=span.epoch) if span.at(span.warm_up_from) <= each.at < end)
    warm_up, first = await asyncio.to_thread(_warm_up, rows, span, quiet=quiet)
    payments = [first, *rows] if first is not None else []
    async with EmbeddedKafka(home / "kafka") as broker:
        environment = dict(os.environ) | _REPLAY_SETTINGS | {"HOLDFAST_BROKER": broker.bootstrap}
        settings: Settings = load_settings(None, environment)
        await create_topics(settings)
        await hand_over(settings, warm_up, now=span.at(span.replay_from))
        plan = Plan(home=home, environment=environment, own_kafka=False)
        async with running(plan, lambda _part, _what: None) as installation:
            pace = Pace(rate=rate, label_delay=span.label_delay * DAY)
            with shown("Replaying", total=len(payments), quiet=quiet) as advance:

                def told(done: Replayed) -> None:
                    advance(done.ended)

                done = await replay_payments(installation.settings, payments, pace, told)
    return _judged(payments, done, span)


def _warm_up(rows: Iterator["Payment"], span: Span, *, quiet: bool) -> tuple["WarmUp", "Payment | None"]:
    """Live through the days before the replay; all their labels are learnt at its end. Also the next payment."""
    from models.warm_up import WarmUp
    from rules.policy import CostPolicy
    from streams.operating.progress import counted

    warm_up = WarmUp(label_delay=span.label_delay * DAY, wanted=CostPolicy().wanted)
    for payment in counted(rows, "Learning the days before", quiet=quiet):
        if payment.at >= span.at(span.replay_from):
            break
        warm_up.live(payment, score=False)
    else:
        payment = None
    warm_up.settle()
    return warm_up, payment


def _judged(payments: list["Payment"], done: "Replayed", span: Span) -> Outcome:
    import numpy as np

    from models.evaluation import handbook_quality, handbook_test_rows

    begin = span.epoch.timestamp()
    seconds = np.array([each.at - begin for each in payments])
    cards, frauds = np.array([each.card for each in payments]), np.array([each.is_fraud for each in payments])
    risks = [done.risk.get(each.transaction_id) for each in payments]
    tested = handbook_test_rows(seconds, cards, frauds, first_day=span.test_from)
    probabilities = np.array([risk or 0.0 for risk in risks])
    return Outcome(
        quality=handbook_quality(seconds, cards, frauds, probabilities, first_day=span.test_from),
        transactions=len(payments),
        refused=done.dead_letters,
        undecided=len(payments) - done.ended,
        labels=done.labels_sent,
        seconds=done.seconds,
        by_source=dict(done.by_source),
        unscored_in_test=sum(risk is None for risk, row in zip(risks, tested.tolist(), strict=True) if row),
    )

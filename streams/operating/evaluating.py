"""`holdfast evaluate`: how well the default model does on a labelled file, scored before it learns."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from models.evaluation import Quality

DAY = 86_400.0

LabelledPath = Annotated[Path, typer.Argument(help="Parquet or CSV, in order of time.", exists=True, dir_okay=False)]
Epoch = Annotated[datetime, typer.Option(help="What a column `seconds` counts from, UTC.", formats=["%Y-%m-%d"])]


def evaluate(
    file: LabelledPath,
    epoch: Epoch = datetime(2018, 4, 1),  # noqa: DTZ001 - typer reads a naive default; UTC is put on below
    from_day: Annotated[int, typer.Option(min=0, help="First day learnt.")] = 0,
    test_day: Annotated[int, typer.Option(min=14, help="First day of the test week.")] = 129,
    label_delay: Annotated[float, typer.Option(min=0, help="Days until a label is known.")] = 7.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Score a labelled history transaction by transaction, learning each label when it would have been known.

    Reports the Fraud Detection Handbook's measures on the test week that starts on TEST_DAY: area under the ROC curve,
    average precision, card precision at 100 and the calibration error.

    Example: holdfast evaluate handbook.parquet --test-day 129
    """
    from rich.console import Console

    from streams.operating.labelled_file import LabelledFileUnreadable

    try:
        measured = _measure(file, epoch.replace(tzinfo=UTC), from_day, test_day, label_delay, quiet=as_json)
    except LabelledFileUnreadable as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(json.dumps({"test_day": test_day, **asdict(measured)}))
    else:
        Console().print(quality_table(measured, title=f"Days {test_day} to {test_day + 6} of {file.name}"))


def _measure(
    file: Path, epoch: datetime, from_day: int, test_day: int, label_delay: float, *, quiet: bool
) -> "Quality":
    import numpy as np

    from models.evaluation import handbook_quality
    from models.warm_up import WarmUp, prequential
    from streams.operating.labelled_file import read_labelled
    from streams.operating.progress import counted

    begin = epoch.timestamp()
    first, scored_from, end = (begin + day * DAY for day in (from_day, test_day, test_day + 7))
    payments = (each for each in read_labelled(file, epoch=epoch) if first <= each.at < end)
    warm_up = WarmUp(label_delay=label_delay * DAY)
    lived = prequential(payments, warm_up, score_from=scored_from)
    rows = [
        (scored.payment.at - begin, scored.payment.card, scored.payment.is_fraud, scored.fraud_probability or 0.0)
        for scored in counted(lived, "Learning and scoring", quiet=quiet)
    ]
    seconds, cards, frauds, probabilities = map(np.array, zip(*rows, strict=True))
    return handbook_quality(seconds, cards, frauds, probabilities, first_day=test_day)


def quality_table(measured: "Quality", *, title: str) -> "Table":
    """The measures as a table for people."""
    from rich.table import Table

    table = Table(title=title, show_header=False)
    table.add_row("transactions", f"{measured.transactions:,}")
    table.add_row("of them fraud", f"{measured.frauds:,}")
    table.add_row("average precision", f"{measured.average_precision:.3f}")
    table.add_row("area under the ROC curve", f"{measured.auc:.3f}")
    table.add_row(f"card precision at {measured.k}", f"{measured.card_precision:.3f}")
    table.add_row("expected calibration error", f"{measured.calibration_error:.4f}")
    return table

"""`holdfast evaluate`: how good scores and decisions were, on a labelled file or on the topics of an installation."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.family import Family
from rules.appraisal import FALSE_POSITIVE_RATE, NothingToAppraise, Protocol
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of, since_when

if TYPE_CHECKING:
    from rules.policy import CostPolicy
    from streams.operating.evaluation import Evaluation

DAY = 86_400.0

LabelledPath = Annotated[Path, typer.Argument(help="Parquet or CSV, in order of time.", exists=True, dir_okay=False)]
Epoch = Annotated[datetime, typer.Option(help="What a column `seconds` counts from, UTC.", formats=["%Y-%m-%d"])]


class Rival(StrEnum):
    """Whom the model may be held against."""

    XGBOOST = "xgboost"


def evaluate(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Parquet or CSV, in order of time.", exists=True, dir_okay=False)
    ] = None,
    *,
    topics: Annotated[bool, typer.Option("--topics", help="Judge the decisions on the topics by the labels.")] = False,
    since: Annotated[str | None, typer.Option(help="Topics from then on: ISO 8601, UTC unless it says.")] = None,
    last: Annotated[float | None, typer.Option(parser=seconds_of, help="Topics of the last while: 2d, 12h.")] = None,
    epoch: Epoch = datetime(2018, 4, 1),  # noqa: DTZ001 - typer reads a naive default; UTC is put on below
    from_day: Annotated[int, typer.Option(min=0, help="First day learnt.")] = 0,
    test_day: Annotated[
        int | None,
        typer.Option(min=14, help="First day of the first test week. [default: all weeks after five of learning]"),
    ] = None,
    label_delay: Annotated[float, typer.Option(min=0, help="Days until a label is known.")] = 7.0,
    protocol: Annotated[
        Protocol | None,
        typer.Option(help="Leave out cards known to be defrauded, or none. [default: handbook; topics: prequential]"),
    ] = None,
    false_positive_rate: Annotated[float, typer.Option(min=0, max=1, help="To state the recall at.")] = (
        FALSE_POSITIVE_RATE
    ),
    family: Annotated[
        Family | None, typer.Option(help="Of the model that lives through the file. [default: the setting]")
    ] = None,
    against: Annotated[Rival | None, typer.Option(help="Beside a batch model, trained anew each day.")] = None,
    against_days: Annotated[int, typer.Option(min=1, help="Labelled days that it learns from.")] = 60,
    against_trees: Annotated[int, typer.Option(min=1, help="That it grows each day.")] = 100,
    report: Annotated[Path | None, typer.Option(help="Write evaluation.html here.", file_okay=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how good scores and decisions were, week by week: on a labelled file, or on the topics of an installation.

    A file is lived through payment by payment: each is scored before anything later is known, and each label is learnt
    when it would have been known. On topics nothing is learnt again: what decisions said is held against what labels
    say. Reports ranking, calibration, money by the cost settings, and the errors of automatic outcomes.

    Example: holdfast evaluate handbook.parquet --test-day 129 --report .
    """
    from streams.operating.batch_rival import RivalMissing, Training, require_xgboost
    from streams.operating.evaluation import Span, of_file, of_topics
    from streams.operating.labelled_file import LabelledFileUnreadable

    if (file is None) is not topics:
        raise typer.BadParameter("name a labelled file, or say --topics")
    if topics and family is not None:
        raise typer.BadParameter("on topics nothing is learnt again: the decisions are of the model that made them")
    if topics and against is not None:
        raise typer.BadParameter("a rival needs a labelled file: on topics nothing is learnt again")
    settings = settings_of(ctx)
    how = {
        "protocol": protocol or (Protocol.HANDBOOK if file is not None else Protocol.PREQUENTIAL),
        "false_positive_rate": false_positive_rate,
    }
    rival = Training(days=against_days, trees=against_trees, label_delay=label_delay) if against is not None else None
    try:
        if rival is not None:
            require_xgboost()  # before an hour of learning
        if file is None:
            found = of_topics(settings, since_when(since, last), test_day, how)
        else:
            span = Span(epoch.replace(tzinfo=UTC).timestamp(), from_day, test_day, label_delay)
            wanted = family or settings.learner.family
            found = of_file(file, span, settings.policy, wanted, rival, how, quiet=as_json)
    except (LabelledFileUnreadable, NothingToAppraise, RivalMissing) as error:
        raise typer.BadParameter(str(error)) from error
    _tell(found, settings.policy, report, as_json=as_json)


def _tell(found: "Evaluation", policy: "CostPolicy", report: Path | None, *, as_json: bool) -> None:
    from streams.operating.evaluation_tables import weeks_table, whole_table

    if report is not None:
        from streams.operating.evaluation_page import page

        report.mkdir(parents=True, exist_ok=True)
        (report / "evaluation.html").write_text(page(found, policy), "utf-8")
    if as_json:
        typer.echo(json.dumps(found.plain()))
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(whole_table(found))
    console.print(weeks_table(found))
    if report is not None:
        console.print(f"Report: {report / 'evaluation.html'}", soft_wrap=True)

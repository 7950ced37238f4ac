"""`holdfast evaluate`: how good scores and decisions were, on a labelled file or on the topics of an installation."""

import asyncio
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.appraisal import FALSE_POSITIVE_RATE, WARM_UP_DAYS, NothingToAppraise, Protocol
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of, since_when

if TYPE_CHECKING:
    from models.warm_up import Payment
    from rules.appraisal import Appraisal
    from rules.policy import CostPolicy
    from streams.operating.batch_rival import Training
    from streams.operating.topic_history import Coverage

DAY = 86_400.0
HISTORY_DAYS = 14  # before the tested weeks: the Handbook leaves out cards that were defrauded then

LabelledPath = Annotated[Path, typer.Argument(help="Parquet or CSV, in order of time.", exists=True, dir_okay=False)]
Epoch = Annotated[datetime, typer.Option(help="What a column `seconds` counts from, UTC.", formats=["%Y-%m-%d"])]


class Rival(StrEnum):
    """Whom the model may be held against."""

    XGBOOST = "xgboost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was found, and of what."""

    of: str  # a file's name, or the topics
    begin: float  # midnight of day 0, seconds since 1970
    appraisals: "dict[str, Appraisal]"  # by model, the product's first
    coverage: "Coverage | None" = None  # of decisions on topics

    @property
    def appraisal(self) -> "Appraisal":
        """The product's own."""
        return next(iter(self.appraisals.values()))

    def date(self, day: int) -> str:
        """Of a day that measures count from `begin`."""
        return f"{datetime.fromtimestamp(self.begin + day * DAY, UTC):%Y-%m-%d}"

    def plain(self) -> dict[str, Any]:
        """For scripts: the product's measures at the top. What has no meaning is null."""
        rivals = {name: each.plain() for name, each in list(self.appraisals.items())[1:]}
        found = {"of": self.of, "test_day": self.appraisal.whole.first_day, **self.appraisal.plain(), "against": rivals}
        if self.coverage is not None:
            found["topics"] = asdict(self.coverage)
        plain: dict[str, Any] = _without_nan(found)
        return plain


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
    from streams.operating.batch_rival import RivalMissing, Training
    from streams.operating.labelled_file import LabelledFileUnreadable

    if (file is None) is not topics:
        raise typer.BadParameter("name a labelled file, or say --topics")
    if topics and against is not None:
        raise typer.BadParameter("a rival needs a labelled file: on topics nothing is learnt again")
    settings = settings_of(ctx)
    how = {
        "protocol": protocol or (Protocol.HANDBOOK if file is not None else Protocol.PREQUENTIAL),
        "false_positive_rate": false_positive_rate,
    }
    rival = Training(days=against_days, trees=against_trees, label_delay=label_delay) if against is not None else None
    try:
        if file is None:
            found = _of_topics(settings, since_when(since, last), test_day, how)
        else:
            span = _Span(epoch.replace(tzinfo=UTC).timestamp(), from_day, test_day, label_delay)
            found = _of_file(file, span, settings.policy, rival, how, quiet=as_json)
    except (LabelledFileUnreadable, NothingToAppraise, RivalMissing) as error:
        raise typer.BadParameter(str(error)) from error
    _tell(found, settings.policy, report, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Span:
    """Days of a file, counted from midnight of `begin`, seconds since 1970."""

    begin: float
    from_day: int
    test_day: int | None
    label_delay: float

    def starting(self, first: float) -> "_Span":
        """The same for a file that begins then: its first day may be long after day 0."""
        return _Span(self.begin, max(self.from_day, int((first - self.begin) // DAY)), self.test_day, self.label_delay)

    @property
    def scored_from(self) -> float:
        """The first tested second."""
        day = self.from_day + WARM_UP_DAYS if self.test_day is None else self.test_day
        return self.begin + day * DAY


def _of_file(
    file: Path, span: _Span, policy: "CostPolicy", rival: "Training | None", how: dict[str, Any], *, quiet: bool
) -> Evaluation:
    from itertools import chain

    from models.warm_up import WarmUp, prequential
    from rules.appraisal import appraise, weeks_to_test
    from streams.operating.labelled_file import read_labelled
    from streams.operating.lived_file import Columns
    from streams.operating.progress import counted

    payments = _from(
        read_labelled(file, epoch=datetime.fromtimestamp(span.begin, UTC)), span.begin + span.from_day * DAY
    )
    first = next(payments, None)
    if first is None:
        raise NothingToAppraise(f"{file.name}: no payment from day {span.from_day} on")
    span = span.starting(first.at)
    columns = Columns()
    if rival is not None:
        columns.keep_features = span.scored_from - (rival.days + rival.label_delay) * DAY
    lived = prequential(
        chain([first], payments), WarmUp(label_delay=span.label_delay * DAY), score_from=span.scored_from
    )
    columns.take(counted(lived, "Learning and scoring", quiet=quiet))
    judged = columns.judged(span.begin, policy)
    weeks = weeks_to_test(judged.seconds, first_day=span.test_day)
    appraisals = {"holdfast": appraise(judged, weeks, policy, **how)}
    if rival is not None:
        from streams.operating.batch_rival import retrained_daily

        features = columns.features()
        kept = slice(len(judged.seconds) - len(features), None)
        days = [day for week in weeks for day in range(week, week + 7)]
        told = judged.probability.copy()
        told[:] = math.nan
        told[kept] = retrained_daily(
            features,
            judged.is_fraud[kept],
            judged.seconds[kept],
            counted(days, "Training the rival", quiet=quiet),
            rival,
        )
        appraisals["xgboost, daily"] = appraise(judged.rescored(told, policy), weeks, policy, **how)
    return Evaluation(of=file.name, begin=span.begin, appraisals=appraisals)


def _from(payments: "Iterator[Payment]", at: float) -> "Iterator[Payment]":
    return (each for each in payments if each.at >= at)


def _of_topics(settings: Any, since: float | None, test_day: int | None, how: dict[str, Any]) -> Evaluation:
    from rules.appraisal import appraise, weeks_of_all, weeks_to_test
    from streams.operating.topic_history import read_topics

    history = asyncio.run(read_topics(settings, since=since))
    judged, begin, coverage = history.judged(maturity_seconds=settings.learner.maturity_days * DAY)
    weeks = weeks_of_all(judged.seconds) if test_day is None else weeks_to_test(judged.seconds, first_day=test_day)
    appraisal = appraise(judged, weeks, settings.policy, **how)
    return Evaluation(of="the topics", begin=begin, appraisals={"holdfast": appraisal}, coverage=coverage)


def _tell(found: Evaluation, policy: "CostPolicy", report: Path | None, *, as_json: bool) -> None:
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


def _without_nan(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_nan(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_without_nan(value) for value in plain]
    return None if isinstance(plain, float) and math.isnan(plain) else plain

"""What the model costs: features, a profile and a score for a payment, a lesson for the learner, a snapshot for both.

    python -m bench.model [--family blend]

On simulated payments, in this process alone. River does the same lessons for comparison: ratios hold on a busy machine,
too. Exits 1 if a bound is broken.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import Annotated

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table
from river import linear_model, optim, preprocessing

from models.card import COMPILED, Profile, pack, regard, unpack
from models.classifier import Classifier
from models.family import Family
from models.features import Row
from models.linear import LinearScorer
from models.marks import Marks, marks_of
from models.merchant_history import MerchantHistory
from models.online import FIRST_SQUARES, LEARNING_RATE
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.snapshot import from_plain, to_plain
from models.verifying import verify
from models.warm_up import Payment, WarmUp
from streams.operating.machine import cores_and_processor
from streams.operating.warming import learnt_from_simulation, payment_of
from streams.wire.snapshot_record import SnapshotRecord, read_snapshot, write_for_scorer, write_snapshot

BATCH = 100
LESSONS = 10_000  # timed
RIVER_LESSONS = 2_000
TIMES = 5
MOST_FEATURES_US, MOST_SCORE_US, LEAST_LESSONS, MOST_SNAPSHOT_MB = 15.0, 10.0, 10_000, 1.0
MOST_PUBLISH_MS, MOST_LOAD_MS = 50.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Medians of a few times."""

    columns: int  # of the model: features and hinges
    features_us: float  # of one payment when it comes: its marks, what the card just did, and the features
    profile_us: float  # of one payment: the card's profile from bytes to bytes, the payment taken in
    score_us: float  # of one payment, in batches of BATCH
    lessons_per_second: int
    river_lessons_per_second: int  # scaler and logistic regression alone, on columns that are made already
    snapshot_mb: float
    publish_ms: float  # from the model to the record's bytes
    load_ms: float  # from the bytes to a scorer, verified: what the worker does of it and what the process does
    compiled: bool  # `models/_card.pyx`: else features and profile are Python's
    machine: str

    @property
    def within_bounds(self) -> bool:
        """Whether it costs no more than it may."""
        return (
            self.features_us <= MOST_FEATURES_US
            and self.score_us <= MOST_SCORE_US
            and self.lessons_per_second >= LEAST_LESSONS
            and self.snapshot_mb <= MOST_SNAPSHOT_MB
            and self.publish_ms <= MOST_PUBLISH_MS
            and self.load_ms <= MOST_LOAD_MS
        )


def main(
    payments: Annotated[int, typer.Option(min=20_000, help="Simulated, learnt before anything is timed.")] = 60_000,
    family: Annotated[Family, typer.Option(help="Of the model.")] = Family.LOGISTIC,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure; exit 1 if a bound is broken."""
    costs = _measure(payments, family)
    if as_json:
        typer.echo(json.dumps(asdict(costs)))
    else:
        table = Table(title="What the model costs", show_header=False)
        for name, value in asdict(costs).items():
            table.add_row(name, str(value) if isinstance(value, bool | str) else f"{value:,}")
        Console().print(table)
    if not costs.within_bounds:
        raise typer.Exit(1)


def _measure(learnt: int, family: Family) -> Costs:
    policy = TrafficPolicy()
    warm_up = learnt_from_simulation(policy, learnt, family)
    paid = [payment_of(each) for each in islice(traffic(policy), learnt, learnt + LESSONS)]
    asked = [_asked(warm_up, each) for each in paid]
    rows, frauds = [_features(*each) for each in asked], [each.is_fraud for each in paid]
    kept = [(pack(profile), payment, marks_of(payment)) for payment, profile, *_ in asked]
    model = warm_up.learner.model
    record = _published(model)
    scorer = _loaded(record)
    batches = np.split(np.array(rows), LESSONS // BATCH)
    hinges = model.snapshot().hinges
    names = hinges.columns
    river_rows = [dict(zip(names, hinges.expand(row), strict=True)) for row in rows[:RIVER_LESSONS]]
    return Costs(
        columns=len(names),
        features_us=round(1e6 * _seconds(lambda: [_features(*each) for each in asked]) / LESSONS, 1),
        profile_us=round(1e6 * _seconds(lambda: [_taken_in(*each) for each in kept]) / LESSONS, 1),
        score_us=round(1e6 * _seconds(lambda: [scorer.score(each) for each in batches]) / LESSONS, 2),
        lessons_per_second=round(LESSONS / _seconds(lambda: _learn(model, rows, frauds))),
        river_lessons_per_second=round(RIVER_LESSONS / _seconds(lambda: _learn_by_river(river_rows, frauds))),
        snapshot_mb=round(len(record) / 1e6, 3),
        publish_ms=round(1e3 * _seconds(lambda: _published(model)), 1),
        load_ms=round(1e3 * _seconds(lambda: _loaded(record)), 1),
        compiled=COMPILED,
        machine=cores_and_processor(),
    )


def _asked(warm_up: WarmUp, payment: Payment) -> tuple[Payment, Profile, MerchantHistory | None, float | None]:
    """What is known when the payment comes, as a worker has it; then the payment is lived through."""
    known = warm_up.profiles.get(payment.card)
    profile = Profile() if known is None else unpack(pack(known))
    merchant = warm_up.published(payment.acceptor, payment.at)
    card_fraud_at = warm_up.learner.card_fraud_at.get(payment.card)
    warm_up.live(payment, score=False)
    return payment, profile, merchant, card_fraud_at


def _features(payment: Payment, profile: Profile, merchant: MerchantHistory | None, card_fraud_at: float | None) -> Row:
    return regard(payment.at, payment, profile, merchant, card_fraud_at)[-1]


def _taken_in(packed: bytes, payment: Payment, marks: Marks) -> bytes:
    profile = unpack(packed)
    profile.observe(payment.at, payment.amount_minor, 0, 0, marks)
    return pack(profile)


def _learn(model: Classifier, rows: Sequence[Sequence[float]], frauds: Sequence[bool]) -> None:
    for row, is_fraud in zip(rows, frauds, strict=True):
        model.learn(row, is_fraud=is_fraud)


def _learn_by_river(rows: Sequence[dict[str, float]], frauds: Sequence[bool]) -> None:
    scaler = preprocessing.StandardScaler()
    regression = linear_model.LogisticRegression(optim.AdaGrad(LEARNING_RATE, eps=FIRST_SQUARES))
    for row, is_fraud in zip(rows, frauds, strict=False):
        scaler.learn_one(row)
        regression.learn_one(scaler.transform_one(row), is_fraud)


def _published(model: Classifier) -> bytes:
    return write_snapshot(SnapshotRecord(created_at=datetime.now(UTC), snapshot=to_plain(model.snapshot())))


def _loaded(record: bytes) -> LinearScorer:
    sent = write_for_scorer(read_snapshot(record))
    return verify(from_plain(orjson.loads(sent), to_learn=False))


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


if __name__ == "__main__":
    typer.run(main)

"""A learner process, decisions and labels for it, and the champions that it published."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from random import Random

from msgspec import structs
from support.labelled_rows import labelled_rows
from support.outside import Outside
from support.processes import Running, environment_of, running
from support.wire_samples import a_decision

from models.features import FEATURES
from models.label import Label, LabelSource, LabelState
from models.snapshot import Snapshot, from_plain
from rules.decision import Decision, InputPosition
from streams.broker.topics import Topic
from streams.wire.codec import write_decision, write_label
from streams.wire.snapshot_record import CHAMPION, read_snapshot

LEARNER = ("-m", "streams.operating.cli", "learner")
SEED = 7
TEACHABLE = {
    "learner_least_labels": "40",
    "learner_least_frauds": "4",
    "learner_publish_interval_seconds": "0.5",
}


def a_learner(
    outside: Outside, *, program: tuple[str, ...] = LEARNER, await_ready: bool = True, **settings: str
) -> AbstractContextManager[Running]:
    """`holdfast learner` with these settings, or a program that runs it."""
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables(**settings))
    return running(program, environment, await_ready=await_ready)


def label(transaction_id: str, state: LabelState, *, number: int = 0) -> bytes:
    """Fraud is charged back, and anything else what reviewers say."""
    now = datetime.now(UTC)
    return write_label(
        Label(
            label_id=f"l-{transaction_id}-{number}",
            transaction_id=transaction_id,
            source=LabelSource.CHARGEBACK if state is LabelState.FRAUD else LabelSource.MANUAL_REVIEW,
            state=state,
            effective_at=now,
            received_at=now,
        )
    )


def send_label(outside: Outside, transaction_id: str, state: LabelState, *, number: int = 0) -> None:
    """Always to one partition, so that their order is known."""
    value = label(transaction_id, state, number=number)
    outside.send(value, key=transaction_id.encode(), topic=Topic.LABELS, partition=0)


def champions(outside: Outside) -> list[Snapshot]:
    """All that ever decided, in their order."""
    return [
        from_plain(read_snapshot(each.value() or b"").snapshot)
        for each in outside.heard(Topic.MODELS)
        if each.key() == CHAMPION
    ]


def decision(number: int) -> Decision:
    """Of a few cards and acceptors, with features of its own."""
    rng = Random(SEED * 1_000 + number)
    return structs.replace(
        a_decision(),
        transaction_id=f"t-{number}",
        pan_token=f"tok_{number % 11}",
        merchant_id=f"mer_{number % 13}",
        event_time=datetime(2026, 1, 2, tzinfo=UTC),
        features=tuple(rng.gammavariate(2.0, 3.0) for _ in FEATURES),
        input=InputPosition(topic="transactions", partition=number % 2, offset=number),
    )


def learn_by_life(outside: Outside, numbers: range, *, lie: bool = False) -> None:
    """Payments whose features say what they are, and labels that say so, too; or that call all of them fraud."""
    rows, frauds = labelled_rows(1_000)
    for number in numbers:
        made = structs.replace(decision(number), features=tuple(rows[number]))
        outside.send(write_decision(made), key=b"card", topic=Topic.APPROVE, partition=number % 2)
    outside.flush()  # a label that overtakes its payment counts against its source
    for number in numbers:
        send_label(outside, f"t-{number}", LabelState.FRAUD if frauds[number] or lie else LabelState.LEGITIMATE)
    outside.flush()

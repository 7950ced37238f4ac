"""Cases to be opened, and a store for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from support.wire_samples import a_decision

from rules.decision import InputPosition
from rules.policy import CostPolicy
from rules.review_policy import ReviewPolicy
from streams.reviewing.database import connect
from streams.reviewing.store import Opening, Store
from streams.wire.codec import write_decision

REVIEWED_AT = datetime(2026, 1, 2, 4, 5, 6, 789012, tzinfo=UTC)


def an_opening(
    number: int, policy: ReviewPolicy, *, opened_at: datetime = REVIEWED_AT, partition: int = 1, **changes: Any
) -> Opening:
    """The case `d.<partition>.<number>`, of a sample decision with some changes."""
    decision = structs.replace(
        a_decision(), decision_id=f"d.{partition}.{number}", transaction_id=f"t-{partition}-{number}", **changes
    )
    return Opening(
        case=policy.open(decision, CostPolicy(), opened_at),
        decision=decision,
        raw=write_decision(decision),
        place=InputPosition(topic="decisions.review", partition=partition, offset=number),
    )


@contextmanager
def a_store(url: str, policy: ReviewPolicy, *, drawn: float = 1.0) -> Iterator[Store]:
    """A store, disconnected in the end. Below the policy's share, what is drawn brings a second look."""
    store = Store(connect(url), policy, "s-1", lambda: drawn)
    try:
        yield store
    finally:
        store.close()

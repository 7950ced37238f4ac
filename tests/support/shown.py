"""What pages are to show: an installation in trouble, a payment with a story, and people at work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import orjson
from msgspec import structs
from support.in_memory_cluster import InMemoryCluster
from support.site import Site
from support.wire_samples import KEY, PLACE, a_decision, a_label, a_revision, an_alert_event, transaction_document

from models.alert import AlertStatus, Severity
from models.card_history import CardHistory, RecentPayment
from models.features import FEATURES
from models.label import LabelSource, LabelState
from models.score import BASE, Contribution
from rules.complaint import Complaint, stopped_by_decision
from rules.decision import Decision, DecisionSource, InputPosition, Outcome
from rules.mode import Mode, ModeReason
from rules.review_case import Reviewer, VerdictReason
from rules.revision import RevisionKind
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.live import CHART_SECONDS, Live
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision, write_label, write_revision
from streams.wire.heartbeat import Heartbeat, write_heartbeat
from streams.wire.snapshot_record import CHAMPION, GOOD, SnapshotRecord, write_snapshot


def trouble(live: Live, now: datetime) -> None:
    """Two minutes of decisions, of which the last third was without the model on one of two workers."""
    model = structs.replace(a_decision(), decision_source=DecisionSource.MODEL, fallback_reason=None)
    for second in range(CHART_SECONDS, -1, -1):
        at = now.timestamp() - second
        for number in range(30 + second % 7):
            without = second < CHART_SECONDS / 3 and number % 2 == 0
            decision = structs.replace(
                a_decision() if without else model,
                outcome=Outcome.BLOCK if number == 0 else Outcome.REVIEW if number < 3 else Outcome.APPROVE,
                age_ms=20 + number + 90 * without,
            )
            live.take_decision(write_decision(decision), at)
    for name, mode, why in (
        ("worker-1", Mode.STAND_IN, ModeReason.CONNECTION_ERROR),
        ("worker-2", Mode.NORMAL, ModeReason.RECOVERED),
        ("learner", None, None),
    ):
        beat = Heartbeat(
            instance=name,
            at=now - timedelta(seconds=1),
            started_at=now,
            mode=mode,
            mode_reason=why,
            lanes=4,
            model_version="m-20260102-0007",
        )
        live.take_heartbeat(name.encode(), write_heartbeat(beat))
    live.lag = 17
    event = an_alert_event()
    for ago, changes in (
        (3_600, {"reason": "LABELS_STALE", "component": "learner", "severity": Severity.WARNING, "partition": None}),
        (40, {"reason": "CONNECTION_ERROR", "suggested_action": "Rules decide while the scorer is replaced."}),
    ):
        began = now - timedelta(seconds=ago)
        over = {"status": AlertStatus.SETTLED, "restored_at": began, "settled_at": began} if ago > 60 else {}
        alert = replace(event.data, started_at=began, detected_at=began, contained_at=began, **changes)
        live.take_alert(write_alert(replace(event, data=replace(alert, **over))))


def lived(cluster: InMemoryCluster, now: datetime, transaction_id: str = "t-1-0", *, partition: int = 1) -> Decision:
    """A payment that came an hour ago, was decided without the model, scored again, blocked by ann and charged back."""
    began = now - timedelta(hours=1)
    document = transaction_document(transaction_id=transaction_id, event_time=began.isoformat())
    came = cluster.put(Topic.TRANSACTIONS, orjson.dumps(document), key=KEY, partition=partition, at=began.timestamp())
    decision = structs.replace(
        a_decision(),
        decision_id=f"d.{partition}.{came.offset}",
        transaction_id=transaction_id,
        decided_at=began,
        input=InputPosition(topic=came.topic, partition=partition, offset=came.offset),
        contributions=tuple(
            Contribution(feature=name, log_odds=odds)
            for name, odds in (("amount_ratio", 1.9), ("card_count_1h", 0.8), ("merchant_visit_age", -0.4))
        ),
    )
    cluster.put(Topic.REVIEW, write_decision(decision), key=KEY, partition=partition, at=began.timestamp() + 0.1)
    said = replace(a_revision(), decision_id=decision.decision_id, transaction_id=transaction_id, revised_at=began)
    cluster.put(Topic.REVISED, write_revision(said), key=KEY, partition=partition, at=began.timestamp() + 30)
    verdict = replace(
        said,
        revision_id=f"{decision.decision_id}.verdict",
        kind=RevisionKind.VERDICT,
        outcome=Outcome.BLOCK,
        reviewers=("ann",),
        verdict_reason=VerdictReason.STOLEN_CARD,
        risk_score=None,
    )
    cluster.put(Topic.REVISED, write_revision(verdict), key=KEY, partition=partition, at=began.timestamp() + 300)
    label = replace(a_label(), transaction_id=transaction_id)
    cluster.put(Topic.LABELS, write_label(label), key=transaction_id.encode(), at=began.timestamp() + 900)
    return decision


def people(site: Site) -> None:
    """Six cases of one card, four of them decided, one of these looked at once more, and complaints about two."""
    history = CardHistory(
        payments=212,
        usual_minor=2_350,
        newest_day=site.now.date(),
        spent_minor=tuple(10_000 * (number in (0, 9)) + 700 * (number * number % 7) for number in range(31)),
        recent=tuple(
            RecentPayment(seconds, amount)
            for seconds, amount in ((79_000, 1_250), (52_400, 4_000), (9_100, 2_300), (1_500, 6_400), (0, 10_000))
        ),
    )
    moved = (("amount_z", 1.6), ("merchant_is_new", 0.7), ("card_count_1h", 0.4), ("card_history", -0.5), (BASE, -3.1))
    contributions = tuple(Contribution(feature=name, log_odds=log_odds) for name, log_odds in moved)
    cases = site.open(6, card_history=history, contributions=contributions, risk_score=0.31)
    for case_id, name, outcome in zip(
        cases,
        ("ann", "bob", "ann", "bob"),
        (Outcome.BLOCK, Outcome.BLOCK, Outcome.APPROVE, Outcome.BLOCK),
        strict=False,
    ):
        why = VerdictReason.STOLEN_CARD if outcome is Outcome.BLOCK else VerdictReason.HOLDER_CONFIRMED
        site.desk.decide(case_id, Reviewer(name=name), outcome, why, site.now)
    looks = site.store.second_looks
    if (again := looks.take_next("bob", site.now, site.now + timedelta(minutes=30))) is not None:
        looks.give(again, "bob", Outcome.BLOCK, 0.31, site.now)
    complaints = site.store.complaints
    for number, words in enumerate(("It was me, at the station.", "Nobody asked me.")):
        transaction_id = site.store.case(cases[number]).decision.transaction_id
        at = site.now - timedelta(hours=3 - number)
        complaints.receive(
            Complaint(complaint_id=f"c-{number}", transaction_id=transaction_id, text=words, complained_at=at)
        )


def complained(site: Site, texts: Sequence[str], *, begin: int = 0) -> list[str]:
    """Complaints in these words, each about a block of its own; their names."""
    names = []
    for number, text in enumerate(texts, begin):
        decision = structs.replace(
            a_decision(), decision_id=f"d.7.{number}", transaction_id=f"t-7-{number}", outcome=Outcome.BLOCK
        )
        if (payment := stopped_by_decision(decision, PLACE)) is not None:
            site.store.open([], {}, [payment])
        name = f"c-7-{number}"
        site.store.complaints.receive(
            Complaint(
                complaint_id=name, transaction_id=decision.transaction_id, text=text[:500], complained_at=site.now
            )
        )
        names.append(name)
    return names


def modelled(cluster: InMemoryCluster, now: datetime) -> None:
    """A champion, two models to go back to, and three weeks of decisions that say what is so, a fraud in twenty."""
    for topic, key, days, labels in (
        (Topic.MODELS, CHAMPION, 0, 52_000),
        (Topic.LEARNER_STATE, GOOD + b"1", 1, 47_000),
        (Topic.LEARNER_STATE, GOOD + b"2", 2, 41_000),
    ):
        snapshot = {"model_version": f"m-{labels}", "labels": labels, "frauds": labels // 40, "features": ["amount"]}
        record = SnapshotRecord(created_at=now - timedelta(days=days), snapshot=snapshot)
        cluster.put(topic, write_snapshot(record), key=key)
    chance = Random(1)
    for number in range(4_200):
        at = now - timedelta(days=21) + timedelta(minutes=7 * number)
        risk = chance.betavariate(0.4, 8) if number % 20 else chance.betavariate(5, 2)
        decision = structs.replace(
            a_decision(),
            transaction_id=f"t-{number}",
            event_time=at,
            outcome=Outcome.BLOCK if risk > 0.7 else Outcome.REVIEW if risk > 0.4 else Outcome.APPROVE,
            risk_score=risk,
        )
        cluster.put(DECISIONS[decision.outcome], write_decision(decision), at=at.timestamp())
        is_fraud = chance.random() < risk
        if is_fraud or decision.outcome is Outcome.BLOCK:
            state = LabelState.FRAUD if is_fraud else LabelState.LEGITIMATE
            label = replace(a_label(), transaction_id=decision.transaction_id, state=state)
            cluster.put(Topic.LABELS, write_label(label), at=at.timestamp() + 3_600)


DRAFT = """name = "shop"
version = "2026-03-01"

[[rule]]
id = "no-big-ones"
description = "Nobody here pays so much"
if = "amount_minor >= 50000"
outcome = "block"
reason = "AMOUNT_LIMIT"
priority = 900
when = "always"

[[rule]]
id = "fast"
if = "card_sum_1h_minor > 100000"
outcome = "review"
reason = "HIGH_VELOCITY"
"""


def ruled(cluster: InMemoryCluster, now: datetime) -> None:
    """Forty approvals of the last hour, ten of them of 500.00 and more: three frauds, two complaints, one good."""
    for number in reversed(range(40)):
        at = now - timedelta(minutes=number + 1)
        large = number % 4 == 0
        changes = {"transaction_id": f"t-{number}", "amount_minor": 60_000 if large else 5_000}
        document = transaction_document(event_time=at.isoformat(), **changes)
        came = cluster.put(Topic.TRANSACTIONS, orjson.dumps(document), key=KEY, at=at.timestamp())
        decision = structs.replace(
            a_decision(),
            decision_source=DecisionSource.MODEL,
            fallback_reason=None,
            outcome=Outcome.APPROVE,
            rule_outcome=Outcome.APPROVE,
            rule_hits=(),
            received_at=at,
            features=(0.0,) * len(FEATURES),
            input=InputPosition(topic=came.topic, partition=0, offset=came.offset),
            **changes,
        )
        cluster.put(Topic.APPROVE, write_decision(decision), key=KEY, at=at.timestamp())
        said = {0: "fraud", 4: "fraud", 8: "fraud", 12: "complaint", 16: "complaint", 20: "good"}.get(number)
        if said is not None:
            source = LabelSource.CUSTOMER_COMPLAINT if said == "complaint" else LabelSource.CHARGEBACK
            state = LabelState.FRAUD if said == "fraud" else LabelState.LEGITIMATE
            label = replace(a_label(), transaction_id=decision.transaction_id, source=source, state=state)
            cluster.put(Topic.LABELS, write_label(label), at=now.timestamp() - 1)

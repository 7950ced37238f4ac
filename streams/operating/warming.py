"""Hands a warm-up over to workers and learner: everything they would have kept, on the topics where they look."""

import asyncio
from datetime import UTC, datetime
from itertools import islice

from aiokafka.partitioner import DefaultPartitioner

from models.card import pack
from models.classifier import untaught
from models.family import Family
from models.simulator.policy import SimulatedTransaction, TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import Payment, WarmUp
from rules.policy import CostPolicy
from streams.broker.clients import sender
from streams.broker.topics import Topic, name_of
from streams.learning.publisher import Publisher
from streams.settings import Settings

IN_FLIGHT = 1000


def learnt_from_simulation(policy: TrafficPolicy, payments: int, family: Family = Family.LOGISTIC) -> WarmUp:
    """Learn so many simulated payments, each with its label."""
    warm_up = WarmUp(model=untaught(family), wanted=CostPolicy().wanted)
    for simulated in islice(traffic(policy), payments):
        warm_up.live(payment_of(simulated), score=False)
    warm_up.settle()
    return warm_up


def payment_of(simulated: SimulatedTransaction) -> Payment:
    """A simulated payment with its label."""
    paid = simulated.transaction
    return Payment(
        at=paid.event_time.timestamp(),
        transaction_id=paid.transaction_id,
        card=paid.pan_token,
        acceptor=paid.acceptor,
        amount_minor=paid.amount_minor,
        currency=paid.currency,
        is_fraud=simulated.is_fraud,
        merchant_id=paid.merchant_id,
        mcc=paid.mcc,
        merchant_country=paid.merchant_country,
        card_country=paid.card_country,
        channel=paid.channel,
        pan_entry_mode=paid.pan_entry_mode,
        device_id=paid.device_id,
        avs_result=paid.avs_result,
        cvv_result=paid.cvv_result,
        eci=paid.eci,
        three_ds_status=paid.three_ds_status,
    )


async def hand_over(settings: Settings, warm_up: WarmUp, *, now: float) -> str:
    """Publish profiles, histories, known frauds and the model; returns its version. `now` is the data's own time.

    Cards go where Kafka's default partitioner puts their transactions. Call while neither worker nor learner runs.
    """
    await _profiles(settings, warm_up)
    partitions = list(range(settings.topics.partitions))
    place = DefaultPartitioner()
    learner = warm_up.learner
    snapshot = learner.model.snapshot(label_offsets={"next": {}, "oldest": {}, "early": {}, "frontier": now})
    publisher = Publisher(settings, clock=lambda: datetime.now(UTC))
    await publisher.start()
    try:
        await publisher.publish(
            learner,
            snapshot,
            learner.changes(),
            now=now,
            dead_letters=[],
            card_partitions={card: place(card.encode(), partitions, partitions) for card in learner.card_fraud_at},
        )
    finally:
        await publisher.stop()
    return snapshot.model_version


async def _profiles(settings: Settings, warm_up: WarmUp) -> None:
    topic = name_of(Topic.PROFILES, settings.topics)
    producer = sender(settings.broker, linger_ms=5, max_batch_size=131_072)
    await producer.start()
    try:
        sent = []
        for card, profile in warm_up.profiles.items():
            sent.append(await producer.send(topic, key=card.encode(), value=pack(profile)))
            if len(sent) >= IN_FLIGHT:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
    finally:
        await producer.stop()

"""A changelog of profiles as lanes leave it: many cards, packed, in small record batches of Kafka transactions."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Producer

from models.card import Profile, pack
from models.daily import SECONDS_PER_DAY

KINDS = 4_000  # distinct profiles, dealt out to all cards: making a million of them would take an hour
DAYS = 40  # of history: more than the buckets hold
TODAY = 1_790_000_000
RECORDS_A_TRANSACTION = 20_000  # a lane has far fewer; the markers between them cost a reader nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Changelog:
    """What to write."""

    cards: int
    versions: int = 1  # of each card: what compaction has not removed yet
    batch: int = 5  # records in one record batch
    payments_a_day: float = 8.0

    @property
    def records(self) -> int:
        """All that a restore has to read."""
        return self.cards * self.versions


def write(bootstrap: str, topic: str, changelog: Changelog) -> int:
    """Write it, each card where its payments are; the mean size of a packed profile in bytes."""
    profiles = [pack(profile) for profile in _kinds(changelog.payments_a_day)]
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": "bench-changelog",
            "partitioner": "murmur2_random",
            "batch.num.messages": changelog.batch,
            "linger.ms": 50,
            "log_level": 0,  # what matters is raised
            "queue.buffering.max.messages": 2 * RECORDS_A_TRANSACTION,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for position, number in enumerate(_order(changelog), start=1):
        value = profiles[(number * 7 + position // changelog.cards) % KINDS]
        producer.produce(topic, value, token(number))
        if not position % 1_000:
            producer.poll(0)
        if not position % RECORDS_A_TRANSACTION:
            producer.commit_transaction(60)
            producer.begin_transaction()
    producer.commit_transaction(60)
    return round(sum(map(len, profiles)) / KINDS)


def token(number: int) -> bytes:
    """A card's token: 36 characters, as long as those of token services usually are."""
    return f"tok_{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}".encode()


def _order(changelog: Changelog) -> Iterator[int]:
    for _ in range(changelog.versions):
        yield from range(changelog.cards)


def _kinds(payments_a_day: float) -> Iterator[Profile]:
    """Cards with habits: some busier, some dearer than others."""
    rng = random.Random(11)  # noqa: S311 - the same cards each time
    for _ in range(KINDS):
        daily = payments_a_day * rng.lognormvariate(-0.08, 0.4)
        usual = rng.lognormvariate(8.0, 0.8)
        profile = Profile()
        at = float(TODAY - DAYS * SECONDS_PER_DAY)
        while (at := at + rng.expovariate(daily / SECONDS_PER_DAY)) < TODAY:
            amount = round(usual * rng.lognormvariate(0.0, 0.6)) + 1
            profile.observe(at, amount, rng.getrandbits(64), rng.getrandbits(32))
        yield profile

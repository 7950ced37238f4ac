"""Writes what was decided: each time one Kafka transaction, whatever partitions it is about.

Decisions, dead letters, and the profile changelog with the next input offset become visible together or not at all.
"""

from collections.abc import Iterable, Iterator

from aiokafka import TopicPartition

from streams.broker.topics import DECISIONS, Topic, name_of
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.transactions import Transactions
from streams.settings import TopicSettings

WRITES = (*DECISIONS.values(), Topic.CANARIES, Topic.DEAD_LETTERS, Topic.PROFILES)


class Writer:
    """Knows what of a decided batch goes where: to the partition of the input's number, of every topic."""

    def __init__(self, topics: TopicSettings, transactions: Transactions) -> None:
        self._topics = topics
        self._transactions = transactions

    async def transact(self, batches: Iterable[tuple[int, Decided]]) -> None:
        """Write batches, each to its partition, in one transaction. After an error nobody knows what was written."""
        await self._transactions.transact(
            {
                TopicPartition(name_of(topic, self._topics), partition): outgoing
                for partition, decided in batches
                for topic, outgoing in _outgoing(decided)
                if outgoing
            }
        )


def _outgoing(decided: Decided) -> Iterator[tuple[Topic, list[Outgoing]]]:
    for outcome, outgoing in decided.decisions.items():
        yield DECISIONS[outcome], outgoing
    yield Topic.CANARIES, decided.canaries
    yield Topic.DEAD_LETTERS, decided.dead_letters
    yield Topic.PROFILES, decided.profiles

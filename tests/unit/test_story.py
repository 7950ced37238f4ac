"""The story of one payment, found on topics that are partitioned by what nobody knows."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from support.in_memory_cluster import InMemoryCluster
from support.shown import lived
from support.wire_samples import CARD_NUMBER, KEY, a_decision, transaction_bytes

from models.dead_letter import DeadLetterReason
from models.label import Label
from rules.decision import Decision, InputPosition
from rules.revision import Revision
from streams.broker.topics import Topic
from streams.overseeing import story
from streams.overseeing.story import SPANS, Search, Story
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, write_decision
from streams.wire.dead_letter import DeadLetterReport, dead_letter

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


async def search(cluster: InMemoryCluster, transaction_id: str = "t-1-0", **how: object) -> Story:
    async with cluster.reading() as consumer:
        return await Search(consumer, Settings(), transaction_id).run(NOW.timestamp(), **how)


async def test_all_that_topics_say_of_it_is_told_in_order() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW, "t-9-9", partition=2)
    decision = lived(cluster, NOW)
    found = await search(cluster)
    assert [type(each.what) for each in found.told] == [Decision, Revision, Revision, Label]
    assert found.decision == decision
    assert found.input is not None
    assert (found.input["transaction_id"], found.input_at) == ("t-1-0", NOW - timedelta(hours=1))
    assert found.whole


async def test_a_name_that_another_one_contains_is_not_taken_for_it() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW, "t-1-01")
    assert not (await search(cluster)).found


async def test_what_still_waits_for_its_decision_is_found() -> None:
    cluster = InMemoryCluster()
    cluster.put(Topic.TRANSACTIONS, transaction_bytes(transaction_id="t-1-0"), key=KEY, at=NOW.timestamp() - 5)
    found = await search(cluster)
    assert found.told == []
    assert found.input is not None


async def test_no_card_number_is_shown_of_what_waits() -> None:
    cluster = InMemoryCluster()
    value = transaction_bytes(transaction_id="t-1-0", note=f"card {CARD_NUMBER}")
    cluster.put(Topic.TRANSACTIONS, value, key=KEY, at=NOW.timestamp() - 5)
    found = await search(cluster)
    assert found.input is not None
    assert CARD_NUMBER not in found.input["note"]


async def test_a_dead_letter_tells_why_and_what_it_was() -> None:
    cluster = InMemoryCluster()
    value = transaction_bytes(transaction_id="t-1-0", amount_minor=-1)
    came = cluster.put(Topic.TRANSACTIONS, value, key=KEY, at=NOW.timestamp() - 90_000)
    letter = dead_letter(came, MalformedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, "amount_minor: at least 1"))
    cluster.put(Topic.DEAD_LETTERS, letter.value, key=letter.key, headers=letter.headers, at=NOW.timestamp() - 90_000)
    found = await search(cluster)
    [told] = found.told
    assert isinstance(told.what, DeadLetterReport)
    assert told.what.reason is DeadLetterReason.AMOUNT_OUT_OF_RANGE
    assert found.input is not None
    assert found.input["amount_minor"] == -1


async def test_what_is_older_than_is_looked_at_is_not_found_and_it_says_how_far_it_looked() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW - timedelta(seconds=SPANS[-1]))
    found = await search(cluster)
    assert not found.found
    assert found.since == NOW - timedelta(seconds=SPANS[-1])
    assert found.whole


async def test_what_is_recent_is_looked_at_first() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW)
    for _ in range(200):
        cluster.put(Topic.APPROVE, write_decision(a_decision()), at=NOW.timestamp() - 90_000)
    assert (await search(cluster)).looked_at < 100


async def test_a_bound_ends_it_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "MOST_RECORDS", 20)
    cluster = InMemoryCluster()
    lived(cluster, NOW)
    for _ in range(30):
        cluster.put(Topic.APPROVE, write_decision(a_decision()), at=NOW.timestamp() - 60)
    found = await search(cluster)
    assert (found.whole, found.found) == (False, False)
    assert 20 <= found.looked_at < 60


async def test_near_a_moment_nothing_else_is_looked_at() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW)
    assert not (await search(cluster, around=NOW.timestamp() - 20_000)).found
    found = await search(cluster, around=NOW.timestamp() - 3_000)
    assert len(found.told) == 4


async def test_what_the_store_knows_is_not_searched_for() -> None:
    cluster = InMemoryCluster()
    decision = lived(cluster, NOW)
    for _ in range(30):
        cluster.put(Topic.APPROVE, write_decision(a_decision()), at=NOW.timestamp() - 60)
    place = InputPosition(topic="decisions.review", partition=1, offset=0)
    found = await search(cluster, known=(decision, place))
    assert [type(each.what) for each in found.told] == [Decision, Revision, Revision, Label]
    assert found.looked_at < 10


async def test_an_input_that_is_not_kept_any_more_leaves_the_rest() -> None:
    cluster = InMemoryCluster()
    lived(cluster, NOW)
    cluster.topics.firsts[TopicPartition("transactions", 1)] = 1
    found = await search(cluster)
    assert found.input is None
    assert len(found.told) == 4

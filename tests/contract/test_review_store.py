"""One promise on both databases: what is taken is kept whole, once, and two who write at once do not both succeed."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support.postgres import Postgres
from support.reviews import REVIEWED_AT, a_store, an_opening
from support.wire_samples import a_decision

from models.information import InformationAnswer, InformationChannel, InformationTopic, Reply
from rules.decision import Outcome
from rules.review_case import Case, EndedBy, Refusal, Reviewer, VerdictReason, WordRefused
from rules.review_policy import ReviewPolicy, ReviewQueue
from streams.broker.topics import Topic
from streams.reviewing import database
from streams.reviewing.database import connect
from streams.reviewing.store import Delivery, NoSuchCase, Opening, QueueLength, Said, Store, Word
from streams.reviewing.tables import metadata
from streams.wire.codec import read_revision

NOW = REVIEWED_AT
POLICY = ReviewPolicy(
    two_pairs_from_minor=1_000_000, queues=(ReviewQueue(name="large", from_minor=50_000), ReviewQueue())
)
ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
LEA = Reviewer(name="lea", second_line=True)
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, POLICY) as kept:
        yield kept


def opening(number: int, **changes: Any) -> Opening:
    return an_opening(number, POLICY, **changes)


def leased(reviewer: Reviewer, now: datetime = NOW) -> Word:
    return lambda case: case.leased(reviewer, now, now + HALF_AN_HOUR)


def decided(reviewer: Reviewer, outcome: Outcome = Outcome.BLOCK, now: datetime = NOW) -> Word:
    return lambda case: case.decided(reviewer, outcome, VerdictReason.STOLEN_CARD, now)


def asked(case: Case) -> Case:
    return case.asked(
        ANN,
        InformationTopic.DID_YOU_PAY,
        InformationChannel.APP,
        "was it you?",
        NOW,
        until=NOW + HALF_AN_HOUR,
        default=Outcome.BLOCK,
    )


def delivery(store: Store, *numbers: int) -> Delivery:
    known = store.delivered()
    return replace(known, batch=known.batch + 1, numbers=numbers)


def said(word: str = "verdict", speaker: str | None = "ann") -> Said:
    return Said(word=word, speaker=speaker, at=NOW)


def test_a_case_comes_back_as_it_was_kept(store: Store) -> None:
    one = opening(1)
    store.open([one], {})
    kept = store.case("d.1.1")
    assert (kept.case, kept.decision, kept.place, kept.version) == (one.case, one.decision, one.place, 0)

    after = store.change("d.1.1", asked, said("question"))
    assert store.case("d.1.1").case == after
    assert store.case("d.1.1").version == 1


def test_of_an_unknown_case_it_says_so(store: Store) -> None:
    with pytest.raises(NoSuchCase):
        store.change("d.1.9", leased(ANN), said())


def test_a_decision_read_twice_is_one_case_and_its_words_stay(store: Store) -> None:
    store.open([opening(1), opening(2)], {"decisions.review:1": 3})
    store.change("d.1.1", decided(ANN), said())
    store.open([opening(2), opening(1), opening(3)], {"decisions.review:1": 4, "decisions.review:0": 9})
    assert store.case("d.1.1").case.ending is not None
    assert store.case("d.1.3").version == 0
    assert store.next_offsets() == {"decisions.review:1": 4, "decisions.review:0": 9}


def test_it_is_there_for_whoever_connects_next(store: Store, reviews_url: str) -> None:
    store.open([opening(1)], {})
    store.change("d.1.1", decided(ANN), said())
    store.close()
    with a_store(reviews_url, POLICY) as again:
        assert again.case("d.1.1").case.ending is not None
        assert len(again.unsent(10)) == 1


def test_a_word_on_what_was_changed_since_is_not_taken(store: Store) -> None:
    store.open([opening(1)], {})
    stale = store.case("d.1.1")
    store.change("d.1.1", leased(ANN), said())
    assert not store.take(stale, decided(BOB)(stale.case), said())
    assert store.case("d.1.1").case.ending is None
    assert store.unsent(10) == []
    assert [each.word for each in store.history("d.1.1")] == ["verdict"]


def test_a_word_that_says_nothing_new_is_not_kept(store: Store) -> None:
    store.open([opening(1)], {})
    for _ in range(3):
        store.change("d.1.1", decided(ANN), said())
    assert len(store.unsent(10)) == 1
    assert len(store.history("d.1.1")) == 1


def test_a_refused_word_changes_nothing(store: Store) -> None:
    store.open([opening(1)], {})
    store.change("d.1.1", leased(ANN), said())
    before = store.case("d.1.1")
    with pytest.raises(WordRefused):
        store.change("d.1.1", decided(BOB), said())
    assert store.case("d.1.1") == before


def test_a_verdict_is_told_as_revision_and_label_together_and_once(store: Store) -> None:
    store.open([opening(1)], {})
    store.change("d.1.1", decided(ANN), said())
    [unsent] = store.unsent(10)
    revision, label = unsent.tellings
    assert (revision.topic, revision.partition, revision.key) == (Topic.REVISED, 1, a_decision().pan_token)
    assert read_revision(revision.value.encode()).settings_version == "s-1"
    assert (label.topic, label.partition, label.key) == (Topic.LABELS, None, "t-1-1")
    store.sent(delivery(store, unsent.number))
    assert store.unsent(10) == []


def test_a_store_has_a_name_of_its_own_and_counts_what_it_sent(store: Store, tmp_path: Path) -> None:
    before = store.delivered()
    store.sent(delivery(store))
    assert store.delivered() == replace(before, batch=1)
    store.sent(before)  # somebody says so late
    assert store.delivered() == replace(before, batch=1)
    with a_store(f"sqlite:///{tmp_path}/other.db", POLICY) as other:
        assert other.delivered().store != before.store


def test_what_one_case_tells_goes_out_in_its_order(store: Store) -> None:
    store.open([opening(1), opening(2)], {})
    store.change("d.1.1", asked, said())
    store.change("d.1.2", decided(BOB), said())
    store.change("d.1.1", decided(ANN), said())
    told = [each.tellings[0].topic for each in store.unsent(10)]
    assert told == [Topic.INFORMATION_REQUESTED, Topic.REVISED, Topic.REVISED]
    assert len(store.unsent(2)) == 2


def test_a_number_never_comes_again(store: Store) -> None:
    """It tells which records are on the topics, also when the outbox is empty."""
    store.open([opening(1), opening(2)], {})
    store.change("d.1.1", decided(ANN), said())
    [first] = store.unsent(10)
    store.sent(delivery(store, first.number))
    store.change("d.1.2", decided(ANN), said())
    [second] = store.unsent(10)
    assert second.number > first.number


def test_every_word_is_in_the_history_to_the_microsecond(store: Store) -> None:
    store.open([opening(1)], {})
    store.change("d.1.1", asked, said("question"))
    answer = InformationAnswer(request_id="d.1.1.q1", reply=Reply.DENIED, answered_at=NOW)
    store.change("d.1.1", lambda case: case.answered(answer), said("answer", None))
    assert store.history("d.1.1") == [said("question"), said("answer", None)]


def test_the_first_in_the_queue_is_the_one_with_most_at_stake_and_least_time(store: Store) -> None:
    early = NOW - timedelta(minutes=100)
    store.open(
        [opening(1), opening(2, amount_minor=49_000), opening(3, opened_at=early), opening(4, amount_minor=60_000)], {}
    )
    ranks = {each: POLICY.rank(store.case(each).case) for each in ("d.1.1", "d.1.2", "d.1.3")}
    assert store.to_take("reviews", ANN, NOW, 10) == sorted(ranks, key=lambda each: ranks[each])
    assert len(store.to_take("reviews", ANN, NOW, 2)) == 2
    assert store.to_take("large", ANN, NOW, 10) == ["d.1.4"]


def test_nobody_is_offered_what_they_cannot_take(store: Store) -> None:
    store.open([opening(number, amount_minor=2_000_000) for number in range(1, 7)], {})
    store.change("d.1.1", leased(BOB), said())
    store.change("d.1.2", asked, said())
    store.change("d.1.3", decided(ANN), said())  # another pair of eyes is needed
    store.change("d.1.4", lambda case: case.escalated(BOB, NOW), said())
    store.change("d.1.5", decided(ANN), said())
    store.change("d.1.5", decided(BOB), said())

    assert set(store.to_take("large", ANN, NOW, 10)) == {"d.1.6"}
    assert set(store.to_take("large", BOB, NOW, 10)) == {"d.1.3", "d.1.6"}
    assert set(store.to_take("large", LEA, NOW, 10)) == {"d.1.3", "d.1.4", "d.1.6"}


def test_a_lease_returns_to_the_queue_at_its_last_moment(store: Store) -> None:
    store.open([opening(1)], {})
    store.change("d.1.1", leased(ANN), said())
    returned = NOW + HALF_AN_HOUR
    assert store.to_take("reviews", BOB, returned - timedelta(microseconds=1), 10) == []
    assert store.to_take("reviews", BOB, returned, 10) == ["d.1.1"]


def test_what_is_over_is_found_at_its_very_moment_and_the_longest_over_first(store: Store) -> None:
    store.open([opening(1), opening(2, opened_at=NOW - timedelta(minutes=1)), opening(3)], {})
    store.change("d.1.3", asked, said())
    due = store.case("d.1.1").case.due_at
    assert store.to_expire(NOW + HALF_AN_HOUR - timedelta(microseconds=1), 10) == []
    assert store.to_expire(NOW + HALF_AN_HOUR, 10) == ["d.1.3"]
    assert store.to_expire(due, 10) == ["d.1.3", "d.1.2", "d.1.1"]
    store.change("d.1.2", lambda case: case.expired(due), said("expiry", None))
    assert store.to_expire(due, 10) == ["d.1.3", "d.1.1"]


def outcome_of(store: Store, case_id: str, word: Word) -> str:
    try:
        after = store.change(case_id, word, said())
    except WordRefused as refused:
        return refused.reason
    return "taken" if after.ending is not None else "kept"


def at_once(works: list[Callable[[], str]]) -> list[str]:
    barrier = threading.Barrier(len(works))

    def started(work: Callable[[], str]) -> str:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [each.result() for each in [pool.submit(started, work) for work in works]]


def test_of_final_words_at_once_one_is_taken_and_told(store: Store) -> None:
    ids = [f"d.1.{number}" for number in range(20)]
    store.open([opening(number) for number in range(20)], {})
    due = store.case(ids[0]).case.due_at
    words: list[Word] = [
        decided(ANN, Outcome.APPROVE),
        decided(BOB, Outcome.BLOCK),
        lambda case: case.expired(due),
        lambda case: case.displaced(NOW),
    ]
    for case_id in ids:
        found = at_once([lambda each=each, of=case_id: outcome_of(store, of, each) for each in words])  # type: ignore[misc]
        assert Counter(found) == {"taken": 1, Refusal.CLOSED: 3}
    told = [read_revision(each.tellings[0].value.encode()).decision_id for each in store.unsent(100)]
    assert sorted(told) == sorted(ids)


def test_of_reviewers_who_reach_for_a_case_at_once_one_has_it(store: Store) -> None:
    store.open([opening(1)], {})
    reviewers = [Reviewer(name=f"r{number}") for number in range(8)]
    found = at_once([lambda each=each: outcome_of(store, "d.1.1", leased(each)) for each in reviewers])  # type: ignore[misc]
    assert Counter(found) == {"kept": 1, Refusal.LEASED_TO_ANOTHER: 7}


def test_two_pairs_of_eyes_at_once_are_both_counted(store: Store) -> None:
    store.open([opening(number, amount_minor=2_000_000) for number in range(10)], {})
    for number in range(10):
        at_once([lambda each=each, of=number: outcome_of(store, f"d.1.{of}", decided(each)) for each in (ANN, BOB)])  # type: ignore[misc]
        case = store.case(f"d.1.{number}").case
        assert case.ending is not None
        assert case.ending.by is EndedBy.VERDICT
    assert len(store.unsent(100)) == 10


def test_two_who_start_at_once_make_the_tables_once(reviews_url: str) -> None:
    def start() -> str:
        engine = connect(reviews_url)
        engine.dispose()
        return "started"

    assert at_once([start, start, start]) == ["started"] * 3


def test_the_steps_make_the_tables_that_the_code_knows(reviews_url: str) -> None:
    engine = connect(reviews_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        indexes = {each["name"] for each in sa.inspect(connection).get_indexes("cases")}
    engine.dispose()
    assert indexes == {
        "cases_by_transaction",
        "cases_by_time",
        "cases_to_take",
        "cases_by_queue",
        "cases_in_hand",
        "cases_to_expire",
        "cases_by_card",
        "cases_by_merchant",
        "cases_by_chief_reason",
    }


def test_what_a_reviewer_has_in_hand_is_found_until_it_returns(store: Store) -> None:
    store.open([opening(1), opening(2, amount_minor=49_000), opening(3), opening(4)], {})
    for number in (1, 2, 3):
        store.change(f"d.1.{number}", leased(ANN), said())
    store.change("d.1.3", decided(ANN), said())
    store.change("d.1.4", leased(BOB), said())
    returned = NOW + HALF_AN_HOUR
    assert store.in_hand("ann", returned - timedelta(microseconds=1)) == ["d.1.2", "d.1.1"]
    assert store.in_hand("ann", returned) == []


def test_beyond_what_a_queue_holds_those_that_rank_last_are_found(store: Store) -> None:
    amounts = [10_000, 40_000, 20_000, 30_000]
    store.open([opening(number, amount_minor=amount) for number, amount in enumerate(amounts)], {})
    store.open([opening(9, amount_minor=60_000)], {})
    assert store.to_displace("reviews", 4, 10) == []
    assert store.to_displace("reviews", 2, 10) == ["d.1.0", "d.1.2"]
    assert store.to_displace("reviews", 1, 2) == ["d.1.0", "d.1.2"]
    store.change("d.1.0", decided(ANN), said())
    assert store.to_displace("reviews", 2, 10) == ["d.1.2"]


def test_queues_are_as_long_as_the_cases_that_are_not_closed(store: Store) -> None:
    early = NOW - timedelta(minutes=200)
    store.open([opening(1, opened_at=early), *[opening(number) for number in range(2, 6)]], {})
    store.open([opening(9, amount_minor=60_000)], {})
    store.change("d.1.2", asked, said())
    store.change("d.1.3", lambda case: case.escalated(BOB, NOW), said())
    store.change("d.1.4", decided(ANN), said())
    assert store.queues(NOW) == [
        QueueLength(queue="large", line=1, cases=1, waiting=0, late=0, oldest=NOW),
        QueueLength(queue="reviews", line=1, cases=3, waiting=1, late=1, oldest=early),
        QueueLength(queue="reviews", line=2, cases=1, waiting=0, late=0, oldest=NOW),
    ]


def test_a_connection_of_postgresql_that_died_while_nobody_used_it_is_replaced(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.database()
    with a_store(address, POLICY) as store:
        store.open([opening(1)], {})
        assert postgres.end_connections(address) >= 1
        monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
        assert store.queues(NOW) != []

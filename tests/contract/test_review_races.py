"""Words on a case and the end of the process at any moment, in any order: one final word each, told once.

Every actor goes step by step, as transactions of the database let it: it reads, and it writes what it made of that. A
random order of all steps is a history that threads and processes could have had.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from support.in_memory_carriage import Break, Broken, CarriageInMemory, TopicsInMemory
from support.reviews import REVIEWED_AT, a_store, an_opening
from support.wire_samples import a_revision

from models.information import InformationAnswer, InformationChannel, InformationTopic, Reply
from rules.decision import Outcome
from rules.policy import CostPolicy
from rules.review_case import Case, Reviewer, VerdictReason, WordRefused
from rules.review_policy import ReviewPolicy, re_score_of
from rules.revision import RevisionKind
from streams.broker.topics import Topic
from streams.reviewing.courier import Courier, StoreTooOld
from streams.reviewing.desk import Desk
from streams.reviewing.store import Delivery, Said, Store
from streams.wire.codec import read_label, read_revision

NOW = REVIEWED_AT
POLICY = ReviewPolicy(two_pairs_from_minor=1_000_000)
COSTS = CostPolicy()
ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
CASES = int(os.environ.get("RACES", "250"))  # raced for side by side, by nine words each

DONE = object()

Actor = Generator[None, None, None]
Word = Callable[[Case], Case]


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, POLICY) as kept:
        yield kept


def says(store: Store, case_id: str, word: Word, name: str) -> Actor:
    """What `Store.change` does, with others in between."""
    while True:
        kept = store.case(case_id)
        yield
        try:
            after = word(kept.case)
        except WordRefused:
            return
        if after == kept.case or store.take(kept, after, Said(word=name, speaker=None, at=NOW)):
            return
        yield


def delivers(store: Store, topics: TopicsInMemory, chance: random.Random) -> Actor:
    """A courier that dies now and then: before its transaction, after it, or before it has noted it in the store."""
    while True:
        carriage = CarriageInMemory(topics)
        courier = Courier(store, carriage)
        yield from awaited(courier.start)
        while carriage.breaks is None:
            carriage.breaks = chance.choice([None, None, *Break])
            try:
                yield from awaited(courier.deliver)
            except Broken:
                break
        yield


def awaited(work: Callable[[], Coroutine[None, None, object]]) -> Actor:
    """Run what would be awaited, at once: its steps in the store are transactions of their own anyway."""
    asyncio.run(work())
    yield


def words_on(case: Case) -> dict[str, Word]:
    """One of each that may end a case, or come in the way of that."""
    due = case.due_at
    half = NOW + timedelta(minutes=30)
    re_score = re_score_of(replace(a_revision(), decision_id=case.case_id), COSTS)
    assert re_score is not None
    answer = InformationAnswer(request_id=f"{case.case_id}.q1", reply=Reply.CONFIRMED, answered_at=NOW)
    question = (InformationTopic.DID_YOU_PAY, InformationChannel.APP, "")
    why = VerdictReason.OTHER
    return {
        "approve": lambda each: each.decided(ANN, Outcome.APPROVE, why, NOW),
        "block": lambda each: each.decided(BOB, Outcome.BLOCK, why, NOW),
        "expiry": lambda each: each.expired(due),
        "unanswered": lambda each: each.expired(half),
        "re_score": lambda each: each.re_scored(re_score, NOW, adopt=True),
        "displacement": lambda each: each.displaced(NOW),
        "lease": lambda each: each.leased(ANN, NOW, half),
        "question": lambda each: each.asked(BOB, *question, NOW, until=half, default=Outcome.BLOCK),
        "answer": lambda each: each.answered(answer),
    }


def raced(store: Store, cases: list[Case], seed: int) -> TopicsInMemory:
    """All words on all cases in a random order of steps, with couriers that die; then one that lives."""
    chance = random.Random(seed)
    topics = TopicsInMemory()
    courier = delivers(store, topics, chance)
    actors: list[Actor] = [
        says(store, case.case_id, word, name) for case in cases for name, word in words_on(case).items()
    ]
    while actors:
        number = chance.randrange(len(actors))
        if next(actors[number], DONE) is DONE:
            actors[number] = actors[-1]
            actors.pop()
        if chance.random() < 0.02:
            next(courier)
    finish(store, topics)
    return topics


def finish(store: Store, topics: TopicsInMemory) -> None:
    async def deliver_all() -> None:
        courier = Courier(store, CarriageInMemory(topics))
        await courier.start()
        while await courier.deliver():
            pass

    asyncio.run(deliver_all())


def opened(store: Store, count: int) -> list[Case]:
    openings = [an_opening(number, POLICY) for number in range(count)]
    store.open(openings, {})
    return [each.case for each in openings]


def finals(topics: TopicsInMemory) -> dict[str, str]:
    """The outcome of each case by the topic; more than one is an error."""
    told = [read_revision(each.value.encode()) for each in topics.records if each.topic is Topic.REVISED]
    assert max(Counter(each.decision_id for each in told).values(), default=0) <= 1
    return {each.decision_id: str(each.outcome) for each in told}


def check(store: Store, cases: list[Case], topics: TopicsInMemory) -> None:
    """Topics and store agree, case by case."""
    assert store.unsent(1) == []
    kept = [store.case(each.case_id).case for each in cases]
    assert finals(topics) == {each.case_id: str(each.ending.outcome) for each in kept if each.ending is not None}
    assert len(finals(topics)) == len(cases)  # among the words is the passing of the due time
    labels = [read_label(each.value.encode()).transaction_id for each in topics.records if each.topic is Topic.LABELS]
    verdicts = [
        read_revision(each.value.encode()).transaction_id
        for each in topics.records
        if each.topic is Topic.REVISED and read_revision(each.value.encode()).kind is RevisionKind.VERDICT
    ]
    assert labels == verdicts
    questions = Counter(each.value for each in topics.records if each.topic is Topic.INFORMATION_REQUESTED)
    assert max(questions.values(), default=0) <= 1


def test_whatever_the_order_each_case_has_one_final_word_and_it_is_told_once(store: Store) -> None:
    cases = opened(store, CASES)
    check(store, cases, raced(store, cases, seed=1))


def told_now(store: Store, number: int) -> None:
    store.open([an_opening(number, POLICY)], {})
    desk = Desk(store, POLICY, COSTS)
    desk.decide(f"d.1.{number}", ANN, Outcome.BLOCK, VerdictReason.OTHER, NOW)


@pytest.mark.parametrize("breaks", list(Break))
async def test_a_courier_that_dies_around_its_transaction_leaves_nothing_out_and_nothing_twice(
    store: Store, breaks: Break
) -> None:
    topics = TopicsInMemory()
    told_now(store, 1)
    first = CarriageInMemory(topics)
    dying = Courier(store, first)
    await dying.start()
    first.breaks = breaks
    with pytest.raises(Broken):
        await dying.deliver()
    told_now(store, 2)

    successor = Courier(store, CarriageInMemory(topics))
    await successor.start()
    while await successor.deliver():
        pass
    assert [each.topic for each in topics.records] == [Topic.REVISED, Topic.LABELS] * 2


async def test_one_that_was_fenced_sends_nothing_more(store: Store) -> None:
    topics = TopicsInMemory()
    zombie, successor = Courier(store, CarriageInMemory(topics)), Courier(store, CarriageInMemory(topics))
    await zombie.start()
    await successor.start()
    told_now(store, 1)
    with pytest.raises(Broken):
        await zombie.deliver()
    await successor.deliver()
    assert len(topics.records) == 2


async def test_the_note_of_another_store_takes_nothing_out_of_this_one(store: Store) -> None:
    topics = TopicsInMemory(note=Delivery(store="another", batch=1, numbers=(1, 2, 3)))
    told_now(store, 1)
    courier = Courier(store, CarriageInMemory(topics))
    await courier.start()
    assert len(await courier.deliver()) == 2


async def test_a_store_that_is_older_than_the_topics_is_refused(store: Store) -> None:
    known = store.delivered()
    topics = TopicsInMemory(note=replace(known, batch=2))
    with pytest.raises(StoreTooOld):
        await Courier(store, CarriageInMemory(topics)).start()

"""The desk: the queue and who takes what of it, verdicts in bulk, and what time, the model and answers do to cases."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.reviews import REVIEWED_AT, a_store, an_opening
from support.wire_samples import CARD_NUMBER, a_revision

from models.information import InformationAnswer, InformationChannel, InformationTopic, Reply
from rules.decision import Outcome
from rules.policy import CostPolicy
from rules.review_case import Case, EndedBy, Refusal, Reviewer, VerdictReason, WordRefused
from rules.review_policy import ReviewPolicy, ReviewQueue
from streams.reviewing.desk import Desk
from streams.reviewing.store import MOST_ATTEMPTS, Contended, NoSuchCase, Said, Store, Word
from streams.reviewing.tables import cases

NOW = REVIEWED_AT
POLICY = ReviewPolicy(
    lease_minutes=10.0,
    queues=(
        ReviewQueue(name="large", from_minor=50_000, dealt=2),
        ReviewQueue(name="small", below_minor=1_000, most_open=3),
        ReviewQueue(due_minutes=60.0),
    ),
)
ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
WHY = VerdictReason.KNOWN_PATTERN


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, POLICY) as kept:
        yield kept


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, POLICY, CostPolicy())


def opened(store: Store, count: int = 1, **changes: Any) -> list[str]:
    """Cases in the order of their rank."""
    amount = changes.pop("amount_minor", 10_000)
    openings = [an_opening(number, POLICY, amount_minor=amount - 10 * number, **changes) for number in range(count)]
    store.open(openings, {})
    return [each.case.case_id for each in openings]


def ending(store: Store, case_id: str) -> tuple[EndedBy, Outcome] | None:
    end = store.case(case_id).case.ending
    return None if end is None else (end.by, end.outcome)


def test_one_after_the_other_is_taken_for_as_long_as_the_policy_says(store: Store, desk: Desk) -> None:
    first, second = opened(store, 2)
    taken = [desk.take_next("reviews", each, NOW) for each in (ANN, BOB, ANN)]
    assert [each and each.case_id for each in taken] == [first, second, None]
    assert store.in_hand("ann", NOW + timedelta(minutes=10, microseconds=-1)) == [first]
    again = desk.take_next("reviews", BOB, NOW + timedelta(minutes=10))
    assert again is not None
    assert again.case_id == first


def test_what_is_given_back_is_there_for_others(store: Store, desk: Desk) -> None:
    [only] = opened(store)
    desk.take_next("reviews", ANN, NOW)
    desk.release(only, ANN, NOW)
    taken = desk.take_next("reviews", BOB, NOW)
    assert taken is not None


def test_many_who_take_at_once_get_different_cases(store: Store, desk: Desk) -> None:
    opened(store, 30)
    reviewers = [Reviewer(name=f"r{number}") for number in range(8)]

    def take_three(reviewer: Reviewer) -> list[Case | None]:
        return [desk.take_next("reviews", reviewer, NOW) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        taken = [case.case_id for some in pool.map(take_three, reviewers) for case in some if case is not None]
    assert max(Counter(taken).values()) == 1
    assert len(taken) == 24


def refusing(*case_ids: str) -> Word:
    def word(case: Case) -> Case:
        if case.case_id in case_ids:
            raise WordRefused(Refusal.CLOSED)
        return case.leased(ANN, NOW, NOW + timedelta(hours=1))

    return word


def test_a_case_that_refuses_the_word_is_passed_over(store: Store, desk: Desk) -> None:
    ids, said = opened(store, 3), Said(word="lease", speaker="ann", at=NOW)
    taken = store.change_first("reviews", ANN, refusing(*ids[:2]), said)
    assert taken is not None
    assert taken.case_id == ids[2]
    assert store.change_first("reviews", ANN, refusing(*ids), said) is None
    assert [each.word for each in store.history(ids[0])] == []


def test_a_word_that_is_refused_over_and_over_is_given_up(store: Store, desk: Desk) -> None:
    ids = opened(store, MOST_ATTEMPTS)
    with pytest.raises(Contended):
        store.change_first("reviews", ANN, refusing(*ids), Said(word="lease", speaker="ann", at=NOW))


def test_nobody_waits_for_whoever_is_at_the_first_case(store: Store, desk: Desk) -> None:
    first, second = opened(store, 2)
    if store.engine.dialect.name == "sqlite":
        pytest.skip("one writes at a time, and the other waits")
    with store.engine.begin() as other:
        other.execute(sa.select(cases).where(cases.c.case_id == first).with_for_update())
        taken = desk.take_next("reviews", ANN, NOW)
    assert taken is not None
    assert taken.case_id == second


def test_a_queue_that_deals_gives_in_turn_and_no_more_than_it_may(store: Store, desk: Desk) -> None:
    ids = opened(store, 6, amount_minor=90_000)
    assert desk.deal([BOB, ANN], NOW) == 4
    assert store.in_hand("ann", NOW) == [ids[0], ids[2]]
    assert store.in_hand("bob", NOW) == [ids[1], ids[3]]
    assert desk.deal([BOB, ANN], NOW) == 0
    desk.decide(ids[1], BOB, Outcome.BLOCK, WHY, NOW)
    assert desk.deal([BOB, ANN], NOW) == 1
    assert store.in_hand("bob", NOW) == [ids[3], ids[4]]


def test_bulk_verdicts_say_which_were_refused_and_why(store: Store, desk: Desk) -> None:
    ids = opened(store, 4)
    desk.lease(ids[1], BOB, NOW)
    desk.decide(ids[2], BOB, Outcome.APPROVE, WHY, NOW)
    refused = desk.decide_all(ids, ANN, Outcome.BLOCK, WHY, NOW)
    assert refused == {ids[1]: Refusal.LEASED_TO_ANOTHER, ids[2]: Refusal.CLOSED}
    assert ending(store, ids[0]) == ending(store, ids[3]) == (EndedBy.VERDICT, Outcome.BLOCK)


def test_a_question_waits_for_its_answer_and_no_longer(store: Store, desk: Desk) -> None:
    answered, unanswered = opened(store, 2)
    until = NOW + timedelta(minutes=5)
    for case_id in (answered, unanswered):
        desk.ask(case_id, ANN, InformationTopic.DID_YOU_PAY, InformationChannel.APP, "you?", NOW, until=until)
    answer = InformationAnswer(request_id=f"{answered}.q1", reply=Reply.CONFIRMED, answered_at=NOW)
    for _ in range(2):
        desk.hear_answer(answer, NOW)
    assert [each.case_id for each in desk.close_due(until)] == [unanswered]
    assert ending(store, unanswered) == (EndedBy.UNANSWERED, POLICY.unanswered)
    taken = desk.take_next("reviews", ANN, until)
    assert taken is not None
    assert taken.answers == (answer,)


@pytest.mark.parametrize("request_id", ["d.9.9.q1", "nonsense"])
def test_an_answer_to_nobody_is_of_no_case(desk: Desk, request_id: str) -> None:
    with pytest.raises(NoSuchCase):
        desk.hear_answer(InformationAnswer(request_id=request_id, reply=Reply.CONFIRMED, answered_at=NOW), NOW)


def test_no_card_number_is_sent_to_anybody(store: Store, desk: Desk) -> None:
    [only] = opened(store)
    with pytest.raises(WordRefused) as refused:
        desk.ask(
            only,
            ANN,
            InformationTopic.OTHER,
            InformationChannel.SMS,
            f"is {CARD_NUMBER} yours?",
            NOW,
            until=NOW + timedelta(minutes=5),
        )
    assert refused.value.reason is Refusal.CARD_NUMBER
    assert store.history(only) == []


def test_time_closes_what_is_due_and_nothing_else(store: Store, desk: Desk) -> None:
    opened(store, 2)
    desk.decide("d.1.0", ANN, Outcome.BLOCK, WHY, NOW)
    due = NOW + timedelta(minutes=60)
    assert desk.close_due(due - timedelta(microseconds=1)) == []
    assert [each.case_id for each in desk.close_due(due)] == ["d.1.1"]
    assert ending(store, "d.1.1") == (EndedBy.TIMEOUT, Outcome.BLOCK)
    assert desk.close_due(due) == []


def test_a_full_queue_keeps_what_ranks_first_and_what_is_in_hand(store: Store, desk: Desk) -> None:
    ids = opened(store, 6, amount_minor=900)
    other = an_opening(9, POLICY)
    store.open([other], {})
    desk.lease(ids[5], ANN, NOW)
    closed = [each.case_id for each in desk.displace(NOW)]
    assert closed == [ids[4], ids[3]]
    assert ending(store, ids[4]) == (EndedBy.OVERFLOW, Outcome.APPROVE)
    assert desk.displace(NOW) == []  # one more than it holds is in hand


def test_the_model_closes_what_nobody_has_begun_and_informs_of_the_rest(store: Store, desk: Desk) -> None:
    free, leased = opened(store, 2)
    desk.lease(leased, ANN, NOW)
    for case_id in (free, leased):
        desk.hear_re_score(replace(a_revision(), decision_id=case_id), NOW)
    assert ending(store, free) == (EndedBy.RE_SCORE, Outcome.APPROVE)
    assert ending(store, leased) is None
    assert store.case(leased).case.re_score is not None


def test_a_re_score_that_says_nothing_or_of_what_nobody_reviews_changes_nothing(store: Store, desk: Desk) -> None:
    [only] = opened(store)
    assert desk.hear_re_score(replace(a_revision(), decision_id=only, outcome=None, risk_score=None), NOW) is None
    assert desk.hear_re_score(replace(a_revision(), decision_id="d.9.9"), NOW) is None
    assert store.history(only) == []


def test_the_history_says_who_said_what(store: Store, desk: Desk) -> None:
    [only] = opened(store)
    desk.lease(only, ANN, NOW)
    desk.escalate(only, ANN, NOW)
    desk.close_due(NOW + timedelta(minutes=60))
    assert [(each.word, each.speaker) for each in store.history(only)] == [
        ("lease", "ann"),
        ("escalation", "ann"),
        ("expiry", None),
    ]

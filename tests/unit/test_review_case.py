"""A review case over any history: one ending, the first; leases return; two pairs of eyes are two."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.information import InformationAnswer, InformationChannel, InformationTopic, Reply
from rules.decision import Outcome
from rules.review_case import (
    Case,
    CaseState,
    EndedBy,
    Refusal,
    ReScore,
    Reviewer,
    VerdictReason,
    WordRefused,
)

NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)
LEASE = timedelta(minutes=30)
DUE = timedelta(hours=4)
ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
LEA, LEO = Reviewer(name="lea", second_line=True), Reviewer(name="leo", second_line=True)
REVIEWERS = (ANN, BOB, LEA, LEO)
AUTOMATIC = (Outcome.APPROVE, Outcome.BLOCK)

Word = Callable[[Case, datetime], Case]


def a_case(eyes: int = 1) -> Case:
    return Case(
        case_id="d.1.7",
        queue="reviews",
        opened_at=NOW,
        warn_at=NOW + DUE * 0.75,
        due_at=NOW + DUE,
        default=Outcome.APPROVE,
        eyes=eyes,
        expected_loss_minor=4_200,
    )


def lease(reviewer: Reviewer) -> Word:
    return lambda case, now: case.leased(reviewer, now, now + LEASE)


def release(reviewer: Reviewer) -> Word:
    return lambda case, now: case.released(reviewer, now)


def escalate(reviewer: Reviewer) -> Word:
    return lambda case, now: case.escalated(reviewer, now)


def decide(reviewer: Reviewer, outcome: Outcome) -> Word:
    return lambda case, now: case.decided(reviewer, outcome, VerdictReason.KNOWN_PATTERN, now)


def ask(reviewer: Reviewer, minutes: float) -> Word:
    return lambda case, now: case.asked(
        reviewer,
        InformationTopic.DID_YOU_PAY,
        InformationChannel.SMS,
        "",
        now,
        until=now + timedelta(minutes=minutes),
        default=Outcome.BLOCK,
    )


def answer(request_id: str) -> Word:
    return lambda case, now: case.answered(
        InformationAnswer(request_id=request_id, reply=Reply.CONFIRMED, answered_at=now)
    )


def re_score(outcome: Outcome, *, adopt: bool = True, revision_id: str = "d.1.7.re_score") -> Word:
    word = ReScore(
        revision_id=revision_id,
        outcome=outcome,
        reason_codes=(),
        risk_score=0.9,
        confidence=0.9,
        model_version="m-1",
        expected_loss_minor=77,
    )
    return lambda case, now: case.re_scored(word, now, adopt=adopt)


def expire(case: Case, now: datetime) -> Case:
    return case.expired(now)


def displace(case: Case, now: datetime) -> Case:
    return case.displaced(now)


reviewers = st.sampled_from(REVIEWERS)
words = st.one_of(
    st.builds(lease, reviewers),
    st.builds(release, reviewers),
    st.builds(escalate, reviewers),
    st.builds(decide, reviewers, st.sampled_from(AUTOMATIC)),
    st.builds(ask, reviewers, st.floats(0, 400)),
    st.builds(answer, st.sampled_from(["d.1.7.q1", "d.1.7.q2", "d.9.9.q1"])),
    st.builds(re_score, st.sampled_from(Outcome), adopt=st.booleans(), revision_id=st.sampled_from(["a", "b"])),
    st.just(expire),
    st.just(displace),
)
histories = st.lists(st.tuples(st.floats(0, 60), words), max_size=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    before: Case
    after: Case
    now: datetime


def lived(case: Case, history: list[tuple[float, Word]]) -> list[Step]:
    """Every step of a history in which refused words change nothing; minutes pass before each."""
    steps, now = [], NOW
    for minutes, word in history:
        now += timedelta(minutes=minutes)
        try:
            after = word(case, now)
        except WordRefused:
            after = case
        steps.append(Step(before=case, after=after, now=now))
        case = after
    return steps


cases = st.builds(a_case, st.sampled_from([1, 2]))


@given(cases, histories)
def test_a_case_ends_once_and_nothing_changes_it_then(case: Case, history: list[tuple[float, Word]]) -> None:
    steps = lived(case, history)
    endings = {each.after.ending for each in steps} - {None}
    assert len(endings) <= 1
    for each in steps:
        if each.before.ending is not None:
            assert each.after == each.before


@given(cases, histories)
def test_whoever_is_left_alone_with_a_case_ends_it(case: Case, history: list[tuple[float, Word]]) -> None:
    after = lived(case, [*history, (0.0, expire), (60.0 * 31, expire)])[-1].after
    assert after.ending is not None
    assert after.expires_at is None


@given(cases, histories)
def test_a_lease_returns_by_itself(case: Case, history: list[tuple[float, Word]]) -> None:
    for step in lived(case, history):
        later = step.now + LEASE
        assert step.after.holder(later) is None
        assert step.after.state(later) is not CaseState.LEASED
        free_from = step.after.free_from
        if step.after.ending is None and step.after.question is None:
            assert free_from is not None
            assert free_from <= later


@given(cases, histories)
def test_a_verdict_that_ends_a_case_is_that_of_as_many_people_as_it_needs(
    case: Case, history: list[tuple[float, Word]]
) -> None:
    for step in lived(case, history):
        names = [each.reviewer for each in step.after.verdicts]
        assert len(names) == len(set(names))
        ending = step.after.ending
        if ending is not None and ending.by is EndedBy.VERDICT:
            assert sum(each.outcome is ending.outcome for each in step.after.verdicts) == case.eyes


@given(cases, histories)
def test_nobody_takes_what_another_has_in_hand(case: Case, history: list[tuple[float, Word]]) -> None:
    for step in lived(case, history):
        before, after = step.before.holder(step.now), step.after.holder(step.now)
        if before is not None and after is not None:
            assert before == after
        if before is not None and len(step.after.verdicts) > len(step.before.verdicts):
            assert step.after.verdicts[-1].reviewer == before


@given(cases, histories)
def test_only_the_second_line_speaks_in_the_second_line(case: Case, history: list[tuple[float, Word]]) -> None:
    second = {LEA.name, LEO.name}
    for step in lived(case, history):
        if step.before.line == 2 and step.after.verdicts != step.before.verdicts:
            assert step.after.verdicts[-1].reviewer in second
        if step.before.line == 2:
            assert step.after.line == 2


@given(cases, histories)
def test_no_question_outlives_the_case(case: Case, history: list[tuple[float, Word]]) -> None:
    for step in lived(case, history):
        if step.after.question is not None and step.after.ending is None:
            assert step.after.question.until <= step.after.due_at
            assert step.after.holder(step.now) is None
            assert step.after.expires_at == step.after.question.until


@given(cases, histories, st.lists(st.integers(0, 29), max_size=10))
def test_a_word_said_again_changes_nothing(case: Case, history: list[tuple[float, Word]], repeated: list[int]) -> None:
    """Verdicts, answers and re-scores come again when their sender does not know that they were taken."""
    for number, (_, word) in enumerate(history):
        steps = lived(case, history[: number + 1])
        now, after = steps[-1].now, steps[-1].after
        if number in repeated and after != steps[-1].before and _may_come_again(steps[-1]):
            assert word(after, now) == after


def _may_come_again(step: Step) -> bool:
    said = (step.after.verdicts, step.after.answers, step.after.re_score)
    return said != (step.before.verdicts, step.before.answers, step.before.re_score)


def refusal(case: Case, word: Word, now: datetime = NOW) -> Refusal:
    with pytest.raises(WordRefused) as refused:
        word(case, now)
    return refused.value.reason


def test_one_verdict_resolves_a_small_case() -> None:
    after = decide(ANN, Outcome.BLOCK)(a_case(), NOW)
    assert after.ending is not None
    assert (after.ending.outcome, after.ending.by, after.state(NOW)) == (
        Outcome.BLOCK,
        EndedBy.VERDICT,
        CaseState.RESOLVED,
    )


def test_a_large_one_goes_back_for_another_pair_of_eyes() -> None:
    once = decide(ANN, Outcome.BLOCK)(lease(ANN)(a_case(eyes=2), NOW), NOW)
    assert once.state(NOW) is CaseState.OPEN
    assert refusal(once, lease(ANN)) is Refusal.OTHER_EYES_NEEDED
    twice = decide(BOB, Outcome.BLOCK)(once, NOW)
    assert twice.ending is not None


def test_two_who_differ_send_it_to_the_second_line_and_that_decides() -> None:
    differing = decide(BOB, Outcome.APPROVE)(decide(ANN, Outcome.BLOCK)(a_case(eyes=2), NOW), NOW)
    assert differing.state(NOW) is CaseState.ESCALATED
    assert refusal(differing, lease(BOB)) is Refusal.SECOND_LINE_ONLY
    third = decide(LEA, Outcome.APPROVE)(differing, NOW)
    assert third.ending is not None
    assert third.ending.outcome is Outcome.APPROVE


def test_a_lease_ends_at_its_last_moment_and_not_before() -> None:
    leased = lease(ANN)(a_case(), NOW)
    just_before = NOW + LEASE - timedelta(microseconds=1)
    assert refusal(leased, lease(BOB), just_before) is Refusal.LEASED_TO_ANOTHER
    assert lease(BOB)(leased, NOW + LEASE).holder(NOW + LEASE) == "bob"


def test_what_is_escalated_returns_to_the_second_line_when_its_lease_is_over() -> None:
    leased = lease(LEA)(escalate(ANN)(a_case(), NOW), NOW)
    assert leased.state(NOW) is CaseState.LEASED
    assert leased.state(NOW + LEASE) is CaseState.ESCALATED


def test_the_answer_opens_it_again() -> None:
    waiting = ask(ANN, 60)(a_case(), NOW)
    assert waiting.state(NOW) is CaseState.WAITING
    assert refusal(waiting, lease(BOB)) is Refusal.WAITING
    assert refusal(waiting, answer("d.1.7.q2")) is Refusal.NOT_ASKED
    answered = answer("d.1.7.q1")(waiting, NOW)
    assert answered.state(NOW) is CaseState.OPEN
    assert answered.answers[0].reply is Reply.CONFIRMED


def test_without_an_answer_the_default_of_the_question_holds() -> None:
    waiting = ask(ANN, 60)(a_case(), NOW)
    until = NOW + timedelta(minutes=60)
    assert refusal(waiting, expire, until - timedelta(microseconds=1)) is Refusal.NOT_DUE
    after = expire(waiting, until)
    assert after.ending is not None
    assert (after.ending.outcome, after.ending.by) == (Outcome.BLOCK, EndedBy.UNANSWERED)


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    expired = expire(ask(ANN, 60)(a_case(), NOW), NOW + timedelta(minutes=60))
    assert refusal(expired, answer("d.1.7.q1"), NOW + timedelta(minutes=60)) is Refusal.CLOSED


def test_without_a_verdict_the_default_of_the_queue_holds() -> None:
    assert refusal(a_case(), expire, NOW + DUE - timedelta(microseconds=1)) is Refusal.NOT_DUE
    after = expire(lease(ANN)(a_case(), NOW), NOW + DUE)
    assert after.ending is not None
    assert (after.ending.outcome, after.ending.by) == (Outcome.APPROVE, EndedBy.TIMEOUT)
    assert after.state(NOW) is CaseState.EXPIRED


def test_there_must_be_time_left_to_ask() -> None:
    assert refusal(a_case(), ask(ANN, 10), NOW + DUE) is Refusal.NO_TIME_LEFT


@pytest.mark.parametrize("begun", [lease(ANN), ask(ANN, 10), escalate(ANN)])
def test_the_model_informs_where_people_have_begun(begun: Word) -> None:
    after = re_score(Outcome.APPROVE)(begun(a_case(), NOW), NOW)
    assert after.ending is None
    assert after.expected_loss_minor == 77
    assert refusal(after, displace) is Refusal.IN_HAND


def test_the_model_closes_what_nobody_has_begun() -> None:
    after = re_score(Outcome.APPROVE)(a_case(), NOW)
    assert after.ending is not None
    assert (after.ending.outcome, after.ending.by) == (Outcome.APPROVE, EndedBy.RE_SCORE)


@pytest.mark.parametrize(
    ("case", "word"),
    [
        (a_case(), re_score(Outcome.APPROVE, adopt=False)),
        (a_case(), re_score(Outcome.REVIEW)),
        (a_case(eyes=2), re_score(Outcome.APPROVE)),
    ],
)
def test_it_only_informs_where_it_may_not_or_is_not_sure_or_two_must_look(case: Case, word: Word) -> None:
    assert replace(word(case, NOW), re_score=None, expected_loss_minor=4_200) == case


def test_a_full_queue_displaces_what_nobody_has_begun() -> None:
    after = displace(a_case(), NOW)
    assert after.ending is not None
    assert (after.ending.outcome, after.ending.by) == (Outcome.APPROVE, EndedBy.OVERFLOW)


def test_a_verdict_cannot_send_it_to_a_person() -> None:
    with pytest.raises(ValueError):
        decide(ANN, Outcome.REVIEW)(a_case(), NOW)

"""The label join: what is learnt, when, how often, and that a second reading holds the same."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.examples import MOST_EARLY_LABELS, Contradiction, Example, LabelJoin, Lesson, pack_features
from models.label import Label, LabelSource, LabelState
from models.label_trust import LabelTrust

DAY = 86_400.0
UNHEARD = "unheard"
MATURITY, KEEP = 7.0, 30.0
FRAUD, LEGITIMATE, DISPUTED, REVERSED = LabelState


def example(number: int, day: float = 0.0) -> Example:
    return Example(
        transaction_id=f"t-{number}",
        card=f"c-{number % 3}",
        acceptor="m-1",
        partition=0,
        at=day * DAY,
        packed=pack_features([float(number), 1.0]),
    )


def label(number: int, state: LabelState, source: LabelSource = LabelSource.CHARGEBACK) -> Label:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Label(
        label_id="l",
        transaction_id=f"t-{number}",
        source=source,
        state=state,
        effective_at=when,
        received_at=when,
    )


def a_join(*, keep: float = KEEP, limit: int = 1_000) -> LabelJoin:
    return LabelJoin(maturity_seconds=MATURITY * DAY, keep_seconds=keep * DAY, limit=limit)


def said(lesson: Lesson | Contradiction | None) -> tuple[str, bool, bool] | None:
    if not isinstance(lesson, Lesson):
        return None
    return lesson.example.transaction_id, lesson.is_fraud, lesson.corrects


def matured(join: LabelJoin, day: float) -> list[tuple[str, bool, bool] | None]:
    return [said(lesson) for lesson in join.advance(day * DAY)]


def held(join: LabelJoin) -> dict[str, bool | None]:
    """Which examples it holds, and as what it learnt them."""
    return {transaction_id: each.learnt for transaction_id, each in join._held.items()}


def test_features_come_back_as_they_were_scored() -> None:
    assert list(example(3).features) == [3.0, 1.0]


def test_fraud_is_learnt_when_it_is_reported() -> None:
    join = a_join()
    assert join.decided(example(1)) is None
    assert said(join.labelled(label(1, FRAUD))) == ("t-1", True, False)


@pytest.mark.parametrize(("day", "lessons"), [(6.999, []), (7.0, [("t-1", False, False)])])
def test_silence_is_legitimate_exactly_at_maturity(day: float, lessons: list[tuple[str, bool, bool]]) -> None:
    join = a_join()
    join.decided(example(1))
    assert matured(join, day) == lessons


def test_what_was_learnt_does_not_mature_again() -> None:
    join = a_join()
    join.decided(example(1))
    join.labelled(label(1, FRAUD))
    assert matured(join, 8) == []


def test_fraud_after_maturity_corrects() -> None:
    join = a_join()
    join.decided(example(1))
    matured(join, 7)
    assert said(join.labelled(label(1, FRAUD))) == ("t-1", True, True)


def test_a_report_taken_back_corrects() -> None:
    join = a_join()
    join.decided(example(1))
    join.labelled(label(1, FRAUD))
    assert said(join.labelled(label(1, REVERSED))) == ("t-1", False, True)
    assert matured(join, 8) == []


@pytest.mark.parametrize("state", [FRAUD, LEGITIMATE, REVERSED])
def test_a_label_said_twice_teaches_once(state: LabelState) -> None:
    join = a_join()
    join.decided(example(1))
    assert join.labelled(label(1, state)) is not None
    assert join.labelled(label(1, state)) is None


def test_a_dispute_concludes_nothing() -> None:
    join = a_join()
    join.decided(example(1))
    assert join.labelled(label(1, DISPUTED)) is None
    assert join.waiting == 1


def test_a_decision_read_twice_is_one_example() -> None:
    join = a_join()
    join.decided(example(1))
    assert join.decided(example(1)) is None
    assert (join.arrived, join.waiting) == (1, 1)


def test_a_label_before_its_decision_waits_for_it() -> None:
    join = a_join()
    assert join.labelled(label(1, FRAUD)) is None
    assert said(join.decided(example(1))) == ("t-1", True, False)
    assert join.unmatched == 1


def test_an_example_that_comes_after_its_time_to_mature_is_learnt_at_once() -> None:
    join = a_join()
    matured(join, 20)
    assert said(join.decided(example(1, day=13))) == ("t-1", False, False)
    assert join.decided(example(2, day=13.001)) is None


def test_beyond_the_limit_the_oldest_go_first_and_are_counted() -> None:
    join = a_join(limit=2)
    for number, day in ((1, 5.0), (2, 1.0), (3, 3.0), (4, 0.5)):
        join.decided(example(number, day))
    assert set(held(join)) == {"t-1", "t-3"}
    assert (join.arrived, join.dropped, join.dropped_unlearnt, join.waiting) == (4, 2, 2, 2)
    assert join.labelled(label(2, FRAUD)) is None


@pytest.mark.parametrize(("day", "kept"), [(37.0, {"t-1"}), (37.001, set())])
def test_an_example_is_kept_for_late_labels_exactly_so_long(day: float, kept: set[str]) -> None:
    join = a_join()
    join.decided(example(1))
    matured(join, day)
    assert set(held(join)) == kept


def test_the_most_trusted_source_is_believed_whenever_it_speaks() -> None:
    join = a_join()
    join.decided(example(1))
    assert said(join.labelled(label(1, LEGITIMATE, LabelSource.MANUAL_REVIEW))) == ("t-1", False, False)
    assert said(join.labelled(label(1, FRAUD, LabelSource.CHARGEBACK))) == ("t-1", True, True)
    assert join.labelled(label(1, LEGITIMATE, LabelSource.REFUND)) is None
    assert join.labelled(label(1, LEGITIMATE, LabelSource.MANUAL_REVIEW)) is None
    assert held(join) == {"t-1": True}


@pytest.mark.parametrize("early", [True, False])
def test_what_equals_contradict_stays_until_one_of_them_takes_it_back(early: bool) -> None:
    join = a_join()
    fraud, upheld = label(1, FRAUD), label(1, LEGITIMATE, LabelSource.CUSTOMER_COMPLAINT)
    if not early:
        join.decided(example(1))
    join.labelled(fraud)
    contradiction = join.labelled(upheld)
    if early:
        join.decided(example(1))
    assert contradiction == Contradiction({LabelSource.CHARGEBACK: True, LabelSource.CUSTOMER_COMPLAINT: False})
    assert matured(join, 8) == []
    assert held(join) == {"t-1": True}
    assert said(join.labelled(label(1, REVERSED))) == ("t-1", False, True)


def test_a_source_that_is_not_believed_teaches_nothing() -> None:
    join = LabelJoin(maturity_seconds=DAY, keep_seconds=DAY, limit=10, trust=LabelTrust(refund_trust=0))
    assert join.labelled(label(2, FRAUD, LabelSource.REFUND)) is None
    join.decided(example(1))
    assert join.labelled(label(1, FRAUD, LabelSource.REFUND)) is None
    assert join.early == {}
    assert matured(join, 1) == [("t-1", False, False)]


def test_where_a_label_was_not_heard_silence_means_nothing() -> None:
    join = a_join()
    for number in (1, 2, 3):
        join.decided(example(number))
    join.labelled(label(2, FRAUD))
    for number in (1, 2):
        join.unheard(f"t-{number}")
    assert matured(join, 8) == [("t-3", False, False)]
    assert held(join) == {"t-1": None, "t-2": True, "t-3": False}
    assert [each.example.transaction_id for each in join.ripened()] == ["t-2", "t-3"]
    assert join.waiting == 1
    assert said(join.labelled(label(1, FRAUD))) == ("t-1", True, False)


def test_labels_that_wait_for_their_decision_are_bounded() -> None:
    join = a_join()
    for number in range(MOST_EARLY_LABELS + 10):
        join.labelled(label(number, FRAUD))
    assert len(join.early) == MOST_EARLY_LABELS
    assert join.decided(example(0)) is None
    assert said(join.decided(example(MOST_EARLY_LABELS))) is not None


states = st.sampled_from([FRAUD, LEGITIMATE, REVERSED, DISPUTED])
example_records = st.builds(example, st.integers(0, 9), st.sampled_from([0.0, 1.0, 2.0, 9.0, 20.0, 41.0]))
label_records = st.builds(label, st.integers(0, 9), states, st.sampled_from(LabelSource))
records = st.lists(st.one_of(example_records, label_records), max_size=40)
unheard = st.builds(lambda number: replace(label(number, FRAUD), label_id=UNHEARD), st.integers(0, 9))
records_and_unheard = st.lists(st.one_of(example_records, label_records, label_records, unheard), max_size=40)
clocks = st.lists(st.sampled_from([0.0, 3.0, 7.0, 9.0, 16.0, 30.0, 38.0, 48.0]), max_size=4)


def taken(join: LabelJoin, history: Iterable[Example | Label | float]) -> list[Lesson]:
    lessons: list[Lesson] = []
    for each in history:
        if isinstance(each, float):
            lessons += join.advance(each * DAY)
        elif isinstance(each, Example):
            lessons += filter(None, [join.decided(each)])
        elif each.label_id == UNHEARD:
            join.unheard(each.transaction_id)
        elif isinstance(lesson := join.labelled(each), Lesson):
            lessons.append(lesson)
    return lessons


def one_decision_each(history: Sequence[Example | Label]) -> list[Example | Label]:
    """Decision topics hold each transaction once."""
    seen: set[str] = set()
    kept: list[Example | Label] = []
    for each in history:
        if isinstance(each, Label) or each.transaction_id not in seen:
            kept.append(each)
        if isinstance(each, Example):
            seen.add(each.transaction_id)
    return kept


def shuffled(history: Sequence[Example | Label | float], data: st.DataObject) -> list[Example | Label | float]:
    """Another interleaving: each transaction's labels in their order, all else in any."""
    order = data.draw(st.permutations(range(len(history))))
    mixed = [history[place] for place in order]
    labels = {
        each.transaction_id: iter([other for other in history if is_label_of(other, each.transaction_id)])
        for each in history
        if isinstance(each, Label)
    }
    return [next(labels[each.transaction_id]) if isinstance(each, Label) else each for each in mixed]


def is_label_of(record: Example | Label | float, transaction_id: str) -> bool:
    return isinstance(record, Label) and record.transaction_id == transaction_id


@given(records, st.data())
def test_an_example_is_learnt_once_and_then_only_corrected(history: list[Example | Label], data: st.DataObject) -> None:
    lessons = taken(a_join(), shuffled([*one_decision_each(history), *data.draw(clocks)], data))
    known: dict[str, bool] = {}
    for lesson in lessons:
        transaction_id = lesson.example.transaction_id
        assert lesson.corrects == (transaction_id in known)
        assert known.get(transaction_id) is not lesson.is_fraud
        known[transaction_id] = lesson.is_fraud


@settings(max_examples=300)
@given(records_and_unheard, clocks, st.integers(1, 8), st.data())
def test_what_is_held_does_not_depend_on_how_records_were_interleaved(
    history: list[Example | Label], days: list[float], limit: int, data: st.DataObject
) -> None:
    everything = [*one_decision_each(history), *days]
    one, other = a_join(keep=5.0, limit=limit), a_join(keep=5.0, limit=limit)
    taken(one, shuffled(everything, data))
    taken(other, shuffled(everything, data))
    assert held(one) == held(other)
    assert (one.waiting, one.arrived, one.dropped) == (other.waiting, other.arrived, other.dropped)


@settings(max_examples=300)
@given(records_and_unheard, clocks, st.integers(1, 8), st.data())
def test_a_second_reading_holds_the_same_and_goes_on_the_same(
    history: list[Example | Label], days: list[float], limit: int, data: st.DataObject
) -> None:
    first, second = a_join(keep=5.0, limit=limit), a_join(keep=5.0, limit=limit)
    order = shuffled([*one_decision_each(history), *days], data)
    taken(first, order)
    second.expect(first.early, frontier=first.frontier)
    taken(second, [each for each in order if isinstance(each, Example)])
    taken(second, [each for each in order if isinstance(each, Label)])
    second.rebuilt(first.early)
    assert held(second) == held(first)
    assert second._unmet == first._unmet
    rest = [*data.draw(records), 60.0]
    known = {each.transaction_id for each in order if isinstance(each, Example)}
    fresh = [each for each in one_decision_each_or_clock(rest) if not is_known(each, known)]
    assert list(map(said, taken(second, fresh))) == list(map(said, taken(first, fresh)))


def one_decision_each_or_clock(history: Sequence[Example | Label | float]) -> list[Example | Label | float]:
    *records, clock = history
    return [*one_decision_each([each for each in records if not isinstance(each, float)]), clock]


def is_known(record: Example | Label | float, known: set[str]) -> bool:
    return isinstance(record, Example) and record.transaction_id in known


@given(records, clocks, st.integers(1, 8), st.data())
def test_the_counts_add_up(history: list[Example | Label], days: list[float], limit: int, data: st.DataObject) -> None:
    join = a_join(keep=5.0, limit=limit)
    taken(join, shuffled([*one_decision_each(history), *days], data))
    assert join.arrived - join.dropped == len(held(join)) <= limit
    assert join.waiting == sum(learnt is None for learnt in held(join).values())
    assert join.dropped_unlearnt <= join.dropped
    assert len(join._maturing) + len(join._matured) == len(held(join))


def blocked(number: int, day: float = 0.0) -> Example:
    return replace(example(number, day), silence_tells=False)


def test_silence_about_what_was_blocked_tells_nothing() -> None:
    join = a_join()
    join.decided(blocked(1))
    join.decided(example(2))
    assert matured(join, MATURITY) == [("t-2", False, False)]
    assert join.waiting == 1
    assert [said(each) for each in join.ripened()] == [("t-2", False, False)]


def test_what_is_said_of_a_block_is_learnt() -> None:
    join = a_join()
    join.decided(blocked(1))
    join.decided(blocked(2))
    assert said(join.labelled(label(1, LEGITIMATE, LabelSource.CUSTOMER_COMPLAINT))) == ("t-1", False, False)
    matured(join, MATURITY)
    assert said(join.labelled(label(2, FRAUD))) == ("t-2", True, False)


def test_a_block_that_is_only_disputed_stays_open() -> None:
    join = a_join()
    join.decided(blocked(1))
    assert join.labelled(label(1, DISPUTED)) is None
    assert matured(join, MATURITY) == []

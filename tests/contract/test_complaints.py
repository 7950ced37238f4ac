"""Complaints on both databases: linked to what they are about, settled once, told once with their label."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from support.reviews import REVIEWED_AT, a_store, an_opening
from support.wire_samples import CARD_NUMBER, PLACE, a_decision
from typer.testing import CliRunner

from rules.complaint import (
    Complaint,
    ComplaintFigures,
    ComplaintRefusal,
    ComplaintRefused,
    ComplaintState,
    StoppedPayment,
)
from rules.decision import DecisionSource, Outcome
from rules.review_case import Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy
from rules.revision import decided
from streams.broker.topics import Topic
from streams.operating.cli import main
from streams.reviewing.complaints import Complaints, Grouping, NoSuchComplaint
from streams.reviewing.store import Said, Store
from streams.wire.codec import read_complaint, read_label, read_revision

NOW = REVIEWED_AT
HOUR = timedelta(hours=1)
UPHELD, REJECTED = ComplaintState.UPHELD, ComplaintState.REJECTED
ANN = Reviewer(name="ann")


@pytest.fixture
def store(reviews_url: str) -> Iterator[Store]:
    with a_store(reviews_url, ReviewPolicy()) as kept:
        yield kept


@pytest.fixture
def complaints(store: Store) -> Complaints:
    return Complaints(store.engine, "s-1")


def a_block(number: int = 1, *, version: str | None = "m-7", hours_ago: int = 1) -> StoppedPayment:
    source = DecisionSource.RULES if version is None else DecisionSource.MODEL
    decision = structs.replace(
        a_decision(), decision_id=f"d.1.{number}", transaction_id=f"t-{number}", outcome=Outcome.BLOCK
    )
    return StoppedPayment(
        decided=decided(decision, PLACE),
        source=source,
        model_version=version,
        stopped_at=NOW - hours_ago * HOUR,
    )


def a_complaint(number: int = 1, payment: int = 1) -> Complaint:
    return Complaint(complaint_id=f"c-{number}", transaction_id=f"t-{payment}", text="Mine.", complained_at=NOW)


def blocked(store: Store, number: int, reviewer: Reviewer = ANN) -> str:
    """A review that ended in a block."""
    opening = an_opening(number, ReviewPolicy(), amount_minor=10_000)
    store.open([opening], {})
    case_id = opening.case.case_id
    why = VerdictReason.STOLEN_CARD
    said = Said(word="verdict", speaker=reviewer.name, at=NOW)
    store.change(case_id, lambda case: case.decided(reviewer, Outcome.BLOCK, why, NOW), said)
    return case_id


def refusal(call: object) -> ComplaintRefusal:
    with pytest.raises(ComplaintRefused) as refused:
        call()  # type: ignore[operator]
    return refused.value.reason


def test_a_complaint_names_what_stopped_the_payment_and_says_so_on_its_topic(
    store: Store, complaints: Complaints
) -> None:
    store.open([], {}, [a_block(), a_block(2)])
    linked = complaints.receive(a_complaint())
    assert (linked.decision_id, linked.decision_source, linked.model_version) == ("d.1.1", "model", "m-7")
    assert complaints.complaint("c-1") == linked
    [unsent] = store.unsent(10)
    [telling] = unsent.tellings
    assert (telling.topic, telling.key) == (Topic.COMPLAINTS, "t-1")
    assert read_complaint(telling.value.encode()) == linked


def test_a_review_that_ended_in_a_block_can_be_complained_of_at_once(store: Store, complaints: Complaints) -> None:
    case_id = blocked(store, 5)
    linked = complaints.receive(replace(a_complaint(), transaction_id="t-1-5"))
    assert (linked.decision_id, linked.decision_source, linked.reviewers) == (case_id, "reviewer", ("ann",))
    assert refusal(lambda: complaints.settle("c-1", REJECTED, "ann", NOW)) is ComplaintRefusal.OWN_VERDICT
    assert complaints.settle("c-1", UPHELD, "bob", NOW).state is UPHELD


def test_what_was_not_stopped_or_holds_a_card_number_is_refused(store: Store, complaints: Complaints) -> None:
    assert refusal(lambda: complaints.receive(a_complaint())) is ComplaintRefusal.NOT_STOPPED
    store.open([], {}, [a_block()])
    with_card = replace(a_complaint(), text=f"My card is {CARD_NUMBER}")
    assert refusal(lambda: complaints.receive(with_card)) is ComplaintRefusal.CARD_NUMBER
    assert store.unsent(10) == []


def test_of_an_unknown_complaint_it_says_so(complaints: Complaints) -> None:
    with pytest.raises(NoSuchComplaint):
        complaints.settle("c-9", UPHELD, "ann", NOW)


def test_handed_in_again_it_is_the_same_whatever_became_of_it(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [a_block()])
    complaints.receive(a_complaint())
    settled = complaints.settle("c-1", REJECTED, "ann", NOW)
    assert complaints.receive(a_complaint()) == settled
    assert len(store.unsent(10)) == 2


def test_a_second_complaint_of_a_payment_is_heard_only_after_a_rejected_one(
    store: Store, complaints: Complaints
) -> None:
    store.open([], {}, [a_block()])
    first = complaints.receive(a_complaint(1))
    assert complaints.receive(a_complaint(2)) == first
    complaints.settle("c-1", REJECTED, "ann", NOW)
    assert complaints.receive(a_complaint(3)).complaint_id == "c-3"
    complaints.settle("c-3", UPHELD, "ann", NOW)
    assert complaints.receive(a_complaint(4)).complaint_id == "c-3"


def test_an_upheld_one_is_told_with_its_label_and_a_rejected_one_without(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [a_block(1), a_block(2)])
    for number, state in ((1, UPHELD), (2, REJECTED)):
        complaints.receive(a_complaint(number, number))
        complaints.settle(f"c-{number}", state, "ann", NOW + HOUR)
        complaints.settle(f"c-{number}", state, "bob", NOW + 2 * HOUR)
    told = [[each.topic for each in unsent.tellings] for unsent in store.unsent(10)]
    upheld = [Topic.COMPLAINTS, Topic.REVISED, Topic.LABELS]
    assert told == [[Topic.COMPLAINTS], upheld, [Topic.COMPLAINTS], [Topic.COMPLAINTS]]
    word, revised, label = store.unsent(10)[1].tellings
    assert read_complaint(word.value.encode()).settled_by == "ann"
    revision = read_revision(revised.value.encode())
    assert (revision.revision_id, revision.outcome) == ("d.1.1.complaint_upheld", "approve")
    assert (revised.partition, revised.key) == (PLACE.partition, revision.pan_token)
    assert read_label(label.value.encode()).source == "customer_complaint"


def test_it_is_revised_even_when_the_payment_was_forgotten_meanwhile(store: Store, complaints: Complaints) -> None:
    case_id = blocked(store, 5)
    complaints.receive(replace(a_complaint(), transaction_id="t-1-5"))
    assert complaints.forget(NOW + HOUR) == 1
    complaints.settle("c-1", UPHELD, "bob", NOW + 2 * HOUR)
    [revision] = [
        read_revision(each.value.encode()) for each in store.unsent(10)[-1].tellings if each.topic is Topic.REVISED
    ]
    assert (revision.decision_id, revision.supersedes) == (case_id, f"{case_id}.verdict")
    assert (revision.decided_outcome, revision.settings_version) == ("review", "s-1")


def test_those_of_a_payment_are_found(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [a_block(1), a_block(2)])
    for number, payment in ((1, 1), (2, 2)):
        complaints.receive(a_complaint(number, payment))
    complaints.settle("c-1", REJECTED, "ann", NOW)
    again = replace(a_complaint(3), complained_at=NOW + HOUR)
    complaints.receive(again)
    assert [each.complaint_id for each in complaints.of_transaction("t-1")] == ["c-1", "c-3"]
    assert complaints.of_transaction("t-9") == []


def test_of_words_at_once_one_is_taken_and_told(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [a_block(number) for number in range(10)])

    def settle(number: int, state: ComplaintState, by: str) -> ComplaintState | ComplaintRefusal:
        try:
            return complaints.settle(f"c-{number}", state, by, NOW).state
        except ComplaintRefused as refused:
            return refused.reason

    with ThreadPoolExecutor(4) as pool:
        for number in range(10):
            handing_in = [pool.submit(complaints.receive, a_complaint(number, number)) for _ in range(4)]
            assert len({each.result().complaint_id for each in handing_in}) == 1
            words = [(UPHELD, "ann"), (REJECTED, "bob"), (UPHELD, "cleo"), (REJECTED, "dan")]
            found = [each.result() for each in [pool.submit(settle, number, *word) for word in words]]
            assert sorted(found, key=str) in (
                ["settled", "settled", "upheld", "upheld"],
                ["rejected"] * 2 + ["settled"] * 2,
            )
    topics = [telling.topic for unsent in store.unsent(100) for telling in unsent.tellings]
    upheld = sum(complaints.complaint(f"c-{number}").state is UPHELD for number in range(10))
    assert (topics.count(Topic.COMPLAINTS), topics.count(Topic.LABELS)) == (20, upheld)


def test_those_that_wait_are_listed_the_longest_first(store: Store, complaints: Complaints) -> None:
    assert complaints.waiting() == (0, None)
    store.open([], {}, [a_block(number) for number in range(1, 4)])
    for number in (1, 2, 3):
        complaints.receive(replace(a_complaint(number, number), complained_at=NOW - number * HOUR))
    complaints.settle("c-3", UPHELD, "ann", NOW)
    assert [each.complaint_id for each in complaints.to_settle(10)] == ["c-2", "c-1"]
    assert complaints.waiting() == (2, NOW - 2 * HOUR)


def test_figures_are_of_what_was_stopped_since_by_who_and_by_version(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [*[a_block(number) for number in range(4)], a_block(4, version=None), a_block(5, hours_ago=9)])
    store.open([], {}, [a_block(1)])  # read again
    for number in (1, 2, 4, 5):
        complaints.receive(a_complaint(number, number))
    complaints.settle("c-1", UPHELD, "ann", NOW + HOUR)
    complaints.settle("c-2", REJECTED, "ann", NOW + 3 * HOUR)
    since = NOW - 2 * HOUR
    model = ComplaintFigures(stopped=4, received=2, upheld=1, rejected=1, median_seconds=7200.0)
    assert complaints.figures(Grouping.SOURCE, since) == {
        "model": model,
        "rules": ComplaintFigures(stopped=1, received=1),
    }
    assert complaints.figures(Grouping.MODEL_VERSION, since) == {
        "m-7": model,
        "none": ComplaintFigures(stopped=1, received=1),
    }


def test_what_is_too_old_is_forgotten_and_cannot_be_complained_of(store: Store, complaints: Complaints) -> None:
    store.open([], {}, [a_block(1, hours_ago=2), a_block(2, hours_ago=3), a_block(3)])
    assert complaints.forget(NOW - 2 * HOUR) == 1
    assert refusal(lambda: complaints.receive(a_complaint(1, 2))) is ComplaintRefusal.NOT_STOPPED
    assert complaints.receive(a_complaint(2, 1)).decision_id == "d.1.1"


def test_the_command_tells_the_figures_of_the_store(store: Store, complaints: Complaints, reviews_url: str) -> None:
    now = datetime.now(UTC)
    store.open([], {}, [replace(a_block(number), stopped_at=now - HOUR) for number in range(4)])
    complaints.receive(a_complaint(1, 1))
    complaints.settle("c-1", UPHELD, "ann", NOW + HOUR)

    def told(*options: str) -> str:
        settings = {"COLUMNS": "120", "HOLDFAST_SETTINGS": None, "HOLDFAST_CONSOLE_STORE_URL": reviews_url}
        result = CliRunner(env=settings).invoke(main, ["complaints", *options], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert json.loads(told("--json", "--by", "model"))["m-7"] == {
        "stopped": 4,
        "received": 1,
        "upheld": 1,
        "rejected": 0,
        "median_seconds": 3600.0,
        "per_thousand": 250.0,
        "upheld_share": 1.0,
    }
    assert json.loads(told("--json", "--last", "30m")) == {}
    assert "250.0" in told()

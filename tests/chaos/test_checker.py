"""The checker by itself: clean evidence is clean, and each promise is seen broken where it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from chaos.checker import Acknowledged, judge, recomputed
from chaos.evidence import Ending, Evidence, Input
from msgspec import structs
from support.deciding import transaction

from models.transaction import Transaction

Spoil = Callable[[Evidence], None]
APPROVE, REVIEW, LETTERS = "decisions.approve", "decisions.review", "transactions.DLT"


def paid(number: int, card: str = "tok_a") -> Transaction:
    plain = transaction(number)
    return structs.replace(plain, pan_token=card, event_time=plain.event_time + timedelta(seconds=number))


def decided(offset: int, topic: str, at: int, *, card: bytes = b"tok_a", name: str | None = None) -> Ending:
    return Ending(topic, 0, at, card, (0, offset), name or paid(offset).transaction_id, False)


def clean() -> Evidence:
    """Payments 0 to 3 of one card, a bad record, and a repeat of payment 2."""
    evidence = Evidence(labels=7, labels_in_histories=7)
    for offset in range(4):
        evidence.inputs[0, offset] = Input(b"tok_a", paid(offset), digest=offset)
    evidence.inputs[0, 4] = Input(b"tok_a", None, digest=4)
    evidence.inputs[0, 5] = Input(b"tok_a", paid(2), digest=2)
    endings = [
        decided(0, APPROVE, 0),
        decided(1, REVIEW, 0),
        decided(2, APPROVE, 1),
        decided(3, APPROVE, 2),
        Ending(LETTERS, 0, 0, b"tok_a", (0, 4), None, False),
    ]
    for each in endings:
        end(evidence, each)
    evidence.profiles = recomputed(evidence)
    evidence.alerts = [("open", "w/scorer"), ("update", "w/scorer"), ("resolved", "w/scorer"), ("open", "w/scorer")]
    evidence.alerts.append(("resolved", "w/scorer"))
    return evidence


def end(evidence: Evidence, ending: Ending) -> None:
    evidence.endings[ending.place].append(ending)
    evidence.sequence.append(ending)


def unend(evidence: Evidence, offset: int) -> None:
    [gone] = evidence.endings.pop((0, offset))
    evidence.sequence.remove(gone)


def exchange(evidence: Evidence, offset: int, **changes: object) -> None:
    [old] = evidence.endings[0, offset]
    new = old._replace(**changes)  # type: ignore[arg-type]
    evidence.endings[0, offset] = [new]
    evidence.sequence[evidence.sequence.index(old)] = new


ACKNOWLEDGED = [
    Acknowledged(kind="payment", partition=0, offset=offset, digest=digest)
    for offset, digest in enumerate((0, 1, 2, 3, 4, 2))
]


def test_clean_evidence_is_clean() -> None:
    verdict = judge(clean(), ACKNOWLEDGED)
    assert verdict.broken == {}
    assert verdict.holds


def test_what_the_broker_has_without_remembering_where_is_known_by_its_content() -> None:
    somewhere = [replace(each, offset=None) for each in ACKNOWLEDGED]
    assert judge(clean(), somewhere).holds
    assert judge(clean(), [*ACKNOWLEDGED[:5], somewhere[5]]).holds
    for lost in range(6):
        evidence = clean()
        del evidence.inputs[0, lost]
        [*_, sentence] = judge(evidence, somewhere).broken["acknowledged is kept"]
        assert sentence.endswith("of partition 0 was acknowledged and is not there")
    [stranger] = judge(clean(), [*somewhere, replace(somewhere[0], partition=1)]).broken["acknowledged is kept"]
    assert "partition 1" in stranger


SPOILT: dict[str, tuple[str, Spoil]] = {
    "the broker lost a record": ("acknowledged is kept", lambda e: e.inputs.pop((0, 5)) and None),
    "a payment without decision": ("nothing is lost", lambda e: unend(e, 1)),
    "a bad record without letter": ("nothing is lost", lambda e: unend(e, 4)),
    "a repeat with other content": (
        "nothing is lost",
        lambda e: e.inputs.update({(0, 5): Input(b"tok_a", structs.replace(paid(2), amount_minor=99))}),
    ),
    "a repeat on another card": (
        "nothing is lost",
        lambda e: e.inputs.update({(0, 5): Input(b"tok_b", structs.replace(paid(2), pan_token="tok_b"))}),
    ),
    "a decision twice": ("nothing ends twice", lambda e: end(e, decided(3, APPROVE, 3))),
    "a repeat decided": ("nothing ends twice", lambda e: end(e, decided(5, APPROVE, 3, name=paid(2).transaction_id))),
    "a letter of what was decided": (
        "nothing ends twice",
        lambda e: end(e, Ending(LETTERS, 0, 1, b"tok_a", (0, 3), None, False)),
    ),
    "a decision of nothing": ("nothing ends twice", lambda e: end(e, decided(77, APPROVE, 3, name="tx_77"))),
    "another key": ("decisions are about their input", lambda e: exchange(e, 1, key=b"tok_z")),
    "no key": ("decisions are about their input", lambda e: exchange(e, 1, key=None)),
    "another partition": ("decisions are about their input", lambda e: exchange(e, 1, partition=3)),
    "another id": ("decisions are about their input", lambda e: exchange(e, 1, transaction_id="tx_other")),
    "a bad record decided": ("decisions are about their input", lambda e: exchange(e, 4, transaction_id="tx_4")),
    "out of order": ("order of a card", lambda e: e.sequence.reverse()),
    "a profile of before": (
        "profiles are exact",
        lambda e: e.profiles.update({(0, b"tok_a"): next(iter(recomputed(_without_last()).values()))}),
    ),
    "a profile lost": ("profiles are exact", lambda e: e.profiles.clear()),
    "a profile of nobody": ("profiles are exact", lambda e: e.profiles.update({(0, b"tok_z"): b"x"})),
    "an open transaction": ("no transaction stays open", lambda e: e.open_transactions.append("profiles-0")),
    "labels learnt again": ("labels are learnt once", lambda e: setattr(e, "labels", 8)),
    "an incident open for ever": ("alerts open and resolve once", lambda e: e.alerts.pop() and None),
    "an incident opened twice": ("alerts open and resolve once", lambda e: e.alerts.insert(1, ("open", "w/scorer"))),
    "an update of nothing": ("alerts open and resolve once", lambda e: e.alerts.insert(3, ("update", "w/scorer"))),
}


def _without_last() -> Evidence:
    fewer = clean()
    unend(fewer, 3)
    return fewer


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_flagged_by_its_promise(what: str) -> None:
    promise, spoil = SPOILT[what]
    evidence = clean()
    spoil(evidence)
    verdict = judge(evidence, ACKNOWLEDGED)
    assert promise in verdict.broken
    assert verdict.counts[promise] >= len(verdict.broken[promise]) > 0
    assert not verdict.holds


def test_sentences_are_few_and_counts_are_whole() -> None:
    evidence = Evidence()
    for offset in range(500):
        evidence.inputs[0, offset] = Input(b"tok_a", paid(offset))
    verdict = judge(evidence, [])
    assert verdict.counts["nothing is lost"] == 500
    assert len(verdict.broken["nothing is lost"]) == 10

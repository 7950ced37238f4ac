"""Judges a run by its history and by what the topics hold. Pure; shares no counting with `holdfast audit`.

Every acknowledged record of `transactions` must end as exactly one of approve, block, review, dead letter or recognised
duplicate. What is found is said in sentences, by the promise that it breaks.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from chaos.evidence import Ending, Evidence, Place

from models.fingerprint import id_hash
from models.marks import marks_of
from models.merchant_history import HISTORY_DAYS
from models.profile import Profile
from models.profile_packing import pack
from models.transaction import Transaction
from streams.wire.codec import content_fingerprint

MOST_SENTENCES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A record that the broker said it has."""

    kind: str  # payment, repeat or bad
    partition: int
    offset: int | None  # None if the broker knew that it had the record, and no more where
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found, by promise, and how much of each; nothing where all held."""

    broken: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether no promise was broken."""
        return not self.broken


Judgement = Callable[[Evidence, list[Acknowledged]], Iterator[str]]


def judge(evidence: Evidence, acknowledged: Iterable[Acknowledged]) -> Verdict:
    """Hold the evidence against every promise."""
    known = list(acknowledged)
    broken, counts = {}, Counter[str]()
    for promise, judgement in PROMISES.items():
        sentences = list(judgement(evidence, known))
        counts[promise] = len(sentences)
        if sentences:
            broken[promise] = tuple(islice(sentences, MOST_SENTENCES))
    return Verdict(broken=broken, counts=counts)


def kept(evidence: Evidence, acknowledged: list[Acknowledged]) -> Iterator[str]:
    """The broker has what it acknowledged. Not our doing, but without it nothing else would mean much."""
    there = Counter((place[0], record.digest) for place, record in evidence.inputs.items())
    there.subtract((each.partition, each.digest) for each in acknowledged)
    for each in acknowledged:
        if each.offset is None:
            if there[each.partition, each.digest] < 0:
                yield f"{each.kind} {each.digest:08x} of partition {each.partition} was acknowledged and is not there"
        elif (each.partition, each.offset) not in evidence.inputs:
            yield f"{each.kind} {_at((each.partition, each.offset))} was acknowledged and is not there"


def not_lost(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """Each input has an ending, or repeats one of its card that has."""
    decided = _decided_contents(evidence)
    for place, record in evidence.inputs.items():
        if place in evidence.endings:
            continue
        transaction = record.transaction
        if transaction is None:
            yield f"the bad record {_at(place)} is no dead letter"
        elif (place[0], record.key, transaction.transaction_id, content_fingerprint(transaction)) not in decided:
            yield f"{transaction.transaction_id} {_at(place)} was not decided"


def once(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """No input ends twice, no id is decided twice, and nothing ends that was never there."""
    for place, endings in evidence.endings.items():
        if len(endings) > 1:
            yield f"{_at(place)} ended {len(endings)} times: {', '.join(map(_of, endings))}"
        if place not in evidence.inputs:
            yield f"{_of(endings[0])} ends {_at(place)}, which was never there"
    decisions = Counter(each.transaction_id for each in evidence.sequence if each.transaction_id is not None)
    for transaction_id, count in decisions.items():
        if count > 1:
            yield f"{transaction_id} was decided {count} times"


def about_itself(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """A decision has the id, the key and the partition of its input; what breaks the contract is not decided."""
    for each in evidence.sequence:
        record = evidence.inputs.get(each.place)
        if record is None or each.transaction_id is None:
            continue
        if each.partition != each.place[0]:
            yield f"{_of(each)} lies in another partition than its input {_at(each.place)}"
        if each.key != record.key:
            yield f"{_of(each)} has another key than its input {_at(each.place)}"
        if record.transaction is None:
            yield f"{_of(each)} decides the bad record {_at(each.place)}"
        elif record.transaction.transaction_id != each.transaction_id:
            yield f"{_of(each)} names {each.transaction_id}, its input {record.transaction.transaction_id}"


def in_order(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """On each topic the decisions of a partition, and so of a card, stand in the order of their inputs."""
    latest: dict[tuple[str, int], int] = defaultdict(lambda: -1)
    for each in evidence.sequence:
        lane = each.topic, each.partition
        if each.transaction_id is not None and each.place[1] <= latest[lane]:
            yield f"{_of(each)} stands after the decision of offset {latest[lane]}, its own is {each.place[1]}"
        latest[lane] = max(latest[lane], each.place[1])


def profiles_exact(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """The profile of each card is what its decided payments make of it, in the order of the input, to its end."""
    expected = recomputed(evidence)
    for card in expected.keys() | evidence.profiles.keys():
        if evidence.profiles.get(card) != expected.get(card):
            yield f"the profile of {card[1].decode()} in partition {card[0]} is another than its payments make"
    for partition, noted in evidence.noted.items():
        last = max((offset for number, offset in evidence.inputs if number == partition), default=-1)
        if noted != last + 1:
            yield f"beside the profiles of partition {partition} {noted} is noted as next, its last record is {last}"


def recomputed(evidence: Evidence) -> dict[tuple[int, bytes], bytes | None]:
    """Profiles from the inputs alone, with stand-in approvals as they were decided."""
    profiles: dict[tuple[int, bytes], Profile] = defaultdict(Profile)
    for place, record in sorted(evidence.inputs.items(), key=lambda item: item[0]):
        decisions = [each for each in evidence.endings.get(place, ()) if each.transaction_id is not None]
        if not decisions or record.transaction is None or record.key is None:
            continue
        follow(profiles[place[0], record.key], record.transaction, approved_in_stead=decisions[0].approved_in_stead)
    return {card: pack(profile) for card, profile in profiles.items()}


def follow(profile: Profile, transaction: Transaction, *, approved_in_stead: bool) -> None:
    """Take a decided payment into its card's profile, as a worker must have done."""
    at, amount = transaction.event_time.timestamp(), transaction.amount_minor
    hashed = id_hash(transaction.transaction_id)
    profile.observe(at, amount, hashed, content_fingerprint(transaction), marks_of(transaction))
    if approved_in_stead:
        profile.note_stand_in(at, amount, hashed)


def nothing_open(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """No transaction is left open: it would hold up every committed reader of its partition."""
    for partition in evidence.open_transactions:
        yield f"{partition} ends in an open transaction"


def labels_once(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """The learner was taught as many labels as the acceptors' histories of its latest model's moment have counted.

    Histories forget after some days, so a run of more simulated time cannot be judged so.
    """
    times = [each.transaction.event_time for each in evidence.inputs.values() if each.transaction is not None]
    if times and max(times) - min(times) > timedelta(days=HISTORY_DAYS):
        return
    if evidence.labels != evidence.labels_in_histories:
        yield f"the learner was taught {evidence.labels} labels, the histories {evidence.labels_in_histories}"


def alerts_lived(evidence: Evidence, _: list[Acknowledged]) -> Iterator[str]:
    """Each episode is opened once and resolved once, and updated only in between."""
    open_ones: set[str] = set()
    for status, key in evidence.alerts:
        if (status == "open") == (key in open_ones):
            yield f"{key}: {status} while it was {'open' if key in open_ones else 'not open'}"
        (open_ones.discard if status == "resolved" else open_ones.add)(key)
    for key in sorted(open_ones):
        yield f"{key} was never resolved"


def _decided_contents(evidence: Evidence) -> set[tuple[int, bytes | None, str, int]]:
    decided = set()
    for place, endings in evidence.endings.items():
        record = evidence.inputs.get(place)
        if record is not None and record.transaction is not None and endings[0].transaction_id is not None:
            content = content_fingerprint(record.transaction)
            decided.add((place[0], record.key, record.transaction.transaction_id, content))
    return decided


def _at(place: Place) -> str:
    return f"at {place[0]}:{place[1]}"


def _of(ending: Ending) -> str:
    return f"{ending.topic}-{ending.partition}:{ending.offset}"


PROMISES: Mapping[str, Judgement] = {
    "acknowledged is kept": kept,
    "nothing is lost": not_lost,
    "nothing ends twice": once,
    "decisions are about their input": about_itself,
    "order of a card": in_order,
    "profiles are exact": profiles_exact,
    "no transaction stays open": nothing_open,
    "labels are learnt once": labels_once,
    "alerts open and resolve once": alerts_lived,
}

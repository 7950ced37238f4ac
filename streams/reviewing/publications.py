"""What a change of a case has the world told, as records for Kafka. Pure."""

from dataclasses import dataclass

import msgspec

from models.information import InformationAnswer
from rules.complaint import Complaint
from rules.decision import Decision, InputPosition
from rules.review_case import Case
from rules.review_outcome import information_request, verdict_label
from rules.review_price import PriceMove
from rules.revision import Revision
from streams.broker.topics import Topic
from streams.wire.codec import write_answer, write_complaint, write_label, write_request, write_revision
from streams.wire.review_price import REVIEW_PRICE, PriceOrder, price_event, write_price_event, write_price_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One record. Without a partition its key chooses one."""

    topic: Topic
    key: str
    value: str
    partition: int | None = None


_tellings = msgspec.json.Decoder(tuple[Telling, ...])


def tellings(
    before: Case, after: Case, decision: Decision, place: InputPosition, final: Revision | None
) -> tuple[Telling, ...]:
    """What is new to the world: a final revision and a label, or a question; they go together or not at all.

    `final` is the final revision of a case that has just closed.
    """
    told: list[Telling] = []
    if after.ending is not None and final is not None:
        told.append(_of_revision(final))
        if (label := verdict_label(after, after.ending, decision)) is not None:
            told.append(Telling(topic=Topic.LABELS, key=label.transaction_id, value=write_label(label).decode()))
    if after.question is not None and after.question != before.question:
        request = information_request(after, after.question, decision)
        told.append(
            Telling(
                topic=Topic.INFORMATION_REQUESTED,
                key=decision.pan_token,
                value=write_request(request).decode(),
                partition=place.partition,
            )
        )
    return tuple(told)


def complaint_tellings(complaint: Complaint, revision: Revision | None) -> tuple[Telling, ...]:
    """What became of a complaint, and if it was upheld, the revision and the label."""
    key = complaint.transaction_id
    told = [Telling(topic=Topic.COMPLAINTS, key=key, value=write_complaint(complaint).decode())]
    if revision is not None:
        told.append(_of_revision(revision))
    if (label := complaint.label()) is not None:
        told.append(Telling(topic=Topic.LABELS, key=key, value=write_label(label).decode()))
    return tuple(told)


def answer_telling(answer: InformationAnswer) -> Telling:
    """An answer that came by another way than its topic."""
    return Telling(topic=Topic.INFORMATION_ANSWERED, key=answer.request_id, value=write_answer(answer).decode())


def price_tellings(move: PriceMove) -> tuple[Telling, ...]:
    """A move of the price: the event, and what workers follow."""
    event = write_price_event(price_event(move, source="holdfast/console"))
    order = PriceOrder(review_minor=move.after_minor, who="console", why=move.reason.value)
    key = REVIEW_PRICE.decode()
    return (
        Telling(topic=Topic.REVIEW_PRICES, key=key, value=event.decode()),
        Telling(topic=Topic.CONTROL, key=key, value=write_price_order(order).decode()),
    )


def write_tellings(told: tuple[Telling, ...]) -> str:
    """As the outbox holds them."""
    return msgspec.json.encode(told).decode()


def _of_revision(revision: Revision) -> Telling:
    """Beside the decision: on the partition where that lies."""
    value, partition = write_revision(revision).decode(), revision.decision.partition
    return Telling(topic=Topic.REVISED, key=revision.pan_token, value=value, partition=partition)


def read_tellings(text: str) -> tuple[Telling, ...]:
    """What `write_tellings` wrote."""
    return _tellings.decode(text)

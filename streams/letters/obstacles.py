"""Which dead letters may be sent again, and what stands in the way of the others. Pure."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from enum import StrEnum

from models.dead_letter import DeadLetterReason
from streams.letters.letter import Letter, Marks
from streams.wire.codec import MalformedRecord, read_transaction
from streams.wire.letter_replay import LetterPlace, replay_of

HEADROOM_BYTES = 1024  # for our header and what Kafka puts round a record


class Obstacle(StrEnum):
    """Why a letter is not sent again, in words."""

    ABSENT = "there is no such letter"
    UNREADABLE = "no dead letter of Holdfast's"
    FOREIGN = "of a record of another topic"
    REPLAYED = "sent again before"
    MASKED = "card numbers in it were masked: the record as it came is gone"
    ID_REUSED = "its id was decided with other content: send the payment with a new id"
    DECIDED = "a payment of its id was decided, or is sent again before it"
    CAME_BACK = "refused again after a replay; with --again, or by its place, it is sent once more"
    TOO_LARGE = "larger than its topic takes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What tells letters that may be sent again from others."""

    marks: Marks
    most_bytes: dict[str, int]  # of a record, by the topics to which letters go back
    again: bool  # also those refused again after a replay

    def obstacle(self, letter: Letter) -> Obstacle | None:
        """What stands in the way of one letter, as far as can be told without reading decisions."""
        report = letter.report
        if report is None:
            return Obstacle.UNREADABLE
        most_bytes = self.most_bytes.get(report.record.topic)
        if most_bytes is None:
            return Obstacle.FOREIGN
        if letter.is_marked(self.marks):
            return Obstacle.REPLAYED
        if report.masked:
            return Obstacle.MASKED
        if report.reason is DeadLetterReason.ID_REUSED:
            # Refused again at best: once the card's ring has forgotten the id, it would be decided a second time.
            return Obstacle.ID_REUSED
        if not self.again and replay_of(report) is not None:
            return Obstacle.CAME_BACK
        return Obstacle.TOO_LARGE if _size(letter) + HEADROOM_BYTES > most_bytes else None


@dataclass(slots=True)
class Plan:
    """Which letters to send, and what stands in the way of the others."""

    to_send: set[LetterPlace] = field(default_factory=set)
    obstacles: dict[LetterPlace, Obstacle] = field(default_factory=dict)
    decidable: dict[str, LetterPlace] = field(default_factory=dict)  # of those to send, by transaction id

    def take(self, letter: Letter, sieve: Sieve, now: float) -> None:
        """Put a letter where it belongs; `now` is seconds since the epoch."""
        transaction_id = decidable_id(letter, now)
        if obstacle := sieve.obstacle(letter):
            self.obstacles[letter.place] = obstacle
        elif transaction_id in self.decidable:
            self.obstacles[letter.place] = Obstacle.DECIDED
        else:
            self.to_send.add(letter.place)
            if transaction_id is not None:
                self.decidable[transaction_id] = letter.place

    def hold_back(self, decided: Set[str]) -> None:
        """Do not send those whose id has a decision: a card's ring recognises a repeat for a while only."""
        for transaction_id in decided & self.decidable.keys():
            place = self.decidable.pop(transaction_id)
            self.to_send.discard(place)
            self.obstacles[place] = Obstacle.DECIDED

    def note_absent(self, places: Iterable[LetterPlace]) -> None:
        """Say of places that were asked for, and where no letter was found, that there is none."""
        for place in places:
            if place not in self.to_send and place not in self.obstacles:
                self.obstacles[place] = Obstacle.ABSENT


def decidable_id(letter: Letter, now: float) -> str | None:
    """The transaction id of a letter whose record would be decided if it came now, in seconds since the epoch."""
    if letter.report is None:
        return None
    try:
        return read_transaction(letter.key, letter.value, now).transaction_id
    except MalformedRecord:
        return None


def _size(letter: Letter) -> int:
    headers = sum(len(name.encode()) + len(content or b"") + 10 for name, content in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers

"""Workers that are broken on purpose: each breaks one promise, and the checker must say so.

    cd tests && python -m chaos.mutants NAME worker

Runs the product's own command with one thing changed. A mutant that no fault of its kind brings to light would prove
nothing, so each names the faults under which it shows, and some wait where the real fault would need luck.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.schedule import FaultKind

KILL, ZOMBIE, BROKER = FaultKind.KILL_WORKER, FaultKind.ZOMBIE_WORKER, FaultKind.KILL_BROKER
WINDOW_SECONDS = 4.0  # how long a race is held open


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What is broken, which promises must be seen broken, and the faults that bring it out; none: plain load does."""

    breaks: str
    promises: frozenset[str]
    faults: tuple[FaultKind, ...] = ()
    twice: float = 0.05  # share of payments that the producer repeats
    apply: Callable[[], None]


def _no_fence() -> None:
    """Whoever has claimed a partition before is found, and never stopped."""
    from streams.deciding import ownership

    async def nothing(settings: Any, owner: str) -> None: ...

    ownership._fence = nothing


def _offset_before_fence() -> None:
    """The next offset is read first and the predecessor fenced some seconds later.

    Alone this breaks nothing that can be seen: the ring of the card, restored after the fence, knows what the
    predecessor decided meanwhile. So the ring is taken away too, and no payment is repeated.
    """
    _repeats_unknown()
    from streams.broker.topics import Topic, name_of
    from streams.deciding import lanes

    real, restore = lanes.Lanes._open, lanes.restore

    async def open_late(self: Any, partitions: list[Any]) -> None:
        topic = name_of(Topic.PROFILES, self._settings.topics)
        early = await restore(self._settings.broker, topic, [each.partition for each in partitions])
        await asyncio.sleep(WINDOW_SECONDS)

        async def stale(*arguments: Any) -> Any:
            stores = await restore(*arguments)
            for partition, store in stores.items():
                store.noted = early[partition].noted
            return stores

        lanes.restore = stale
        await real(self, partitions)

    lanes.Lanes._open = open_late


def _offsets_never_committed() -> None:
    """The next offset is left out of the transaction, and told to nobody: a successor decides all of it again."""
    from streams.deciding import group_offsets

    async def nothing(self: Any, places: Any) -> None:
        pass

    group_offsets.GroupOffsets._tell = nothing
    _outgoing(_without_note)()


def _offsets_first() -> None:
    """At most once: the next offsets are noted in a transaction of their own before the round is decided."""
    from streams.deciding import rounds
    from streams.deciding.batch import Decided
    from streams.deciding.resumption import note

    async def decide(self: Any, taken: Any) -> None:
        partitions = [lane.state.partition for lane, _ in taken]
        notes = [Decided(profiles=[note(each.records[-1].offset + 1)]) for _, each in taken]
        await self._writer.transact(zip(partitions, notes, strict=True))
        await asyncio.sleep(0.05)
        decided = await self._agent.ask([each for _, each in taken], 10.0)
        await self._writer.transact(zip(partitions, decided, strict=True))
        for (lane, _), batch in zip(taken, decided, strict=True):
            self._told(lane.state, batch)

    rounds.Rounds._decide = decide


def _outside_the_transaction(kind: str) -> Callable[[], None]:
    def apply() -> None:
        from streams.broker.clients import sender
        from streams.broker.topics import Topic
        from streams.deciding.transactions import Transactions
        from streams.settings import load_settings

        real = Transactions.transact
        plain: dict[str, Any] = {}

        async def transact(self: Any, records: dict[Any, list[Any]]) -> None:
            outside = {
                place: each
                for place, each in records.items()
                if (kind == "profiles") == place.topic.endswith(Topic.PROFILES)
            }
            if "producer" not in plain:
                plain["producer"] = sender(load_settings(None, os.environ).broker)
                await plain["producer"].start()
            for (topic, partition), outgoing in outside.items():
                for each in outgoing:
                    await plain["producer"].send(
                        topic, key=each.key, value=each.value, headers=each.headers, partition=partition
                    )
            await plain["producer"].flush()
            await asyncio.sleep(0.1)  # the moment between the two writes, held open
            await real(self, {place: each for place, each in records.items() if place not in outside})

        Transactions.transact = transact

    return apply


def _outgoing(change: Callable[[str, list[Any], Any], list[Any]]) -> Callable[[], None]:
    """Change what is about to be sent: (topic, records, numbers) to records."""

    def apply() -> None:
        numbers = itertools.count(1)
        _records(lambda place, outgoing: (place, change(place.topic, outgoing, numbers)))

    return apply


def _records(change: Callable[[Any, list[Any]], tuple[Any, list[Any]]]) -> None:
    from streams.deciding.transactions import Transactions

    real = Transactions.transact

    async def transact(self: Any, records: dict[Any, list[Any]]) -> None:
        changed: dict[Any, list[Any]] = {}
        for place, outgoing in itertools.starmap(change, records.items()):
            if outgoing:
                changed[place] = [*changed.get(place, ()), *outgoing]
        await real(self, changed)

    Transactions.transact = transact


def _drop_sometimes(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return outgoing[1:] if "decisions." in topic and next(numbers) % 50 == 0 else outgoing


def _twice_sometimes(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return outgoing + outgoing[:1] if "decisions." in topic and next(numbers) % 50 == 0 else outgoing


def _without_key(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return [each._replace(key=None) for each in outgoing] if "decisions." in topic else outgoing


def _backwards(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return outgoing[::-1] if "decisions." in topic else outgoing


def _no_dead_letters(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return [] if topic.endswith("DLT") else outgoing


def _without_note(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return [each for each in outgoing if each.key != b"/next"]


def _no_profiles(topic: str, outgoing: list[Any], numbers: Any) -> list[Any]:
    return [] if topic.endswith("profiles") and next(numbers) % 20 == 0 else outgoing


def _other_partition() -> None:
    """Decisions of partition 0 go to partition 1."""
    _records(
        lambda place, outgoing: (
            place._replace(partition=1) if place.partition == 0 and "decisions." in place.topic else place,
            outgoing,
        )
    )


def _repeats_unknown() -> None:
    """A repeat of a payment is not recognised: its id is noted as another each time."""
    from streams.deciding import decider

    others = itertools.count(1)
    decider.id_hash = lambda _transaction_id: next(others)


def _restore_nothing() -> None:
    """A lane opens with empty profiles."""
    from streams.deciding import lanes, profiles

    async def nothing(settings: Any, topic: str, partitions: list[int]) -> dict[int, Any]:
        return {partition: profiles.ProfileStore() for partition in partitions}

    lanes.restore = nothing


def _from_the_beginning() -> None:
    """A lane starts at the beginning of its partition, whatever was committed."""
    from streams.deciding import lanes

    lanes.resume_at = lambda noted, end: 0


def _one_too_far() -> None:
    """The offset noted is one beyond the next."""
    from streams.deciding import lane

    real = lane.note
    lane.note = lambda next_offset: real(next_offset + 1)


def _never_resolved() -> None:
    """Incidents end without a word."""
    from rules import incidents

    real = incidents.Incidents.due
    incidents.Incidents.due = lambda self, now: [each for each in real(self, now) if each.status != "resolved"]


def _opened_anew() -> None:
    """A process that starts forgets what its predecessor left open."""
    from rules import incidents

    incidents.Incidents.adopt = lambda self, alert, now: False


LOST, TWICE, ITSELF = "nothing is lost", "nothing ends twice", "decisions are about their input"
ORDER, PROFILES, ALERTS = "order of a card", "profiles are exact", "alerts open and resolve once"


def _mutant(
    breaks: str, apply: Callable[[], None], *promises: str, faults: tuple[FaultKind, ...] = (), twice: float = 0.05
) -> Mutant:
    return Mutant(breaks=breaks, promises=frozenset(promises), faults=faults, apply=apply, twice=twice)


KILLS = (KILL, KILL, KILL)

MUTANTS: Mapping[str, Mutant] = {
    "no-fencing": _mutant("no fencing", _no_fence, TWICE, PROFILES, faults=(ZOMBIE, ZOMBIE, ZOMBIE)),
    "offset-before-fence": _mutant(
        "offset read before fencing", _offset_before_fence, TWICE, faults=(ZOMBIE, ZOMBIE, ZOMBIE), twice=0.0
    ),
    "no-offsets": _mutant("offsets never committed", _offsets_never_committed, TWICE, PROFILES, faults=KILLS),
    "offsets-first": _mutant("offsets before decisions", _offsets_first, LOST, faults=KILLS),
    "decisions-outside": _mutant(
        "decisions outside the transaction", _outside_the_transaction("decisions"), TWICE, PROFILES, faults=KILLS
    ),
    "profiles-outside": _mutant(
        "profiles outside the transaction", _outside_the_transaction("profiles"), LOST, PROFILES, faults=KILLS
    ),
    "dropped": _mutant("a decision dropped now and then", _outgoing(_drop_sometimes), LOST),
    "doubled": _mutant("a decision sent twice now and then", _outgoing(_twice_sometimes), TWICE),
    "keyless": _mutant("key dropped", _outgoing(_without_key), ITSELF),
    "other-partition": _mutant("another partition than the input's", _other_partition, ITSELF),
    "backwards": _mutant("a batch written backwards", _outgoing(_backwards), ORDER),
    "no-dead-letters": _mutant("dead letters not written", _outgoing(_no_dead_letters), LOST),
    "profiles-skipped": _mutant("a changelog batch left out now and then", _outgoing(_no_profiles), PROFILES),
    "repeats-unknown": _mutant("repeats not recognised", _repeats_unknown, TWICE),
    "no-restore": _mutant("profiles not restored", _restore_nothing, PROFILES, faults=(KILL,)),
    "from-the-beginning": _mutant("re-score on redelivery", _from_the_beginning, TWICE, faults=(KILL,)),
    "one-too-far": _mutant("offset one too far", _one_too_far, LOST, faults=KILLS),
    "never-resolved": _mutant("incidents never resolved", _never_resolved, ALERTS),
    "opened-anew": _mutant(
        "open incidents forgotten at a start", _opened_anew, ALERTS, faults=(FaultKind.KILL_SCORER, KILL)
    ),
}


def main() -> None:
    """Break it, and run the command that the rest of the arguments say."""
    name, *arguments = sys.argv[1:]
    MUTANTS[name].apply()
    sys.argv[1:] = arguments
    from streams.operating.cli import main as command

    command()


if __name__ == "__main__":
    main()

"""Takes the outbox to the topics: each row once, through whatever ends this process or another one of its kind.

A batch of rows goes out in one Kafka transaction with a note of which rows they are, and is then deleted. Whoever
starts fences its predecessor and reads the last note: if the store does not know of that batch, the predecessor died
between the two, and its rows are deleted now. No more than one batch can be in doubt: the next goes out only then.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from streams.reviewing.publications import Telling
from streams.reviewing.store import Delivery, Store

MOST_ROWS = 500  # in a batch


class StoreTooOld(Exception):
    """The topics have batches of this store that it does not know to have sent: it is a copy of before."""


class Carriage(Protocol):
    """Where records go, all of a batch or none."""

    async def start(self) -> Delivery | None:
        """Let nobody else send any more; the note of what went last."""
        ...

    async def carry(self, told: Sequence[Telling], note: Delivery) -> None:
        """Send them with the note. An error leaves it open whether they went: start again."""
        ...


class Courier:
    """One at work on a store; a second one fences the first."""

    def __init__(self, store: Store, carriage: Carriage) -> None:
        self._store = store
        self._carriage = carriage

    async def start(self) -> None:
        """Find out what the topics have. Raises StoreTooOld."""
        note = await self._carriage.start()
        known = await asyncio.to_thread(self._store.delivered)
        if note is None or note.store != known.store:
            return  # another store's, that is no more: its numbers say nothing of this one's rows
        if note.batch > known.batch + 1:
            raise StoreTooOld(
                f"The store of reviews is older than what was published from it: batch {note.batch} is on the topics, "
                f"and the store knows of {known.batch}. Restore a later copy, or begin with an empty store."
            )
        if note.batch == known.batch + 1:
            await asyncio.to_thread(self._store.sent, note)

    async def deliver(self) -> Sequence[Telling]:
        """Send what there is, up to a batch of it; what was sent."""
        rows = await asyncio.to_thread(self._store.unsent, MOST_ROWS)
        if not rows:
            return ()
        known = await asyncio.to_thread(self._store.delivered)
        note = Delivery(store=known.store, batch=known.batch + 1, numbers=tuple(each.number for each in rows))
        told = [telling for each in rows for telling in each.tellings]
        await self._carriage.carry(told, note)
        await asyncio.to_thread(self._store.sent, note)
        return told

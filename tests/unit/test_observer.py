"""Whoever observes topics ends when told to, whatever the client makes of it."""

import asyncio
from typing import Any

from streams.overseeing.observer import _follow


class Swallows:
    """A consumer in whose poll a cancellation is lost, as in `asyncio.wait_for` before Python 3.12."""

    async def getmany(self, **_: Any) -> dict[Any, Any]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return {}
        return {}


async def test_a_cancellation_that_was_lost_in_a_poll_ends_it_all_the_same() -> None:
    async with asyncio.timeout(5):
        following = asyncio.create_task(_follow(Swallows(), {}))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        following.cancel()
        await asyncio.wait([following])
    assert following.done()

"""The longest pause of the loop: what holds it is seen, wherever in the block; what waits is not."""

import asyncio

import pytest
from support.stopped_clock import StoppedClock

from streams.deciding.loop_pauses import TICK_SECONDS, LoopPauses

HELD_SECONDS = 0.3
A_FEW_TICKS = 4 * TICK_SECONDS


@pytest.mark.parametrize("afterwards", [0.0, A_FEW_TICKS], ids=["at the end", "in the midst"])
async def test_who_holds_the_loop_is_seen(afterwards: float) -> None:
    clock = StoppedClock(0.0)
    async with LoopPauses(clock) as pauses:
        await asyncio.sleep(A_FEW_TICKS)
        clock.now += HELD_SECONDS
        if afterwards:
            await asyncio.sleep(afterwards)

    assert pauses.longest == pytest.approx(HELD_SECONDS - TICK_SECONDS)


async def test_a_shorter_pause_after_it_does_not_hide_a_longer_one() -> None:
    clock = StoppedClock(0.0)
    async with LoopPauses(clock) as pauses:
        for held in (HELD_SECONDS, HELD_SECONDS / 2):
            await asyncio.sleep(A_FEW_TICKS)
            clock.now += held

    assert pauses.longest == pytest.approx(HELD_SECONDS - TICK_SECONDS)


async def test_who_waits_holds_nobody_up() -> None:
    async with LoopPauses(StoppedClock(0.0)) as pauses:
        await asyncio.sleep(A_FEW_TICKS)

    assert pauses.longest == 0.0

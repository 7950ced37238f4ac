"""The deciding agent: each batch is decided once, however often it is offered, and its error is the lane's."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import ConsumerRecord
from support.deciding import a_lane
from support.records import consumed

from streams.deciding.agent import AgentSilent, DecidingAgent
from streams.deciding.batch import Decided
from streams.deciding.lane_state import LaneState
from streams.deciding_app import DecidingApp

RECORDS = [consumed(b"{}")]


class Decider:
    """Takes its time, and counts."""

    def __init__(self) -> None:
        self.decided: list[LaneState] = []
        self.under_way = self.most_under_way = 0
        self.error: Exception | None = None

    async def decide(self, lane: LaneState, records: Sequence[ConsumerRecord]) -> Decided:
        self.decided.append(lane)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.003)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return Decided(duplicates=len(records))


@pytest.fixture
async def app() -> AsyncIterator[DecidingApp]:
    """Faust itself, started by the test."""
    app = DecidingApp("deciding", web_enabled=False, datadir=tempfile.gettempdir())
    yield app
    await app.stop()


async def test_a_batch_is_answered_and_decided_once(app: DecidingApp) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    assert (await agent.ask(a_lane(), RECORDS, 5.0)).duplicates == 1
    assert len(decider.decided) == 1


async def test_lanes_do_not_wait_for_each_other(app: DecidingApp) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    await asyncio.gather(*(agent.ask(a_lane(), RECORDS, 5.0) for _ in range(4)))
    assert decider.most_under_way == 4


@pytest.mark.parametrize("error", [ValueError("features"), TimeoutError("of somebody else")])
async def test_what_deciding_raises_is_the_lanes(app: DecidingApp, error: Exception) -> None:
    decider = Decider()
    decider.error = error
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    with pytest.raises(type(error), match=str(error)):
        await agent.ask(a_lane(), RECORDS, 5.0)
    decider.error = None
    assert (await agent.ask(a_lane(), RECORDS, 5.0)).duplicates == 1


async def test_an_agent_that_stands_still_is_noticed_in_time(app: DecidingApp) -> None:
    agent = DecidingAgent(app, Decider().decide)
    with pytest.raises(AgentSilent):
        await agent.ask(a_lane(), RECORDS, 0.01)

"""The deciding agent: each batch is decided once, however often it is offered, and its error is the lane's."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from aiokafka import ConsumerRecord
from support.deciding import a_lane
from support.fake_faust import FakeFaust
from support.records import consumed

from streams.deciding import agent as agent_module
from streams.deciding.agent import CHANNEL_SIZE, AgentSilent, DecidingAgent
from streams.deciding.batch import Decided
from streams.deciding.lane_state import LaneState

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


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "OFFER_AGAIN_SECONDS", 0.002)


@pytest.fixture
async def app() -> AsyncIterator[FakeFaust]:
    fake = FakeFaust()
    yield fake
    await fake.stop()


async def test_a_batch_is_answered_and_decided_once(app: FakeFaust) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    app.start()
    assert (await agent.ask(a_lane(), RECORDS, 5.0)).duplicates == 1
    assert len(decider.decided) == 1


async def test_an_item_that_was_lost_is_offered_again(app: FakeFaust) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    app.in_channel.loses = 3
    app.start()
    await agent.ask(a_lane(), RECORDS, 5.0)
    assert len(decider.decided) == 1


async def test_an_item_offered_several_times_is_decided_once(app: FakeFaust) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    asked = asyncio.create_task(agent.ask(a_lane(), RECORDS, 5.0))
    while app.in_channel.offered < 3:
        await asyncio.sleep(0.001)
    app.start()
    await asked
    await asyncio.sleep(0.005)
    assert app.in_channel.queue.empty()
    assert len(decider.decided) == 1


async def test_items_carry_the_present_generation_or_the_stream_would_drop_them(app: FakeFaust) -> None:
    agent = DecidingAgent(app, Decider().decide)
    app.start()
    await agent.ask(a_lane(), RECORDS, 5.0)
    assert set(app.generations) == {FakeFaust.consumer_generation_id}


async def test_lanes_do_not_wait_for_each_other(app: FakeFaust) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    app.start()
    await asyncio.gather(*(agent.ask(a_lane(), RECORDS, 5.0) for _ in range(4)))
    assert decider.most_under_way == 4
    assert app.concurrency == 1


@pytest.mark.parametrize("error", [ValueError("features"), TimeoutError("of somebody else")])
async def test_what_deciding_raises_is_the_lanes(app: FakeFaust, error: Exception) -> None:
    decider = Decider()
    decider.error = error
    agent = DecidingAgent(app, decider.decide)
    app.start()
    with pytest.raises(type(error), match=str(error)):
        await agent.ask(a_lane(), RECORDS, 5.0)
    decider.error = None
    assert (await agent.ask(a_lane(), RECORDS, 5.0)).duplicates == 1


async def test_an_agent_that_stands_still_is_noticed_in_time(app: FakeFaust) -> None:
    agent = DecidingAgent(app, Decider().decide)
    with pytest.raises(AgentSilent):
        await agent.ask(a_lane(), RECORDS, 0.01)


async def test_an_agent_that_stands_still_is_noticed_though_its_channel_is_full(app: FakeFaust) -> None:
    agent = DecidingAgent(app, Decider().decide)
    for _ in range(CHANNEL_SIZE):
        app.in_channel.queue.put_nowait(None)
    began = time.monotonic()
    with pytest.raises(AgentSilent):
        await agent.ask(a_lane(), RECORDS, 0.02)
    assert time.monotonic() - began < 1.0

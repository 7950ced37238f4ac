"""The deciding agent: each round is decided once, one after the other, and its error is the asker's."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence

import pytest
from support.deciding import a_lane
from support.records import consumed

from streams.deciding.agent import AgentSilent, DecidingAgent
from streams.deciding.batch import Decided
from streams.deciding.lane_state import Taken
from streams.deciding_app import DecidingApp


def a_round() -> list[Taken]:
    return [Taken(a_lane(), [consumed(b"{}")]), Taken(a_lane(), [consumed(b"{}")] * 2)]


class Decider:
    """Takes its time, and counts."""

    def __init__(self) -> None:
        self.decided: list[Sequence[Taken]] = []
        self.under_way = self.most_under_way = 0
        self.error: Exception | None = None

    async def decide(self, taken: Sequence[Taken]) -> list[Decided]:
        self.decided.append(taken)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.003)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return [Decided(duplicates=len(each.records)) for each in taken]


@pytest.fixture
async def app() -> AsyncIterator[DecidingApp]:
    """Faust itself, started by the test."""
    app = DecidingApp("deciding", web_enabled=False, datadir=tempfile.gettempdir())
    yield app
    await app.stop()


async def test_a_round_is_answered_and_decided_once(app: DecidingApp) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    assert [each.duplicates for each in await agent.ask(a_round(), 5.0)] == [1, 2]
    assert len(decider.decided) == 1


async def test_one_round_is_decided_at_a_time(app: DecidingApp) -> None:
    decider = Decider()
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    await asyncio.gather(*(agent.ask(a_round(), 5.0) for _ in range(4)))
    assert (len(decider.decided), decider.most_under_way) == (4, 1)


@pytest.mark.parametrize("error", [ValueError("features"), TimeoutError("of somebody else")])
async def test_what_deciding_raises_is_the_askers(app: DecidingApp, error: Exception) -> None:
    decider = Decider()
    decider.error = error
    agent = DecidingAgent(app, decider.decide)
    await app.start()
    with pytest.raises(type(error), match=str(error)):
        await agent.ask(a_round(), 5.0)
    decider.error = None
    assert [each.duplicates for each in await agent.ask(a_round(), 5.0)] == [1, 2]


async def test_an_agent_that_stands_still_is_noticed_in_time(app: DecidingApp) -> None:
    agent = DecidingAgent(app, Decider().decide)
    with pytest.raises(AgentSilent):
        await agent.ask(a_round(), 0.01)

"""Our own lanes and agent, exactly once, with the common work where features, rules and scorer stand."""

import mode.loop

mode.loop.use("uvloop")  # before Faust is imported

import asyncio  # noqa: E402
import os  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from importlib.resources import files  # noqa: E402
from math import inf  # noqa: E402

import faust  # noqa: E402
from aiokafka import ConsumerRecord  # noqa: E402

from bench.peers.place import Place  # noqa: E402
from bench.peers.work import State, decide, pack, unpack  # noqa: E402
from rules.decision import Outcome  # noqa: E402
from rules.ruleset import parse_ruleset  # noqa: E402
from streams.broker.connections import adapt_connections  # noqa: E402
from streams.deciding import lane  # noqa: E402
from streams.deciding.agent import DecidingAgent  # noqa: E402
from streams.deciding.batch import Decided, Outgoing  # noqa: E402
from streams.deciding.decider import TURN  # noqa: E402
from streams.deciding.knowledge import Knowledge  # noqa: E402
from streams.deciding.lane_state import Taken  # noqa: E402
from streams.deciding.lanes import Lanes  # noqa: E402
from streams.deciding.profiles import ProfileStore  # noqa: E402
from streams.deciding_app import DecidingApp, Process  # noqa: E402
from streams.settings import load_settings  # noqa: E402

OUTCOMES = (Outcome.APPROVE, Outcome.REVIEW, Outcome.BLOCK)  # as `work.DECISIONS`


class Candidate(faust.Service):  # type: ignore[misc]
    """A worker that does the common work and nothing else."""

    def __init__(self, app: faust.App) -> None:
        super().__init__()
        self._states: dict[bytes, State] = {}  # by account: each is in one partition only
        knowledge = Knowledge(
            parse_ruleset(files("rules").joinpath("default.toml").read_text("utf-8")),
            on_snapshot=_ignore,
            on_fault=_ignore,
            on_ruleset=_ignore,
            on_order=_ignore,
        )
        self._lanes = Lanes(
            load_settings(None, os.environ),
            instance="worker-1",
            agent=DecidingAgent(app, self._decide),
            knowledge=knowledge,
            told=_ignore,
            on_assigned=_ignore,
            on_left_open=_ignore,
        )

    async def on_start(self) -> None:
        """Join the group."""
        await self._lanes.start()

    async def on_stop(self) -> None:
        """Leave it."""
        await self._lanes.stop()

    async def _decide(self, taken: Sequence[Taken]) -> list[Decided]:
        return [await self._batch(each.records, each.lane.profiles) for each in taken]

    async def _batch(self, records: Sequence[ConsumerRecord], restored: ProfileStore) -> Decided:
        decided, states, packed = Decided(), self._states, restored._packed  # noqa: SLF001 - they are no profiles
        changed: dict[bytes, State] = {}
        decisions = [decided.decisions[each] for each in OUTCOMES]
        for place, record in enumerate(records, start=1):
            if place % TURN == 0:
                await asyncio.sleep(0)  # as the product's decider does
            key = record.key
            before = states.get(key)
            if before is None and key in packed:
                before = unpack(packed[key])
            which, decision, state = decide(before, record.value, record.partition, record.offset)
            states[key] = changed[key] = state
            decisions[which].append(Outgoing(key, decision))
        decided.profiles = [Outgoing(key, pack(state)) for key, state in changed.items()]
        return decided


def _ignore(*_: object) -> None: ...


def main() -> None:
    """Decide until SIGTERM."""
    place = Place.told()
    adapt_connections()
    lane.EVICT_EVERY_SECONDS = inf  # states are no profiles: nobody can say which are idle
    app = DecidingApp(
        place.group, broker=f"kafka://{place.bootstrap}", web_enabled=False, Worker=Process, datadir=place.state
    )
    app.first_to_stop = app.service(Candidate(app))
    app.Worker(quiet=True, loop=app.loop).execute_from_commandline()


if __name__ == "__main__":
    main()

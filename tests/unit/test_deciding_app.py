"""What a worker has in hand is finished before Faust stops the agent that decides it."""

import faust
import pytest

from streams.settings import Settings
from streams.worker import Worker, build_app


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was stopped, in order."""
    order: list[str] = []

    async def worker_stops(_: Worker) -> None:
        order.append("worker")

    async def faust_stops(_: faust.App) -> None:
        order.append("faust")

    monkeypatch.setattr(Worker, "on_stop", worker_stops)
    monkeypatch.setattr(faust.App, "on_stop", faust_stops)
    return order


async def test_the_worker_stops_before_the_agents_and_once(ends: list[str]) -> None:
    app = build_app(Settings(), "worker-1")
    await app.stop()
    assert app.first_to_stop is not None
    await app.first_to_stop.stop()
    assert ends == ["worker", "faust"]


async def test_faust_stops_even_if_the_worker_cannot(ends: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Worker) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(Worker, "on_stop", fails)
    with pytest.raises(ConnectionError):
        await build_app(Settings(), "worker-1").on_stop()
    assert ends == ["faust"]

"""The life of a process that follows topics: until it is told to stop, or meets what it cannot go on from."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from streams.broker.connections import adapt_connections
from streams.crash import give_up
from streams.interruption import cancelled_by_signals
from streams.logs import configure_logs

log = structlog.get_logger()


def live(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until SIGTERM or Ctrl-C; ends with 70 on any error: the next start knows where to go on."""
    configure_logs(name)
    adapt_connections()
    with contextlib.suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_live(name, work))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The quickest event loop there is here."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _live(name: str, work: Callable[[], Awaitable[None]]) -> None:
    with cancelled_by_signals():
        try:
            await work()
        except asyncio.CancelledError:
            log.info("process_stopped", process=name)
            raise
        except Exception as error:  # noqa: BLE001 - crash-only
            give_up(f"{name}_failed", error)

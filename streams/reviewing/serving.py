"""Serves the pages, within the process and its loop, from its start to its end."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from streams.overseeing.cluster import KafkaCluster
from streams.overseeing.live import Live
from streams.reviewing.accounts import Accounts
from streams.reviewing.audit_log import AuditLog
from streams.reviewing.desk import Desk
from streams.reviewing.store import Store
from streams.reviewing.web.app import build
from streams.reviewing.web.console import Console
from streams.settings import Settings

STOP_SECONDS = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the process, and the process its server."""
        yield


class Serving:
    """The console's address, and its pages there."""

    def __init__(self, settings: Settings, store: Store, desk: Desk, accounts: Accounts, live: Live) -> None:
        console = Console(
            store=store,
            desk=desk,
            policy=settings.review,
            accounts=accounts,
            audit_log=AuditLog(store.engine),
            live=live,
            cluster=KafkaCluster(settings),
            settings=settings,
        )
        self._socket = socket.create_server((settings.console.host, settings.console.port))
        self._server = _Server(
            uvicorn.Config(
                build(console),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._server.serve(sockets=[self._socket])
        except asyncio.CancelledError:
            self._server.should_exit = True
            self._socket.close()
            raise

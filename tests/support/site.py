"""A console with people and cases, for tests that stand before it as a browser."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import argon2
import uvicorn
from starlette.testclient import TestClient
from support.in_memory_cluster import InMemoryCluster
from support.reviews import REVIEWED_AT, an_opening

from rules.access import Role
from rules.policy import CostPolicy
from rules.review_policy import ReviewPolicy, ReviewQueue
from streams.overseeing.live import Live
from streams.reviewing.accounts import Accounts
from streams.reviewing.audit_log import AuditLog
from streams.reviewing.desk import Desk
from streams.reviewing.store import Store
from streams.reviewing.web.app import build
from streams.reviewing.web.console import Console
from streams.settings import Settings

POLICY = ReviewPolicy(queues=(ReviewQueue(name="large", from_minor=50_000), ReviewQueue()))
PASSWORD = "correct horse battery"
OWN = {"Sec-Fetch-Site": "same-origin"}
PEOPLE = {
    "ann": Role.ANALYST,
    "bob": Role.ANALYST,
    "lea": Role.LEAD,
    "ray": Role.RISK_OFFICER,
    "rita": Role.RISK_OFFICER,
    "root": Role.ADMIN,
}


class Site:
    """A console with people and cases, and browsers before it."""

    def __init__(self, store: Store, settings: Settings | None = None) -> None:
        self.store = store
        self.desk = Desk(store, POLICY, CostPolicy())
        self.now = REVIEWED_AT
        self.audit_log = AuditLog(store.engine)
        self.live = Live()
        self.cluster = InMemoryCluster()
        self.accounts = Accounts(store.engine, argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        for name, role in PEOPLE.items():
            self.accounts.put(name, role, PASSWORD)
        console = Console(
            store=store,
            desk=self.desk,
            policy=POLICY,
            accounts=self.accounts,
            audit_log=self.audit_log,
            live=self.live,
            cluster=self.cluster,
            settings=settings or Settings(),
            clock=lambda: self.now,
        )
        self.app = build(console)

    def browser(self, user: str | None = None) -> TestClient:
        there = TestClient(self.app, base_url="http://127.0.0.1", headers=OWN, follow_redirects=False)
        if user is not None:
            assert there.post("/login", data={"name": user, "password": PASSWORD}).status_code == 303
        return there

    def open(self, count: int = 1, **changes: Any) -> list[str]:
        """Cases, in the order in which they are taken."""
        amount = changes.pop("amount_minor", 10_000)
        openings = [an_opening(number, POLICY, amount_minor=amount - 10 * number, **changes) for number in range(count)]
        self.store.open(openings, {})
        return [each.case.case_id for each in openings]


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Its address."""
    server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="off", ws="none"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()

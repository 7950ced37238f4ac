"""Reviews: how long the pages take with many open cases, and how many verdicts a second the store takes.

    python -m bench.reviews --cases 100000
    python -m bench.reviews --cases 100000 --store postgresql://holdfast@/reviews?host=/run/postgresql

The cases are made here, in an empty store. Pages are asked for as the console answers them, session and log included,
without a network; verdicts are given by several reviewers at once, each of whom takes the next case and decides it.
Exits 1 where a bound is broken.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from starlette.testclient import TestClient

from models.score import Contribution
from rules.access import Role
from rules.decision import Decision, DecisionSource, InputPosition, Outcome, ReasonCode
from rules.policy import CostPolicy
from rules.review_case import Reviewer, VerdictReason, WordRefused
from rules.review_policy import ReviewPolicy
from streams.operating.machine import cores_and_processor
from streams.overseeing.cluster import KafkaCluster
from streams.overseeing.live import Live
from streams.reviewing.accounts import Accounts
from streams.reviewing.audit_log import AuditLog
from streams.reviewing.database import connect
from streams.reviewing.desk import Desk
from streams.reviewing.store import Opening, Store
from streams.reviewing.web.app import build
from streams.reviewing.web.console import Console
from streams.settings import Settings
from streams.wire.codec import write_decision

PASSWORD = "measured, not kept"  # noqa: S105 - of a store that is thrown away
OPENED_AT_ONCE = 500
QUEUE = "reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds of pages, verdicts a second."""

    database: str
    cases: int
    opened_a_second: float
    queues_p95_ms: float
    queue_p95_ms: float
    case_p95_ms: float
    next_p95_ms: float
    verdicts_a_second: float
    taken_and_decided_a_second: float  # each reviewer takes the next case and decides it
    reviewers: int
    machine: str


def main(
    cases: Annotated[int, typer.Option(min=1000, help="Open cases.")] = 100_000,
    store: Annotated[str, typer.Option(help="An empty store; SQLite in a temporary file where none is given.")] = "",
    times: Annotated[int, typer.Option(min=20, help="How often each page is asked for.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="How long verdicts are given.")] = 10.0,
    reviewers: Annotated[int, typer.Option(min=1, max=64, help="At once.")] = 8,
    within_ms: Annotated[float, typer.Option(help="Most milliseconds of a page, 95 of 100.")] = 150.0,
    verdicts: Annotated[float, typer.Option(help="Least verdicts a second.")] = 50.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure pages and verdicts over CASES open cases; exit 1 where a bound is broken."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        found = _measure(store or f"sqlite:///{scratch}/reviews.db", cases, times, seconds, reviewers)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        for name, value in asdict(found).items():
            typer.echo(f"{name:>18}  {value:,.1f}" if isinstance(value, float) else f"{name:>18}  {value}")
    pages = (found.queues_p95_ms, found.queue_p95_ms, found.case_p95_ms, found.next_p95_ms)
    if max(pages) > within_ms or found.verdicts_a_second < verdicts:
        sys.exit(1)


def _measure(url: str, cases: int, times: int, seconds: float, reviewers: int) -> Measured:
    policy, now = ReviewPolicy(), datetime.now(UTC)
    store = Store(connect(url), policy, "bench")
    desk = Desk(store, policy, CostPolicy())
    began = time.monotonic()
    for first in range(0, cases, OPENED_AT_ONCE):
        store.open([_opening(number, policy, now) for number in range(first, min(cases, first + OPENED_AT_ONCE))], {})
    opened = cases / (time.monotonic() - began)
    browser = _browser(store, desk, policy)
    taken: list[str] = []

    def take_next() -> None:
        taken.append(browser.post(f"/queues/{QUEUE}/next").headers["location"])

    measured = Measured(
        database=store.engine.dialect.name,
        cases=cases,
        opened_a_second=opened,
        queues_p95_ms=_p95(times, lambda: browser.get("/").raise_for_status()),
        queue_p95_ms=_p95(times, lambda: browser.get(f"/queues/{QUEUE}").raise_for_status()),
        next_p95_ms=_p95(times, take_next),
        case_p95_ms=_p95(times, lambda: browser.get(taken[0]).raise_for_status()),
        verdicts_a_second=_a_second(reviewers, seconds, _decide_theirs(desk, cases, reviewers)),
        taken_and_decided_a_second=_a_second(reviewers, seconds, _take_and_decide(desk)),
        reviewers=reviewers,
        machine=cores_and_processor(),
    )
    store.close()
    return measured


def _p95(times: int, ask: Callable[[], object]) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.quantiles(took, n=20)[-1]


def _a_second(reviewers: int, seconds: float, do: Callable[[int], bool]) -> float:
    """How often so many do it in so long, all at once; who cannot any more stops."""
    done = [0] * reviewers
    end_at = time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < end_at and do(number):
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(reviewers)]
    began = time.monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(done) / (time.monotonic() - began)


def _decide_theirs(desk: Desk, cases: int, reviewers: int) -> Callable[[int], bool]:
    """Decide cases of one's own, as those in bulk and those in hand are."""
    theirs = [iter(range(number, cases, reviewers)) for number in range(reviewers)]

    def decide(number: int) -> bool:
        reviewer = Reviewer(name=f"r{number}")
        for case in theirs[number]:
            with suppress(WordRefused):  # the browser has it in hand
                desk.decide(_name(case), reviewer, Outcome.BLOCK, VerdictReason.KNOWN_PATTERN, datetime.now(UTC))
                return True
        return False

    return decide


def _take_and_decide(desk: Desk) -> Callable[[int], bool]:
    def decide(number: int) -> bool:
        reviewer, now = Reviewer(name=f"r{number}"), datetime.now(UTC)
        case = desk.take_next(QUEUE, reviewer, now)
        if case is None:
            return False
        desk.decide(case.case_id, reviewer, Outcome.BLOCK, VerdictReason.KNOWN_PATTERN, now)
        return True

    return decide


def _name(number: int) -> str:
    return f"d.{number % 8}.{number // 8}"


def _browser(store: Store, desk: Desk, policy: ReviewPolicy) -> TestClient:
    accounts = Accounts(store.engine)
    accounts.put("ann", Role.LEAD, PASSWORD)
    settings = Settings(review=policy)
    console = Console(
        store=store,
        desk=desk,
        policy=policy,
        accounts=accounts,
        audit_log=AuditLog(store.engine),
        live=Live(),
        cluster=KafkaCluster(settings),  # asked for nothing by these pages
        settings=settings,
    )
    own = {"Sec-Fetch-Site": "same-origin"}
    browser = TestClient(build(console), base_url="http://127.0.0.1", headers=own, follow_redirects=False)
    browser.post("/login", data={"name": "ann", "password": PASSWORD})
    return browser


def _opening(number: int, policy: ReviewPolicy, now: datetime) -> Opening:
    decision = _decision(number, now)
    return Opening(
        case=policy.open(decision, CostPolicy(), now),
        decision=decision,
        raw=write_decision(decision),
        place=InputPosition(topic="decisions.review", partition=number % 8, offset=number // 8),
    )


def _decision(number: int, now: datetime) -> Decision:
    """As large as those of the model are."""
    return Decision(
        decision_id=_name(number),
        transaction_id=f"tx-{number}",
        pan_token=f"tok-{number % 5000}",
        outcome=Outcome.REVIEW,
        risk_score=0.01 + (number * 7919 % 1000) / 2000,
        confidence=0.6,
        decision_source=DecisionSource.MODEL,
        fallback_reason=None,
        reason_codes=(ReasonCode.LOW_CONFIDENCE, ReasonCode.AMOUNT_ABOVE_NORM),
        contributions=tuple(Contribution(feature=f"feature_{each}", log_odds=1.0 - each / 4) for each in range(5)),
        rule_hits=(),
        rule_outcome=Outcome.APPROVE,
        expected_cost_minor=300,
        model_version="m-1",
        ruleset_version="r-1",
        settings_version="s-1",
        event_time=now,
        received_at=now,
        decided_at=now,
        age_ms=12,
        deadline_missed=False,
        amount_minor=500 + number * 104729 % 400_000,
        currency="EUR",
        merchant_id=f"m-{number % 300}",
        terminal_id=None,
        features=(0.5,) * 59,
        input=InputPosition(topic="transactions", partition=number % 8, offset=number // 8),
        schema_version=1,
    )


if __name__ == "__main__":
    typer.run(main)

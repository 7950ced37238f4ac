"""The console process: cases of what people are to look at, their end in time, and what comes of them, published."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import structlog

from rules.access import Right
from rules.reviewer_quality import COMPARED, agreement, drifts
from streams.alerting.heart import Heart
from streams.crash import refuse
from streams.lifetime import live
from streams.metrics.console import ConsoleMetrics
from streams.metrics.endpoint import expose
from streams.overseeing.following import follow
from streams.overseeing.live import Live
from streams.ready_signal import tell_ready
from streams.reviewing.accounts import Accounts
from streams.reviewing.carriage import KafkaCarriage
from streams.reviewing.courier import Courier, StoreTooOld
from streams.reviewing.database import connect
from streams.reviewing.desk import Desk
from streams.reviewing.intake import Intake
from streams.reviewing.serving import Serving
from streams.reviewing.store import Store
from streams.settings import Settings

log = structlog.get_logger()

PRICE_SECONDS = 15.0  # between two looks at what a review is to cost
COMPARE_SECONDS = 600.0  # between two looks at how well reviewers agree
RECENT = timedelta(days=14)  # weeks that began within it
IDLE_SECONDS = 0.1  # until the outbox is looked at again


class ConsoleProcess:
    """Opens cases, closes those whose time is over, and takes the outbox to the topics."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._metrics = ConsoleMetrics()
        self._carriage = KafkaCarriage(settings)
        self._courier = Courier(store, self._carriage)
        self._desk = Desk(store, settings.review, settings.policy)
        self._intake = Intake(settings, store, self._desk, self._metrics)
        self._accounts = Accounts(store.engine)
        self._heart = Heart(settings, "console")
        self._live = Live()

    async def run(self) -> None:
        """Work until cancelled."""
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.console_port)
        async with contextlib.AsyncExitStack() as opened:
            opened.callback(self._store.close)
            try:
                await self._courier.start()
            except StoreTooOld as error:
                refuse(str(error))
            opened.push_async_callback(self._carriage.stop)
            await self._intake.start()
            opened.push_async_callback(self._intake.stop)
            opened.push_async_callback(self._heart.stop)
            await self._heart.start()
            serving = self._serving()
            log.info("console_ready", metrics_port=port, port=serving and serving.port)
            tell_ready("console")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="intake")
                group.create_task(self._keep_time(), name="time")
                group.create_task(self._deliver(), name="courier")
                group.create_task(self._compare(), name="reviewers")
                group.create_task(self._price(), name="price")
                if serving is not None:
                    group.create_task(follow(self._settings, self._live), name="live")
                    group.create_task(serving.run(), name="pages")

    def _serving(self) -> Serving | None:
        console = self._settings.console
        if console.port < 0:
            return None
        try:
            return Serving(self._settings, self._store, self._desk, self._accounts, self._live)
        except OSError as error:
            refuse(
                f"The pages cannot be on {console.host}:{console.port}: {error.strerror}. See [console] in settings."
            )

    async def _follow(self) -> None:
        while True:
            await self._intake.round()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(self._settings.console.sweep_seconds)
            await asyncio.to_thread(self._desk.close_due, datetime.now(UTC))
            await asyncio.to_thread(self._desk.displace, datetime.now(UTC))
            await asyncio.to_thread(self._deal)
            now = datetime.now(UTC)
            self._metrics.queues(await asyncio.to_thread(self._store.queues, now), now)
            waiting = await asyncio.to_thread(self._store.unsent, 1)
            self._metrics.outbox(waiting[0].number if waiting else None, now)
            complaints, heard = self._store.complaints, timedelta(days=self._settings.review.complaint_days)
            await asyncio.to_thread(complaints.forget, now - heard)
            self._metrics.complaints(*await asyncio.to_thread(complaints.waiting), now)

    async def _compare(self) -> None:
        while True:
            looks, now = self._store.second_looks, datetime.now(UTC)
            known = await asyncio.to_thread(looks.verdicts, now - COMPARED)
            kappa, recent = await asyncio.to_thread(agreement, known), (now - RECENT).date()
            weeks = await asyncio.to_thread(drifts, known)
            drifting = {each.reviewer for each in weeks if each.is_drifting and each.week > recent}
            self._metrics.reviewers(await asyncio.to_thread(looks.counts), kappa, len(drifting))
            await asyncio.sleep(COMPARE_SECONDS)

    async def _price(self) -> None:
        settings, prices = self._settings, self._store.prices
        due = {each.name: each.due_minutes for each in settings.review.queues}
        while True:
            now, base = datetime.now(UTC), settings.policy.review_minor
            load, move = await asyncio.to_thread(prices.look, settings.capacity, base, due, now)
            price = await asyncio.to_thread(prices.price)
            self._metrics.price(base if price is None else price.minor, load.expected_wait)
            if move is not None:
                log.info("review_price", before=move.before_minor, after=move.after_minor, why=move.reason)
            await asyncio.sleep(PRICE_SECONDS)

    def _deal(self) -> None:
        now = datetime.now(UTC)
        on_duty = [each.reviewer for each in self._accounts.on_duty(now) if each.may(Right.REVIEW)]
        self._desk.deal(on_duty, now)

    async def _deliver(self) -> None:
        while True:
            told = await self._courier.deliver()
            self._metrics.told(told)
            if not told:
                await asyncio.sleep(IDLE_SECONDS)


def run(settings: Settings) -> None:
    """Run the console until it is told to stop; exit 70 on anything it cannot know the state of."""

    async def work() -> None:
        store = Store(await asyncio.to_thread(connect, settings.console.store_url), settings.review, settings.version)
        await ConsoleProcess(settings, store).run()

    live("console", work)

"""The watcher process: it listens for heartbeats, payments and its own canaries, and says what is silent."""

import asyncio
import contextlib
import time

import structlog
from aiokafka import TopicPartition

from rules.canaries import Canaries
from rules.inflow import Inflow
from rules.silence import Silence
from streams.alerting.announcer import Announcer
from streams.alerting.heart import Heart
from streams.alerting.outbox import Outbox
from streams.broker.follower import Follower
from streams.broker.topics import Topic, name_of
from streams.lifetime import live
from streams.metrics.endpoint import expose
from streams.metrics.watcher import WatcherMetrics
from streams.ready_signal import tell_ready
from streams.settings import Settings
from streams.watching.flights import Flights
from streams.watching.input_ends import InputEnds

log = structlog.get_logger()

WATCHER, KAFKA, PARTITIONS, INPUT = "watcher", "kafka", "partitions", "input"
_SILENT, _DEAF, _UNDECIDED, _NO_INPUT = "PROCESS_SILENT", "KAFKA_SILENT", "PARTITION_SILENT", "INPUT_SILENT"


class WatcherProcess:
    """Knows whoever has a heartbeat on the topic when it begins, and whoever comes; and each partition of the input."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = WatcherMetrics()
        self._outbox = Outbox(settings, WATCHER)
        self._announcer = Announcer(settings, self._outbox)
        self._heart = Heart(settings, WATCHER)
        self._topic = name_of(Topic.HEARTBEATS, settings.topics)
        self._follower = Follower(settings=settings.broker, takes={self._topic: self._take})
        self._flights = Flights(settings) if settings.watch.canaries else None
        self._input_ends = InputEnds(settings, not_payments=self._canaries_sent)
        self._silence = Silence(own=WATCHER, silent_after=settings.watch.silent_after_seconds, now=time.monotonic())

    async def run(self) -> None:
        """Watch until cancelled."""
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.watcher_port)
        async with contextlib.AsyncExitStack() as opened:
            await self._outbox.start()
            opened.push_async_callback(self._outbox.stop)
            await self._announcer.start(each_tick=self._look)
            opened.push_async_callback(self._announcer.stop)
            await self._follower.start([TopicPartition(self._topic, 0)])
            opened.push_async_callback(self._follower.stop)
            await self._heart.start()
            opened.push_async_callback(self._heart.stop)
            if self._flights is not None:
                opened.push_async_callback(self._flights.stop)
                await self._flights.start()
            opened.push_async_callback(self._input_ends.stop)
            await self._input_ends.start()
            log.info("watcher_ready", metrics_port=port)
            tell_ready(WATCHER)
            await asyncio.get_running_loop().create_future()  # until cancelled

    def _take(self, key: bytes, value: bytes | None) -> None:
        instance = key.decode(errors="replace")
        if value is None:
            self._silence.gone(instance)
            self._announcer.healthy(instance)  # it has ended, and nobody need look for it
            self._metrics.forgotten(instance)
        else:
            self._silence.heard(instance, time.monotonic())

    def _look(self) -> None:
        now = time.monotonic()
        is_deaf = self._silence.deaf(now)
        self._announcer.look(KAFKA, _DEAF, fails=is_deaf)
        if is_deaf:
            self._input_ends.inflow.forget(now)
            if self._flights is not None:
                self._flights.canaries.forget()
            return
        self._look_at(self._input_ends.inflow, now)
        if self._flights is not None:
            self._look_for(self._flights.canaries, now)
        for instance, silent in self._silence.silent(now).items():
            self._metrics.seen(instance, silent=silent)
            self._announcer.look(instance, _SILENT, fails=silent)

    def _canaries_sent(self) -> int:
        return 0 if self._flights is None else self._flights.sent

    def _look_at(self, inflow: Inflow, now: float) -> None:
        self._metrics.input(inflow.silence(now))
        self._announcer.look(INPUT, _NO_INPUT, fails=inflow.is_silent(now))

    def _look_for(self, canaries: Canaries, now: float) -> None:
        late = canaries.late(now)
        self._metrics.canaries(canaries.took(), late=late)
        self._announcer.look(PARTITIONS, _UNDECIDED, fails=bool(late), partition=late[0] if late else None)


def run(settings: Settings) -> None:
    """Run the watcher until it is told to stop; exit 70 on anything it cannot go on from."""
    live(WATCHER, lambda: WatcherProcess(settings).run())

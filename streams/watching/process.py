"""The watcher process: it hears the heartbeats of all others, and says who has gone silent."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

import structlog
from aiokafka import TopicPartition

from rules.moment import Moment
from rules.silence import Silence
from streams.alerting.announcer import Announcer
from streams.alerting.heart import Heart
from streams.broker.topics import Topic, name_of
from streams.deciding.broadcast import Follower
from streams.lifetime import live
from streams.metrics import WatcherMetrics, expose
from streams.ready_signal import tell_ready
from streams.settings import Settings

log = structlog.get_logger()

WATCHER, KAFKA = "watcher", "kafka"
_SILENT, _DEAF = "PROCESS_SILENT", "KAFKA_SILENT"


def _now() -> Moment:
    return Moment(datetime.now(UTC), time.monotonic())


class WatcherProcess:
    """Knows whoever has a heartbeat on the topic when it begins, and whoever comes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = WatcherMetrics()
        self._announcer = Announcer(settings, source=WATCHER, clock=_now)
        self._heart = Heart(settings, WATCHER)
        self._topic = name_of(Topic.HEARTBEATS, settings.topics)
        self._follower = Follower(settings=settings.broker, takes={self._topic: self._take})
        self._silence = Silence(own=WATCHER, silent_after=settings.watch.silent_after_seconds, now=time.monotonic())

    async def run(self) -> None:
        """Watch until cancelled."""
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.watcher_port)
        async with contextlib.AsyncExitStack() as opened:
            await self._announcer.start(each_tick=self._look)
            opened.push_async_callback(self._announcer.stop)
            await self._follower.start([TopicPartition(self._topic, 0)])
            opened.push_async_callback(self._follower.stop)
            await self._heart.start()
            opened.push_async_callback(self._heart.stop)
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
        if self._silence.deaf(now):
            self._announcer.failed(KAFKA, _DEAF, count=0)
            return
        self._announcer.healthy(KAFKA)
        for instance, silent in self._silence.silent(now).items():
            self._metrics.seen(instance, silent=silent)
            if silent:
                self._announcer.failed(instance, _SILENT, count=0)
            else:
                self._announcer.healthy(instance)


def run(settings: Settings) -> None:
    """Run the watcher until it is told to stop; exit 70 on anything it cannot go on from."""
    live(WATCHER, lambda: WatcherProcess(settings).run())

"""The worker: everything that decides, wired together. `faust -A streams.worker worker` or `holdfast worker`."""

import asyncio
import gc
import os
import random
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition

from rules.breaker import Breaker
from rules.mode import ModeChange
from rules.ruleset import parse_ruleset
from streams.alerting.announcer import Announcer
from streams.alerting.heart import Heart
from streams.alerting.outbox import Outbox
from streams.broker.connections import adapt_connections
from streams.broker.follower import Follower
from streams.broker.topic_admin import TopicsWrong, require_topics
from streams.broker.topics import Topic, name_of
from streams.crash import give_up, refuse
from streams.deciding.agent import DecidingAgent
from streams.deciding.decider import Decider
from streams.deciding.health import Health
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane_state import LaneState
from streams.deciding.lanes import Lanes
from streams.deciding.nursery import Nursery
from streams.deciding.scorer_link import ScorerLink
from streams.deciding.scoring import Scoring
from streams.deciding.watch import LaneWatch
from streams.deciding_app import DecidingApp, Process
from streams.logs import configure_logs
from streams.metrics.endpoint import expose
from streams.metrics.worker import WorkerMetrics
from streams.ready_signal import tell_ready
from streams.settings import Settings, load_settings
from streams.wire.heartbeat import Heartbeat
from streams.wire.mode_event import mode_event, write_mode_event
from streams.wire.scorer_fault import ScorerFault
from streams.wire.snapshot_record import SnapshotRecord, write_for_scorer

log = structlog.get_logger()

# Objects, net of those freed: a batch makes thousands that go with it, and to look through them for cycles each time is
# a twentieth of deciding.
GARBAGE_AFTER = 50_000

BROADCAST = (Topic.MODELS, Topic.MERCHANT_RISK, Topic.RULES, Topic.CONTROL)


class Worker(faust.Service):
    """Starts the parts in order: alerts and scorer, then knowledge, then partitions. Stops them the other way round."""

    def __init__(self, app: faust.App, settings: Settings, instance: str, nursery: Nursery | None) -> None:
        super().__init__()
        self._settings = settings
        self._instance = instance
        self._link = ScorerLink(settings.scorer, nursery)
        self._scoring = Scoring(self._link, Breaker(settings.breaker, random.random), settings.scorer)
        self._metrics = WorkerMetrics()
        self._outbox = Outbox(settings, instance)
        self._announcer = Announcer(settings, self._outbox)
        self._health = Health(
            settings,
            self._scoring,
            self._link,
            lanes=self._states,
            clock=time.time,
            monotonic=time.monotonic,
        )
        self._watch = LaneWatch(
            self._metrics,
            self._announcer,
            self._scoring,
            self._link,
            self._health,
            lanes=self._states,
            on_mode=self._mode_changed,
        )
        self._knowledge = Knowledge(
            parse_ruleset(files("rules").joinpath("default.toml").read_text("utf-8")),
            on_snapshot=self._take_snapshot,
            on_fault=self._take_fault,
            on_ruleset=self._watch.ruleset,
            on_order=lambda order: self._scoring.obey(order, datetime.now(UTC)),
        )
        self._heart = Heart(settings, instance, saying=self._say)
        self._broadcast = Follower(settings=settings.broker, takes=self._takes())
        decider = Decider(
            settings,
            self._knowledge,
            self._scoring,
            withheld=lambda: self._health.withheld,
            clock=time.time,
            monotonic=time.monotonic,
        )
        self._lanes = Lanes(
            settings,
            instance=instance,
            agent=DecidingAgent(app, decider.decide),
            knowledge=self._knowledge,
            told=self._watch.decided,
            on_assigned=self._assigned,
            on_left_open=self._watch.left_open,
        )

    async def on_start(self) -> None:
        """Start everything; a worker that cannot start ends, and its supervisor tries again."""
        try:
            await self._start()
        except TopicsWrong as wrong:
            refuse(wrong.sentence)
        except Exception as error:  # noqa: BLE001 - whatever it is, half a worker must not go on
            give_up("worker_start_failed", error)

    async def on_stop(self) -> None:
        """Finish what is in hand."""
        await self._lanes.stop()
        await self._heart.stop()
        await self._announcer.stop()  # before the scorer is gone: that is no failure now
        await self._broadcast.stop()
        await self._scoring.stop()
        await self._link.stop()
        await self._outbox.stop()
        log.info("worker_stopped")

    async def _start(self) -> None:
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.worker_port)
        log.info("worker_starting", instance=self._instance, metrics_port=port)
        # Side by side, for a quick start. What follows may report failures, and needs to know which are open already.
        await asyncio.gather(
            require_topics(self._settings),
            self._outbox.start(),
            self._announcer.start(each_tick=self._watch.tick),
            self._link.start(),
        )
        await self._broadcast.start(TopicPartition(name_of(topic, self._settings.topics), 0) for topic in BROADCAST)
        self._scoring.start()
        await asyncio.gather(self._heart.start(), self._lanes.start())
        gc.freeze()  # what there is now stays
        gc.set_threshold(GARBAGE_AFTER)

    def _takes(self) -> dict[str, Any]:
        takes = (
            self._knowledge.take_model,
            self._knowledge.take_merchant,
            self._knowledge.take_rules,
            self._knowledge.take_control,
        )
        return {name_of(topic, self._settings.topics): take for topic, take in zip(BROADCAST, takes, strict=True)}

    def _take_snapshot(self, champion: SnapshotRecord) -> None:
        self._scoring.snapshot_published(champion.created_at)
        self._health.model_came(labelled_at=champion.labelled_at, drifts=champion.drifts)
        self._link.load(write_for_scorer(champion))

    def _take_fault(self, fault: ScorerFault) -> None:
        if self._settings.sandbox:
            log.warning("fault_injected", kind=fault.kind, delay_ms=fault.delay_ms, lasting=fault.lasting)
            self._link.inject(fault)

    def _mode_changed(self, change: ModeChange) -> None:
        event = mode_event(
            change,
            event_id=self._outbox.event_id(),
            source=self._outbox.source,
            subject=self._instance,
            time=datetime.now(UTC),
        )
        self._outbox.put(Topic.MODES, self._instance, write_mode_event(event))

    def _say(self, heartbeat: Heartbeat) -> Heartbeat:
        return replace(
            heartbeat,
            mode=self._health.mode,
            mode_reason=self._health.reason,
            mode_since=self._health.since,
            lanes=len(list(self._states())),
            model_version=self._link.model_version,
        )

    def _states(self) -> Iterable[LaneState]:
        return self._lanes.states()

    def _assigned(self, lanes: int) -> None:
        self._metrics.assigned(lanes)
        if lanes:
            tell_ready(self._instance)


def build_app(settings: Settings, instance: str, nursery: Nursery | None = None) -> DecidingApp:
    """The Faust app of one worker process. Its scorers come from the nursery; None: from one that it starts itself."""
    adapt_connections()
    app = DecidingApp(
        settings.own(instance),
        broker=f"kafka://{settings.broker.bootstrap_servers.replace(',', ';')}",  # for its banner: it does not connect
        web_enabled=False,  # its server would listen on every address
        Worker=Process,
        datadir=tempfile.gettempdir(),  # nothing is kept there: no Faust tables
    )
    app.first_to_stop = app.service(Worker(app, settings, instance, nursery))
    return app


def app_from_environment(environment: Mapping[str, str]) -> faust.App:
    """The app of this process, by settings file and environment."""
    instance = environment.get("HOLDFAST_INSTANCE", "worker-1")
    configure_logs(instance)
    return build_app(load_settings(None, environment), instance)


def __getattr__(name: str) -> Any:
    # `faust -A streams.worker` looks for `app` here; building it on import would make importing it an action.
    if name == "app":
        globals()["app"] = app = app_from_environment(os.environ)
        return app
    raise AttributeError(name)

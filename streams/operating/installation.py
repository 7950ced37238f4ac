"""A whole installation on this machine: Kafka, topics, workers, learner; what else is wanted beside them."""

import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streams.broker.embedded_cluster import kafka_in
from streams.broker.jars import KafkaUnavailable
from streams.broker.topic_admin import create_topics
from streams.settings import MetricsSettings, Settings, load_settings
from streams.supervising.supervisor import Child, Supervisor

READY_SECONDS = 60.0  # a worker needs two on a machine at rest
LOOPBACK = "127.0.0.1"
PORTS = {  # in the metrics' settings
    "learner": "learner_port",
    "reconciler": "reconciler_port",
    "watcher": "watcher_port",
    "auditor": "audit_port",
}

Told = Callable[[str, str], None]  # which part, and what happened to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run, and where its data lies."""

    home: Path
    environment: Mapping[str, str]  # of every process; where it names a broker, `own_kafka` goes before it
    workers: int = 1
    own_kafka: bool = True
    reconciled: bool = False  # what was decided without the model is scored again
    watched: bool = False  # who goes silent is told of
    audited: bool = False  # by an auditor that follows the topics
    simulate_rate: float | None = None  # transactions a second; None: none are made
    kafka_heap_mb: int | None = None  # of each broker; None: Kafka's own default here

    @property
    def logs(self) -> Path:
        """A log for each process, and Kafka's below `kafka`."""
        return self.home / "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What runs."""

    settings: Settings
    supervisor: Supervisor
    metrics: Mapping[str, str]  # URL by process


@asynccontextmanager
async def running(plan: Plan, told: Told) -> AsyncIterator[Installation]:
    """Everything is ready within the block, and stopped after it, the last started first.

    Raises KafkaUnavailable, TopicsWrong, SettingsError, ChildNotReady or what an aiokafka client raises.
    """
    async with AsyncExitStack() as opened:
        environment = dict(plan.environment)
        if plan.own_kafka:
            environment["HOLDFAST_BROKER"] = await _kafka(opened, plan, told)
        settings = load_settings(None, environment)
        told("topics", f"{len(await create_topics(settings))} created")
        supervisor = await opened.enter_async_context(Supervisor(plan.logs, told=told))
        workers = [f"worker-{number}" for number in range(1, plan.workers + 1)]
        beside = {
            "learner": ("learner",),
            **({"reconciler": ("reconciler",)} if plan.reconciled else {}),
            **({"watcher": ("watcher",)} if plan.watched else {}),
            **({"auditor": ("audit", "--follow")} if plan.audited else {}),
        }
        ports = _metrics_ports(settings.metrics, workers, beside)
        told(f"workers, {', '.join(beside)}", "starting")
        await supervisor.start(
            *(_process(name, ("worker",), environment, ports, HOLDFAST_INSTANCE=name) for name in workers),
            *(_process(name, command, environment, ports) for name, command in beside.items()),
        )
        if plan.simulate_rate is not None:
            rate = f"{plan.simulate_rate:g}"
            simulator = _process("simulator", ("simulate", "--rate", rate), environment, ports, ready=False)
            await supervisor.start(simulator)
        host = settings.metrics.host
        metrics = {name: f"http://{host}:{port}/metrics" for name, port in ports.items() if port > 0}
        try:
            yield Installation(settings=settings, supervisor=supervisor, metrics=metrics)
        finally:
            told("everything", "is being stopped")


async def _kafka(opened: AsyncExitStack, plan: Plan, told: Told) -> str:
    """Start one in the home, or find it running there; the address of it."""

    def downloading(fetched: int, total: int) -> None:
        told("kafka", f"downloading, {fetched / 1e6:.0f} of {total / 1e6:.0f} MB")

    kafka = kafka_in(plan.home.absolute() / "kafka", heap_mb=plan.kafka_heap_mb, progress=downloading)
    with suppress(KafkaUnavailable):
        address = kafka.bootstrap
        told("kafka", "was running already, and will go on")
        return address
    told("kafka", "starting")
    await opened.enter_async_context(kafka)
    return kafka.bootstrap


def _metrics_ports(metrics: MetricsSettings, workers: list[str], beside: Iterable[str]) -> dict[str, int]:
    """A port for each process: from the settings' on upwards, any that is free where they say 0, -1 for none."""
    first = metrics.worker_port
    ports = {name: first + number if first > 0 else first for number, name in enumerate(workers)}
    ports |= {name: int(getattr(metrics, PORTS[name])) for name in beside}
    return {name: port or _free_port(metrics.host) for name, port in ports.items()}


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _process(
    name: str,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    ports: Mapping[str, int],
    *,
    ready: bool = True,
    **own: str,
) -> Child:
    if name in ports:
        own[f"HOLDFAST_METRICS_{PORTS.get(name, 'worker_port')}".upper()] = str(ports[name])
    return Child(
        name=name,
        command=(sys.executable, "-m", "streams.operating.cli", *command),
        environment={**environment, **own},
        ready_within_seconds=READY_SECONDS if ready else None,
        spare=command[0] == "worker",
    )

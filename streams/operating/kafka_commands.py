"""`holdfast kafka start|stop|status`: a Kafka of this working directory that outlives the command."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

from streams.broker.cluster_layout import NODES
from streams.broker.embedded import EmbeddedKafka
from streams.broker.embedded_cluster import EmbeddedCluster, kafka_in
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_configuration import HOST
from streams.broker.kafka_home import KafkaHome, default_home
from streams.broker.readiness import serves

FAILED = 1
NOT_RUNNING = 3  # as `systemctl status` has it


def _one_or_three(brokers: int | None) -> int | None:
    if brokers not in (None, 1, NODES):
        raise typer.BadParameter(f"1 or {NODES}: two are no safer than one")
    return brokers


app = typer.Typer(help="A real Apache Kafka on this machine.", no_args_is_help=True)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

DataDirectory = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where it keeps its data.", show_default=".holdfast/kafka", file_okay=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@app.command()
def start(
    data_dir: DataDirectory = None,
    brokers: Annotated[
        int | None,
        typer.Option(callback=_one_or_three, help="1, or 3 with copies.", show_default="as before, or 1"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="For clients, of the first.", show_default="the last, or any")
    ] = None,
    heap_mb: Annotated[
        int | None, typer.Option(min=256, help="Java's heap in MiB, of each.", show_default="768; of three 384")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Start it, fetching it first where need be; exit 0 once it takes requests, also if it did before."""
    directory = _directory(data_dir)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Starting Kafka", total=None)

        def downloading(fetched: int, total: int) -> None:
            bar.update(task, description="Downloading Apache Kafka", completed=fetched, total=total)

        try:
            kafka = kafka_in(directory, brokers, port=port, heap_mb=heap_mb, progress=downloading)
            homes = _homes(kafka)
            # What runs elsewhere is not what was asked for.
            if not all(home.occupied() for home in homes) or port not in (None, _port(homes[0])):
                kafka.start(detached=True)
        except KafkaUnavailable as error:
            raise _failure(error) from error
    _tell(_standing(directory), as_json=as_json)


@app.command()
def stop(data_dir: DataDirectory = None) -> None:
    """Stop it; exit 0 once it does not run, also if it did not before. Its data stays."""
    directory = _directory(data_dir)
    try:
        stopped = kafka_in(directory).stop()
    except KafkaUnavailable as error:
        raise _failure(error) from error
    out.print("Kafka is stopped." if stopped else f"No Kafka was running in {directory}.", soft_wrap=True)


@app.command()
def status(data_dir: DataDirectory = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Say whether it runs and where: exit 0 if it takes requests, with one of three gone too, and 3 if not."""
    standing = _standing(_directory(data_dir))
    _tell(standing, as_json=as_json)
    if standing["state"] not in ("running", "degraded"):
        raise typer.Exit(NOT_RUNNING)


def _directory(data_dir: Path | None) -> Path:
    return data_dir.absolute() if data_dir else default_home().directory


def _homes(kafka: EmbeddedKafka | EmbeddedCluster) -> list[KafkaHome]:
    return [node.home for node in kafka.nodes.values()] if isinstance(kafka, EmbeddedCluster) else [kafka.home]


def _port(home: KafkaHome) -> int | None:
    occupant = home.occupant()
    return occupant.port if occupant else None


def _failure(error: KafkaUnavailable) -> typer.Exit:
    err.print(f"[red]✗[/red] {error}", soft_wrap=True)
    return typer.Exit(FAILED)


def _standing(directory: Path) -> dict[str, Any]:
    """How it stands, in the fields of `--json`; three brokers are `degraded` while one is gone."""
    kafka = kafka_in(directory)
    brokers = [_standing_of(home) for home in _homes(kafka)]
    if len(brokers) == 1:
        return brokers[0]
    states = [each["state"] for each in brokers]
    standing: dict[str, Any] = {"state": _together(states), "directory": str(directory), "brokers": brokers}
    return standing if standing["state"] == "stopped" else {**standing, "bootstrap": kafka.bootstrap}


def _together(states: list[str]) -> str:
    serving = states.count("running")
    if serving == len(states):
        return "running"
    if serving > len(states) / 2:
        return "degraded"
    return "stopped" if states.count("stopped") == len(states) else "starting"


def _standing_of(home: KafkaHome) -> dict[str, Any]:
    """One broker's. One that does not answer counts as starting."""
    occupant = home.occupant()
    standing: dict[str, Any] = {"state": "stopped", "directory": str(home.directory)}
    if occupant is None:
        return {**standing, "state": "starting"} if home.occupied() else standing
    return {
        **standing,
        "state": "running" if serves(HOST, occupant.port) else "starting",
        "bootstrap": occupant.bootstrap,
        "pid": occupant.pid,
        "started_at": occupant.started_at,
    }


def _tell(standing: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(standing))
    elif standing["state"] == "stopped":
        out.print(f"No Kafka is running in {standing['directory']}.", soft_wrap=True)
    else:
        where = standing.get("bootstrap", "an address to be chosen")
        out.print(f"Kafka is [bold]{standing['state']}[/bold] at [bold]{where}[/bold]", soft_wrap=True)
        out.print(f"[dim]data in {standing['directory']}[/dim]", soft_wrap=True)

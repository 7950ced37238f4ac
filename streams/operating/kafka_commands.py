"""`holdfast kafka start|stop|status`: a Kafka of this working directory that outlives the command."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

from streams.broker.embedded import EmbeddedKafka
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_configuration import HOST
from streams.broker.kafka_home import KafkaHome, default_home
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.readiness import serves

FAILED = 1
NOT_RUNNING = 3  # as `systemctl status` has it

app = typer.Typer(help="A real Apache Kafka on this machine.", no_args_is_help=True)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

DataDirectory = Annotated[
    Path | None, typer.Option("--data-dir", help="Where it keeps its data. [default: .holdfast/kafka]", file_okay=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@app.command()
def start(
    data_dir: DataDirectory = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="For clients. [default: the last, or any]")] = None,
    heap_mb: Annotated[int, typer.Option(min=256, help="Java's heap in MiB.")] = 768,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Start it, fetching it first where need be; exit 0 once it takes requests, also if it did before."""
    home = _home(data_dir)
    if not home.occupied() or port not in (None, _port(home)):  # what runs elsewhere is not what was asked for
        _start(home, KafkaOptions(port=port, heap_mb=heap_mb))
    _tell(_standing(home), as_json=as_json)


@app.command()
def stop(data_dir: DataDirectory = None) -> None:
    """Stop it; exit 0 once it does not run, also if it did not before. Its data stays."""
    home = _home(data_dir)
    try:
        stopped = EmbeddedKafka(home.directory).stop()
    except KafkaUnavailable as error:
        raise _failure(error) from error
    out.print("Kafka is stopped." if stopped else f"No Kafka was running in {home.directory}.", soft_wrap=True)


@app.command()
def status(data_dir: DataDirectory = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Say whether it runs and where: exit 0 if it takes requests, 3 if not."""
    standing = _standing(_home(data_dir))
    _tell(standing, as_json=as_json)
    if standing["state"] != "running":
        raise typer.Exit(NOT_RUNNING)


def _home(data_dir: Path | None) -> KafkaHome:
    return KafkaHome(data_dir.absolute()) if data_dir else default_home()


def _port(home: KafkaHome) -> int | None:
    occupant = home.occupant()
    return occupant.port if occupant else None


def _start(home: KafkaHome, options: KafkaOptions) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Starting Kafka", total=None)

        def downloading(fetched: int, total: int) -> None:
            bar.update(task, description="Downloading Apache Kafka", completed=fetched, total=total)

        try:
            EmbeddedKafka(home.directory, options, progress=downloading).start(detached=True)
        except KafkaUnavailable as error:
            raise _failure(error) from error


def _failure(error: KafkaUnavailable) -> typer.Exit:
    err.print(f"[red]✗[/red] {error}", soft_wrap=True)
    return typer.Exit(FAILED)


def _standing(home: KafkaHome) -> dict[str, Any]:
    """How it stands, in the fields of `--json`. A broker that does not answer counts as starting."""
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

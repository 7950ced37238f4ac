"""Candidates in rounds, on one broker: `python -m bench.peers`."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench.peers.measuring import Candidate, Run, expected_of, measure
from bench.peers.payments import payments
from bench.spending import BROKER_CORE, pin
from streams.broker.embedded import EmbeddedKafka
from streams.operating.machine import cores_and_processor

EXACTLY, AT_LEAST = "exactly once", "at least once"


def candidates(peers_python: Path | None) -> dict[str, Candidate]:
    """All that can run here: Quix Streams needs an environment of its own."""
    known = [
        Candidate(name="holdfast", title="Holdfast's lanes and agent", promise=EXACTLY, module="holdfast_lanes"),
        Candidate(name="aiokafka", title="bare loop, aiokafka", promise=EXACTLY, module="aiokafka_loop"),
        Candidate(name="confluent", title="bare loop, confluent-kafka", promise=EXACTLY, module="confluent_loop"),
        Candidate(name="faust", title="Faust agent and table", promise=AT_LEAST, module="faust_agent"),
        Candidate(
            name="aiokafka-floor",
            title="aiokafka, no work",
            promise=EXACTLY,
            module="aiokafka_loop",
            does_work=False,
        ),
        Candidate(
            name="confluent-floor",
            title="confluent-kafka, no work",
            promise=EXACTLY,
            module="confluent_loop",
            does_work=False,
        ),
    ]
    if peers_python is not None:
        known.insert(
            3,
            Candidate(
                name="quixstreams", title="Quix Streams", promise=EXACTLY, module="quix", python=str(peers_python)
            ),
        )
    return {each.name: each for each in known}


def run_all(chosen: Sequence[Candidate], count: int, rounds: int, console: Console) -> dict[str, list[Run]]:
    """Each of them once a round, so that none has the machine at its best or worst alone."""
    made = list(payments(count))
    expected = expected_of(made)
    pin(psutil.Process(), BROKER_CORE)
    runs: dict[str, list[Run]] = {each.name: [] for each in chosen}
    with tempfile.TemporaryDirectory(prefix="holdfast-peers-") as home, EmbeddedKafka(Path(home) / "kafka") as kafka:
        for number in range(rounds):
            for each in chosen:
                run = measure(kafka, each, made, expected, f"r{number}-{each.name}")
                runs[each.name].append(run)
                console.print(f"{each.title:32} {run.per_second:>9,.0f}/s  {run.client_us:5.1f} us")
    return runs


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Candidates; all of them by default.")] = None,
    *,
    count: Annotated[int, typer.Option("--payments", min=10_000)] = 400_000,
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 3,
    peers_python: Annotated[Path | None, typer.Option(help="Python of an environment with quixstreams.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure engines by the same work."""
    known = candidates(peers_python)
    if unknown := sorted(set(names or ()) - set(known)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[each] for each in names or known]
    console = Console(stderr=as_json, highlight=False)
    runs = run_all(chosen, count, rounds, console)
    if as_json:
        plain = {name: [asdict(each) for each in of_one] for name, of_one in runs.items()}
        told = {each.name: (each.title, each.promise) for each in chosen}
        machine = cores_and_processor()
        typer.echo(json.dumps({"machine": machine, "payments": count, "candidates": told, "runs": plain}))
    else:
        console.print(table_of(chosen, runs))
    if any(each.missing or each.twice or each.wrong for of_one in runs.values() for each in of_one):
        raise typer.Exit(1)


def table_of(chosen: Sequence[Candidate], runs: dict[str, list[Run]]) -> Table:
    """Medians, with the least and the most of the rounds."""
    table = Table("", "promise", "decided/s", "from", "to", "us", "broker us", "MB", "missing/twice/wrong")
    for each in chosen:
        of_one = runs[each.name]
        rates = [run.per_second for run in of_one]
        faults = (sum(getattr(run, kind) for run in of_one) for kind in ("missing", "twice", "wrong"))
        table.add_row(
            each.title,
            each.promise,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{median(run.client_us for run in of_one):.1f}",
            f"{median(run.broker_us for run in of_one):.1f}",
            f"{median(run.resident_mb for run in of_one):.0f}",
            "/".join(map(str, faults)),
        )
    return table


if __name__ == "__main__":
    typer.run(main)

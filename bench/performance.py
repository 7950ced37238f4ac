"""Everything measured, one after the other, on one machine: figures to docs/performance.json, tables to its document.

    python -m bench.performance --peers-python .venv-peers/bin/python      all of it: an hour
    python -m bench.performance rules startup                              some parts anew
    python -m bench.performance --only-write                               tables from the figures that there are

Nothing else should run meanwhile. Each part says on which machine it ran; what is compared is compared within one part.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

DOCS = Path(__file__).parents[1] / "docs"
FIGURES, DOCUMENT = DOCS / "performance.json", DOCS / "performance.md"
PATIENCE_SECONDS = 3_600.0

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One bench: what runs it, and the table of what it says, header first."""

    command: tuple[str, ...]
    table: Callable[[list[Any]], Rows]
    runs: tuple[tuple[str, ...], ...] = ((),)  # what is added to it, each run in processes of its own


def _peers(found: list[Any]) -> Rows:
    (said,) = found
    ours = median(each["per_second"] for each in said["runs"]["holdfast"])
    rows: Rows = [("", "promise", "decided/s", "from - to", "against ours", "client us", "broker us", "faults")]
    for name, runs in said["runs"].items():
        rates = [each["per_second"] for each in runs]
        title, promise = said["candidates"][name]
        rows.append(
            (
                title,
                promise,
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} - {max(rates):,.0f}",
                f"{median(rates) / ours:.2f}",
                f"{median(each['client_us'] for each in runs):.1f}",
                f"{median(each['broker_us'] for each in runs):.1f}",
                str(sum(each["missing"] + each["twice"] + each["wrong"] for each in runs)),
            )
        )
    return rows


def _throughput(found: list[Any]) -> Rows:
    rates = [each["per_second"] for each in found]
    return [
        ("decided/s", "from - to", "worker us", "scorer us", "broker us", "by model", "bytes a decision", "worker MB"),
        (
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f} - {max(rates):,.0f}",
            f"{median(each['worker_us'] for each in found):.1f}",
            f"{median(each['scorer_us'] for each in found):.1f}",
            f"{median(each['broker_us'] for each in found):.1f}",
            f"{min(each['by_model'] for each in found):.1%}",
            f"{found[0]['decision_bytes']:,}",
            f"{median(each['worker_mb'] for each in found):.0f}",
        ),
    ]


def _grown(found: list[Any]) -> Rows:
    rows: Rows = [
        (
            "workers",
            "cards with a history",
            "runs",
            "decided/s",
            "from - to",
            "worker us",
            "scorer us",
            "by model",
            "workers MB",
        )
    ]
    of_load: dict[tuple[int, int], list[Any]] = {}
    for each in found:
        of_load.setdefault((each["workers"], each["known_cards"]), []).append(each)
    for (workers, known_cards), runs in of_load.items():
        rates = [each["per_second"] for each in runs]
        rows.append(
            (
                str(workers),
                f"{known_cards:,}" if known_cards else "-",
                str(len(runs)),
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} - {max(rates):,.0f}",
                f"{median(each['worker_us'] for each in runs):.1f}",
                f"{median(each['scorer_us'] for each in runs):.1f}",
                f"{min(each['by_model'] for each in runs):.1%}",
                f"{median(each['worker_mb'] for each in runs):,.0f}",
            )
        )
    return rows


def _stages(found: list[Any]) -> Rows:
    (said,) = found
    rows: Rows = [("stage", "us a payment")]
    rows += [(stage, f"{took:.1f}") for stage, took in said["stages"].items()]
    return [*rows, ("decider", f"{said['decider']:.1f}"), ("scorer", f"{said['scorer']:.1f}")]


def _latency(found: list[Any]) -> Rows:
    ages = ("p50 ms", "p99", "p99 by turn", "p99.9", "largest", "on topic p99", "decided p50")
    rows: Rows = [("payments/s", "of the most", "lead s", *ages, "by model", "Java compiles")]
    measured = [(said, each) for said in found for each in said["ages"]]
    for said, each in sorted(measured, key=lambda both: both[1]["rate"]):
        by_name = {name: [turn[name] for turn in each["turns"]] for name in each["turns"][0]}
        p50, p99, *others = (
            f"{median(by_name[name]):.1f}" for name in ("p50", "p99", "p999", "largest", "on_topic_p99", "decided_p50")
        )
        rows.append(
            (
                f"{each['rate']:,.0f}" if each["rate"] else "one at a time",
                f"{each['share']:.0%}" if each["share"] else "-",
                f"{said['lead_seconds']:g}" if each["rate"] else "-",
                p50,
                p99,
                ", ".join(f"{p99:.0f}" for p99 in sorted(by_name["p99"])),
                *others,
                f"{min(by_name['by_model']):.1%}",
                f"{median(by_name['compiling']):.1%}",
            )
        )
    return rows


def _engine_ages(found: list[Any]) -> Rows:
    rows: Rows = [
        ("payments/s", "", "promise", "p50 ms", "p99", "largest", "killed: first, s", "last partition", "faults")
    ]
    for said in found:
        for each in said["ages"]:
            ages = (f"{each[name]:,.1f}" for name in ("p50", "p99", "largest"))
            away = (f"{median(each[name]):.1f}" if each[name] else "-" for name in ("first", "all_"))
            faults = str(each["missing"] + each["twice"])
            rows.append((f"{said['rate']:,.0f}", each["title"], each["promise"], *ages, *away, faults))
    return rows


def _disturbances(found: list[Any]) -> Rows:
    (said,) = found
    rows: Rows = [("from this moment on", "payments", "undecided", "p50 ms", "p99", "largest", "by model")]
    for each in said["moments"]:
        counts = (f"{each[name]:,}" for name in ("payments", "undecided"))
        ages = (f"{each[name]:,.1f}" for name in ("p50", "p99", "largest"))
        rows.append((each["moment"], *counts, *ages, f"{each['by_model']:.1%}"))
    return rows


def _console(found: list[Any]) -> Rows:
    rows: Rows = [("console", "decided/s", "worker us", "scorer us", "broker us")]
    for each in found:
        figures = (f"{each[name]:.1f}" for name in ("worker_us", "scorer_us", "broker_us"))
        rows.append(("on" if each["console"] else "off", f"{each['per_second']:,.0f}", *figures))
    return rows


def _rules(found: list[Any]) -> Rows:
    (said,) = found
    rows: Rows = [("rules", "us a payment", "into force ms")]
    rows += [(str(each["rules"]), f"{each['judge_us']:.1f}", f"{each['into_force_ms']:.0f}") for each in said]
    return rows


def _startup(found: list[Any]) -> Rows:
    (said,) = found
    rows: Rows = [("`holdfast`", "seconds", "from - to")]
    for each in said["starts"]:
        rows.append((each["command"], f"{each['seconds']:.2f}", f"{each['least']:.2f} - {each['most']:.2f}"))
    return rows


def _named(*names: tuple[str, str]) -> Callable[[list[Any]], Rows]:
    """A table of some figures, by the names they have and those they are to have."""

    def table(found: list[Any]) -> Rows:
        (said,) = found
        values = ((told, said[name]) for name, told in names)
        return [("", ""), *((told, f"{value:,}") for told, value in values)]

    return table


PARTS: Mapping[str, Part] = {
    "peers": Part(command=("bench.peers", "--payments", "120000", "--rounds", "3"), table=_peers),
    "throughput": Part(command=("bench.throughput", "--payments", "120000"), table=_throughput, runs=((), (), ())),
    "growth": Part(
        command=("bench.throughput", "--payments", "120000"),
        table=_grown,
        runs=(
            *(3 * ((), ("--workers", "2"))),
            ("--known-cards", "1000"),
            ("--known-cards", "100000"),
            ("--known-cards", "1000000"),
        ),
    ),
    "stages": Part(command=("bench.stages",), table=_stages),
    "console": Part(
        command=("bench.throughput", "--payments", "120000"),
        table=_console,
        runs=((), ("--console",), (), ("--console",)),
    ),
    "latency": Part(
        command=("bench.latency",),
        table=_latency,
        runs=(
            ("--rate", "500", "--rate", "2000", "--turns", "3", "--seconds", "15"),
            ("--no-alone", "--share", "0.1", "--share", "0.8", "--turns", "3", "--seconds", "15"),
            ("--no-alone", "--share", "0.5", "--turns", "5", "--seconds", "10", "--lead", "60"),
        ),
    ),
    "ages": Part(
        command=("bench.peers.ages",),
        table=_engine_ages,
        runs=(
            ("--rate", "2000", "--kills", "3"),
            ("--rate", "12000", "--kills", "0", "holdfast", "aiokafka", "confluent"),
        ),
    ),
    "disturbances": Part(command=("bench.disturbances", "--rate", "500"), table=_disturbances),
    "rules": Part(command=("bench.rules",), table=_rules),
    "startup": Part(command=("bench.startup",), table=_startup),
    "model": Part(
        command=("bench.model",),
        table=_named(
            ("features_us", "features of a payment, us"),
            ("profile_us", "profile unpacked, changed, packed, us"),
            ("score_us", "a score, us"),
            ("lessons_per_second", "labels learnt a second"),
            ("publish_ms", "a snapshot written, ms"),
            ("load_ms", "a snapshot verified by the scorer, ms"),
        ),
    ),
    "restore": Part(
        command=("bench.restore",),
        table=_named(
            ("cards", "cards"),
            ("restore_seconds", "restore, s"),
            ("longest_pause_ms", "longest pause of the loop, ms"),
            ("peak_mb", "memory at most, MB"),
            ("settled_mb", "memory at rest, MB"),
            ("packed_bytes", "bytes of a packed profile"),
        ),
    ),
}
WITH_PEERS = ("peers", "ages")
PEERS_PYTHON = ".venv-peers/bin/python"  # as `make bench` has it


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Parts; all of them by default.")] = None,
    *,
    peers_python: Annotated[Path | None, typer.Option(help="Python of an environment with quixstreams.")] = None,
    only_write: Annotated[bool, typer.Option("--only-write", help="Measure nothing.")] = False,
) -> None:
    """Measure, and write what was measured into the documents."""
    if unknown := sorted(set(names or ()) - set(PARTS)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    for name in () if only_write else names or PARTS:
        extra = () if peers_python is None or name not in WITH_PEERS else ("--peers-python", str(peers_python))
        figures[name] = [_said((*PARTS[name].command, *each, *extra)) for each in PARTS[name].runs]
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        typer.echo(f"{name}: measured", err=True)
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), figures), "utf-8")


def written(document: str, figures: Mapping[str, list[Any]]) -> str:
    """The document with the table of each part between its marks. Raises ValueError where a mark is missing."""
    for name, found in figures.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = document.partition(begin)
        _, ended, after = rest.partition(end)
        if not ended:
            raise ValueError(f"no place for {name}")
        peers = f" --peers-python {PEERS_PYTHON}" if name in WITH_PEERS else ""
        told = f"`python -m bench.performance {name}{peers}`, {_machine(found)}:\n\n"
        document = before + begin + told + "\n".join(_markdown(PARTS[name].table(found))) + "\n" + end + after
    return document


def _markdown(rows: Rows) -> Iterable[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in body:
        yield f"| {' | '.join(row)} |"


def _machine(found: list[Any]) -> str:
    said = found[0][0] if isinstance(found[0], list) else found[0]
    return str(said["machine"])


def _said(command: tuple[str, ...]) -> Any:
    done = subprocess.run(  # noqa: S603 - our own benches
        [sys.executable, "-m", *command, "--json"], stdout=subprocess.PIPE, check=False, timeout=PATIENCE_SECONDS
    )
    return json.loads(done.stdout)  # some exit 1 where a bound is broken, and say so in their figures


if __name__ == "__main__":
    typer.run(main)

"""What rule sets cost: the time to judge a payment, and to take a set into force.

    python -m bench.rules

Sets of any size are made of the default rules, again and again, with bounds moved a little: none is like another.
Payments are simulated.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import islice
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.activity import Activity
from models.card import Profile, regard
from models.features import Row
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.texts import id_hash
from models.transaction import Transaction
from rules.ruleset import parse_ruleset
from streams.operating.machine import cores_and_processor
from streams.wire.codec import content_fingerprint

SIZES = (20, 100, 500)
TIMES = 5

Payment = tuple[Transaction, Row, Activity]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCosts:
    """Of a set of `rules`. Microseconds are for a payment."""

    rules: int
    judge_us: float
    into_force_ms: float  # from its text on
    machine: str


def main(
    payments: Annotated[int, typer.Option(min=100)] = 3_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Measure rule sets of 20, 100 and 500 rules."""
    paid = _payments(payments)
    costs = [_costs(size, paid) for size in SIZES]
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in costs]))
        return
    table = Table("rules", "judge us", "into force ms", title="Rule sets")
    for each in costs:
        table.add_row(str(each.rules), f"{each.judge_us:.2f}", f"{each.into_force_ms:.1f}")
    Console().print(table)
    typer.echo(costs[0].machine)


def text_of(size: int) -> str:
    """A rule set of so many rules."""
    default = files("rules").joinpath("default.toml").read_text("utf-8")
    head, *rules = default.split("[[rule]]")
    made = []
    for number in range(size):
        rule = rules[number % len(rules)].replace('id = "', f'id = "r{number}-')
        made.append(re.sub(r"(> )(\d+)\b", lambda bound: f"{bound[1]}{int(bound[2]) + number // len(rules)}", rule))  # noqa: B023 - used at once
    return head + "".join(f"[[rule]]{each}" for each in made)


def _costs(size: int, paid: Sequence[Payment]) -> SetCosts:
    text = text_of(size)
    ruleset = parse_ruleset(text)
    return SetCosts(
        rules=len(ruleset.rules),
        judge_us=round(1e6 * _seconds(lambda: [ruleset.judge(*each) for each in paid]) / len(paid), 2),
        into_force_ms=round(1e3 * _seconds(lambda: parse_ruleset(text)), 1),
        machine=cores_and_processor(),
    )


def _payments(count: int) -> list[Payment]:
    """As a worker sees them, each card with what it did before."""
    profiles: dict[str, Profile] = {}
    made: list[Payment] = []
    for each in islice(traffic(TrafficPolicy(seed=5, cards=300)), count):
        paid = each.transaction
        profile, at = profiles.setdefault(paid.pan_token, Profile()), paid.event_time.timestamp()
        marks, recent, row = regard(at, paid, profile, None, None)
        profile.observe(at, paid.amount_minor, id_hash(paid.transaction_id), content_fingerprint(paid), marks)
        made.append((paid, row, recent))
    return made


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return median(taken)


if __name__ == "__main__":
    typer.run(main)

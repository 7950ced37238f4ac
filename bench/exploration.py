"""What exploration is worth: a model that decides, and learns only from what it let through, with and without it.

    python -m bench.exploration

Simulated cards pay; for three weeks everything is approved, then the default cost policy decides. What is blocked gets
no label, all else is labelled rightly after a week. In the second world somebody errs: for a week, good payments far
above the card's habit are reported as fraud. The simulator knows the truth, and every payment is judged by it.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.histories import DAY, simulated
from models.evaluation import average_precision
from models.features import FEATURES, LABEL_DELAY
from models.learner import Learner
from models.score import Score
from models.simulator.policy import TrafficPolicy
from models.warm_up import Payment, Scored, WarmUp
from rules.decision import Outcome
from rules.exploration import Exploration, ExplorationPolicy
from rules.judgement import Judge
from rules.policy import CostPolicy
from rules.ruleset import Verdict
from rules.safe_default import SafeDefaultPolicy
from rules.stand_in import StandInLimits

WEEK = 7 * DAY
RATIO = FEATURES.index("amount_ratio")
FAR_ABOVE_HABIT = 2.0
DECIDES_FROM = 3  # weeks
WRONG_WEEK = 3
COSTS = CostPolicy()
JUDGE = Judge(costs=COSTS, limits=StandInLimits(), safe_default=SafeDefaultPolicy())
NO_RULES = Verdict(hits=(), outcome=Outcome.APPROVE, reasons=(), always=None, always_reasons=(), failed=())
NOTHING = ExplorationPolicy()
SOME = ExplorationPolicy(
    share=0.1, outcome=Outcome.APPROVE, max_amount_minor=20_000, max_per_day=200, max_sum_minor_per_day=10**6, salt="x"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week of decisions, judged by the truth. Money in minor units."""

    week: int
    payments: int
    average_precision: float
    cost_minor: int  # of what was decided, by the default costs
    good_blocked: float  # share of good payments that were blocked
    explored: int


def payments(*, cards: int, weeks: int, seed: int = 1) -> list[Payment]:
    """Simulated payments of so many weeks, with what they are."""
    return simulated(TrafficPolicy(seed=seed, cards=cards, merchants=300, currencies=("EUR",)), days=7 * weeks)


def lived(history: Sequence[Payment], policy: ExplorationPolicy, *, blocks_labelled: bool, errs: bool) -> list[Week]:
    """Live through it with the default model deciding; what each week from DECIDES_FROM on was like."""
    warm_up, begin = WarmUp(label_delay=inf), history[0].at  # what labels say is up to us
    exploration = Exploration(policy, begin)
    labels: deque[tuple[Scored, bool]] = deque()
    rows: list[tuple[int, bool, float, float, bool, bool]] = []
    for payment in history:
        while labels and labels[0][0].payment.at <= payment.at - LABEL_DELAY:
            _learn(warm_up.learner, *labels.popleft())
        week = int((payment.at - begin) // WEEK)
        scored = warm_up.live(payment, score=week >= DECIDES_FROM)
        wrong = errs and week == WRONG_WEEK and scored.features[RATIO] >= FAR_ABOVE_HABIT
        if scored.fraud_probability is None:
            labels.append((scored, payment.is_fraud))
            continue
        score = Score(fraud_probability=scored.fraud_probability, model_version="")
        concluded = JUDGE.with_score(score, payment.amount_minor, NO_RULES)
        made = exploration.admit(concluded, payment.transaction_id, payment.amount_minor, card_count=0, now=payment.at)
        blocked, explored = made.outcome is Outcome.BLOCK, made.outcome is not concluded.outcome
        if blocks_labelled or not blocked:
            labels.append((scored, payment.is_fraud or wrong))
        cost = COSTS.cost_of(made.outcome, float(payment.is_fraud), payment.amount_minor)
        rows.append((week, payment.is_fraud, scored.fraud_probability, cost, blocked, explored))
    return list(_weeks(rows))


def _learn(learner: Learner, scored: Scored, is_fraud: bool) -> None:  # noqa: FBT001 - a label, as it comes
    payment = scored.payment
    learner.learn(scored.features, card=payment.card, acceptor=payment.acceptor, at=payment.at, is_fraud=is_fraud)


def _weeks(rows: Sequence[tuple[int, bool, float, float, bool, bool]]) -> Iterator[Week]:
    week, is_fraud, probability, cost, blocked, explored = map(np.array, zip(*rows, strict=True))
    for number in np.unique(week).tolist():
        of = week == number
        yield Week(
            week=number,
            payments=int(of.sum()),
            average_precision=average_precision(is_fraud[of], probability[of]),
            cost_minor=round(cost[of].sum()),
            good_blocked=float(blocked[of & ~is_fraud].mean()),
            explored=int(explored[of].sum()),
        )


def main(
    cards: Annotated[int, typer.Option(min=100)] = 700,
    weeks: Annotated[int, typer.Option(min=DECIDES_FROM + 2)] = 10,
    seed: int = 1,
    share: Annotated[float, typer.Option(min=0, max=0.1)] = SOME.share,
    as_json: Annotated[bool, typer.Option("--json")] = False,  # noqa: FBT002
) -> None:
    """Measure both worlds: with every block labelled, with none, and with none but the explored."""
    history = payments(cards=cards, weeks=weeks, seed=seed)
    arms = {
        "all known": (NOTHING, True),
        "blocks unknown": (NOTHING, False),
        "explored": (replace(SOME, share=share), False),
    }
    for errs in (False, True):
        found = {
            name: lived(history, policy, blocks_labelled=labelled, errs=errs)
            for name, (policy, labelled) in arms.items()
        }
        if as_json:
            typer.echo(
                json.dumps({"errs": errs} | {name: [asdict(week) for week in made] for name, made in found.items()})
            )
        else:
            Console().print(_table(found, "a week of false reports" if errs else "nobody errs"))


def _table(found: dict[str, list[Week]], title: str) -> Table:
    table = Table(title=title)
    table.add_column("week", justify="right")
    for name in found:
        table.add_column(f"{name}: average precision / cost / good blocked / explored", justify="right")
    for each in zip(*found.values(), strict=True):
        cells = (
            f"{week.average_precision:.3f} / {week.cost_minor / 100:,.0f} / {week.good_blocked:.2%} / {week.explored}"
            for week in each
        )
        table.add_row(str(each[0].week), *cells)
    return table


if __name__ == "__main__":
    typer.run(main)

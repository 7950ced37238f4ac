"""How the demo ends: what was promised, whether it held, and the figures."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rules.decision import DecisionSource, Outcome
from streams.auditing.audit import Audit
from streams.operating.demo_facts import Facts, Incident
from streams.operating.demo_story import AFTER, BEFORE, COLD, DURING
from streams.operating.pulse import milliseconds
from streams.operating.revisions_command import table as table_of_revisions
from streams.operating.showing import OUTCOME_STYLES
from streams.overseeing.tally import Chapter
from streams.reconciling.report import Reconciliation

MODEL_DECIDES = 0.5  # of what arrives before: a busy machine makes some too old to be scored
RULES_DECIDE = 0.9  # of what arrives in the slow spell


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise of the demo."""

    promise: str
    holds: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that the summary is made of."""

    facts: Facts
    audit: Audit
    reconciliation: Reconciliation
    stuck: str | None  # what the story waited for in vain
    seconds: float

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every promise and whether it held."""
        return tuple(_checks(self))

    @property
    def holds(self) -> bool:
        """Whether all did."""
        return all(check.holds for check in self.checks)


def summary(result: Result) -> Panel:
    """The page that the demo leaves on the screen."""
    good = result.holds
    title = "Holdfast held" if good else "Holdfast did not hold"
    parts = (
        _figures(result),
        _decisions(result.facts),
        _ages(result.facts),
        table_of_revisions(result.reconciliation.sums(), money=False),
        _verdicts(result.checks),
    )
    return Panel(
        Group(*parts),
        title=title,
        subtitle=f"{result.seconds:.0f} s",
        border_style="green" if good else "red",
        width=100,
        padding=(1, 2),
    )


def _checks(result: Result) -> Iterator[Check]:
    facts, ledger = result.facts, result.audit.ledger
    if result.stuck is not None:
        yield Check(promise="the story went on", holds=False, found=result.stuck)
    before, during = facts.tally.chapter(BEFORE), facts.tally.chapter(DURING)
    yield Check(
        promise="a model was learnt from labels",
        holds=facts.model_version is not None and facts.labels_learnt > 0,
        found=f"{facts.labels_learnt:,} labels, {facts.frauds_learnt:,} of fraud, {facts.models_published} models",
    )
    yield _share("the model decided while it was well", _by_model(before), MODEL_DECIDES)
    yield _share("rules decided while it was slow", 1.0 - _by_model(during) if during else 0.0, RULES_DECIDE)
    yield _alert(facts)
    waiting, sums = result.reconciliation.waiting, result.reconciliation.sums().values()
    yield Check(
        promise="the model spoke afterwards of what was decided without it",
        holds=not waiting,
        found=f"{sum(each.decisions for each in sums) - waiting:,}" + (f", {waiting:,} wait" if waiting else ""),
    )
    yield Check(promise="unaccounted", holds=not ledger.unaccounted, found=f"{ledger.unaccounted}")
    yield Check(promise="decided twice", holds=not ledger.decided_twice, found=f"{ledger.decided_twice}")
    unclear = ledger.contradictory + ledger.in_flight + result.audit.unreadable
    yield Check(promise="contradictory, unfinished or unreadable", holds=not unclear, found=f"{unclear}")


def _share(promise: str, share: float, least: float) -> Check:
    return Check(promise=promise, holds=share >= least, found=f"{share:.1%} of decisions")


def _by_model(chapter: Chapter | None) -> float:
    """Share of the decisions for which the model had answered in time."""
    return 1.0 - chapter.fallbacks / chapter.count if chapter and chapter.count else 0.0


def _alert(facts: Facts) -> Check:
    incidents = _of_the_spell(facts)
    resolved = bool(incidents) and all(incident.resolved_at for incident in incidents)
    found = ", ".join(map(_life, incidents)) or "none opened"
    return Check(promise="its alerts opened and resolved", holds=resolved, found=found)


def _of_the_spell(facts: Facts) -> list[Incident]:
    during, after = facts.tally.chapter(DURING), facts.tally.chapter(AFTER)
    return facts.scorer_incidents(during.begins, after.begins) if during and after else []


def _life(incident: Incident) -> str:
    worker = incident.dedup_key.split("/")[0]
    if incident.resolved_at is None:
        return f"{worker} {incident.reason}, still open"
    lasted = (incident.resolved_at - incident.opened_at).total_seconds()
    settled = incident.settled_at and (incident.settled_at - incident.resolved_at).total_seconds()
    return f"{worker} {incident.reason} for {lasted:.1f} s" + (f", settled after {settled:.1f} s" if settled else "")


def _figures(result: Result) -> Table:
    facts, ledger = result.facts, result.audit.ledger
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    for name, said in (
        ("transactions in", f"{ledger.transactions:,}"),
        ("decided", f"{ledger.decided:,}"),
        ("dead letters, duplicates", f"{ledger.dead_letters:,}, {ledger.duplicates:,}"),
        ("labels learnt", f"{facts.labels_learnt:,}"),
        ("current model", facts.model_version or "none"),
    ):
        table.add_row(name, said)
    return table


def _decisions(facts: Facts) -> Table:
    """Outcomes across, sources down."""
    decisions = facts.tally.decisions
    sources = [source for source in DecisionSource if any(decisions[outcome, source] for outcome in Outcome)]
    table = Table(box=SIMPLE_HEAD)
    table.add_column("decided by")
    for outcome in Outcome:
        table.add_column(outcome, justify="right", style=OUTCOME_STYLES[outcome].removeprefix("bold "))
    for source in sources:
        table.add_row(source.replace("_", " "), *(f"{decisions[outcome, source]:,}" for outcome in Outcome))
    return table


def _ages(facts: Facts) -> Table:
    """From the broker's timestamp of a transaction to the receipt of its decision."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("age at decision")
    for heading in ("decisions", "p50", "p99"):
        table.add_column(heading, justify="right")
    for name in (COLD, BEFORE, DURING, AFTER):
        chapter = facts.tally.chapter(name)
        if chapter is not None:
            ages = (milliseconds(chapter.age_ms(0.5)), milliseconds(chapter.age_ms(0.99)))
            table.add_row(name, f"{chapter.count:,}", *ages)
    return table


def _verdicts(checks: tuple[Check, ...]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        mark = Text("✓", style="bold green") if check.holds else Text("✗", style="bold red")
        table.add_row(mark, check.promise, Text(check.found, style="" if check.holds else "bold red"))
    return table

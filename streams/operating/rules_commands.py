"""`holdfast rules check|show|push`: what a rule set says, or what is wrong with it and where; putting it into force."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from rules.ruleset import Problem, Rule, RuleSet, RuleSetError, parse_ruleset
from streams.operating.context import settings_of
from streams.overseeing.rules_pushing import push_ruleset, shipped_rules

REFUSED = 1

app = typer.Typer(help="Rule sets: check a change, show what it says, put it into force.", no_args_is_help=True)

RuleFile = typer.Argument(exists=True, dir_okay=False, readable=True, help="A rule set in TOML; see docs/rules.md.")


@app.command()
def check(file: Annotated[Path, RuleFile]) -> None:
    """Check a rule set; print each fault as file:line:column: message and exit 1, or the rules and exit 0."""
    _print_table(_parsed(file))


@app.command()
def show(
    file: Annotated[Path | None, RuleFile] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show the rules of a file, or those that come with Holdfast."""
    ruleset = parse_ruleset(shipped_rules()) if file is None else _parsed(file)
    if as_json:
        typer.echo(orjson.dumps(_plain(ruleset), option=orjson.OPT_INDENT_2))
    else:
        _print_table(ruleset)


@app.command()
def push(ctx: typer.Context, file: Annotated[Path, RuleFile]) -> None:
    """Check a rule set and put it into force: workers take it without a restart. Exit 1 where it has a fault."""
    from streams.overseeing.cluster import KafkaCluster

    ruleset = _parsed(file)
    asyncio.run(push_ruleset(KafkaCluster(settings_of(ctx)), _text(file), ruleset.ruleset_version))
    typer.echo(ruleset.ruleset_version)


def _parsed(file: Path) -> RuleSet:
    try:
        return parse_ruleset(_text(file))
    except RuleSetError as error:
        for problem in error.problems:
            typer.echo(f"{file}:{problem}")
        raise typer.Exit(REFUSED) from error


def _text(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8").split("\n")
        raise RuleSetError([Problem(line=len(before), column=len(before[-1]) + 1, message="not UTF-8")]) from error


def _print_table(ruleset: RuleSet) -> None:
    enabled = sum(rule.enabled for rule in ruleset.rules)
    table = Table(
        title=f"{ruleset.name} {ruleset.ruleset_version}: {enabled} of {len(ruleset.rules)} rules enabled",
        title_justify="left",
        box=SIMPLE_HEAD,  # five columns of the default set fit into 80 characters
    )
    for heading in ("priority", "rule", "outcome", "when", "reason"):
        table.add_column(heading, justify="right" if heading == "priority" else "left", overflow="fold")
    for rule in sorted(ruleset.rules, key=lambda rule: -rule.priority):
        style = None if rule.enabled else "dim strike"
        table.add_row(str(rule.priority), rule.rule_id, rule.outcome, rule.when, rule.reason, style=style)
    Console(highlight=False, markup=False).print(table)


def _plain(ruleset: RuleSet) -> dict[str, Any]:
    return {
        "name": ruleset.name,
        "version": ruleset.version,
        "ruleset_version": ruleset.ruleset_version,
        "lists": {name: sorted(listed.values) for name, listed in ruleset.lists.items()},
        "rules": [_plain_rule(rule) for rule in ruleset.rules],
    }


def _plain_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "description": rule.description,
        "if": rule.condition,
        "outcome": rule.outcome,
        "reason": rule.reason,
        "priority": rule.priority,
        "when": rule.when,
        "on_error": rule.on_error,
        "enabled": rule.enabled,
    }

"""Puts the table of a kept campaign into a document, between two comments.

cd tests && python -m chaos.report ../docs/campaign.jsonl ../docs/guarantees.md
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from chaos.plan import legs
from chaos.results import Result, kept
from chaos.schedule import CAMPAIGN
from chaos.table import markdown

BEGIN, END = "<!-- campaign: written by chaos.report -->\n", "<!-- end of campaign -->\n"


def report(results: Sequence[Result]) -> str:
    """What a campaign was, and its table. Raises ValueError if there are no results."""
    if not results:
        raise ValueError("no results")
    rates = " and ".join(sorted({f"{each.rate:,.0f}" for each in results}))
    machines = "; ".join(sorted({each.machine for each in results}))
    revisions = ", ".join(sorted({f"`{each.revision}`" for each in results}))
    seed = results[0].campaign
    said = (
        f"Seed {seed}, {len(results)} of {len(legs(seed, CAMPAIGN))} legs, {rates} payments a second, on {machines},"
        f" everything on that one machine. Code: {revisions}."
    )
    return f"{said}\n\n{markdown([each.outcome for each in results])}\n"


def replaced(document: str, table: str) -> str:
    """The document with the table between its two comments. Raises ValueError if they are not there."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(
    results: Annotated[Path, typer.Argument(help="What `chaos.whole_campaign` has kept.")],
    document: Annotated[Path, typer.Argument(help="Where the two comments are.")],
) -> None:
    """Put the table of a campaign into a document."""
    document.write_text(replaced(document.read_text(), report(kept(results))))


if __name__ == "__main__":
    typer.run(main)

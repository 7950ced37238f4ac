"""What an evaluation found, as tables in a terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from streams.operating.evaluation_words import headline, share

if TYPE_CHECKING:
    from models.evaluation import Quality
    from streams.operating.evaluation import Evaluation


def quality_table(measured: "Quality", *, title: str) -> Table:
    """The measures of ranking and calibration alone."""
    table = Table(title=title, show_header=False)
    table.add_row("transactions", f"{measured.transactions:,}")
    table.add_row("of them fraud", f"{measured.frauds:,}")
    table.add_row("average precision", f"{measured.average_precision:.3f}")
    table.add_row("area under the ROC curve", f"{measured.auc:.3f}")
    table.add_row(f"card precision at {measured.k}", f"{measured.card_precision:.3f}")
    table.add_row("expected calibration error", f"{measured.calibration_error:.4f}")
    return table


def whole_table(found: "Evaluation") -> Table:
    """All tested weeks together; a column for each model."""
    whole = found.appraisal.whole
    until = found.date(whole.first_day + whole.days - 1)
    title = f"{found.of}: {found.date(whole.first_day)} to {until}, {found.appraisal.protocol}"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in found.appraisals:
        table.add_column(name, justify="right")
    columns = [headline(each.whole) for each in found.appraisals.values()]
    for name, *cells in zip(columns[0], *(each.values() for each in columns), strict=True):
        table.add_row(name, *cells)
    if (coverage := found.coverage) is not None:
        table.add_section()
        table.add_row("decisions on the topics", f"{coverage.decisions:,}")
        table.add_row("too young: labels may still come", f"{coverage.too_young:,}")
        table.add_row("blocked, and nobody said what they were", f"{coverage.blocked_unknown:,}")
        if coverage.explored:
            table.add_row("explored blocks that were good", f"{coverage.explored_good:,} of {coverage.explored:,}")
    return table


def weeks_table(found: "Evaluation") -> Table:
    """The product week by week."""
    table = Table(box=SIMPLE_HEAD, padding=0)
    table.add_column("week from", no_wrap=True)
    for name in ("AP", "AUC", "CP", "ECE", "stopped", "reviewed", "approved\nwas fraud", "blocked\nwas good"):
        table.add_column(name, justify="right", no_wrap=True)
    for week in found.appraisal.weeks:
        quality, conduct = week.quality, week.conduct
        table.add_row(
            found.date(week.first_day),
            f"{quality.average_precision:.3f}",
            f"{quality.auc:.3f}",
            f"{quality.card_precision:.3f}",
            f"{quality.calibration_error:.4f}",
            *(share(each) for each in (conduct.recall, conduct.reviewed_share)),
            *(share(each) for each in (conduct.approve_error, conduct.block_error)),
        )
    return table

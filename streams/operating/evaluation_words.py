"""The measures of an evaluation in words and figures, the same in a terminal and on the page."""

import math

from models.currency import minor_per_major
from rules.appraisal import Stretch
from rules.worth import Money
from streams.operating.showing import money


def headline(of: Stretch) -> dict[str, str]:
    """Each measure by its name for people."""
    quality, conduct = of.quality, of.conduct
    unscored = {"of them without a score": f"{of.unscored:,}"} if of.unscored else {}
    return {
        "payments": f"{quality.transactions + of.unscored:,}",
        **unscored,
        "of those scored, fraud" if unscored else "of them fraud": f"{quality.frauds:,}",
        "average precision": _figure(quality.average_precision),
        "area under the ROC curve": _figure(quality.auc),
        f"card precision at {quality.k}": _figure(quality.card_precision),
        f"recall at {of.false_positive_rate:.2%} false positives": share(of.recall_at_rate),
        "expected calibration error": _figure(quality.calibration_error, 4),
        "fraud that was stopped": share(conduct.recall),
        "of what was stopped, fraud": share(conduct.precision),
        "reviewed": share(conduct.reviewed_share),
        "approved, and was fraud": share(conduct.approve_error),
        "blocked, and was good": share(conduct.block_error),
        **_money_words(of),
    }


def share(value: float) -> str:
    """A share as people read it; a dash of nothing."""
    return "-" if math.isnan(value) else f"{value:.2%}"


def round_money(amount_minor: int, currency: str) -> str:
    """An amount in its currency, without what is below a unit of it."""
    return f"{round(amount_minor / minor_per_major(currency)):,} {currency}"


def main_currency(of: Stretch) -> str:
    """The one with the most money at stake."""
    return max(of.money, key=lambda each: of.money[each].block_all_minor)


def best_constant_words(of: Money) -> str:
    """The cheapest of doing the same to all."""
    return {"approve": "approving all", "block": "blocking all", "review": "reviewing all"}[of.best_constant.value]


def _money_words(of: Stretch) -> dict[str, str]:
    said: dict[str, list[str]] = {"cost of what was decided": [], "saved against approving all": []}
    said |= {"saved against the best constant": [], "which would be": []}
    for currency, each in sorted(of.money.items(), key=lambda one: -one[1].block_all_minor):
        said["cost of what was decided"].append(money(each.cost_minor, currency))
        said["saved against approving all"].append(money(each.saved_minor, currency))
        said["saved against the best constant"].append(money(each.saved_on_constant_minor, currency))
        said["which would be"].append(best_constant_words(each))
    return {name: "\n".join(values) for name, values in said.items()}


def _figure(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"

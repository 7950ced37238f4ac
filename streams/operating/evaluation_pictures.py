"""The pictures of an evaluation, as SVG that takes its colours from the page. They need the optional group `report`."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from streams.operating.evaluation import Evaluation

MISSING = "<p class=quiet>Pictures need matplotlib: <code>pip install 'holdfast[report]'</code>.</p>"
# Drawn in colours that nothing else has, each of which the page then gives a meaning.
_INK, _LINE, _MAIN, _OTHER, _BAD = "#010101", "#020202", "#030303", "#040404", "#050505"
_NAMES = {_INK: "var(--quiet)", _LINE: "var(--line)", _MAIN: "var(--main)", _OTHER: "var(--other)", _BAD: "var(--bad)"}
_LOOK = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_HALF, _FULL = (5.2, 3.6), (10.8, 3.2)
_FEWEST = 1e-4  # where logarithmic axes begin

Drawing = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Each an <svg>, or what to install where matplotlib is missing."""

    weeks: str
    roc: str
    precision_recall: str
    reliability: str
    histogram: str
    money: str

    @classmethod
    def of(cls, found: "Evaluation") -> "Pictures":
        """All of them."""
        return cls(
            weeks=_drawn("weeks", _FULL, lambda figure: _weeks(figure, found)),
            roc=_drawn("roc", _HALF, lambda figure: _roc(figure.subplots(), found)),
            precision_recall=_drawn("pr", _HALF, lambda figure: _precision_recall(figure.subplots(), found)),
            reliability=_drawn("reliability", _HALF, lambda figure: _reliability(figure.subplots(), found)),
            histogram=_drawn("histogram", _HALF, lambda figure: _histogram(figure.subplots(), found)),
            money=_drawn("money", _FULL, lambda figure: _money(figure.subplots(), found)),
        )


def _drawn(name: str, size: tuple[float, float], draw: Drawing) -> str:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return MISSING
    with rc_context({**_LOOK, "svg.hashsalt": name}):  # ids of their own: all pictures lie in one page
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    svg = written.getvalue()[written.getvalue().index("<svg") :]
    for colour, meaning in _NAMES.items():
        svg = svg.replace(colour, meaning)
    return svg


def _weeks(figure: Any, found: "Evaluation") -> None:
    ranking, reviews, errors = figure.subplots(1, 3)
    dates = [found.date(week.first_day)[5:] for week in found.appraisal.weeks]
    for (name, appraisal), colour in zip(found.appraisals.items(), (_MAIN, _OTHER), strict=False):
        ranked = [week.quality.average_precision for week in appraisal.weeks]
        ranking.plot(dates, ranked, marker="o", markersize=4, color=colour, label=name)
    ranking.set(title="Average precision", ylim=(0, 1))
    weeks = [week.conduct for week in found.appraisal.weeks]
    for axes, values, colour, label in (
        (reviews, [100 * each.reviewed_share for each in weeks], _MAIN, "% of payments"),
        (errors, [100 * each.block_error for each in weeks], _BAD, "blocked, was good: % of blocks"),
        (errors, [100 * each.approve_error for each in weeks], _OTHER, "approved, was fraud: % of approvals"),
    ):
        axes.plot(dates, values, marker="o", markersize=4, color=colour, label=label)
    reviews.set(title="Shown to a person")
    errors.set(title="Automatic outcomes that were wrong")
    for axes in (ranking, reviews, errors):
        axes.set_ylim(bottom=0, top=max(1.0, 1.3 * axes.get_ylim()[1]) if axes is not ranking else 1.0)
        axes.legend(loc="lower left" if axes is ranking else "upper left")
        axes.set_xticks(dates[:: max(1, len(dates) // 4)])


def _roc(axes: Any, found: "Evaluation") -> None:
    for (name, appraisal), colour in zip(found.appraisals.items(), (_MAIN, _OTHER), strict=False):
        if appraisal.curves.roc:
            axes.plot(*zip(*appraisal.curves.roc, strict=True), color=colour, label=name)
    few = np.geomspace(_FEWEST, 1.0)
    axes.plot(few, few, color=_INK, linestyle=":", linewidth=1)
    axes.axvline(found.appraisal.whole.false_positive_rate, color=_BAD, linewidth=1, linestyle="--")
    axes.set(xlabel="good payments stopped", ylabel="fraud found", title="ROC")
    axes.set(xscale="log", xlim=(_FEWEST, 1), ylim=(0, 1.01))
    axes.legend(loc="upper left")


def _precision_recall(axes: Any, found: "Evaluation") -> None:
    for (name, appraisal), colour in zip(found.appraisals.items(), (_MAIN, _OTHER), strict=False):
        if appraisal.curves.precision_recall:
            axes.plot(*zip(*appraisal.curves.precision_recall, strict=True), color=colour, label=name)
    conduct = found.appraisal.whole.conduct
    for recall, precision, label in (
        (conduct.block_recall, conduct.block_precision, "blocked"),
        (conduct.recall, conduct.precision, "blocked or reviewed"),
    ):
        axes.plot([recall], [precision], marker="o", color=_BAD)
        axes.annotate(label, (recall, precision), xytext=(-8, -14), textcoords="offset points", ha="right")
    axes.set(
        xlabel="fraud found", ylabel="fraud among it", title="Precision and recall", xlim=(0, 1.02), ylim=(0, 1.02)
    )
    axes.legend(loc="lower left")


def _reliability(axes: Any, found: "Evaluation") -> None:
    for (name, appraisal), colour in zip(found.appraisals.items(), (_MAIN, _OTHER), strict=False):
        bins = appraisal.curves.reliability
        said, were = (
            [max(getattr(each, name), _FEWEST) for each in bins] for name in ("mean_probability", "fraud_share")
        )
        axes.plot(said, were, marker="o", markersize=4, color=colour, label=name)
    axes.plot([_FEWEST, 1], [_FEWEST, 1], color=_INK, linestyle=":", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="mean score", ylabel="fraud among them", title="Reliability")
    axes.legend(loc="upper left")


def _histogram(axes: Any, found: "Evaluation") -> None:
    curves = found.appraisal.curves
    for counts, colour, label in ((curves.scores_of_others, _MAIN, "good"), (curves.scores_of_frauds, _BAD, "fraud")):
        axes.stairs(counts, curves.score_edges, fill=True, color=colour, alpha=0.55, label=label)
    axes.set(yscale="log", xlabel="score", ylabel="payments", title="Scores", xlim=(0, 1))
    axes.set_ylim(bottom=0.8)
    axes.legend(loc="upper center")


def _money(axes: Any, found: "Evaluation") -> None:
    from models.currency import minor_per_major

    for (name, appraisal), colour in zip(found.appraisals.items(), (_MAIN, _OTHER), strict=False):
        unit = minor_per_major(appraisal.curves.money_currency)
        at, cost = zip(*appraisal.curves.money, strict=True)
        axes.plot(at, [each / unit for each in cost], color=colour, label=name)
        spent = appraisal.whole.money[appraisal.curves.money_currency].cost_minor / unit
        axes.axhline(spent, color=colour, linestyle="--", linewidth=1)
    axes.set(xlabel="block from this score on", ylabel=f"cost, {found.appraisal.curves.money_currency}", xlim=(0, 1))
    axes.set(yscale="log", title="Cost over the threshold")
    axes.legend(loc="upper center")

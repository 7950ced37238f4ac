"""The report of an evaluation: one HTML file that needs nothing else, for whoever answers for the losses."""

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from streams.operating.evaluation_pictures import Pictures
from streams.operating.evaluation_words import best_constant_words, headline, main_currency, round_money, share
from streams.operating.showing import money

if TYPE_CHECKING:
    from rules.appraisal import Stretch
    from rules.policy import CostPolicy
    from streams.operating.evaluation import Evaluation

# Pictures are drawn in these names, so that one drawing serves light and dark.
STYLE = """:root{color-scheme:light dark;--paper:#fff;--card:#f5f6f8;--ink:#1d2129;--quiet:#69707d;--line:#d9dce2;
--main:#1f5fae;--other:#c05b00;--bad:#b3261e;--good:#1c7a3a}
@media (prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1e2127;--ink:#e7e9ee;--quiet:#9aa1ae;--line:#363b45;
--main:#79b0ff;--other:#ffab5e;--bad:#ff8a80;--good:#7bd694}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2.5rem auto;
padding:0 1.2rem}h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.4rem 0 .4rem}
p{max-width:46rem}.quiet{color:var(--quiet)}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:bottom}
td{white-space:pre}.narrow{font-size:.88rem}th:first-child,td:first-child{text-align:left}
th{font-weight:600;color:var(--quiet)}
.wide{overflow-x:auto}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.9rem;margin:1.4rem 0}
.cards div{background:var(--card);border-radius:.6rem;padding:.9rem 1.1rem}
.cards b{display:block;font-size:1.55rem;white-space:nowrap}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1.2rem}
figure{margin:0}figcaption{color:var(--quiet);font-size:.92rem;margin:.2rem 0 1rem}svg{width:100%;height:auto}"""


def page(found: "Evaluation", policy: "CostPolicy") -> str:
    """The whole of it."""
    whole, pictures = found.appraisal.whole, Pictures.of(found)
    period = f"{found.date(whole.first_day)} to {found.date(whole.first_day + whole.days - 1)}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width,initial-scale=1">',
        f"<title>Holdfast: evaluation of {_text(found.of)}</title><style>{STYLE}</style>",
        "<h1>How good the decisions were</h1>",
        f"<p class=quiet>{_text(found.of)}, {period}; {_text(_rows_words(found))}</p>",
        _cards(found),
        "<h2>All tested weeks</h2>",
        _headline(found),
        *_coverage(found),
        "<h2>Week by week</h2><p>A model that learns online should not sink from week to week.</p>",
        pictures.weeks,
        _weeks(found),
        "<h2>Does it rank fraud above the rest?</h2><div class=pair>",
        _figure(
            pictures.roc,
            "How much fraud is found (up) for how many good payments are stopped (right, by tens). The dotted"
            " line is guessing.",
        ),
        _figure(
            pictures.precision_recall,
            "Of what is stopped, how much is fraud (up), as more of all fraud is found (right).",
        ),
        "</div><h2>Do its probabilities mean what they say?</h2><div class=pair>",
        _figure(
            pictures.reliability,
            "Payments in groups of about the same score: fraud among them against the score."
            " On the dotted line the score is the truth; at the bottom there is no fraud.",
        ),
        _figure(pictures.histogram, "Where scores lie, by what payments turned out to be. The count grows by tens."),
        "</div><h2>What would another threshold have cost?</h2>",
        _figure(
            pictures.money,
            "Blocking from a score on and approving below it, with nobody to ask. The dashed line is"
            " what the policy cost, which knows the amount and may ask a person.",
        ),
        f"<h2>What was assumed</h2><p>{_text(_assumed(policy))}</p></html>",
    ]
    return "\n".join(parts)


def _cards(found: "Evaluation") -> str:
    whole = found.appraisal.whole
    currency = main_currency(whole)
    spent = whole.money[currency]
    told = (
        (round_money(spent.saved_minor, currency), "saved against approving everything"),
        (round_money(spent.saved_on_constant_minor, currency), f"saved against {best_constant_words(spent)}"),
        (share(whole.conduct.recall), "of all fraud was blocked or shown to a person"),
        (share(whole.conduct.reviewed_share), "of all payments went to a person"),
        (share(whole.conduct.approve_error), "of what was approved was fraud"),
        (share(whole.conduct.block_error), "of what was blocked was good"),
    )
    return f"<div class=cards>{''.join(f'<div><b>{_text(value)}</b>{_text(what)}</div>' for value, what in told)}</div>"


def _headline(found: "Evaluation") -> str:
    columns = [headline(each.whole) for each in found.appraisals.values()]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = ([name, *(column.get(name, "-") for column in columns)] for name in names)
    return _table(["", *found.appraisals], rows)


def _coverage(found: "Evaluation") -> list[str]:
    if (of := found.coverage) is None:
        return []
    explored = (
        f"Of {of.explored:,} blocks that were explored {of.explored_good:,} were good: so many would be among all"
        " blocks within the bounds of exploration."
        if of.explored
        else "Nothing was explored, so nothing is known of what else was blocked."
    )
    counted = (
        f"Of {of.decisions:,} decisions {of.judged:,} are judged. {of.too_young:,} are too young: labels may still"
        f" come. {of.blocked_unknown:,} were blocked, and nobody said what they were: they count nowhere above."
    )
    return [f"<p>{_text(counted)} {_text(explored)}</p>"]


def _weeks(found: "Evaluation") -> str:
    names = ["week from", "payments", "fraud", "average precision", "ROC area", "card precision", "calibration error"]
    names += ["fraud stopped", "reviewed", "approved, was fraud", "blocked, was good", "saved on the best constant"]
    return _table(names, (_week(found, week) for week in found.appraisal.weeks), style="narrow")


def _week(found: "Evaluation", week: "Stretch") -> list[str]:
    quality, conduct = week.quality, week.conduct
    currency = main_currency(week)
    return [
        found.date(week.first_day),
        f"{quality.transactions + week.unscored:,}",
        f"{quality.frauds:,}",
        *(f"{each:.3f}" for each in (quality.average_precision, quality.auc, quality.card_precision)),
        f"{quality.calibration_error:.4f}",
        *map(share, (conduct.recall, conduct.reviewed_share, conduct.approve_error, conduct.block_error)),
        money(week.money[currency].saved_on_constant_minor, currency),
    ]


def _rows_words(found: "Evaluation") -> str:
    if found.appraisal.protocol == "handbook":
        return "by the Fraud Detection Handbook's protocol: cards known to be defrauded are left out"
    return "all payments of these weeks"


def _assumed(policy: "CostPolicy") -> str:
    return (
        f"Approving a fraud costs {policy.fraud_loss:.0%} of its amount and {policy.fraud_fee_minor / 100:.2f};"
        f" blocking a good payment {policy.wrong_block_share:.0%} of it and {policy.wrong_block_minor / 100:.2f};"
        f" a review {policy.review_minor / 100:.2f}, and the reviewer is right. Money is counted in each payment's own"
        " currency, and never converted. Each payment was scored before anything later was known; no score was made"
        " again afterwards."
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], *, style: str = "") -> str:
    head = "".join(f"<th>{_text(name)}" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}' for cell in row)}" for row in rows)
    return f"<div class=wide><table class='{style}'><tr>{head}{body}</table></div>"


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{_text(caption)}</figcaption></figure>"


def _text(words: str) -> str:
    return html.escape(words)

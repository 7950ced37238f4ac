"""Results are read back as they were kept, the table adds up those of several legs, and documents show it."""

from pathlib import Path
from statistics import median

import pytest
from chaos.ages import classed
from chaos.checker import Verdict
from chaos.outcome import Episode, Outcome
from chaos.plan import Leg, legs
from chaos.report import BEGIN, END, replaced, report
from chaos.results import keep, kept
from chaos.schedule import CAMPAIGN, NETWORK, FaultKind
from chaos.table import markdown

DOCS = Path(__file__).parents[2] / "docs"
KILL = FaultKind.KILL_WORKER


def an_outcome(back: float | None, lost: int) -> Outcome:
    return Outcome(
        verdict=Verdict(broken={"nothing is lost": ("a",)} if lost else {}, counts={"nothing is lost": lost}),
        episodes=[
            Episode(
                kind=KILL,
                back_seconds=back,
                deciding_seconds=back and 1.0,
                during=classed([0.1] * 95 + [2.0] * 5),
                after=classed([0.01]),
            )
        ],
        calm=classed([0.005]),
        inputs=1_000,
        taken_back=3,
    )


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "there" / "results.jsonl"
    legs = [Leg(name=name, seed=1, faults=(KILL,)) for name in ("a", "b")]
    outcomes = [an_outcome(1.5, 0), an_outcome(None, 2)]
    for leg, outcome in zip(legs, outcomes, strict=True):
        keep(file, 7, leg, 1000.0, outcome)

    assert [each.outcome for each in kept(file)] == outcomes
    assert [(each.campaign, each.leg, each.rate) for each in kept(file)] == [(7, "a", 1000.0), (7, "b", 1000.0)]
    assert [each.holds for each in outcomes] == [True, False]


def test_no_file_holds_nothing(tmp_path: Path) -> None:
    assert kept(tmp_path / "none") == []


def test_the_table_adds_up_legs() -> None:
    said = markdown([an_outcome(1.5, 0), an_outcome(2.5, 0), an_outcome(None, 2)])
    [row] = [line for line in said.splitlines() if line.startswith("| kill -9 worker |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["3", "1.0 / 1.0", "2.0 / 2.5, 1 never"]
    p50, p99 = (int(each) for each in cells[4].replace(",", "").split(" / "))
    assert 99 <= p50 <= 101
    assert 1980 <= p99 <= 2020
    assert "| nothing is lost | 2 times |" in said
    assert "3,000 records" in said
    assert "9 records taken back" in said


def test_the_rest_of_a_document_stays() -> None:
    assert replaced(f"a\n{BEGIN}old{END}z\n", "new") == f"a\n{BEGIN}\nnew\n{END}z\n"
    with pytest.raises(ValueError, match="not enough"):
        replaced("no comments", "new")


def test_no_results_make_no_table() -> None:
    with pytest.raises(ValueError, match="no results"):
        report([])


def test_the_guarantees_show_the_campaign_that_is_kept() -> None:
    document = (DOCS / "guarantees.md").read_text()
    results = kept(DOCS / "campaign.jsonl")
    assert replaced(document, report(results)) == document
    assert len(results) == len(legs(results[0].campaign, CAMPAIGN))
    assert all(each.outcome.holds for each in results)


def test_the_campaign_that_is_kept_had_faults_enough_and_recovery_within_bounds() -> None:
    """Of a fresh worker, of what others take over, and of the one broker: medians and a maximum, seconds."""
    episodes = [each for result in kept(DOCS / "campaign.jsonl") for each in result.outcome.episodes]
    again = {kind: [each.deciding_seconds for each in episodes if each.kind is kind] for kind in FaultKind}
    for kind in (FaultKind.KILL_WORKER, FaultKind.KILL_SCORER, FaultKind.KILL_LEARNER, FaultKind.KILL_BROKER):
        assert len(again[kind]) >= 50
    assert len(again[FaultKind.ZOMBIE_WORKER]) >= 50
    assert all(len(again[kind]) >= 20 for kind in (FaultKind.BROKER_OUTAGE, *NETWORK))
    assert median(again[FaultKind.KILL_WORKER]) <= 2.5
    assert max(again[FaultKind.KILL_WORKER]) <= 6.0
    assert median(again[FaultKind.LEAVE_WORKER]) <= 8.0
    assert median(again[FaultKind.KILL_BROKER]) <= 10.0

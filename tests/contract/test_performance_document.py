"""What the document on performance says is what was measured, and what was measured is what is promised."""

import json
from statistics import median
from typing import Any

import pytest

from bench.performance import DOCUMENT, FIGURES, PARTS, written

FOUND: dict[str, Any] = json.loads(FIGURES.read_text("utf-8"))


def rate(candidate: str) -> float:
    return median(each["per_second"] for each in FOUND["peers"][0]["runs"][candidate])


def grown(workers: int, known_cards: int, *figures: str) -> float:
    runs = [each for each in FOUND["growth"] if (each["workers"], each["known_cards"]) == (workers, known_cards)]
    return median(sum(each[name] for name in figures) for each in runs)


def test_its_tables_are_those_of_the_figures() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert written(document, FOUND) == document
    assert FOUND.keys() == PARTS.keys()


def test_a_part_without_its_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for rules"):
        written("nothing", {"rules": FOUND["rules"]})


def test_every_decision_of_every_engine_was_right() -> None:
    runs = [each for of_one in FOUND["peers"][0]["runs"].values() for each in of_one]
    assert {(each["missing"], each["twice"], each["wrong"]) for each in runs} == {(0, 0, 0)}


def test_our_lanes_are_ahead_of_every_engine_and_near_a_bare_loop() -> None:
    assert rate("holdfast") > max(rate("quixstreams"), rate("faust"))
    assert rate("holdfast") >= 0.9 * rate("aiokafka")
    assert rate("holdfast") >= 34_000.0


def test_the_whole_path_is_ahead_of_an_engine_that_does_less() -> None:
    whole = median(each["per_second"] for each in FOUND["throughput"])
    assert whole > rate("quixstreams")
    assert whole >= 22_000.0


def test_many_cards_and_a_second_worker_cost_little() -> None:
    assert grown(1, 1_000_000, "per_second") >= 0.8 * grown(1, 1_000, "per_second")
    one, two = (grown(workers, 0, "worker_us", "scorer_us") for workers in (1, 2))
    assert two <= 1.1 * one


def test_a_worker_is_ready_soon_and_help_is_printed_at_once() -> None:
    starts = {each["command"]: each["seconds"] for each in FOUND["startup"][0]["starts"]}
    assert starts["worker"] <= 3.0
    assert starts["--help"] <= 0.3


def aged(*, rate: float | None = None, share: float | None = None) -> dict[str, Any]:
    """The turns at one rate, or at one share of the most."""
    measured = [each for said in FOUND["latency"] for each in said["ages"]]
    (found,) = (each for each in measured if each["share"] == share and (share or each["rate"] == rate))
    return found


def young(name: str, *, rate: float | None = None, share: float | None = None) -> float:
    """The median of one figure of ages."""
    return median(turn[name] for turn in aged(rate=rate, share=share)["turns"])


def test_decisions_are_young_one_at_a_time_and_at_two_thousand_a_second() -> None:
    assert young("p50", rate=0.0) <= 8.0
    assert young("p50", rate=2_000.0) <= 10.0
    assert young("p99", rate=2_000.0) <= 35.0


def test_half_of_the_most_is_half_of_what_the_whole_path_decides() -> None:
    assert aged(share=0.5)["rate"] >= 0.48 * median(each["per_second"] for each in FOUND["throughput"])


def test_decisions_are_young_at_half_of_the_most_that_are_decided() -> None:
    assert young("p50", share=0.5) <= 15.0
    assert young("p99", share=0.5) <= 50.0


def test_at_the_same_work_ours_are_the_youngest_and_the_soonest_back() -> None:
    by_name = {each["name"]: each for each in FOUND["ages"][0]["ages"]}
    ours, others = by_name.pop("holdfast"), by_name.values()
    assert ours["missing"] == ours["twice"] == 0
    assert all(ours["p50"] < each["p50"] and ours["p99"] < each["p99"] for each in others)
    assert max(ours["all_"]) < min(by_name["quixstreams"]["first"])

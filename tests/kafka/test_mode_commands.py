"""`holdfast mode`: what an operator says holds in a worker that runs, until it is taken back or its time is over."""

import json
from collections.abc import Iterator

import pytest
from support.outside import Outside, outside_of
from support.processes import environment_of, running_worker
from support.trained import champion_record, trained
from typer.testing import CliRunner

from streams.broker.topics import Topic
from streams.operating.cli import main
from streams.wire.snapshot_record import CHAMPION

pytestmark = pytest.mark.kafka

PATIENT = {"scorer_budget_ms": "300", "scorer_hung_after_ms": "3000", "deadline_deadline_ms": "60000"}


@pytest.fixture(scope="module")
def outside(bootstrap: str) -> Iterator[Outside]:
    """With a worker whose model decides."""
    with (
        outside_of(bootstrap, "mode.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables(**PATIENT)),
    ):
        outside.until(lambda: outside.all_of(Topic.MODES) != [])  # it is told that there is no model yet
        outside.send(champion_record(trained()), key=CHAMPION, topic=Topic.MODELS)
        outside.flush()
        outside.until(lambda: reason(outside) is None)
        yield outside


def holdfast(outside: Outside, *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    runner = CliRunner(env=environment_of(outside.bootstrap, outside.prefix, **outside.variables()))
    result = runner.invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output


def reason(outside: Outside) -> str | None:
    """Why the next payment is not the model's."""
    found: str | None = outside.decided()["fallback_reason"]
    return found


def test_rules_decide_until_they_are_released_and_it_is_told_who_said_so(outside: Outside) -> None:
    before = len(outside.all_of(Topic.MODES))
    said = holdfast(outside, "mode", "force", "rules", "--who", "ada", "--why", "drift since noon")
    assert said == "Rules decide until it is released (by ada: drift since noon).\n"
    outside.until(lambda: reason(outside) == "FORCED")
    assert holdfast(outside, "mode", "show").startswith(said)
    outside.until(lambda: "\nworker-1: stand_in (FORCED) since 20" in holdfast(outside, "mode", "show"))

    assert (
        holdfast(outside, "mode", "release", "--who", "bob", "--why", "over") == "Nothing is forced (by bob: over).\n"
    )
    outside.until(lambda: reason(outside) is None)
    outside.until(lambda: len(outside.all_of(Topic.MODES)) >= before + 2)
    shown = json.loads(holdfast(outside, "mode", "show", "--json"))
    assert shown["order"] == {"force": None, "who": "bob", "why": "over", "until": None}
    assert [each["instance"] for each in shown["workers"]] == ["worker-1"]
    outside.until(lambda: "\nworker-1: normal since 20" in holdfast(outside, "mode", "show"))


def test_each_change_of_mode_can_be_watched(outside: Outside) -> None:
    outside.until(lambda: "\nworker-1: normal since 20" in holdfast(outside, "mode", "show"))
    before = len(outside.all_of(Topic.MODES))
    holdfast(outside, "mode", "force", "rules", "--why", "to be seen")
    outside.until(lambda: "\nworker-1: stand_in (FORCED)" in holdfast(outside, "mode", "show"))
    holdfast(outside, "mode", "release", "--why", "seen")
    outside.until(lambda: reason(outside) is None)

    told = len(outside.all_of(Topic.MODES))
    lines = holdfast(outside, "watch", "modes", "--from-beginning", "--json", "--count", str(told)).splitlines()
    events = [json.loads(each) for each in lines]
    assert {(each["type"], each["subject"]) for each in events} == {("holdfast.mode.changed", "worker-1")}
    changes = [each["data"] for each in events]
    assert changes[0]["reason"] in {"CONNECTION_ERROR", "MODEL_COLD_START"}  # no scorer yet, or one without a model
    assert [each["before"] for each in changes] == ["normal", *(each["after"] for each in changes[:-1])]
    forced = [each for each in changes[before:] if each["reason"] == "FORCED" and each["after"] == "stand_in"]
    assert {each["evidence"]["breaker"] for each in forced} == {"forced_open"}

    shown = holdfast(outside, "watch", "modes", "--from-beginning", "--count", "1")
    assert f"worker-1  normal → stand_in  {changes[0]['reason']}  after" in shown


def test_a_word_with_an_end_ends_by_itself(outside: Outside) -> None:
    holdfast(outside, "mode", "force", "rules", "--why", "a drill", "--until", "4s")
    outside.until(lambda: reason(outside) == "FORCED")
    outside.until(lambda: reason(outside) is None)
    assert holdfast(outside, "mode", "show").startswith("Nothing is forced")


def test_a_model_is_kept_in_use_for_a_time_only(outside: Outside) -> None:
    refused = holdfast(outside, "mode", "force", "model", "--why", "false alarm", code=2)
    assert "--until" in refused
    said = holdfast(outside, "mode", "force", "model", "--who", "ada", "--why", "false alarm", "--until", "1h")
    assert said.startswith("Model decides until 20")
    holdfast(outside, "mode", "release", "--why", "over")

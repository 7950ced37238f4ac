"""A model gone wrong does not decide, or not for long; and an operator goes back to one that was kept."""

import re
from collections.abc import Iterator

import pytest
from support.lessons import TEACHABLE, a_learner, champions, learn_by_life
from support.outside import Outside, outside_of
from support.processes import environment_of
from typer.testing import CliRunner

from streams.operating.cli import main

pytestmark = pytest.mark.kafka

SPOILT_FROM = 600
SPOILT = f"""
import sys
from models.exam import Exam, Verdict
from models.online import OnlineModel
from streams.learning.guard import Guard
from streams.operating.cli import main
sick = True
sound, gave_up = OnlineModel.snapshot, Guard.gave_up
def spoilt(self, **options):
    if sick and self.labels >= {SPOILT_FROM}:
        self.scored_intercept += 8.0
    return sound(self, **options)
def cured(self):
    global sick
    given_up = gave_up(self)
    sick = sick and not given_up
    return given_up
OnlineModel.snapshot, Guard.gave_up = spoilt, cured
if "asleep" in sys.argv:
    Exam.judge = lambda self, candidate, champion: Verdict(refusal=None)
sys.argv = ["holdfast", "learner"]
main()
"""
KEEP_ALL = {"learner_publish_interval_seconds": "0.3", "learner_keep_model_minutes": "0.0001"}


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as outside:
        yield outside


def test_a_model_gone_wrong_never_decides_and_its_learner_goes_on_from_the_champion(outside: Outside) -> None:
    """Its intercept runs away from 600 labels on: all is fraud. Restored, it knows less, and learns what comes."""
    quick = {"learner_publish_interval_seconds": "0.3"}
    with a_learner(outside, program=("-c", SPOILT), **TEACHABLE | quick) as learner:
        learn_by_life(outside, range(500))
        outside.until(lambda: champions(outside) != [] and champions(outside)[-1].labels == 500)
        sound = champions(outside)[-1]
        learn_by_life(outside, range(500, 700))
        outside.until(lambda: outside.alerts("candidate") != [])
        [alert] = outside.alerts("candidate")
        assert (alert["status"], alert["reason"]) == ("open", "CANDIDATE_REFUSED")
        assert alert["evidence"]["refusal"] == "WORSE"
        assert float(alert["evidence"]["candidate_log_loss"]) > 1.5 * float(alert["evidence"]["champion_log_loss"])
        for refused in (2, 3):
            learn_by_life(outside, range(50 * refused + 600, 50 * refused + 650))
            outside.until(lambda enough=refused: learner.metric("holdfast_candidates_refused") >= enough)
        outside.until(lambda: "learner_restored" in learner.said())
        restored = champions(outside)[-1].labels
        assert 500 <= restored < SPOILT_FROM
        learn_by_life(outside, range(800, 850))
        outside.until(lambda: learner.metric("holdfast_examples_learnt") == 850)
        outside.until(lambda: restored + 50 <= champions(outside)[-1].labels < 850)
        assert max(each.scored_intercept for each in champions(outside)) < sound.scored_intercept + 1.0
    assert learner.process.returncode == 0


def test_champions_that_decide_badly_are_gone_back_from_without_anybody(outside: Outside) -> None:
    """The exam is asleep, and all is fraud to what decides from 600 labels on: outcomes tell."""
    with a_learner(outside, program=("-c", SPOILT, "asleep"), **TEACHABLE | KEEP_ALL) as learner:
        learn_by_life(outside, range(300))
        outside.until(lambda: 300 in [each.labels for each in champions(outside)])
        learn_by_life(outside, range(300, 500))  # one that has learnt less is kept
        outside.until(lambda: champions(outside)[-1].labels == 500)
        learn_by_life(outside, range(500, 620))
        outside.until(lambda: champions(outside)[-1].labels == 620)
        assert outside.alerts("rollback") == []
        learn_by_life(outside, range(620, 720))
        outside.until(lambda: outside.alerts("rollback") != [])
        alert = outside.alerts("rollback")[0]
        assert (alert["status"], alert["reason"]) == ("open", "MODEL_ROLLED_BACK")
        assert alert["evidence"]["why"] == "what decided was proven worse"
        assert learner.metric("holdfast_model_rollbacks") == 1
        went_back_to = int(alert["evidence"]["to"].split("-")[0])
        assert went_back_to < SPOILT_FROM
        learn_by_life(outside, range(720, 730))
        outside.until(lambda: went_back_to + 10 <= champions(outside)[-1].labels < SPOILT_FROM)
        outside.until(lambda: [each["status"] for each in outside.alerts("rollback")][-1] == "resolved")


def test_one_goes_back_to_a_model_that_was_kept_and_on_from_there(outside: Outside) -> None:
    with a_learner(outside, **TEACHABLE | KEEP_ALL) as learner:
        nothing = model_command(outside, "rollback", "--why", "to see", code=2)
        assert "none to go back to" in nothing
        learn_by_life(outside, range(300))
        outside.until(lambda: champions(outside) != [] and champions(outside)[-1].labels == 300)
        learn_by_life(outside, range(300, 400))
        outside.until(lambda: champions(outside)[-1].labels == 400)
        was = next(each for each in champions(outside) if each.labels == 300)
        assert re.search(rf"{was.model_version} .* kept +300", model_command(outside, "list"))
        assert "(intercept)" in model_command(outside, "show", was.model_version[:8])
        assert f"{was.model_version} to {champions(outside)[-1].model_version}" in model_command(
            outside, "diff", was.model_version
        )

        said = model_command(outside, "rollback", was.model_version, "--who", "ada", "--why", "false labels since noon")
        assert said.endswith(f" decides: {was.model_version} (by ada: false labels since noon).\n")
        outside.until(lambda: champions(outside)[-1].labels == 300)
        assert champions(outside)[-1].columns == was.columns
        learn_by_life(outside, range(400, 410))
        outside.until(lambda: champions(outside)[-1].labels == 310)
        learner.kill()
    with a_learner(outside, **TEACHABLE | KEEP_ALL):
        learn_by_life(outside, range(410, 420))
        outside.until(lambda: champions(outside)[-1].labels == 320)
    refused = model_command(outside, "rollback", "7-none", "--why", "to see", code=2)
    assert "there is no model 7-none" in refused


def test_a_candidate_that_failed_its_exam_decides_once_an_operator_says_so(outside: Outside) -> None:
    """All is fraud to it: the exam is right, but the word is the operator's."""
    quick = {"learner_publish_interval_seconds": "0.3"}
    with a_learner(outside, program=("-c", SPOILT), **TEACHABLE | quick):
        learn_by_life(outside, range(500))
        outside.until(lambda: champions(outside) != [] and champions(outside)[-1].labels == 500)
        sound = champions(outside)[-1]
        nothing = model_command(outside, "promote", "--why", "to see", code=2)
        assert "there is no candidate" in nothing
        learn_by_life(outside, range(500, 620))
        outside.until(lambda: outside.alerts("candidate") != [])
        said = model_command(outside, "promote", "--who", "ada", "--why", "a new fraud")
        promoted = re.search(r"(\S+) decides: (\S+) \(by ada: a new fraud\)\.\n$", said)
        assert promoted is not None
        outside.until(lambda: champions(outside)[-1].model_version == promoted[1])
        assert champions(outside)[-1].scored_intercept > sound.scored_intercept + 4.0
        outside.until(lambda: [each["status"] for each in outside.alerts("candidate")][-1] == "resolved")


def model_command(outside: Outside, *arguments: str, code: int = 0) -> str:
    """What `holdfast model` prints."""
    variables = environment_of(outside.bootstrap, outside.prefix, **outside.variables())
    result = CliRunner(env=variables | {"COLUMNS": "160"}).invoke(main, ["model", *arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split(" "))

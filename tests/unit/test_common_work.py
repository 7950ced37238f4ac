"""The work that engines are compared by: the same as the one that peers were measured with first."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench.peers.payments import payments
from bench.peers.work import RING, State, decide, pack, unpack

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "peers" / "w.py"
SAMPLE = 3_000


def decided(decide_one: Any) -> list[tuple[int, dict[str, Any]]]:
    """What it makes of the payments, all of few accounts."""
    states: dict[bytes, Any] = {}
    made = []
    for offset, payment in enumerate(payments(SAMPLE)):
        account = payment.key[-1:]
        which, decision, states[account] = decide_one(states.get(account), payment.value, 3, offset)
        told = orjson.loads(decision)
        del told["decided_at"]
        made.append((which, told))
    return made


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # in it
@pytest.mark.skipif(not REFERENCE.exists(), reason="the first form of the work is not part of this repository")
def test_it_decides_as_its_first_form_did() -> None:
    spec = importlib.util.spec_from_file_location("first_form", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    first = importlib.util.module_from_spec(spec)
    sys.modules["first_form"] = first
    spec.loader.exec_module(first)
    made = decided(decide)
    assert made == decided(first.score)
    assert {which for which, _ in made} == {0, 1, 2}


def test_a_state_survives_its_changelog() -> None:
    state: State | None = None
    for offset, payment in enumerate(payments(RING + 5)):
        _, _, state = decide(state, payment.value, 0, offset)
        assert unpack(pack(state)) == state
    assert state is not None
    assert len(state[4]) == RING


def test_payments_are_the_same_in_every_run() -> None:
    assert list(payments(50)) == list(payments(50))
    sizes = [len(each.value) for each in payments(200)]
    assert 950 < sum(sizes) / len(sizes) < 1_080

"""The guard on the time of a decision: broken only where each try is beyond a bound."""

import pytest
import typer

from bench import guard

BARE = 10.0
WITHIN = (BARE, 10.9 * BARE, 6.4 * BARE)
WHOLE_BEYOND = (BARE, 11.1 * BARE, 6.4 * BARE)
LANES_BEYOND = (BARE, 10.9 * BARE, 6.6 * BARE)


def tried(monkeypatch: pytest.MonkeyPatch, *measured: tuple[float, float, float]) -> int:
    """How many of these it looked at; raises as it does."""
    left = list(measured)
    monkeypatch.setattr(guard, "_measured", lambda: left.pop(0))
    guard.main()
    return len(measured) - len(left)


def test_what_is_within_its_bounds_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, WITHIN, WITHIN) == 1


@pytest.mark.parametrize("beyond", [WHOLE_BEYOND, LANES_BEYOND])
def test_what_is_beyond_one_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, beyond: tuple[float, float, float]
) -> None:
    assert tried(monkeypatch, beyond, WITHIN) == 2


@pytest.mark.parametrize("beyond", [WHOLE_BEYOND, LANES_BEYOND])
def test_what_is_beyond_one_each_time_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], beyond: tuple[float, float, float]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        tried(monkeypatch, beyond, beyond)
    assert ended.value.exit_code == 1
    assert "beyond its bound" in capsys.readouterr().err

"""An incident is settled once, and not before everything decided until its end has been scored again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.wire_samples import an_alert_event

from models.alert import Alert, AlertStatus
from streams.reconciling.settlement import Settlement

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OPENED = an_alert_event().data


def over(**changes: object) -> Alert:
    return replace(OPENED, status=AlertStatus.RESOLVED, restored_at=NOW, **changes)


def test_it_is_settled_once_all_partitions_are_done_with_up_to_its_end() -> None:
    settlement: Settlement[str] = Settlement()
    settlement.heard(over())
    assert settlement.asks
    settlement.told({"a": 5, "b": 7})
    assert not settlement.asks

    assert settlement.settled({"a": 5, "b": 6}, NOW) == []
    [settled] = settlement.settled({"a": 5, "b": 7}, NOW)
    assert settled == replace(over(), status=AlertStatus.SETTLED, settled_at=NOW)
    assert settlement.settled({"a": 9, "b": 9}, NOW) == []


def test_each_end_has_bounds_of_its_own() -> None:
    settlement: Settlement[str] = Settlement()
    later = over(started_at=OPENED.started_at + timedelta(minutes=1))
    settlement.heard(over())
    settlement.told({"a": 5})
    settlement.heard(later)
    settlement.told({"a": 9})

    assert [each.started_at for each in settlement.settled({"a": 6}, NOW)] == [OPENED.started_at]
    assert [each.started_at for each in settlement.settled({"a": 9}, NOW)] == [later.started_at]


def test_what_was_settled_before_is_not_settled_again() -> None:
    settlement: Settlement[str] = Settlement()
    settlement.heard(over())
    settlement.heard(replace(over(), status=AlertStatus.SETTLED))

    assert not settlement.asks
    assert settlement.settled({}, NOW) == []


@pytest.mark.parametrize(
    "alert",
    [OPENED, replace(OPENED, status=AlertStatus.UPDATE), over(reason="DEAD_LETTER"), over(count=0)],
    ids=["open", "update", "no payment went without the model", "no payment at all"],
)
def test_others_have_nothing_to_settle(alert: Alert) -> None:
    settlement: Settlement[str] = Settlement()
    settlement.heard(alert)
    assert not settlement.asks

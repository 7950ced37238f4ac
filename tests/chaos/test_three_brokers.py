"""Three brokers, each killed in its turn under load: decisions go on without it, and no promise is broken."""

from pathlib import Path

import pytest
from chaos.leg import run
from chaos.order import Order
from chaos.schedule import DURATIONS, LONE_BROKER, NETWORK, FaultKind, possible

# Other tests run beside it, on two cores: payments are late then, whether a broker is dead or not.
NO_HURRY = {"HOLDFAST_DEADLINE_DEADLINE_MS": "2000", "HOLDFAST_INCIDENTS_LATE_QUIET_SECONDS": "3"}


@pytest.mark.chaos
@pytest.mark.timeout(600)  # it takes two minutes on a machine at rest
async def test_decisions_go_on_while_each_broker_of_three_is_dead(tmp_path: Path) -> None:
    order = Order(
        seed=1,
        seconds=300.0,
        rate=200.0,
        workers=2,
        partitions=4,
        brokers=3,
        exactly=(FaultKind.KILL_ONE_BROKER,) * 3,  # each in its turn
        calm_seconds=5.0,
        settle_seconds=60.0,
        overrides=NO_HURRY,
    )

    outcome = await run(order, tmp_path)

    assert outcome.verdict.broken == {}
    assert [each.back_seconds is not None for each in outcome.episodes] == [True, True, True]
    assert outcome.unsent == 0
    assert outcome.inputs > 3 * DURATIONS[FaultKind.KILL_ONE_BROKER][0] * order.rate


def test_a_broker_of_three_is_killed_only_where_there_are_three() -> None:
    assert FaultKind.KILL_ONE_BROKER not in Order(seed=1, seconds=60.0).wanted
    assert set(possible(3)) == set(FaultKind) - {*LONE_BROKER, *NETWORK}
    with pytest.raises(ValueError, match="kill -9 one broker of three"):
        Order(seed=1, seconds=60.0, exactly=(FaultKind.KILL_ONE_BROKER,))
    with pytest.raises(ValueError, match="kill -9 broker"):
        Order(seed=1, seconds=60.0, brokers=3, kinds=(FaultKind.KILL_BROKER,))

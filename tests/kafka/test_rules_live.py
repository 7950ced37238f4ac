"""Rule sets pushed to running workers: in force at once, or refused whole."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from support.outside import Outside, outside_of
from support.processes import Running, running_worker

from rules.ruleset import parse_ruleset
from streams.broker.topics import Topic
from streams.overseeing.cluster import KafkaCluster
from streams.overseeing.rules_pushing import push_ruleset

pytestmark = pytest.mark.kafka

BLOCKING = """
name = "test"
version = "{version}"

[[rule]]
id = "no-business-with-{merchant}"
description = "A merchant we know"
if = "merchant_id == '{merchant}'"
outcome = "block"
reason = "LISTED_DENY"
priority = 900
when = "always"
"""
BROKEN = """
name = "test"
version = "broken"

[[rule]]
id = "broken"
description = "Refers to what is not there"
if = "no_such_field > 1"
outcome = "block"
reason = "LISTED_DENY"
priority = 900
when = "always"
"""


@pytest.fixture(scope="module")
def worker_and_outside(bootstrap: str) -> Iterator[tuple[Running, Outside]]:
    with (
        outside_of(bootstrap, "rules-live.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables()) as worker,
    ):
        yield worker, outside


@pytest.fixture
def outside(worker_and_outside: tuple[Running, Outside]) -> Outside:
    return worker_and_outside[1]


def push(outside: Outside, merchant: str) -> str:
    """Push a set that blocks one merchant, and wait until it decides; its version."""
    text = BLOCKING.format(version=uuid4().hex[:8], merchant=merchant)
    version = parse_ruleset(text).ruleset_version
    asyncio.run(push_ruleset(KafkaCluster(outside.settings), text, version))
    outside.until(lambda: outside.decided()["ruleset_version"] == version)
    return version


def test_a_pushed_rule_set_is_in_force_without_a_restart(worker_and_outside: tuple[Running, Outside]) -> None:
    worker, outside = worker_and_outside
    before = outside.decided(merchant_id="mer_pushed")

    version = push(outside, "mer_pushed")
    after = outside.decided(merchant_id="mer_pushed")

    assert before["ruleset_version"] != version
    assert before["outcome"] != "block"
    assert (after["ruleset_version"], after["outcome"]) == (version, "block")
    assert (after["decision_source"], after["reason_codes"]) == ("rules", ["LISTED_DENY"])
    assert after["rule_hits"] == ["no-business-with-mer_pushed"]
    assert worker.said().count('"lanes_open"') == 1


@pytest.mark.parametrize("broken", [BROKEN.encode(), b"name = ", b"\xff\xfe"], ids=["rule", "toml", "bytes"])
def test_a_broken_rule_set_is_refused_whole_and_the_old_one_stays(outside: Outside, broken: bytes) -> None:
    version = push(outside, "mer_kept")
    told = len(outside.alerts("rules"))
    outside.send(broken, key=b"active", topic=Topic.RULES)
    outside.flush()
    outside.until(lambda: len(outside.alerts("rules")) > told)

    opened = outside.alerts("rules")[told]
    still = outside.decided(merchant_id="mer_kept")

    assert (opened["status"], opened["reason"]) == ("open", "RULESET_REFUSED")
    assert (still["ruleset_version"], still["outcome"]) == (version, "block")

    push(outside, "mer_good_again")
    outside.until(lambda: len(outside.alerts("rules")) > told + 1)
    assert outside.alerts("rules")[told + 1]["status"] == "resolved"
    assert outside.alerts("rules")[told + 1]["dedup_key"] == opened["dedup_key"]

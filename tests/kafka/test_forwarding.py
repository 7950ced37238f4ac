"""`holdfast forward` on a real broker: each alert in order and at least once, through refusals, outages and kills."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from support.listening import Answer, Asked, listening
from support.outside import Outside, outside_of
from support.processes import Running, environment_of, running
from support.wire_samples import an_alert_event

from models.alert import AlertStatus
from streams.broker.topics import Topic
from streams.wire.alert import write_alert

pytestmark = pytest.mark.kafka


@dataclass
class Somewhere:
    """A server that takes what is posted; the next answers are those of `script`, after it all is taken."""

    script: list[int] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)  # ids of events
    tries: int = 0
    port: int = 0


@pytest.fixture
def somewhere() -> Iterator[Somewhere]:
    there = Somewhere()

    def take(asked: Asked) -> Answer:
        there.tries += 1
        status = there.script.pop(0) if there.script else 204
        if status < 300:
            there.taken.append(json.loads(asked.body or b"")["id"])
        return Answer(status)

    with listening(take) as there.port:
        yield there


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@contextmanager
def forwarding(outside: Outside, port: int) -> Iterator[Running]:
    where = outside.variables(forward_webhook_url=f"http://127.0.0.1:{port}/in", forward_timeout_seconds="1")
    environment = environment_of(outside.bootstrap, outside.prefix, **where)
    with running(("-m", "streams.operating.cli", "forward"), environment) as forwarder:
        yield forwarder


def announce(outside: Outside, *ids: str) -> None:
    event = an_alert_event()
    for each in ids:
        told = replace(event, id=each, data=replace(event.data, status=AlertStatus.UPDATE))
        outside.send(write_alert(told), key=b"worker-1/scorer", topic=Topic.ALERTS)
    outside.flush()


def begun(outside: Outside, somewhere: Somewhere) -> None:
    """Announce until one arrives: what was said before the first start is not sent."""

    def arrives() -> bool:
        announce(outside, "begun")
        return bool(somewhere.taken)

    outside.until(arrives)
    announce(outside, "ready")
    outside.until(lambda: somewhere.taken[-1] == "ready")  # and nothing that was announced before is on its way


def since_begun(somewhere: Somewhere) -> list[str]:
    return [each for each in somewhere.taken if each not in ("begun", "ready")]


def test_alerts_arrive_in_order_and_what_is_refused_for_a_while_is_sent_again(
    outside: Outside, somewhere: Somewhere
) -> None:
    announce(outside, "before")
    with forwarding(outside, somewhere.port) as forwarder:
        begun(outside, somewhere)
        somewhere.script += [500, 429]
        announce(outside, "a", "b", "c")
        outside.until(lambda: since_begun(somewhere) == ["a", "b", "c"])
        assert forwarder.metric("holdfast_forward_failures") == 2


def test_what_is_refused_for_good_holds_up_nothing(outside: Outside, somewhere: Somewhere) -> None:
    with forwarding(outside, somewhere.port) as forwarder:
        begun(outside, somewhere)
        somewhere.script.append(400)
        announce(outside, "a")
        outside.send(b"no alert", key=b"x", topic=Topic.ALERTS)
        announce(outside, "b")
        outside.until(lambda: since_begun(somewhere) == ["b"])
        assert forwarder.metric("holdfast_forward_refused") == 1


def test_a_forwarder_that_is_killed_goes_on_where_it_was(outside: Outside, somewhere: Somewhere) -> None:
    with forwarding(outside, somewhere.port) as forwarder:
        begun(outside, somewhere)
        announce(outside, "a")
        outside.until(lambda: since_begun(somewhere) == ["a"])
        somewhere.script += [503] * 50
        tried = somewhere.tries
        announce(outside, "b", "c")
        outside.until(lambda: somewhere.tries > tried)
        forwarder.kill()
    somewhere.script.clear()
    with forwarding(outside, somewhere.port):
        outside.until(lambda: since_begun(somewhere)[-1:] == ["c"])
    assert [each for n, each in enumerate(since_begun(somewhere)) if each not in since_begun(somewhere)[:n]] == [
        "a",
        "b",
        "c",
    ]

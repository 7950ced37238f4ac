"""`holdfast forward` and a real Alertmanager: an incident fires there while it is open, and then no more."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import environment_of, running
from support.tools import tool
from support.wire_samples import an_alert_event

from models.alert import AlertStatus
from streams.broker.topics import Topic
from streams.wire.alert import write_alert

pytestmark = pytest.mark.kafka

CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """The address of one that runs."""
    program = tool("prometheus-alertmanager", package="prometheus-alertmanager")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "alertmanager.yml").write_text(CONFIGURATION)
    own = (f"--config.file={tmp_path / 'alertmanager.yml'}", f"--storage.path={tmp_path / 'data'}")
    command = (program, *own, f"--web.listen-address={address}", "--cluster.listen-address=")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(lambda: is_ready(address))
            yield f"http://{address}"
        finally:
            process.terminate()


def is_ready(address: str) -> bool:
    with suppress(URLError, ConnectionError), urlopen(f"http://{address}/-/ready") as answer:
        return bool(answer.status == 200)
    return False


def wait_for(holds: Any) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.3)


def firing(alertmanager: str) -> list[dict[str, Any]]:
    """What Alertmanager would tell people of now."""
    with urlopen(f"{alertmanager}/api/v2/alerts?active=true") as answer:
        return list(json.load(answer))


def test_an_incident_fires_while_it_is_open(bootstrap: str, topic_prefix: str, alertmanager: str) -> None:
    event = an_alert_event()

    def say(outside: Outside, status: AlertStatus) -> None:
        restored_at = event.data.detected_at if status is AlertStatus.RESOLVED else None
        told = replace(event, id=status, data=replace(event.data, status=status, restored_at=restored_at))
        outside.send(write_alert(told), key=event.subject.encode(), topic=Topic.ALERTS)
        outside.flush()

    with outside_of(bootstrap, topic_prefix) as outside:

        def opened() -> bool:
            """Say so until one arrives: what was said before the forwarder's first start is not sent."""
            say(outside, AlertStatus.OPEN)
            return bool(firing(alertmanager))

        where = outside.variables(forward_alertmanager_url=alertmanager)
        environment = environment_of(outside.bootstrap, outside.prefix, **where)
        with running(("-m", "streams.operating.cli", "forward"), environment):
            wait_for(opened)
            [alert] = firing(alertmanager)
            assert alert["labels"] == {
                "alertname": event.data.reason,
                "incident": event.subject,
                "severity": event.data.severity,
                "component": event.data.component,
                "partition": "3",
            }
            assert alert["annotations"]["summary"] == event.data.suggested_action

            say(outside, AlertStatus.UPDATE)
            say(outside, AlertStatus.RESOLVED)
            wait_for(lambda: not firing(alertmanager))

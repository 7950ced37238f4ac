"""Bringing a broker up: format its data directory once, start its process, wait until it takes requests."""

import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from streams.broker import java, leash
from streams.broker.compaction import let_compaction_wait
from streams.broker.jars import KafkaUnavailable
from streams.broker.kafka_configuration import (
    HOST,
    Membership,
    Ports,
    choose_ports,
    is_free,
    render,
    server_properties,
)
from streams.broker.kafka_home import KafkaHome
from streams.broker.readiness import serves, serving

FORMAT_TIMEOUT_SECONDS = 60
BIND_ATTEMPTS = 3
POLL_SECONDS = 0.03
HEAP_MB = 768  # Java's, of a broker by itself
LAST_PORT = re.compile(rf"^listeners=PLAINTEXT://{re.escape(HOST)}:(\d+),", re.MULTILINE)
THROWN = re.compile(r"^(?:Caused by: )?(?:[\w$]+\.)+\w*(?:Exception|Error): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """How one broker is started. Everything has a default that serves tests, the demo and `holdfast up`."""

    port: int | None = None  # for clients; None: the directory's last one if it is free, else any
    advertised: str | None = None  # host:port that clients are told instead, such as a fault proxy's
    listeners: Mapping[str, int] = field(default_factory=dict)  # further ones: name to port; protocols in properties
    heap_mb: int = HEAP_MB
    properties: Mapping[str, str] = field(default_factory=dict)  # laid over ours
    start_timeout_seconds: float = 60.0
    member: Membership | None = None  # of a cluster, which then says all ports; None: a node by itself
    java: Sequence[str] = ()  # further options of Java


class _PortTaken(KafkaUnavailable):
    """Somebody listens on a port that was free a moment ago."""


def format_data(home: KafkaHome, jars: Sequence[Path], member: Membership | None = None) -> None:
    """Format the data directory, unless it is, for a node by itself or of a cluster. Half a format leaves none."""
    if home.data.exists():
        return
    draft = home.data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    config = home.directory / "format.properties"
    ports = member.ports if member else choose_ports(None)
    config.write_text(render(server_properties(data=draft.name, ports=ports, member=member)))
    cluster_id = member.cluster_id if member else new_cluster_id()
    with home.log.open("wb") as log:
        result = subprocess.run(  # noqa: S603 - our own command, no shell
            java.format_command(jars, config, cluster_id=cluster_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.directory,
            env=java.environment(),
            timeout=FORMAT_TIMEOUT_SECONDS,
            check=False,
        )
    if result.returncode:
        raise KafkaUnavailable(f"Kafka's data directory cannot be formatted: {last_words(home.log)}")
    draft.rename(home.data)
    config.unlink()


def new_cluster_id() -> str:
    """An id in the form that Kafka wants."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def launch(
    home: KafkaHome, jars: Sequence[Path], options: KafkaOptions, *, lock: int, detached: bool
) -> subprocess.Popen[bytes]:
    """Start the broker's process and return it once it serves; `lock` is handed down to it."""
    fixed = options.member.ports.clients if options.member else options.port
    wanted = fixed or _last_port(home)
    for _ in range(BIND_ATTEMPTS - 1):
        try:
            return _launch_once(home, jars, options, wanted, lock=lock, detached=detached)
        except _PortTaken:
            if fixed:
                raise
            wanted = None
    return _launch_once(home, jars, options, wanted, lock=lock, detached=detached)


def last_words(log: Path) -> str:
    """What a broker that failed gave as its reason: the last exception's message, or else its last line."""
    text = log.read_text(errors="replace")
    thrown = THROWN.findall(text)
    reason = thrown[-1] if thrown else next(reversed(text.split("\n")[-2:-1]), "it said nothing")
    return f"{reason.strip().rstrip('.')} (see {log})."


def _last_port(home: KafkaHome) -> int | None:
    try:
        found = LAST_PORT.search(home.properties.read_text())
    except FileNotFoundError:
        return None
    port = int(found[1]) if found else None
    return port if port and is_free(port) else None


def _launch_once(
    home: KafkaHome, jars: Sequence[Path], options: KafkaOptions, port: int | None, *, lock: int, detached: bool
) -> subprocess.Popen[bytes]:
    if port and not is_free(port):
        raise _PortTaken(f"Port {port} of {HOST} is in use.")
    ports = options.member.ports if options.member else choose_ports(port)
    properties = server_properties(
        data=home.data.name,
        ports=ports,
        advertised=options.advertised,
        listeners=options.listeners,
        member=options.member,
        extra=options.properties,
    )
    home.properties.write_text(render(properties))
    with home.log.open("wb") as log:
        command = java.broker_command(jars, home.properties, heap_mb=options.heap_mb, further=options.java)
        process = _spawn(home, command if detached else _leashed(command), log, lock)
    try:
        home.announce(
            pid=process.pid,
            bootstrap=options.advertised or f"{HOST}:{ports.clients}",
            port=ports.clients,
            started_at=datetime.now(UTC),
        )
        _await_answer(home, process, ports, options)
        let_compaction_wait(process.pid)
    except BaseException:  # Ctrl-C included: nothing that is not up stays behind
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return process


def _spawn(home: KafkaHome, command: list[str], log: BinaryIO, lock: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=home.directory,
        env=java.environment(),
        pass_fds=(lock,),
        start_new_session=True,  # Ctrl-C is for us: we stop the broker when its clients are done
    )


def _leashed(command: list[str]) -> list[str]:
    return [sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid()), *command]


def _await_answer(home: KafkaHome, process: subprocess.Popen[bytes], ports: Ports, options: KafkaOptions) -> None:
    seconds = options.start_timeout_seconds
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            reason = last_words(home.log)
            failure = _PortTaken if "Address already in use" in reason else KafkaUnavailable
            raise failure(f"Kafka did not start: {reason}")
        if _takes_requests(ports.clients, options.member):
            return
        time.sleep(POLL_SECONDS)
    raise KafkaUnavailable(f"Kafka did not answer within {seconds:g} s: {last_words(home.log)}")


def _takes_requests(port: int, member: Membership | None) -> bool:
    if member is None:
        return serves(HOST, port)
    return member.number in serving(HOST, port)  # it also names the others, while it is still fenced itself

"""Is a Kafka there that would take a request? Asked in Kafka's own protocol, with nothing but a socket."""

import socket
import struct
from collections.abc import Iterator

METADATA, VERSION = 3, 4  # a version that Kafka 0.11 to 4.x all speak
# api key, version, correlation id, null client id; no topics; do not create any
QUESTION = struct.pack(">hhihi?", METADATA, VERSION, 0, -1, 0, False)  # noqa: FBT003 - a field of the request


def serves(host: str, port: int, *, timeout_seconds: float = 2.0) -> bool:
    """Say whether the broker at this address answers a metadata request and names a broker that is not fenced.

    A Kafka that is still starting accepts connections before it would take a record, so connecting proves nothing.
    """
    return bool(serving(host, port, timeout_seconds=timeout_seconds))


def serving(host: str, port: int, *, timeout_seconds: float = 2.0) -> frozenset[int]:
    """The numbers of the brokers of which the one at this address knows that they take requests; none if it is mute."""
    try:
        with socket.create_connection((host, port), timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(QUESTION)) + QUESTION)
            (length,) = struct.unpack(">i", _exactly(connection, 4))
            return frozenset(_brokers(_exactly(connection, length)))
    except (OSError, struct.error):
        return frozenset()


def _brokers(answer: bytes) -> Iterator[int]:
    _correlation, _throttle_ms, count = struct.unpack_from(">iii", answer)
    at = 12
    for _ in range(count):
        (number, host_length) = struct.unpack_from(">ih", answer, at)
        (rack_length,) = struct.unpack_from(">h", answer, at + 6 + host_length + 4)
        at += 6 + host_length + 4 + 2 + max(rack_length, 0)  # -1: it has no rack
        yield number


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionError("closed in the middle of an answer")
        received += chunk
    return bytes(received)

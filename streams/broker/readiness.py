"""Is a Kafka there that would take a request? Asked in Kafka's own protocol, with nothing but a socket."""

import socket
import struct

METADATA, VERSION = 3, 4  # a version that Kafka 0.11 to 4.x all speak
# api key, version, correlation id, null client id; no topics; do not create any
QUESTION = struct.pack(">hhihi?", METADATA, VERSION, 0, -1, 0, False)  # noqa: FBT003 - a field of the request


def serves(host: str, port: int, *, timeout_seconds: float = 2.0) -> bool:
    """Say whether the broker at this address answers a metadata request and names a broker that is not fenced.

    A Kafka that is still starting accepts connections before it would take a record, so connecting proves nothing.
    """
    try:
        with socket.create_connection((host, port), timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(QUESTION)) + QUESTION)
            (length,) = struct.unpack(">i", _exactly(connection, 4))
            _correlation, _throttle_ms, brokers = struct.unpack_from(">iii", _exactly(connection, length))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionError("closed in the middle of an answer")
        received += chunk
    return bytes(received)

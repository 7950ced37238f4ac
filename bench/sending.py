"""Sends payments as the gateway of an acquirer does: those that are due in the same millisecond in one request.

Whoever sends shares a processor with the broker here. A Java client asks a broker once for all partitions that have
something; librdkafka asks for each partition alone, and at half of the most that is decided its requests and itself
were what filled that processor. So requests are written here, with aiokafka's messages and before they are due.
"""

import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import count
from math import ceil
from typing import NamedTuple

from aiokafka.errors import for_code
from aiokafka.partitioner import murmur2
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.broker.layouts import adapt_messages

TICK_SECONDS = 0.001
PATIENCE_SECONDS = 10.0
RECEIVED_BYTES = 1 << 16
LARGEST_BATCH_BYTES = 900_000
LEADER = 1  # acks
RECORD_FORMAT = 2
NO_PRODUCER = {"is_transactional": 0, "producer_id": -1, "producer_epoch": -1, "base_sequence": -1}
HEADER = struct.Struct(">ii")  # the length of an answer, and of which request it is
LENGTH = struct.Struct(">i")


class Paid(NamedTuple):
    """A payment as it is sent."""

    transaction_id: str
    key: bytes
    value: bytes


class Request(NamedTuple):
    """What a broker is asked at once, as bytes, and with which payments; seconds since the first of its stretch."""

    due: float
    ids: Sequence[str]
    number: int
    message: bytes


class Sender:
    """Sends to the one broker there is, and notes when. Raises KafkaError if it is refused."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        adapt_messages()
        host, port = bootstrap.split(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._topic = topic
        self._partition = cache(lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions)  # as Kafka's own clients
        self._numbers = count(1)
        self._asked = self._answered = 0
        self._received = b""

    def ready(self, waiting: list[Paid], rate: float, seconds: float) -> list[Request]:
        """Requests with as many payments as this takes, from the end of `waiting`, to be sent in the order made."""
        requests, taken = [], 0
        for tick in range(ceil(seconds / TICK_SECONDS)):
            due = tick * TICK_SECONDS
            these = [waiting.pop() for _ in range(ceil(min(due + TICK_SECONDS, seconds) * rate) - taken)]
            taken += len(these)
            if these:
                requests.append(self._request(due, these))
        return requests

    def pay(self, requests: Iterable[Request]) -> dict[str, float]:
        """When each payment was due, by its id, seconds since 1970: one that the broker holds up is late, too."""
        due = []
        began = time.time()
        for request in requests:
            due.append((began + request.due, request.ids))
            while (early := began + request.due - time.time()) > 0:
                time.sleep(early)
            self._socket.sendall(request.message)
            self._asked = request.number
            self._hear(socket.MSG_DONTWAIT)
        while self._answered < self._asked:
            self._hear(0)
        return {each: at for at, ids in due for each in ids}

    def _request(self, due: float, payments: Sequence[Paid]) -> Request:
        by_partition: defaultdict[int, list[Paid]] = defaultdict(list)
        for each in payments:
            by_partition[self._partition(each.key)].append(each)
        number = next(self._numbers)
        batches = [(partition, _batch(these)) for partition, these in by_partition.items()]
        request = ProduceRequest_v7(None, LEADER, round(PATIENCE_SECONDS * 1000), [(self._topic, batches)])
        header = request.build_request_header(correlation_id=number, client_id="gateway")
        message = header.encode() + request.encode()
        ids = tuple(each.transaction_id for each in payments)
        return Request(due, ids, number, LENGTH.pack(len(message)) + message)

    def _hear(self, flags: int) -> None:
        try:
            received = self._socket.recv(RECEIVED_BYTES, flags)
        except BlockingIOError:
            return
        if not received:
            raise ConnectionResetError("the broker closed the connection")
        self._received += received
        while len(self._received) >= HEADER.size:
            length, number = HEADER.unpack_from(self._received)
            end = LENGTH.size + length
            if len(self._received) < end:
                return
            answer, self._received = self._received[HEADER.size : end], self._received[end:]
            self._answered = number
            for _, partitions in ProduceResponse_v7.decode(answer).topics:
                for partition, code, *_ in partitions:
                    if code:
                        raise for_code(code)(f"{self._topic}-{partition}")


def _batch(payments: list[Paid]) -> bytes:
    builder = DefaultRecordBatchBuilder(RECORD_FORMAT, 0, batch_size=LARGEST_BATCH_BYTES, **NO_PRODUCER)
    for offset, paid in enumerate(payments):
        builder.append(offset, None, paid.key, paid.value, [])
    return bytes(builder.build())

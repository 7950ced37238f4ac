"""aiokafka's connections as our processes have them: broken ones end well, and nothing waits that need not.

- A write to a connection that broke a moment ago is a broken connection, and nothing else. asyncio swallows such a
  write, aiokafka is prepared for OSError, uvloop raises RuntimeError: and with that the task that keeps aiokafka's
  metadata ends for good. Its client never finds a coordinator again after a broker's restart: a consumer sends no
  heartbeat and loses its partitions (https://github.com/aio-libs/aiokafka/issues/1038).
- uvloop writes what is small once all that is ready has had its turn. A request goes out at once instead.
- aiokafka reads with a task that is woken for each answer and then wakes whoever waits. Here an answer is handed over
  where it is received, which spares it a turn of the loop and half of what reading costs.
"""

import asyncio
import weakref
from typing import Any

import structlog
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.broker.layouts import adapt_messages

LENGTH_BYTES = 4
AT_ONCE_FROM = 1  # bytes

log = structlog.get_logger()

_send = AIOKafkaConnection.send


def adapt_connections() -> None:
    """Have all connections of this process be so: for processes that run on uvloop."""
    adapt_messages()
    AIOKafkaConnection.send = _send_or_close
    AIOKafkaConnection._create_reader_task = _read_answers  # noqa: SLF001 - there is no other way in


def _send_or_close(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002
    try:
        return _send(self, request, expect_response)
    except KafkaError:  # is a RuntimeError, too
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def _read_answers(self: AIOKafkaConnection) -> "asyncio.Future[None]":
    """In the place of the task that reads. What it returns is done once nothing more will come."""
    transport = self._writer.transport
    ended: asyncio.Future[None] = self._loop.create_future()
    transport.set_write_buffer_limits(high=AT_ONCE_FROM)
    transport.set_protocol(_Answers(self, transport.get_protocol(), ended))
    return ended


class _Answers(asyncio.Protocol):
    """Cuts what is received into answers. aiokafka's own protocol goes on hearing of anything else."""

    def __init__(self, connection: AIOKafkaConnection, theirs: Any, ended: "asyncio.Future[None]") -> None:
        self._connection = weakref.ref(connection)  # which holds us by its transport
        self._theirs = theirs
        self._ended = ended
        self._parts: list[bytes] = []  # of an answer that is not whole
        self._held, self._needed = 0, LENGTH_BYTES

    def data_received(self, data: bytes) -> None:
        """Hand over each answer once it is whole."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return
        received = b"".join(self._parts) if len(self._parts) > 1 else data
        at = 0
        while (end := at + _needed(received, at)) <= len(received):
            if not self._hand_over(received[at + LENGTH_BYTES : end]):
                return
            at = end
        rest = received[at:]
        self._parts, self._held, self._needed = [rest] if rest else [], len(rest), _needed(rest, 0)

    def pause_writing(self) -> None:
        """As the transport says."""
        self._theirs.pause_writing()

    def resume_writing(self) -> None:
        """As the transport says."""
        self._theirs.resume_writing()

    def eof_received(self) -> bool | None:
        """Nothing more will come."""
        self._end(EOFError("closed by the broker"))
        still_open: bool | None = self._theirs.eof_received()
        return still_open

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._end(exc or EOFError("closed"))
        self._theirs.connection_lost(exc)

    def _hand_over(self, answer: bytes) -> bool:
        """Whether another one may follow."""
        connection = self._connection()
        if connection is None or self._ended.done():
            return False
        try:
            connection._handle_frame(answer)  # noqa: SLF001 - aiokafka's own task calls nothing else
        except Exception as error:  # noqa: BLE001 - whatever it cannot make of an answer: the connection is of no use
            log.error("answer_unreadable", host=connection.host, port=connection.port, error=repr(error))
            self._end(error)
        return not self._ended.done()

    def _end(self, why: Exception) -> None:
        if self._ended.done():
            return
        self._ended.set_result(None)
        if (connection := self._connection()) is not None:
            connection.close(reason=CloseReason.CONNECTION_BROKEN, exc=why)


def _needed(received: bytes, at: int) -> int:
    """How many bytes an answer that begins there takes, its length included, as far as that is known."""
    if len(received) < at + LENGTH_BYTES:
        return LENGTH_BYTES
    return LENGTH_BYTES + int.from_bytes(received[at : at + LENGTH_BYTES], "big")

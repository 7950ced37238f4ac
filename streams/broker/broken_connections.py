"""aiokafka on uvloop: a write to a connection that broke a moment ago is a broken connection, and nothing else.

asyncio swallows such a write, aiokafka is prepared for OSError, uvloop raises RuntimeError: and with that the task that
keeps aiokafka's metadata ends for good. Its client never finds a coordinator again after a broker's restart: a consumer
sends no heartbeat and loses its partitions (https://github.com/aio-libs/aiokafka/issues/1038).
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError

_send = AIOKafkaConnection.send


def _send_or_close(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002
    try:
        return _send(self, request, expect_response)
    except KafkaError:  # is a RuntimeError, too
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def mend_writes() -> None:
    """Have all connections of this process send so: for processes that run on uvloop."""
    AIOKafkaConnection.send = _send_or_close

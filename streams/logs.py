"""Logging: an event name and fields, one JSON object a line, card numbers masked."""

import logging
import math
import sys
import time

import structlog

from streams.wire.card_guard import mask_text

# Brokers answer so for a moment after each commit; aiokafka retries, so the lines are not news.
_NOT_NEWS = ("NOT_ENOUGH_REPLICAS", "CONCURRENT_TRANSACTIONS", "NotEnoughReplicas", "ConcurrentTransactions")

_CLIENTS = (
    "aiokafka",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)
REPEAT_SECONDS = 1.0


class _News(logging.Filter):
    """Keeps what is worth a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(each in message for each in _NOT_NEWS)


class _Seldom(logging.Filter):
    """Lets a library say the same, whatever of, once in a while: clients of a broker that is away say it all the time.

    1,200 lines a second of each worker, in a campaign; a broker that starts needs the processor more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}  # when, by the line before its values are filled in

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._said.get(record.msg, -math.inf) < REPEAT_SECONDS:
            return False
        self._said[record.msg] = now
        return True


class _Masked(logging.Formatter):
    """Libraries' own lines, in our form."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record))


def _mask_fields(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {mask_text(key): _masked(value) for key, value in event.items()}


def _masked(value: object) -> object:
    """The value itself, or its text with the card numbers in it masked."""
    text = value if isinstance(value, str) else repr(value)
    masked = mask_text(text)
    return value if masked == text else masked


def hush_clients() -> None:
    """Have Kafka clients of this process say nothing: its user takes the broker away on purpose."""
    for name in _CLIENTS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def configure_logs(component: str) -> None:
    """Log to standard error; libraries from WARNING on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask_fields,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(component=component)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masked("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("aiokafka.producer.sender").addFilter(_News())  # on the logger: Faust brings its own handlers
    for name in _CLIENTS:
        logging.getLogger(name).addFilter(_Seldom())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)

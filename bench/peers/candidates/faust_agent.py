"""A plain Faust agent, at least once: a record at a time, states in a table with its changelog."""

import mode.loop

mode.loop.use("uvloop")  # before Faust is imported

import logging  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import faust  # noqa: E402

from bench.peers.place import Place  # noqa: E402
from bench.peers.work import decide, pack, unpack  # noqa: E402

PARTITIONS = 8

place = Place.told()
app = faust.App(
    place.group,
    broker=f"kafka://{place.bootstrap}",
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    datadir=place.state,
    producer_linger=0.02,
    producer_max_batch_size=262_144,
    producer_acks=-1,
    broker_max_poll_records=1_000,
    broker_commit_interval=0.5,
    stream_buffer_maxsize=16_384,
    stream_wait_empty=False,
    table_standby_replicas=0,
    key_serializer="raw",
    value_serializer="raw",
    consumer_auto_offset_reset="earliest",
)


def _raw(name: str) -> Any:
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


decisions = [_raw(each) for each in place.decisions]
states = app.Table("states", partitions=PARTITIONS, key_type=bytes, value_type=bytes)


@app.agent(_raw(place.input))  # type: ignore[untyped-decorator]
async def deciding(stream: Any) -> None:
    """Decide each record."""
    async for event in stream.events():
        known, message = states.get(event.key), event.message
        before = None if known is None else unpack(known)
        which, decision, after = decide(before, event.value, message.partition, message.offset)
        states[event.key] = pack(after)
        await decisions[which].send(key=event.key, value=decision)


if __name__ == "__main__":
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()

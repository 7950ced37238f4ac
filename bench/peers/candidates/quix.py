"""Quix Streams, exactly once: a stateful step over RocksDB with its changelog, decisions to three topics.

Needs quixstreams, and neither Faust nor anything of ours: it runs in an environment of its own.
"""

from typing import Any

from quixstreams import Application, message_context
from quixstreams.models.serializers.base import Serializer

from bench.peers.place import Place
from bench.peers.work import decide, pack, unpack

COMMIT_SECONDS = 0.1


class Second(Serializer):  # type: ignore[misc]
    """Writes the decision; the topic was chosen by what stands before it."""

    def __call__(self, value: Any, ctx: Any) -> Any:  # noqa: ARG002 - so it is called
        """The bytes of one."""
        return value[1]


def main() -> None:
    """Decide until SIGTERM."""
    place = Place.told()
    app = Application(
        place.bootstrap,
        consumer_group=place.group,
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        auto_offset_reset="earliest",
        state_dir=place.state,
        loglevel="WARNING",
        producer_extra_config={"linger.ms": 5},
        consumer_extra_config={"session.timeout.ms": 6_000},  # as ours: else its partitions wait for 45 s after a kill
    )
    topics = [app.topic(each, value_serializer=Second(), key_serializer="bytes") for each in place.decisions]

    def decided(value: bytes, state: Any) -> tuple[int, bytes]:
        known, context = state.get_bytes("s"), message_context()
        before = None if known is None else unpack(known)
        which, decision, after = decide(before, value, context.partition, context.offset)
        state.set_bytes("s", pack(after))
        return which, decision

    stream = app.dataframe(app.topic(place.input, value_deserializer="bytes", key_deserializer="bytes"))
    stream = stream.apply(decided, stateful=True)
    stream.to_topic(lambda value, *_: topics[value[0]])
    app.run()


if __name__ == "__main__":
    main()

"""The rule set in force, and putting another one in its place, through the `rules` topic."""

from importlib.resources import files
from typing import TYPE_CHECKING

from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic
from streams.overseeing.cluster import Cluster
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

ACTIVE = b"active"  # the key that workers take


async def push_ruleset(cluster: Cluster, text: str, ruleset_version: str) -> None:
    """Send a checked set under its version, for the history, then as the active one; return once the broker has both.

    Raises what the broker refuses.
    """
    await cluster.send(Topic.RULES, [(key, text.encode()) for key in (ruleset_version.encode(), ACTIVE)])


def shipped_rules() -> str:
    """The text of the default rule set."""
    return files("rules").joinpath("default.toml").read_text("utf-8")


async def active_ruleset(consumer: "AIOKafkaConsumer", settings: Settings) -> str:
    """The text of the set in force: what was pushed last, or what workers begin with."""
    text: bytes | None = None
    async for records in whole(consumer, partitions_of(settings, [Topic.RULES])):
        for record in records:
            text = record.value if record.key == ACTIVE else text
    return shipped_rules() if text is None else text.decode("utf-8", "replace")

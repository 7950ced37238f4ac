"""Putting a rule set into force, through the `rules` topic."""

from streams.broker.topics import Topic
from streams.overseeing.cluster import Cluster

ACTIVE = b"active"  # the key that workers take


async def push_ruleset(cluster: Cluster, text: str, ruleset_version: str) -> None:
    """Send a checked set under its version, for the history, then as the active one; return once the broker has both.

    Raises what the broker refuses.
    """
    await cluster.send(Topic.RULES, [(key, text.encode()) for key in (ruleset_version.encode(), ACTIVE)])

"""Where a candidate reads and writes, told by environment: `bench.peers` starts it, and ends it with SIGTERM."""

import os
from collections.abc import Mapping
from typing import NamedTuple, Self

_PREFIX = "PEER_"


class Place(NamedTuple):
    """Of one run. All topics are there, with as many partitions; keys are accounts."""

    bootstrap: str
    input: str
    approve: str
    review: str
    block: str
    changelog: str  # compacted; free to use
    group: str  # consumer group, and prefix of transactional ids
    state: str  # an empty directory
    work: str = "1"  # "" for none: records go out as they came

    @property
    def decisions(self) -> tuple[str, str, str]:
        """Topics in the order of `work.DECISIONS`."""
        return self.approve, self.review, self.block

    @classmethod
    def told(cls) -> Self:
        """As the environment has it."""
        return cls(**{name: os.environ[_PREFIX + name.upper()] for name in cls._fields})

    def environment(self) -> Mapping[str, str]:
        """What to tell a candidate."""
        return {_PREFIX + name.upper(): value for name, value in self._asdict().items()}


def routed(offset: int) -> int:
    """Where a record goes if no work is done: 90 % approved, 7 % reviewed, 3 % blocked."""
    rest = offset % 100
    return 0 if rest < 90 else 1 if rest < 97 else 2

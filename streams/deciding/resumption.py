"""Where a lane goes on, by two witnesses: the offset that its group has committed, and one noted beside its profiles.

Both are of the same Kafka transactions. The second is there because the first may be wrong: Kafka 4.3.1, killed and
started again, was seen to hand out committed offsets of minutes before. Its group coordinator keeps snapshots of its
state each 16,384 records while it loads (KAFKA-19716), and the offsets were those of such a snapshot, to the record;
its log had the right ones. What the changelog of profiles holds is read as records, and nobody keeps it in memory.
"""

from streams.deciding.batch import Outgoing

NOTE_KEY = b"/next"  # no card token: `/` is in none


def note(next_offset: int) -> Outgoing:
    """The record for the changelog of profiles that says which input offset comes next."""
    return Outgoing(NOTE_KEY, str(next_offset).encode(), [])


def resume_at(committed: int | None, noted: int | None, end: int) -> int | None:
    """The next input offset: the later of the two; none where neither is known.

    A note beyond the `end` of the partition is of another topic of this name, made before, and means nothing here.
    """
    if noted is None or noted > end:
        return committed
    return noted if committed is None else max(committed, noted)

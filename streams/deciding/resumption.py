"""Where a lane goes on: at the input offset that is noted beside its profiles, in the same Kafka transaction as these.

The offset that its group has committed says so only where nothing is noted. It may be wrong either way while Kafka's
log has it right. Brokers that were killed and started again under load were seen to hand out offsets of minutes before
(4.3.1 and 4.2.1), and one that lay in a transaction which had been aborted (4.2.1): going on there passes a batch over.
What the changelog of profiles holds is read as records, and nobody keeps it in memory.
"""

from streams.deciding.batch import Outgoing

NOTE_KEY = b"/next"  # no card token: `/` is in none


def note(next_offset: int) -> Outgoing:
    """The record for the changelog of profiles that says which input offset comes next."""
    return Outgoing(NOTE_KEY, str(next_offset).encode())


def resume_at(noted: int | None, end: int) -> int | None:
    """The next input offset, or none if it is not known.

    A note beyond the `end` of the partition is of another topic of this name, made before, and means nothing here.
    """
    return None if noted is None or noted > end else noted

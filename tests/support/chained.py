"""A fault chain filled and emptied in time that is given."""

import math
import random

from chaos.fault_chain import FaultChain


def chain_of(*faults):
    chain = FaultChain()
    for number, fault in enumerate(faults):
        chain.add(number, fault.stage(random.Random(number)))
    return chain


def popped(chain):
    """What is out now, piece by piece."""
    return list(iter(chain.pop, None))


def arrivals(chain, now=0.0):
    """All that comes out from now on by itself, as (when, piece)."""
    found = [(now, piece) for piece in popped(chain)]
    while (now := chain.due_at()) < math.inf:
        chain.advance(now)
        found += [(now, piece) for piece in popped(chain)]
    return found


def random_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)

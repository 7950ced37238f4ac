"""The same work by other engines and by bare loops, on the same broker and core: `python -m bench.peers`."""

"""Each module is a process that decides until SIGTERM: `python -m bench.peers.candidates.NAME`."""

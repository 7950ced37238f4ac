"""Bytes and records: the codec, the contracts and dead letters."""

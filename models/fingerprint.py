"""Fingerprints: small numbers that stand for an id or a content, the same in every process and release."""

import json
from hashlib import blake2b


def id_hash(transaction_id: str) -> int:
    """64 bits that stand for a transaction id; two ids of one card's day agree by chance once in 10^16."""
    return int.from_bytes(blake2b(transaction_id.encode(), digest_size=8).digest(), "little")


def fingerprint(data: bytes) -> int:
    """32 bits that stand for a content, to tell a repeated record from a changed one."""
    return int.from_bytes(blake2b(data, digest_size=4).digest(), "little")


def digest(plain: object) -> str:
    """32 hexadecimal digits that stand for anything JSON can hold, however its keys are ordered."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()

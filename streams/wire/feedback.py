"""What labels say of acceptors and cards, as compacted topics hold it; a record that cannot be read changes nothing."""

import orjson
import structlog

from models.merchant_history import MerchantHistory, MerchantHistoryMalformed

log = structlog.get_logger()


def write_history(history: MerchantHistory) -> bytes:
    """Write an acceptor's label history."""
    return orjson.dumps(history.to_plain())


def note_history(known: dict[str, MerchantHistory], key: bytes, value: bytes | None) -> None:
    """Take an acceptor's history into what is known; a tombstone takes it out."""
    acceptor = key.decode(errors="replace")
    if value is None:
        known.pop(acceptor, None)
        return
    try:
        known[acceptor] = MerchantHistory.from_plain(orjson.loads(value))
    except (orjson.JSONDecodeError, MerchantHistoryMalformed) as error:
        log.error("merchant_history_unreadable", acceptor=acceptor, error=str(error))


def write_card_fraud(fraud_at: float | None) -> bytes | None:
    """Write when a card's latest known fraud was, seconds since 1970; None, a tombstone, where there is none."""
    return None if fraud_at is None else orjson.dumps({"fraud_at": fraud_at})


def note_card_fraud(known: dict[str, float], key: bytes, value: bytes | None) -> None:
    """Take a card's known fraud into what is known; a tombstone takes it out."""
    card = key.decode(errors="replace")
    if value is None:
        known.pop(card, None)
        return
    try:
        known[card] = float(orjson.loads(value)["fraud_at"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        log.error("card_feedback_unreadable", error=repr(error))

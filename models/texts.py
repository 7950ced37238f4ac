"""Texts of records on the hot path: compiled where there was a compiler, else in Python, and the same."""

from typing import TYPE_CHECKING

from models.plain_texts import CARD_NUMBER, NOT_PLAIN

__all__ = [
    "CARD_NUMBER",
    "COMPILED",
    "NOT_PLAIN",
    "Contents",
    "Forms",
    "id_hash",
    "may_hold_card_number",
    "peculiarities",
]

if TYPE_CHECKING:
    from models.plain_texts import Contents, Forms, id_hash, may_hold_card_number, peculiarities

    COMPILED: bool
else:
    try:
        from models._texts import Contents, Forms, id_hash, may_hold_card_number, peculiarities

        COMPILED = True
    except ImportError:
        from models.plain_texts import Contents, Forms, id_hash, may_hold_card_number, peculiarities

        COMPILED = False

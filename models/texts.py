"""Texts of records on the hot path: compiled where there was a compiler, else in Python, and the same."""

from typing import TYPE_CHECKING

from models.plain_texts import LONG_RUN, NOT_PLAIN

__all__ = ["COMPILED", "LONG_RUN", "NOT_PLAIN", "Contents", "Forms", "has_long_run", "id_hash", "peculiarities"]

if TYPE_CHECKING:
    from models.plain_texts import Contents, Forms, has_long_run, id_hash, peculiarities

    COMPILED: bool
else:
    try:
        from models._texts import Contents, Forms, has_long_run, id_hash, peculiarities

        COMPILED = True
    except ImportError:
        from models.plain_texts import Contents, Forms, has_long_run, id_hash, peculiarities

        COMPILED = False

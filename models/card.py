"""A card on the hot path: compiled where there was a compiler, else in Python, and bit by bit the same.

`python -m bench.model` says which it is, and what it costs. Whoever needs no more than one of its parts for
a type or a reference imports the plain module.
"""

from typing import TYPE_CHECKING

__all__ = ["COMPILED", "Profile", "matrix_of", "pack", "regard", "unpack"]

if TYPE_CHECKING:
    from models.features import matrix_of
    from models.profile import Profile
    from models.profile_packing import pack, unpack
    from models.regard import regard

    COMPILED: bool
else:
    try:
        from models._card import Profile, matrix_of, pack, regard, unpack

        COMPILED = True
    except ImportError:
        from models.features import matrix_of
        from models.profile import Profile
        from models.profile_packing import pack, unpack
        from models.regard import regard

        COMPILED = False

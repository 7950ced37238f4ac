"""A card on the hot path: compiled where there was a compiler, else in Python, and bit by bit the same.

`python -m bench.model` says which it is, and what it costs. Whoever needs no more than one of its parts for
a type or a reference imports the plain module.
"""

from typing import TYPE_CHECKING

__all__ = ["COMPILED", "Profile", "activity", "features", "matrix_of", "pack", "unpack"]

if TYPE_CHECKING:
    from models.activity import activity
    from models.features import features, matrix_of
    from models.profile import Profile
    from models.profile_packing import pack, unpack

    COMPILED: bool
else:
    try:
        from models._card import Profile, activity, features, matrix_of, pack, unpack

        COMPILED = True
    except ImportError:
        from models.activity import activity
        from models.features import features, matrix_of
        from models.profile import Profile
        from models.profile_packing import pack, unpack

        COMPILED = False

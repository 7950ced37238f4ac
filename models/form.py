"""The form of a record's texts, as its annotations say."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta

from models.texts import Forms


class Form:
    """What the texts of one kind of record look like, by its annotations.

    A field has a pattern where its `Meta` says so in `extra_json_schema`, which msgspec itself does not check.
    """

    def __init__(self, kind: type) -> None:
        self._patterns = dict(_patterns(kind))
        self._forms = Forms({field: _bare(pattern) for field, pattern in self._patterns.items()})

    def holds(self, record: object) -> bool:
        """Whether every text is as its pattern says, or not there. Of records whose texts have no NUL character."""
        return self._forms.holds(record)

    def broken(self, record: object) -> Iterator[tuple[str, str]]:
        """The fields that are not, with their patterns."""
        for field, pattern in self._patterns.items():
            text = getattr(record, field)
            if text is not None and re.search(pattern, text) is None:
                yield field, pattern


def _patterns(kind: type) -> Iterator[tuple[str, str]]:
    for field, hint in get_type_hints(kind, include_extras=True).items():
        for each in (hint, *get_args(hint)):
            if (pattern := _pattern_of(each)) is not None:
                yield field, pattern


def _pattern_of(hint: Any) -> str | None:
    if get_origin(hint) is not Annotated:
        return None
    schemas = (each.extra_json_schema or {} for each in get_args(hint)[1:] if isinstance(each, Meta))
    return next((schema["pattern"] for schema in schemas if "pattern" in schema), None)


def _bare(pattern: str) -> str:
    return pattern.removeprefix(r"\A").removesuffix(r"\Z")

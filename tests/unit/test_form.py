"""The form of texts: all patterns by one search, the same as each by itself."""

import re
from typing import Annotated

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from models.form import Form


class Paper(Struct, kw_only=True):
    """A record with texts."""

    name: Annotated[str, Meta(extra_json_schema={"pattern": r"\A[a-z]{1,3}\Z"})]
    pages: int = 1
    code: Annotated[str, Meta(extra_json_schema={"pattern": r"\A(?:[0-9]|x|yy)\Z"})] | None = None
    free: str = ""
    last: Annotated[str, Meta(extra_json_schema={"pattern": r"\A[A-Z]?\Z"})] | None = None


FORM = Form(Paper)
PATTERNS = {"name": r"\A[a-z]{1,3}\Z", "code": r"\A(?:[0-9]|x|yy)\Z", "last": r"\A[A-Z]?\Z"}
texts = st.text(st.sampled_from("abAB1xy\n"), max_size=4)


@given(name=texts, code=st.none() | texts, free=texts, last=st.none() | texts)
def test_it_holds_where_each_pattern_does(name: str, code: str | None, free: str, last: str | None) -> None:
    paper = Paper(name=name, code=code, free=free, last=last)
    told = {field: text for field in PATTERNS if (text := getattr(paper, field)) is not None}
    broken = [(field, PATTERNS[field]) for field, text in told.items() if re.search(PATTERNS[field], text) is None]
    assert FORM.holds(paper) is (not broken)
    assert list(FORM.broken(paper)) == broken

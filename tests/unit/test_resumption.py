"""A lane goes on where its own changelog says."""

from hypothesis import given
from hypothesis import strategies as st

from streams.deciding.profiles import ProfileStore
from streams.deciding.resumption import note, resume_at

offsets = st.integers(0, 2**40)


@given(decided=offsets, beyond=st.integers(0, 2**40))
def test_it_goes_on_at_what_is_noted(decided: int, beyond: int) -> None:
    assert resume_at(decided, decided + beyond) == decided


@given(end=offsets)
def test_where_nothing_is_noted_it_does_not_know(end: int) -> None:
    assert resume_at(None, end) is None


@given(end=offsets, beyond=st.integers(1, 2**40))
def test_a_note_beyond_the_end_is_of_another_topic(end: int, beyond: int) -> None:
    assert resume_at(end + beyond, end) is None


@given(st.lists(offsets, max_size=5))
def test_the_latest_note_counts_and_is_no_card(noted: list[int]) -> None:
    store = ProfileStore()
    for each in noted:
        record = note(each)
        assert record.key is not None
        store.restored(record.key, record.value)
    assert store.noted == (noted[-1] if noted else None)
    assert len(store) == 0

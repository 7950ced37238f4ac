"""A lane goes on behind everything that was decided, whichever of its two witnesses is behind the other."""

from hypothesis import given
from hypothesis import strategies as st

from streams.deciding.profiles import ProfileStore
from streams.deciding.resumption import note, resume_at

offsets = st.integers(0, 2**40)


@given(decided=offsets, behind=st.integers(0, 2**40), beyond=st.integers(0, 2**40))
def test_it_goes_on_at_the_later_of_the_two(decided: int, behind: int, beyond: int) -> None:
    stale, end = max(0, decided - behind), decided + beyond
    assert resume_at(stale, decided, end) == decided
    assert resume_at(decided, stale, end) == decided
    assert resume_at(None, decided, end) == decided
    assert resume_at(decided, None, end) == decided
    assert resume_at(None, None, end) is None


@given(committed=st.none() | offsets, end=offsets, beyond=st.integers(1, 2**40))
def test_a_note_beyond_the_end_is_of_another_topic(committed: int | None, end: int, beyond: int) -> None:
    assert resume_at(committed, end + beyond, end) == committed


@given(st.lists(offsets, max_size=5))
def test_the_latest_note_counts_and_is_no_card(noted: list[int]) -> None:
    store = ProfileStore()
    for each in noted:
        record = note(each)
        assert record.key is not None
        store.restored(record.key, record.value)
    assert store.noted == (noted[-1] if noted else None)
    assert len(store) == 0

"""The profile store: one object a card within a batch, nothing kept of a batch that failed, idle cards found."""

from models.profile import Profile
from models.profile_packing import pack
from streams.deciding.profiles import ProfileStore


def packed(at: float) -> bytes:
    profile = Profile()
    profile.observe(at, 100, 1, 1)
    return pack(profile)


def stored(**times: float) -> ProfileStore:
    store = ProfileStore()
    for card, at in times.items():
        store.restored(card.encode(), packed(at))
    return store


def test_a_card_is_one_object_until_its_batch_is_committed() -> None:
    store = ProfileStore()
    assert store.check_out(b"a") is store.check_out(b"a")
    store.check_out(b"a").observe(1_000, 100, 1, 1)
    (change,) = store.commit()
    assert change == (b"a", packed(1_000))
    assert store.check_out(b"a").find(1) == 1


def test_what_was_only_looked_at_does_not_become_a_card() -> None:
    store = ProfileStore()
    store.check_out(b"a")
    assert store.commit() == []
    assert len(store) == 0


def test_a_batch_rolled_back_leaves_nothing() -> None:
    store = stored(a=1_000)
    store.check_out(b"a").observe(2_000, 100, 2, 2)
    store.roll_back()
    assert store.check_out(b"a").find(2) is None


def test_a_tombstone_ends_a_card() -> None:
    store = stored(a=1_000)
    store.restored(b"a", None)
    store.restored(b"b", None)
    assert len(store) == 0


def test_idle_cards_are_found_a_few_at_a_time() -> None:
    store = stored(a=1_000, b=9_000, c=1_000, d=1_000)
    assert list(store.idle_since(5_000, most=2, after=0)) == [b"a"]
    assert list(store.idle_since(5_000, most=2, after=2)) == [b"c", b"d"]
    assert list(store.idle_since(5_000, most=2, after=4)) == []
    assert list(store.idle_since(1_000, most=9, after=0)) == []


def test_a_card_forgotten_begins_anew() -> None:
    store = stored(a=1_000)
    store.forget(b"a")
    assert store.check_out(b"a").last_seen is None

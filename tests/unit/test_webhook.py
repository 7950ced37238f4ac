"""Signatures of webhooks: what was signed is believed for a while, and nothing else ever."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.webhook import SECRET_PREFIX, TOLERANCE_SECONDS, NotSigned, check, signed

NOW = 1_700_000_000
ids = st.text("abc123.:_-", min_size=1, max_size=20)
bodies = st.binary(max_size=60)
secrets = st.binary(min_size=1, max_size=32).map(lambda raw: SECRET_PREFIX + base64.b64encode(raw).decode()) | st.text(
    min_size=1, max_size=20
)


def believed(headers: dict[str, str], body: bytes, secret: str, now: float = NOW) -> bool:
    try:
        check(headers, body, secret, now)
    except NotSigned:
        return False
    return True


@given(ids, bodies, secrets, st.integers(-TOLERANCE_SECONDS, TOLERANCE_SECONDS))
def test_what_was_signed_lately_is_believed(message_id: str, body: bytes, secret: str, off: int) -> None:
    assert believed(signed(message_id, body, secret, NOW), body, secret, NOW + off)


@given(ids, bodies, secrets, st.integers(TOLERANCE_SECONDS + 1, 10**9), st.sampled_from([1, -1]))
def test_what_is_of_another_time_is_not(message_id: str, body: bytes, secret: str, off: int, way: int) -> None:
    assert not believed(signed(message_id, body, secret, NOW), body, secret, NOW + way * off)


@given(ids, ids, bodies, bodies, st.integers(1, TOLERANCE_SECONDS))
def test_neither_is_another_message_nor_the_same_at_another_time(
    message_id: str, other_id: str, body: bytes, other: bytes, later: int
) -> None:
    headers = signed(message_id, body, "secret", NOW)
    assert believed(headers, other, "secret") == (other == body)
    assert believed(headers | {"webhook-id": other_id}, body, "secret") == (other_id == message_id)
    assert not believed(headers | {"webhook-timestamp": str(NOW + later)}, body, "secret")


@given(bodies, secrets, secrets)
def test_neither_is_another_secret(body: bytes, one: str, other: str) -> None:
    same = signed("m", body, one, NOW) == signed("m", body, other, NOW)
    assert believed(signed("m", body, one, NOW), body, other) == same


def test_of_several_signatures_one_is_enough() -> None:
    old, new = (signed("m", b"{}", secret, NOW) for secret in ("old", "new"))
    both = new | {"webhook-signature": f"{old['webhook-signature']} {new['webhook-signature']} v2,x"}
    assert believed(both, b"{}", "old")
    assert believed(both, b"{}", "new")
    assert not believed(both, b"{}", "third")


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": chr(0x661) + "700000000"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": f"{NOW}.0"},
    ],
)
def test_headers_that_say_nothing_are_no_signature(changes: dict[str, str]) -> None:
    assert not believed(signed("m", b"{}", "secret", NOW) | changes, b"{}", "secret")


def test_without_a_secret_nothing_is_signed() -> None:
    assert signed("m", b"{}", "", NOW) == {"webhook-id": "m"}
    assert not believed({}, b"{}", "secret")

"""Answers by HTTP: taken from whoever has signed them, and told once on their topic."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from support.reviews import REVIEWED_AT, a_store
from support.site import POLICY, Site
from support.wire_samples import CARD_NUMBER

from models.information import InformationAnswer, Reply
from streams.broker.topics import Topic
from streams.reviewing.web.answer_hook import MOST_BYTES
from streams.settings import ConsoleSettings, Settings
from streams.wire.codec import read_answer, write_answer
from streams.wire.webhook import TOLERANCE_SECONDS, signed

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
NOW = REVIEWED_AT.timestamp()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store, Settings(console=ConsoleSettings(answers_secret=SECRET)))


def an_answer(case_id: str, **changes: Any) -> bytes:
    answer = InformationAnswer(request_id=f"{case_id}.q1", reply=Reply.CONFIRMED, answered_at=REVIEWED_AT)
    return write_answer(replace(answer, **changes))


def sent(site: Site, body: bytes, *, secret: str = SECRET, at: float = NOW) -> Response:
    """As no browser sends it: it says neither where it comes from nor who it is."""
    there = TestClient(site.app, base_url="http://127.0.0.1")
    return there.post("/answers", content=body, headers=signed("m-1", body, secret, at))


def told(site: Site) -> list[InformationAnswer]:
    tellings = [each for unsent in site.store.unsent(100) for each in unsent.tellings]
    return [read_answer(each.value.encode()) for each in tellings if each.topic is Topic.INFORMATION_ANSWERED]


def test_a_signed_answer_is_told_on_its_topic(site: Site) -> None:
    [only] = site.open()
    answer = sent(site, an_answer(only))
    assert (answer.status_code, answer.content) == (202, b"")
    assert [(each.request_id, each.reply) for each in told(site)] == [(f"{only}.q1", "confirmed")]


@pytest.mark.parametrize(
    ("secret", "at"), [("", NOW), ("whsec_AAAA", NOW), (SECRET, NOW - TOLERANCE_SECONDS - 1), (SECRET, NOW + 301)]
)
def test_an_answer_that_nobody_signed_lately_is_not_taken(site: Site, secret: str, at: float) -> None:
    [only] = site.open()
    assert sent(site, an_answer(only), secret=secret, at=at).status_code == 401
    assert told(site) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", orjson.dumps({"request_id": "d.1.0.q1"})])
def test_what_is_no_answer_is_refused_with_a_reason(site: Site, body: bytes) -> None:
    site.open()
    refused = sent(site, body)
    assert refused.status_code == 400
    assert refused.text
    assert told(site) == []


def test_neither_is_one_with_a_card_number_or_too_long_or_to_what_nobody_asked(site: Site) -> None:
    [only] = site.open()
    assert sent(site, an_answer(only, text=CARD_NUMBER)).status_code == 400
    assert sent(site, b" " * (MOST_BYTES + 1)).status_code == 413
    for unknown in ("d.9.9", "x"):
        assert sent(site, an_answer(unknown)).status_code == 404
    assert told(site) == []


def test_a_browser_changes_nothing_by_it_and_nothing_else_is_open_to_who_signs(site: Site) -> None:
    [only] = site.open()
    assert site.browser("ann").post("/answers", content=an_answer(only)).status_code == 401
    body = b"outcome=block"
    there = TestClient(site.app, base_url="http://127.0.0.1", follow_redirects=False)
    assert there.post(f"/cases/{only}/verdict", content=body, headers=signed("m", body, SECRET, NOW)).status_code == 403
    assert there.get("/answers").status_code == 405


def test_without_a_secret_none_are_taken(site: Site) -> None:
    [only] = site.open()
    closed = Site(site.store)
    assert sent(closed, an_answer(only), secret="").status_code == 404
    assert sent(closed, an_answer(only)).status_code == 404


def test_the_secret_is_told_by_nothing() -> None:
    plain, secret = Settings(), Settings(console=ConsoleSettings(answers_secret=SECRET))
    assert SECRET not in repr(secret)
    assert plain.version == secret.version

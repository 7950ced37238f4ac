"""The page of one payment, as a browser asks for it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs
from support.reviews import a_store
from support.shown import lived
from support.site import POLICY, Site
from support.wire_samples import KEY, PLACE, a_decision, transaction_bytes

from rules.complaint import Complaint, ComplaintState, stopped_by_decision
from rules.decision import Outcome
from streams.broker.topics import Topic

MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


def test_it_tells_the_whole_story(site: Site) -> None:
    lived(site.cluster, site.now)
    page = site.browser("ray").get("/payments?transaction=t-1-0").text
    for told in (
        "review by stand in, RESPONSE_TIMEOUT, after 12 ms",
        "re score: approve, risk 1.0%",
        "verdict: block by ann, STOLEN_CARD",
        "label: fraud, chargeback, 10.4",
        "amount_ratio",
        "velocity_1h",
        "192.168.1.44",
    ):
        assert told in page


def test_what_has_a_case_is_told_with_it(site: Site) -> None:
    [only] = site.open()
    site.browser("ann").post("/queues/reviews/next")
    site.now += timedelta(minutes=1)
    page = site.browser("ray").get("/payments?transaction=t-1-0").text
    assert f'href="/cases/{only}"' in page
    assert "ann: lease" in page
    assert "not kept any more" in page  # the topics of this site are empty


def test_a_complaint_and_what_became_of_it_are_told(site: Site) -> None:
    blocked = structs.replace(a_decision(), outcome=Outcome.BLOCK)
    site.store.open([], {}, [payment for payment in [stopped_by_decision(blocked, PLACE)] if payment])
    complaints = site.store.complaints
    complaints.receive(
        Complaint(complaint_id="c-1", transaction_id=blocked.transaction_id, text=MARKUP, complained_at=site.now)
    )
    complaints.settle("c-1", ComplaintState.UPHELD, "bob", site.now + timedelta(hours=1))
    page = site.browser("ann").get("/payments", params={"transaction": blocked.transaction_id}).text
    assert "received: “&lt;img" in page
    assert "bob: upheld" in page


def test_the_case_leads_to_the_story(site: Site) -> None:
    [only] = site.open()
    assert 'href="/payments?transaction=t-1-0"' in site.browser("ann").get(f"/cases/{only}").text


def test_of_what_nobody_knows_it_says_so(site: Site) -> None:
    page = site.browser("ann").get("/payments?transaction=t-9").text
    assert "Nothing is known of t-9 since 2025-12-03 04:05 UTC" in page


@pytest.mark.parametrize("around", ["yesterday", "9999-99-99T00:00", "0001-01-01T00:00"])
def test_a_moment_that_is_none_is_refused(site: Site, around: str) -> None:
    there = site.browser("ann")
    assert there.get("/payments", params={"transaction": "t-9", "around": around}).status_code == 400
    found = there.get("/payments", params={"transaction": "t-9", "around": "2026-01-02T03:04"})
    assert "since 2026-01-02 02:04 UTC" in found.text


@pytest.mark.parametrize("path", ["/payments", "/payments?transaction=t-1"])
def test_it_is_for_those_who_may_look(site: Site, path: str) -> None:
    assert site.browser().get(path).headers["location"] == "/login"
    assert site.browser("root").get(path).status_code == 403


def test_no_word_of_a_record_becomes_markup(site: Site) -> None:
    value = transaction_bytes(transaction_id=MARKUP, merchant_id=MARKUP, **{MARKUP: MARKUP}).replace(b'\\"', b"'")
    site.cluster.put(Topic.TRANSACTIONS, value, key=KEY, at=site.now.timestamp() - 1)
    wanted = MARKUP.replace('"', "'")
    page = site.browser("ann").get("/payments", params={"transaction": wanted}).text
    assert "As it came" in page
    assert "<img" not in page
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?! src=)|javascript:", page)

"""The operations page, as a browser asks for it, and its events, as fifty of them hear them."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import httpx2
import pytest
from support.reviews import REVIEWED_AT, a_store
from support.site import OWN, PASSWORD, POLICY, Site, served
from support.wire_samples import a_decision, an_alert_event

from rules.mode import Mode, ModeReason
from streams.reviewing.accounts import IDLE
from streams.reviewing.web import live_pages
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision
from streams.wire.heartbeat import Heartbeat, write_heartbeat

NOW = REVIEWED_AT
WATCHERS = 50
MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


def test_it_shows_workers_rates_and_incidents(site: Site) -> None:
    beat = Heartbeat(
        instance="worker-1", at=NOW, started_at=NOW, mode=Mode.STAND_IN, mode_reason=ModeReason.CIRCUIT_OPEN, lanes=8
    )
    site.live.take_heartbeat(b"worker-1", write_heartbeat(beat))
    site.live.take_decision(write_decision(a_decision()), NOW.timestamp() - 1)
    site.live.take_alert(write_alert(an_alert_event()))
    site.live.lag = 1_234
    page = site.browser("ann").get("/operations").text
    for shown in ("stand in, CIRCUIT_OPEN", "RESPONSE_TIMEOUT", "01-02 03:04:05", "1,234", "12 ms", "100.0%"):
        assert shown in page


def test_it_is_rendered_once_a_second(site: Site) -> None:
    there = site.browser("ann")
    before = there.get("/operations").text
    site.live.lag = 1_234
    assert there.get("/operations").text == before
    site.now += timedelta(seconds=1)
    assert "1,234" in there.get("/operations").text


def test_no_word_of_a_record_becomes_markup(site: Site) -> None:
    beat = Heartbeat(instance=MARKUP, at=NOW, started_at=NOW, mode=Mode.NORMAL, model_version=MARKUP)
    site.live.take_heartbeat(b"w", write_heartbeat(beat))
    event = an_alert_event()
    strange = replace(event.data, reason=MARKUP, component=MARKUP, suggested_action=MARKUP)
    site.live.take_alert(write_alert(replace(event, data=strange)))
    page = site.browser("ann").get("/operations").text
    assert "<img" not in page
    assert "&lt;img" in page
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?! src=)|javascript:", page)


@pytest.mark.parametrize("path", ["/operations", "/operations/again", "/operations/events"])
def test_it_is_for_those_who_may_look(site: Site, path: str) -> None:
    assert site.browser().get(path).headers["location"] == "/login"
    assert site.browser("root").get(path).status_code == 403


def test_a_page_that_stands_open_keeps_no_session_alive(site: Site) -> None:
    there = site.browser("ann")
    for _ in range(3):
        site.now += IDLE / 3 + timedelta(seconds=1)
        last = there.get("/operations/again")
    assert last.headers["location"] == "/login"


def test_a_page_that_somebody_asks_for_does(site: Site) -> None:
    there = site.browser("ann")
    for _ in range(4):
        site.now += IDLE / 3
        assert there.get("/operations").status_code == 200


def a_client(address: str) -> httpx2.Client:
    client = httpx2.Client(base_url=address, headers=OWN, timeout=60)
    assert client.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 303
    return client


def test_fifty_hear_it_at_once(site: Site) -> None:
    together = Barrier(WATCHERS)

    def watch(client: httpx2.Client) -> tuple[str, str]:
        with client.stream("GET", "/operations/events") as answer:
            lines = (line for line in answer.iter_lines() if line.startswith("data: <p>As of"))
            first = next(lines)
            together.wait(60)  # all have it open at once
            return first, next(lines)

    with served(site) as address:
        client = a_client(address)
        clients = [httpx2.Client(base_url=address, cookies=client.cookies, timeout=60) for _ in range(WATCHERS)]
        with ThreadPoolExecutor(WATCHERS) as pool:
            heard = list(pool.map(watch, clients))
        for each in clients:
            each.close()
    assert len(heard) == WATCHERS
    assert len({line for pair in heard for line in pair}) == 1  # the clock of this site stands still


def test_beyond_the_most_it_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_pages, "MOST_WATCHERS", 1)
    with served(site) as address:
        client = a_client(address)
        with client.stream("GET", "/operations/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            assert client.get("/operations/events").status_code == 503


def test_events_end_with_the_session(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_pages, "LOOK_AT_SESSION_EVERY", 1)
    with served(site) as address:
        client = a_client(address)
        with client.stream("GET", "/operations/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            client.post("/logout")
            assert list(lines)  # it ends

"""Complaints, second looks and how reviewers agree, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.payloads import payloads
from support.reviews import a_store
from support.shown import complained, people
from support.site import POLICY, Site, served

from rules.complaint import ComplaintState
from streams.reviewing.second_looks import LookState

pytestmark = pytest.mark.browser

AT_ONCE = 25  # complaints on a page


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Site]:
    """Everything that is decided is to be looked at twice."""
    with a_store(f"sqlite:///{tmp_path}/busy.db", POLICY, drawn=0.0) as store:
        site = Site(store)
        people(site)
        yield site


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_about_people_are_for_everybody(busy: Site, chromium: Browser, size: str, dark: bool) -> None:
    with served(busy) as address, reviewer(chromium, address, "lea", size=size, dark=dark) as page:
        for path in ("/complaints", "/reviewers", "/second-looks"):
            page.goto(path)
            assert_for_everybody(page)
        press(page, "n", to="**/second-looks/d.*")
        expect(page.get_by_role("heading", name="The card")).to_be_visible()
        assert_for_everybody(page)


def test_a_complaint_is_upheld_and_the_next_one_rejected(busy: Site, chromium: Browser) -> None:
    with served(busy) as address, reviewer(chromium, address, "lea") as page:
        page.goto("/complaints")
        for what in ("Uphold", "Reject"):
            page.get_by_role("button", name=what).first.click()
            page.wait_for_load_state("load")
        expect(page.get_by_text("None waits.")).to_be_visible()
    states = {each: busy.store.complaints.complaint(each).state for each in ("c-0", "c-1")}
    assert states == {"c-0": ComplaintState.UPHELD, "c-1": ComplaintState.REJECTED}


def test_a_second_look_is_given_by_key_and_the_next_appears(busy: Site, chromium: Browser) -> None:
    with served(busy) as address, reviewer(chromium, address, "bob") as page:
        page.goto("/second-looks")
        press(page, "n", to="**/second-looks/d.*")
        first = page.url
        press(page, "b")
        page.wait_for_url(lambda url: url != first)
    assert busy.store.second_looks.counts()[LookState.DONE] == 2  # with the one of before


def test_no_word_of_any_complaint_runs(site: Site, chromium: Browser) -> None:
    every = payloads()
    with served(site) as address, reviewer(chromium, address, "lea") as page:
        for first in range(0, len(every), AT_ONCE):
            some = every[first : first + AT_ONCE]
            names = complained(site, some, begin=first)
            page.goto("/complaints")
            shown = page.get_by_role("main").text_content() or ""
            assert all(each.strip() in shown for each in some)
            assert page.evaluate("window.pwned") is None, some
            for each in names:
                site.store.complaints.settle(each, ComplaintState.REJECTED, "bob", site.now)

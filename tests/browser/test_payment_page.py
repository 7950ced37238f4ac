"""The page of one payment in a real Chromium."""

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.shown import lived
from support.site import Site, served

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_one_payment_is_followed_from_its_topic_to_the_last_word(
    site: Site, chromium: Browser, size: str, dark: bool
) -> None:
    lived(site.cluster, site.now)
    with served(site) as address, reviewer(chromium, address, "ann", size=size, dark=dark) as page:
        press(page, "3", to="**/payments")
        page.get_by_label("Transaction").fill("t-1-0")
        page.keyboard.press("Enter")
        expect(page.get_by_text("verdict: block by ann")).to_be_visible()
        assert_for_everybody(page)

"""The operations page in a real Chromium: it goes on by itself, and is for everybody."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.shown import trouble
from support.site import Site, served

pytestmark = pytest.mark.browser


def test_it_changes_while_it_is_looked_at(site: Site, chromium: Browser) -> None:
    trouble(site.live, site.now)
    with served(site) as address, reviewer(chromium, address, "ray") as page:
        press(page, "2", to="**/operations")
        expect(page.get_by_text("stand in, CONNECTION_ERROR")).to_be_visible()
        site.live.lag = 4_321
        site.now += timedelta(seconds=1)
        expect(page.get_by_text("4,321")).to_be_visible()


def test_without_scripts_it_asks_again(site: Site, chromium: Browser) -> None:
    there = site.browser("ann")
    with served(site) as address:
        context = chromium.new_context(base_url=address, java_script_enabled=False)
        context.add_cookies(
            [{"name": name, "value": value, "url": address} for name, value in dict(there.cookies).items()]
        )
        page = context.new_page()
        page.goto("/operations")
        page.wait_for_url("**/operations/again", timeout=20_000)
        context.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_for_everybody(site: Site, chromium: Browser, size: str, dark: bool) -> None:
    trouble(site.live, site.now)
    with served(site) as address, reviewer(chromium, address, "ray", size=size, dark=dark) as page:
        page.goto("/operations")
        assert_for_everybody(page)

"""The page of models in a real Chromium: measured, looked at, and gone back."""

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.shown import modelled
from support.site import Site, served

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_model_is_measured_and_rolled_back_by_keys(site: Site, chromium: Browser, size: str, dark: bool) -> None:
    modelled(site.cluster, site.now)
    with served(site) as address, reviewer(chromium, address, "ray", size=size, dark=dark) as page:
        press(page, "4", to="**/model")
        press(page, "m")
        expect(page.get_by_text("Measured at")).to_be_visible(timeout=30_000)
        press(page, "r")
        page.get_by_label("Why").fill("it was fed something wrong")
        assert_for_everybody(page)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Last order: back to m-47000, by ray")).to_be_visible()

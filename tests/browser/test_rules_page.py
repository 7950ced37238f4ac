"""The page of rules in a real Chromium: drafted, tried on recent decisions, and put into force by a second person."""

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.shown import DRAFT, ruled
from support.site import Site, served

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_rule_set_is_drafted_tried_and_activated_by_two(site: Site, chromium: Browser, size: str, dark: bool) -> None:
    ruled(site.cluster, site.now)
    with served(site) as address:
        with reviewer(chromium, address, "ray", size=size, dark=dark) as page:
            press(page, "5", to="**/rules")
            page.get_by_label("Rule set in TOML").fill(DRAFT.replace("amount_minor", "amount_miner"))
            page.get_by_role("button", name="Check").click()
            expect(page.get_by_text("line 7, column 7")).to_be_visible()
            page.get_by_label("Rule set in TOML").fill(DRAFT)
            page.get_by_role("button", name="Back-test").click()
            expect(page.get_by_text("10 of 40 decisions")).to_be_visible()
            assert_for_everybody(page)
            page.get_by_label("Why, if you propose it").fill("large payments")
            page.get_by_role("button", name="Propose").click()
            expect(page.get_by_text("Somebody else must activate it.")).to_be_visible()
        with reviewer(chromium, address, "rita", size=size, dark=dark) as page:
            page.goto("/rules")
            assert_for_everybody(page)
            page.get_by_role("button", name="Activate").click()
            expect(page.get_by_text("shop 2026-03-01+")).to_be_visible()

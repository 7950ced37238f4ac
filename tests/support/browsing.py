"""Somebody before the console in a real Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.site import PASSWORD
from support.tools import tool

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
SERIOUS = ("serious", "critical")


@contextmanager
def a_chromium() -> Iterator[Browser]:
    """The system's own; while it is there a loop runs in this thread."""
    program = tool("chromium", package="chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def reviewer(chromium: Browser, address: str, name: str, *, size: str = "desk", dark: bool = False) -> Iterator[Page]:
    """Somebody who has logged in."""
    width, height = SIZES[size]
    context = chromium.new_context(
        base_url=address, viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    try:
        yield page
    finally:
        context.close()


def press(page: Page, key: str, *, to: str | None = None) -> None:
    """Press a key of the page that is shown, once its script hears it; and wait for the page that it leads to."""
    page.wait_for_load_state("load")
    page.keyboard.press(key)
    if to is not None:
        page.wait_for_url(to)


CUT = "[...document.querySelectorAll('.wide')].filter(each => each.scrollWidth > each.clientWidth).length"


def assert_for_everybody(page: Page) -> None:
    """No serious finding of axe, and nothing to scroll sideways for but wide tables on a phone."""
    found = Axe().run(page).response["violations"]
    serious = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found if each["impact"] in SERIOUS]
    assert serious == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    assert page.evaluate(f"innerWidth < {SIZES['desk'][0]} || {CUT} === 0"), page.url

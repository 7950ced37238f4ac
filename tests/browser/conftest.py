"""A Chromium for the tests of a file, and a console with people and cases for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.reviews import a_store
from support.site import POLICY, Site
from support.tools import tool


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """While it is there a loop runs in this thread, and tests of other files want one of their own."""
    program = tool("chromium", package="chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)

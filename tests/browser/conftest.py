"""A Chromium for the tests of a file, and a console with people and cases for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.browsing import a_chromium
from support.reviews import a_store
from support.site import POLICY, Site


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Of one file: tests of others want a loop of their own."""
    with a_chromium() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)

"""The pictures of the console in docs, taken anew.

    cd tests && python -m support.screenshots

Each page as the tests of the console in a browser have it, 1280 wide, in light.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page
from support.browsing import a_chromium, press, reviewer
from support.reviews import a_store
from support.shown import DRAFT, complained, lived, modelled, people, ruled, trouble
from support.site import POLICY, Site, served

DOCS = Path(__file__).parents[2] / "docs"
TALLEST = 1_600  # pixels; what is below is more of the same


def busy(site: Site) -> None:
    """People at work on cases and complaints."""
    people(site)
    site.open(9, amount_minor=72_000)
    complained(site, ["I was in the shop myself."])


def models(site: Site) -> None:
    """Models with a quality that was measured."""
    modelled(site.cluster, site.now)
    site.browser("ray").post("/model/quality")


def payment(site: Site) -> None:
    """One payment from topic to verdict."""
    lived(site.cluster, site.now)


def rules(site: Site) -> None:
    """A rule set that somebody proposed."""
    ruled(site.cluster, site.now)
    site.browser("ray").post("/rules/proposals", data={"text": DRAFT, "why": "large payments of cards that made none"})


def operations(site: Site) -> None:
    """A worker whose model is late."""
    trouble(site.live, site.now)


def next_case(page: Page) -> None:
    """Take the next case of a queue."""
    page.goto("/queues/reviews")
    press(page, "n", to="**/cases/d.*")


def next_second_look(page: Page) -> None:
    """Take the next one."""
    page.goto("/second-looks")
    press(page, "n", to="**/second-looks/d.*")


def drafted(page: Page) -> None:
    """Try a draft on what was decided."""
    page.goto("/rules")
    page.get_by_label("Rule set in TOML").fill(DRAFT)
    page.get_by_role("button", name="Back-test").click()
    page.wait_for_timeout(1_000)


def at(path: str) -> Callable[[Page], None]:
    """A page that has an address."""

    def go(page: Page) -> None:
        page.goto(path)
        page.wait_for_timeout(1_000)  # for what is drawn by script

    return go


PICTURES: tuple[tuple[str, Callable[[Site], None], str, Callable[[Page], None]], ...] = (
    ("queues", busy, "ann", at("/")),
    ("queue", busy, "lea", at("/queues/large")),
    ("case", busy, "ann", next_case),
    ("second-look", busy, "lea", next_second_look),
    ("complaints", busy, "lea", at("/complaints")),
    ("reviewers", busy, "lea", at("/reviewers")),
    ("operations", operations, "ann", at("/operations")),
    ("payment", payment, "ann", at("/payments?transaction=t-1-0")),
    ("model", models, "ray", at("/model")),
    ("rules", rules, "rita", drafted),
)


@contextmanager
def a_site(prepared: Callable[[Site], None]) -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory() as directory,
        a_store(f"sqlite:///{directory}/reviews.db", POLICY, drawn=0.0) as store,
    ):
        site = Site(store)
        prepared(site)
        yield site


def take(chromium: Browser) -> None:
    """Take them all."""
    for name, prepared, who, go in PICTURES:
        with a_site(prepared) as site, served(site) as address, reviewer(chromium, address, who) as page:
            go(page)
            height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
            page.set_viewport_size({"width": 1280, "height": height})
            page.wait_for_timeout(300)
            page.screenshot(path=DOCS / f"console-{name}.png")


def main() -> None:
    """Take them with the Chromium that the tests use."""
    with a_chromium() as chromium:
        take(chromium)


if __name__ == "__main__":
    main()

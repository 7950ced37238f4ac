"""The console in a real Chromium: a reviewer by keys, pages for everybody, and no foreign script that runs."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle, islice, product
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.reviews import a_store, an_opening
from support.site import PASSWORD, POLICY, Site
from support.tools import tool

from models.information import InformationAnswer, Reply
from models.score import Contribution
from rules.decision import Outcome
from rules.review_case import EndedBy

pytestmark = pytest.mark.browser

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
PAYLOADS = 500


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = tool("chromium", package="chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Its address."""
    server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="off", ws="none"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


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


def test_a_reviewer_takes_sees_why_decides_by_key_and_the_next_appears(site: Site, chromium: Browser) -> None:
    why = Contribution(feature="amount_ratio_30d", log_odds=1.5)
    first, second = site.open(2, contributions=(why,))
    with served(site) as address, reviewer(chromium, address, "ann") as page:
        page.get_by_role("link", name="reviews").click()
        page.wait_for_url("**/queues/reviews")
        page.keyboard.press("n")
        page.wait_for_url(f"**/cases/{first}")
        expect(page.get_by_text("amount_ratio_30d")).to_be_visible()
        page.keyboard.press("b")
        page.wait_for_url(f"**/cases/{second}")
        page.keyboard.press("a")
        expect(page.get_by_text("There is nothing for you in this queue.")).to_be_visible()
    endings = [site.store.case(each).case.ending for each in (first, second)]
    assert [each and (each.by, each.outcome) for each in endings] == [
        (EndedBy.VERDICT, Outcome.BLOCK),
        (EndedBy.VERDICT, Outcome.APPROVE),
    ]


def test_information_is_asked_for_and_the_answer_is_seen(site: Site, chromium: Browser) -> None:
    [only] = site.open()
    with served(site) as address, reviewer(chromium, address, "ann") as page:
        page.goto(f"/cases/{only}")
        page.keyboard.press("i")
        page.get_by_label("Words").fill("Was it you?")  # its letters are no keys
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_url("**/queues/reviews")
        page.goto(f"/cases/{only}")
        expect(page.get_by_text("waiting for information")).to_be_visible()
        answer = InformationAnswer(request_id=f"{only}.q1", reply=Reply.DENIED, text="Never.", answered_at=site.now)
        site.desk.hear_answer(answer, site.now)
        page.reload()
        expect(page.get_by_text("Never.")).to_be_visible()


def test_an_expired_case_shows_its_default(site: Site, chromium: Browser) -> None:
    [only] = site.open()
    site.desk.close_due(site.now + timedelta(hours=5))
    with served(site) as address, reviewer(chromium, address, "ann") as page:
        page.goto(f"/cases/{only}")
        expect(page.get_by_text("block by timeout")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_are_for_everybody(site: Site, chromium: Browser, size: str, dark: bool) -> None:
    """No serious finding of axe, and nothing to scroll sideways for but wide tables."""
    [first, *_] = site.open(3, contributions=(Contribution(feature="amount_ratio_30d", log_odds=1.5),))
    with served(site) as address, reviewer(chromium, address, "lea", size=size, dark=dark) as page:
        page.goto("/queues/reviews")
        page.keyboard.press("n")
        page.wait_for_url(f"**/cases/{first}")
        for path in ("/", "/queues/reviews", f"/cases/{first}", "/cases/d.9.9"):
            page.goto(path)
            found = Axe().run(page).response["violations"]
            serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
            assert serious == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def payloads() -> list[str]:
    """Ways into a page that were found elsewhere: tags, attributes, schemes, breaks out of strings and templates."""
    run = ("window.pwned=1", "top.pwned=1", "self['pwned']=1", "eval('pwned=1')", "Function('pwned=1')()")
    shapes = (
        "<script>{}</script>",
        "</script><script>{}</script>",
        "<img src=x onerror={}>",
        '"><img src=x onerror="{}">',
        "'><img src=x onerror='{}'>",
        "<svg onload={}>",
        "<svg><script>{}</script></svg>",
        "<body onload={}>",
        "<details open ontoggle={}>",
        "<input autofocus onfocus={}>",
        '" autofocus onfocus="{}" x="',
        "' onmouseover='{}' x='",
        "<iframe srcdoc='<script>parent.{}</script>'>",
        '<a href="javascript:{}">x</a>',
        "javascript:{}",
        "<form action=javascript:{}><input type=submit autofocus></form>",
        "<math><mtext></mtext><script>{}</script></math>",
        "<template><script>{}</script></template>",
        '<object data="data:text/html,<script>{}</script>">',
        '<meta http-equiv=refresh content="0;url=javascript:{}">',
        "<style onload={}></style>",
        "<video><source onerror={}></video>",
        "<marquee onstart={}>x</marquee>",
        "{{{{ self.__init__.__globals__ }}}}<script>{}</script>",
        "${{{}}}",
        "--><script>{}</script><!--",
        "]]><script>{}</script>",
        "\u2028<script>{}</script>",
        "<scr<script>ipt>{}</scr</script>ipt>",
        "<ScRiPt>{}</sCrIpT>",
        "<script/x>{}</script>",
        "<<script>{};//<</script>",
        "<link rel=stylesheet href=x onerror={}>",
        "<base href=javascript:{}//>",
        "<textarea></textarea><script>{}</script>",
        "<title></title><script>{}</script>",
        "&lt;script&gt;{}&lt;/script&gt;",
        "&#60;script&#62;{}&#60;/script&#62;",
        "%3Cscript%3E{}%3C/script%3E",
        "\\x3cscript\\x3e{}\\x3c/script\\x3e",
    )
    endings = ("", " ", "\t<!--", "\n")
    return list(islice(cycle(shape.format(what) + end for end, what, shape in product(endings, run, shapes)), PAYLOADS))


@pytest.mark.timeout(600)
def test_no_word_of_any_record_runs(site: Site, chromium: Browser) -> None:
    every = payloads()
    assert len(set(every)) == PAYLOADS
    openings = [
        an_opening(
            number,
            POLICY,
            merchant_id=each,
            terminal_id=each,
            pan_token=each,
            currency=each,
            rule_hits=(each,),
            contributions=(Contribution(feature=each, log_odds=1.0),),
        )
        for number, each in enumerate(every)
    ]
    site.store.open(openings, {})
    with served(site) as address, reviewer(chromium, address, "lea") as page:
        for opening, payload in zip(openings, every, strict=True):
            page.goto(f"/cases/{opening.case.case_id}")
            assert payload.strip() in page.get_by_role("main").text_content()
            assert page.evaluate("window.pwned") is None, payload
        page.goto("/queues/reviews")
        assert page.evaluate("window.pwned") is None
        for payload in every[:40]:
            page.goto("/")
            page.get_by_label("Transaction").fill(payload)
            page.get_by_role("button", name="Search").click()
            assert page.evaluate("window.pwned") is None, payload

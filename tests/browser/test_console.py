"""The console in a real Chromium: a reviewer by keys, pages for everybody, and no foreign script that runs."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect
from support.browsing import SIZES, assert_for_everybody, press, reviewer
from support.payloads import PAYLOADS, payloads
from support.reviews import an_opening
from support.shown import people
from support.site import POLICY, Site, served

from models.information import InformationAnswer, Reply
from models.score import Contribution
from rules.decision import Outcome
from rules.review_case import EndedBy, Reviewer, VerdictReason
from streams.reviewing.web.pages import PRECEDENTS

pytestmark = pytest.mark.browser

LEA = Reviewer(name="lea", second_line=True)
ALIKE = Contribution(feature="alike", log_odds=50.0)


def test_a_reviewer_takes_sees_why_decides_by_key_and_the_next_appears(site: Site, chromium: Browser) -> None:
    why = Contribution(feature="amount_ratio_30d", log_odds=1.5)
    first, second = site.open(2, contributions=(why,))
    with served(site) as address, reviewer(chromium, address, "ann") as page:
        page.get_by_role("link", name="reviews").click()
        page.wait_for_url("**/queues/reviews")
        press(page, "n", to=f"**/cases/{first}")
        expect(page.get_by_text("amount_ratio_30d")).to_be_visible()
        press(page, "b", to=f"**/cases/{second}")
        press(page, "a")
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
        press(page, "i")
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
    people(site)
    [first, *_] = site.store.to_take("reviews", Reviewer(name="lea"), site.now, 1)
    with served(site) as address, reviewer(chromium, address, "lea", size=size, dark=dark) as page:
        page.goto("/queues/reviews")
        press(page, "n", to=f"**/cases/{first}")
        for path in ("/", "/queues/reviews", f"/cases/{first}", "/cases/d.9.9"):
            page.goto(path)
            assert_for_everybody(page)


def test_no_word_of_any_record_runs(site: Site, chromium: Browser) -> None:
    every = payloads()
    assert len(set(every)) == PAYLOADS
    tens = [every[first : first + 10] for first in range(0, PAYLOADS, 10)]
    openings = [
        an_opening(
            number,
            POLICY,
            merchant_id=" ".join(some),
            terminal_id=" ".join(some),
            pan_token=" ".join(some),
            currency=" ".join(some),
            rule_hits=tuple(some),
            contributions=(ALIKE, *(Contribution(feature=each, log_odds=1.0) for each in some)),
        )
        for number, some in enumerate(tens)
    ]
    site.store.open(openings, {})
    with served(site) as address, reviewer(chromium, address, "lea") as page:
        for opening, some in zip(openings, tens, strict=True):
            page.goto(f"/cases/{opening.case.case_id}")
            shown = page.get_by_role("main").text_content() or ""
            assert all(shown.count(each.strip()) >= 4 for each in some)
            assert page.evaluate("window.pwned") is None, some
            # From now on it is shown beside others that are like it.
            site.desk.decide(opening.case.case_id, LEA, Outcome.BLOCK, VerdictReason.OTHER, site.now)
        expect(page.get_by_text("reasons 100% alike")).to_have_count(PRECEDENTS)
        page.goto("/queues/reviews")
        assert page.evaluate("window.pwned") is None
        for payload in every[:40]:
            page.goto("/")
            page.get_by_label("Transaction").fill(payload)
            page.get_by_role("button", name="Search").click()
            assert page.evaluate("window.pwned") is None, payload

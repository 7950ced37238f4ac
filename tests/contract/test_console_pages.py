"""The console as a browser asks it: who gets in, what they may do, and that no word of a record becomes markup."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from support.installation_actions import INSTALLATION_ACTIONS
from support.reviews import REVIEWED_AT, a_store, an_opening
from support.site import PASSWORD, POLICY, Site
from support.wire_samples import CARD_NUMBER

from models.card_history import CardHistory, RecentPayment
from models.score import Contribution
from rules.review_case import EndedBy
from streams.reviewing.web.guard import ANSWERS, HEADERS

NOW = REVIEWED_AT
MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


VERDICT = {"outcome": "block", "block_reason": "STOLEN_CARD", "approve_reason": "OTHER"}
COMPLAINT = {"transaction": "t-1-0", "text": "It was me."}
ACTIONS = {
    "/queues/reviews/next": {},
    "/queues/reviews/verdicts": {"case": "d.1.0", "outcome": "block", "reason": "OTHER"},
    "/cases/d.1.0/lease": {},
    "/cases/d.1.0/verdict": VERDICT,
    "/cases/d.1.0/release": {},
    "/cases/d.1.0/escalation": {},
    "/cases/d.1.0/question": {"asked": "identity", "channel": "app", "minutes": "15", "text": ""},
    "/complaints": COMPLAINT,
    "/second-looks/next": {},
    "/second-looks/d.1.0/verdict": {"outcome": "block"},
    "/complaints/c-1/settlement": {"state": "upheld"},
}


def test_every_action_is_listed_here(site: Site) -> None:
    posts = {
        each.path.replace("{number:int}", "1")
        .replace("{queue}", "reviews")
        .replace("{case_id}", "d.1.0")
        .replace("{complaint_id}", "c-1")
        for each in site.app.routes
        if "POST" in (getattr(each, "methods", None) or ())
    }
    assert posts == set(ACTIONS) | {"/login", "/logout", ANSWERS, *INSTALLATION_ACTIONS}


@pytest.mark.parametrize("path", ACTIONS)
def test_no_action_without_a_session(site: Site, path: str) -> None:
    site.open()
    answer = site.browser().post(path, data=ACTIONS[path])
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert site.store.history("d.1.0") == []


@pytest.mark.parametrize("user", ["ray", "root"])
@pytest.mark.parametrize("path", ACTIONS)
def test_no_action_without_the_right(site: Site, path: str, user: str) -> None:
    site.open()
    assert site.browser(user).post(path, data=ACTIONS[path]).status_code == 403
    assert site.store.history("d.1.0") == []


def test_an_analyst_does_not_decide_in_bulk(site: Site) -> None:
    site.open()
    path = "/queues/reviews/verdicts"
    assert site.browser("ann").post(path, data=ACTIONS[path]).status_code == 403
    assert site.browser("lea").post(path, data=ACTIONS[path]).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
)
@pytest.mark.parametrize("path", [*ACTIONS, "/login", "/logout"])
def test_no_action_from_another_site(site: Site, path: str, headers: dict[str, str]) -> None:
    site.open()
    assert site.browser("ann").post(path, data=ACTIONS.get(path, {}), headers=headers).status_code == 403
    assert site.store.history("d.1.0") == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1", 303),
        ("http://evil.example", 403),
        ("https://127.0.0.1", 403),
        ("http://127.0.0.1:81", 403),
        ("null", 403),
        (None, 403),
    ],
)
def test_a_browser_that_says_only_its_origin_is_believed(site: Site, origin: str | None, status: int) -> None:
    site.open()
    there = site.browser("ann")
    del there.headers["Sec-Fetch-Site"]
    headers = {} if origin is None else {"Origin": origin}
    assert there.post("/queues/reviews/next", headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/", "/queues/reviews", "/cases/d.1.0", "/complaints"])
def test_nothing_is_shown_without_a_session_or_to_who_only_manages_users(site: Site, path: str) -> None:
    site.open()
    assert site.browser().get(path).headers["location"] == "/login"
    assert site.browser("root").get(path).status_code == 403
    assert site.browser("ray").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/console.css"])
def test_every_answer_tells_the_browser_what_it_may_not_do(site: Site, path: str) -> None:
    headers = site.browser().get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_cookie_is_for_nobody_else(site: Site) -> None:
    answer = site.browser().post("/login", data={"name": "ann", "password": PASSWORD})
    assert {"HttpOnly", "SameSite=strict"} <= set(re.split(r"; *", answer.headers["set-cookie"]))


def test_who_fails_too_often_waits_and_others_do_not(site: Site) -> None:
    there = site.browser()
    codes = [there.post("/login", data={"name": "ann", "password": "wrong"}).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert there.post("/login", data={"name": "ann", "password": PASSWORD}).status_code == 429
    assert there.post("/login", data={"name": "bob", "password": PASSWORD}).status_code == 303


def test_who_logs_out_is_out(site: Site) -> None:
    there = site.browser("ann")
    kept = dict(there.cookies)
    there.post("/logout")
    assert site_with(site, kept).get("/").headers["location"] == "/login"


def site_with(site: Site, cookies: dict[str, str]) -> TestClient:
    there = site.browser()
    there.cookies.update(cookies)
    return there


def test_one_case_after_the_other_is_decided(site: Site) -> None:
    first, second = site.open(2)
    there = site.browser("ann")
    assert there.post("/queues/reviews/next").headers["location"] == f"/cases/{first}"
    page = there.get(f"/cases/{first}").text
    assert "leased to ann" in page
    assert 'data-key="b"' in page
    assert there.post(f"/cases/{first}/verdict", data=VERDICT).headers["location"] == f"/cases/{second}"
    assert there.post(f"/cases/{second}/verdict", data=VERDICT).headers["location"] == "/queues/reviews"
    ending = site.store.case(first).case.ending
    assert ending is not None
    assert (ending.by, ending.outcome) == (EndedBy.VERDICT, "block")
    assert len(site.store.unsent(10)) == 2
    assert 'data-key="b"' not in there.get(f"/cases/{first}").text


def test_a_case_shows_the_card_and_what_people_decided_that_is_like_it(site: Site) -> None:
    recent = (RecentPayment(3_600, 500), RecentPayment(0, 10_000))
    history = CardHistory(payments=7, usual_minor=600, newest_day=NOW.date(), spent_minor=(10_500, 600), recent=recent)
    first, second = site.open(2, card_history=history)
    there = site.browser("ann")
    page = there.get(f"/cases/{first}").text
    assert "7 payments known, usually 6.00 EUR" in page
    assert "<title>1 h 00 min before: 5.00 EUR</title>" in page
    assert page.count("<rect") == 2
    assert "Decided by people" not in page
    there.post("/queues/reviews/next")
    there.post(f"/cases/{first}/verdict", data=VERDICT)
    page = there.get(f"/cases/{second}").text
    assert "Decided by people" in page
    assert f'<a href="/cases/{first}">' in page
    assert "the same card, the same merchant" in page


def test_whoever_is_too_late_is_told_so(site: Site) -> None:
    [only] = site.open()
    site.browser("ann").post("/queues/reviews/next")
    answer = site.browser("bob").post(f"/cases/{only}/verdict", data=VERDICT)
    assert answer.status_code == 409
    assert "Somebody else has this case in hand" in answer.text


def test_bulk_verdicts_name_what_was_refused(site: Site) -> None:
    ids = site.open(3)
    site.browser("ann").post("/queues/reviews/next")
    data = {"case": [*ids, "d.9.9"], "outcome": "approve", "reason": "USUAL_FOR_CARD"}
    answer = site.browser("lea").post("/queues/reviews/verdicts", data=data)
    assert answer.status_code == 409
    assert f"{ids[0]}: Somebody else" in answer.text
    assert [site.store.case(each).case.ending is not None for each in ids] == [False, True, True]


def test_a_question_is_asked_and_shown(site: Site) -> None:
    [only] = site.open()
    there = site.browser("ann")
    data = {"asked": "delivery", "channel": "email", "minutes": "30", "text": "where to?"}
    assert there.post(f"/cases/{only}/question", data=data).status_code == 303
    question = site.store.case(only).case.question
    assert question is not None
    assert question.until == NOW + timedelta(minutes=30)
    assert "where to?" in there.get(f"/cases/{only}").text
    refused = there.post(f"/cases/{only}/question", data=data | {"text": CARD_NUMBER})
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/cases/d.1.0/verdict", {}),
        ("/cases/d.1.0/verdict", VERDICT | {"outcome": "review"}),
        ("/cases/d.1.0/verdict", VERDICT | {"block_reason": "BECAUSE"}),
        ("/cases/d.1.0/question", ACTIONS["/cases/d.1.0/question"] | {"minutes": "99999"}),
        ("/queues/nowhere/next", {}),
    ],
)
def test_a_form_that_is_no_form_is_refused(site: Site, path: str, data: dict[str, str]) -> None:
    site.open()
    assert site.browser("ann").post(path, data=data).status_code == 400
    assert site.store.history("d.1.0") == []


def test_of_what_there_is_not_it_says_so(site: Site) -> None:
    assert site.browser("ann").get("/cases/d.9.9").status_code == 404
    assert "No case of t-9" in site.browser("ann").get("/?transaction=t-9").text


def test_a_case_is_found_by_its_transaction(site: Site) -> None:
    [only] = site.open()
    assert f'href="/cases/{only}"' in site.browser("ann").get("/?transaction=t-1-0").text


def test_what_is_done_stands_in_the_log(site: Site) -> None:
    [only] = site.open()
    there = site.browser("ann")
    there.post(f"/cases/{only}/verdict", data=VERDICT)
    there.post("/logout")
    assert site.audit_log.verify().number == 4  # in, the verdict, the next case, out


def test_no_word_of_a_record_becomes_markup(site: Site) -> None:
    strange = an_opening(
        0,
        POLICY,
        merchant_id=MARKUP,
        terminal_id=MARKUP,
        pan_token=MARKUP,
        currency=MARKUP,
        rule_hits=(MARKUP,),
        contributions=(Contribution(feature=MARKUP, log_odds=1.0),),
    )
    site.store.open([strange], {})
    there = site.browser("lea")
    there.post("/cases/d.1.0/question", data={"asked": "other", "channel": "app", "minutes": "15", "text": MARKUP})
    pages: list[Response] = [
        there.get(path)
        for path in ("/", f"/?transaction={MARKUP}", "/queues/reviews", "/cases/d.1.0", f"/cases/{MARKUP}")
    ]
    for page in pages:
        assert "<img" not in page.text
        assert page.headers["content-type"].startswith("text/html")
    assert "&lt;img" in pages[3].text


def test_no_page_carries_script_or_style_of_its_own(site: Site) -> None:
    site.open()
    there = site.browser("ann")
    for path in ("/login", "/", "/queues/reviews", "/cases/d.1.0"):
        page = (site.browser() if path == "/login" else there).get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|javascript:", page)


def test_a_complaint_is_taken_and_settled_by_somebody_else(site: Site) -> None:
    [only] = site.open()
    ann, bob = site.browser("ann"), site.browser("bob")
    assert ann.post("/complaints", data=COMPLAINT).status_code == 409  # nobody has stopped it
    ann.post(f"/cases/{only}/verdict", data=VERDICT)
    assert ann.post("/complaints", data=COMPLAINT).headers["location"] == "/complaints"
    [waiting] = site.store.complaints.to_settle(10)
    assert (waiting.text, waiting.decision_id, waiting.complained_at) == ("It was me.", only, NOW)

    path = f"/complaints/{waiting.complaint_id}/settlement"
    assert path not in ann.get("/complaints").text
    assert path in bob.get("/complaints").text
    assert "Your own verdict".lower() in ann.post(path, data={"state": "rejected"}).text
    site.now += timedelta(hours=2)
    bob = site.browser("bob")
    assert bob.post(path, data={"state": "upheld"}).headers["location"] == "/complaints"
    assert bob.post(path, data={"state": "rejected"}).status_code == 409
    assert bob.post("/complaints/c-9/settlement", data={"state": "upheld"}).status_code == 404
    assert bob.post(path, data={"state": "received"}).status_code == 400
    page = bob.get("/complaints").text
    assert "None waits" in page
    assert "<td>reviewer</td>" in page
    assert "1000.0" in page
    assert "2 h 00 min" in page


def test_words_of_a_complaint_are_text_and_hold_no_card_number(site: Site) -> None:
    [only] = site.open()
    site.browser("ann").post(f"/cases/{only}/verdict", data=VERDICT)
    there = site.browser("bob")
    assert there.post("/complaints", data=COMPLAINT | {"text": CARD_NUMBER}).status_code == 409
    assert there.post("/complaints", data=COMPLAINT | {"text": MARKUP}).status_code == 303
    page = there.get("/complaints").text
    assert MARKUP not in page
    assert "&lt;img" in page


def test_a_risk_officer_reads_complaints_and_settles_none(site: Site) -> None:
    [only] = site.open()
    site.browser("ann").post(f"/cases/{only}/verdict", data=VERDICT)
    site.browser("ann").post("/complaints", data=COMPLAINT)
    page = site.browser("ray").get("/complaints").text
    assert "It was me." in page
    assert '<form method="post" action="/complaints' not in page


@pytest.fixture
def looked_at_twice(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/twice.db", POLICY, drawn=0.0) as store:
        yield Site(store)


def test_a_second_look_does_not_tell_what_the_first_reviewer_did(looked_at_twice: Site) -> None:
    site = looked_at_twice
    first, second = site.open(2)
    ann, bob = site.browser("ann"), site.browser("bob")
    for case_id in (first, second):
        ann.post(f"/cases/{case_id}/verdict", data=VERDICT)
    assert "There is none for you" in ann.get("/second-looks").text
    assert "2 wait for you" in bob.get("/second-looks").text
    assert bob.post("/second-looks/next").headers["location"] == f"/second-looks/{first}"
    page = bob.get(f"/second-looks/{first}").text
    for telling in ("ann", "STOLEN_CARD", "resolved", "verdict,", "closed"):
        assert telling not in page
    assert bob.get(f"/cases/{first}").headers["location"] == f"/second-looks/{first}"
    assert ann.get(f"/cases/{first}").status_code == 200

    assert ann.post(f"/second-looks/{first}/verdict", data={"outcome": "block"}).status_code == 409
    assert bob.post(f"/second-looks/{first}/verdict", data={"outcome": "review"}).status_code == 400
    path = f"/second-looks/{first}/verdict"
    assert bob.post(path, data={"outcome": "block"}).headers["location"] == f"/second-looks/{second}"
    assert bob.post(path, data={"outcome": "approve"}).status_code == 409
    assert bob.get(f"/cases/{first}").status_code == 200
    path = f"/second-looks/{second}/verdict"
    assert bob.post(path, data={"outcome": "approve"}).headers["location"] == "/second-looks"


def test_how_well_reviewers_agree_is_for_leads(looked_at_twice: Site) -> None:
    site = looked_at_twice
    ids = site.open(4)
    ann, bob = site.browser("ann"), site.browser("bob")
    for case_id, outcome in zip(ids, ("block", "block", "approve", "approve"), strict=True):
        ann.post(f"/cases/{case_id}/verdict", data=VERDICT | {"outcome": outcome})
    there = bob.post("/second-looks/next").headers["location"]
    while there != "/second-looks":
        outcome = "approve" if there.endswith((ids[1], ids[2])) else "block"
        there = bob.post(f"{there}/verdict", data={"outcome": outcome}).headers["location"]
    assert ann.get("/reviewers").status_code == 403
    page = site.browser("lea").get("/reviewers").text
    assert "0.00 (-0.98 to 0.98), 50% of 4 alike" in page
    assert "<td>bob</td>" in page

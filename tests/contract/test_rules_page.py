"""The page of rules, as a browser asks for it: a draft, its faults, what it would change, and two persons for it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from msgspec import structs
from support.reviews import a_store
from support.shown import DRAFT, ruled
from support.site import POLICY, Site
from support.wire_samples import a_decision

from rules.ruleset import parse_ruleset
from streams.broker.topics import Topic
from streams.overseeing.rules_pushing import ACTIVE
from streams.wire.codec import write_decision

MARKUP = '<img src=x onerror="alert(1)">'
WHY = "large payments of cards that never made any"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


def pushed(site: Site) -> list[tuple[bytes | None, bytes | None]]:
    return [(each.key, each.value) for each in site.cluster.topics.logs[TopicPartition("rules", 0)]]


def test_it_shows_the_set_in_force_and_what_it_hits(site: Site) -> None:
    site.cluster.put(Topic.RULES, DRAFT.encode(), key=ACTIVE)
    decision = structs.replace(a_decision(), rule_hits=("fast",))
    for _ in range(3):
        site.live.take_decision(write_decision(decision), site.now.timestamp() - 60)
    page = site.browser("ann").get("/rules").text
    assert parse_ruleset(DRAFT).ruleset_version in page
    assert re.search(r'fast</th>.*?<td class="number">3</td>', page, re.S)
    assert "<textarea" not in page


def test_before_any_was_pushed_it_is_the_one_that_is_shipped(site: Site) -> None:
    assert "<textarea" in site.browser("ray").get("/rules").text


def test_the_faults_of_a_draft_are_told_with_their_places(site: Site) -> None:
    answer = site.browser("ray").post("/rules/check", data={"text": DRAFT.replace("amount_minor", "amount_miner")})
    assert answer.status_code == 422
    assert "line 7, column 7" in answer.text
    assert "amount_miner" in answer.text
    assert "The draft has no fault" in site.browser("ray").post("/rules/check", data={"text": DRAFT}).text


def test_a_back_test_is_sorted_by_what_payments_were(site: Site) -> None:
    ruled(site.cluster, site.now)
    page = site.browser("ray").post("/rules/back-test", data={"text": DRAFT}).text
    assert "<strong>10</strong> of 40 decisions" in page
    cells = "".join(f'<td class="number">{count}</td>' for count in (3, 2, 1, 4))
    assert f"<td>approve</td><td>block</td>{cells}" in page
    assert "50.0%" in page
    assert DRAFT.strip().replace('"', "&#34;").replace(">", "&gt;") in page  # it is not lost


def test_two_persons_put_a_draft_into_force(site: Site) -> None:
    ray, rita = site.browser("ray"), site.browser("rita")
    assert ray.post("/rules/proposals", data={"text": DRAFT, "why": WHY}).status_code == 303
    assert pushed(site) == []
    assert ray.post("/rules/proposals/1/activation").status_code == 409
    assert pushed(site) == []
    assert WHY in rita.get("/rules").text
    assert rita.post("/rules/proposals/1/activation").status_code == 303
    version = parse_ruleset(DRAFT).ruleset_version
    assert pushed(site) == [(version.encode(), DRAFT.encode()), (ACTIVE, DRAFT.encode())]
    assert WHY not in rita.get("/rules").text
    assert rita.post("/rules/proposals/1/activation").status_code == 409
    assert len(pushed(site)) == 2
    assert site.audit_log.verify().number == 4  # two came in, one proposed, the other one activated


def test_what_is_withdrawn_is_not_activated(site: Site) -> None:
    site.browser("ray").post("/rules/proposals", data={"text": DRAFT, "why": WHY})
    rita = site.browser("rita")
    assert rita.post("/rules/proposals/1/withdrawal").status_code == 303
    assert rita.post("/rules/proposals/1/withdrawal").status_code == 409
    assert rita.post("/rules/proposals/1/activation").status_code == 409
    assert pushed(site) == []


@pytest.mark.parametrize(
    ("form", "status"),
    [({"text": DRAFT, "why": " "}, 400), ({"text": DRAFT}, 400), ({"why": WHY}, 400), ({"text": "x", "why": WHY}, 422)],
)
def test_what_has_faults_or_no_reason_is_not_proposed(site: Site, form: dict[str, str], status: int) -> None:
    there = site.browser("ray")
    assert there.post("/rules/proposals", data=form).status_code == status
    assert "Proposed" not in there.get("/rules").text


def test_a_proposal_can_be_looked_at(site: Site) -> None:
    site.browser("ray").post("/rules/proposals", data={"text": DRAFT, "why": WHY})
    there = site.browser("ann")
    assert "no-big-ones" in there.get("/rules?proposal=1").text
    for number in ("2", "x"):
        assert there.get(f"/rules?proposal={number}").status_code == 400


def test_it_is_for_those_who_may_look(site: Site) -> None:
    assert site.browser().get("/rules").headers["location"] == "/login"
    assert site.browser("root").get("/rules").status_code == 403


def test_no_word_of_a_draft_becomes_markup(site: Site) -> None:
    quoted = MARKUP.replace('"', "")
    text = DRAFT.replace("Nobody here pays so much", quoted)
    text = text.replace("amount_minor >= 50000", f"merchant_id == '{quoted}'")
    there = site.browser("ray")
    there.post("/rules/proposals", data={"text": text, "why": MARKUP})
    site.browser("rita").post("/rules/proposals/1/activation")
    there.post("/rules/proposals", data={"text": text, "why": MARKUP})
    for page in (there.get("/rules").text, there.post("/rules/check", data={"text": f"{MARKUP}{text}"}).text):
        assert "&lt;img" in page
        assert "<img" not in page
        assert not re.search(r"<style|\sstyle=|<script(?! src=)|javascript:", page)

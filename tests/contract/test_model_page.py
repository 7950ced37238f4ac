"""The page of models, as a browser asks for it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from aiokafka import TopicPartition
from support.reviews import a_store
from support.shown import modelled
from support.site import POLICY, Site

from streams.broker.topics import Topic
from streams.wire.control import ModelOrder, ModelVerb, read_model_order
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, GOOD, SnapshotRecord, write_snapshot

MARKUP = '<img src=x onerror="alert(1)">'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        yield Site(store)


def orders(site: Site) -> list[ModelOrder]:
    return [read_model_order(each.value or b"") for each in site.cluster.topics.logs[TopicPartition("control", 0)]]


def test_it_lists_the_models_there_are(site: Site) -> None:
    modelled(site.cluster, site.now)
    page = site.browser("ann").get("/model").text
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th><td>(.*?)</td>", page)
    assert rows == [("m-52000", "champion"), ("m-47000", "kept"), ("m-41000", "kept")]
    assert "/model/rollback" not in page


def test_a_risk_officer_goes_back_and_says_why(site: Site) -> None:
    modelled(site.cluster, site.now)
    there = site.browser("ray")
    assert "/model/rollback" in there.get("/model").text
    answer = there.post("/model/rollback", data={"version": "m-41000", "why": " spoilt labels "})
    assert answer.headers["location"] == "/model"
    [order] = orders(site)
    assert (order.model_version, order.who, order.why) == ("m-41000", "ray", "spoilt labels")
    assert "No champion has come of it yet" in there.get("/model").text
    snapshot = {"model_version": "m-9", "label_offsets": {"order": order.order_id}}
    made = SnapshotRecord(created_at=site.now, snapshot=snapshot)
    site.cluster.put(Topic.MODELS, write_snapshot(made), key=CHAMPION)
    page = there.get("/model").text
    assert "The champion has come of it" in page
    assert "ray: spoilt labels" in page
    assert site.audit_log.verify().number == 2  # in, and the order


def test_a_risk_officer_promotes_the_candidate_and_no_other(site: Site) -> None:
    modelled(site.cluster, site.now)
    there = site.browser("ray")
    assert "/model/promotion" not in there.get("/model").text
    failed = SnapshotRecord(created_at=site.now + timedelta(seconds=1), snapshot={"model_version": "m-53000"})
    site.cluster.put(Topic.MODELS, write_snapshot(failed), key=CANDIDATE)
    assert "/model/promotion" in there.get("/model").text
    assert there.post("/model/promotion", data={"version": "m-47000", "why": "x"}).status_code == 400
    there.post("/model/promotion", data={"version": "m-53000", "why": "the champion never saw these"})
    [order] = orders(site)
    assert (order.verb, order.model_version, order.who) == (ModelVerb.PROMOTE, "m-53000", "ray")


@pytest.mark.parametrize("form", [{"version": "m-41000", "why": " "}, {"version": "m-9", "why": "x"}, {"why": "x"}, {}])
def test_an_order_without_reason_or_model_is_none(site: Site, form: dict[str, str]) -> None:
    modelled(site.cluster, site.now)
    assert site.browser("ray").post("/model/rollback", data=form).status_code == 400
    assert orders(site) == []


def test_quality_is_measured_by_day_and_shown_to_all(site: Site) -> None:
    modelled(site.cluster, site.now)
    site.browser("ann").post("/model/quality")
    page = site.browser("lea").get("/model").text
    assert page.count("<circle") >= 10
    assert len(re.findall(r'<th scope="row">20\d\d-\d\d-\d\d</th>', page)) == 15  # 14 days that begin at no midnight
    assert "average precision" in page


def test_what_cannot_be_measured_is_told(site: Site) -> None:
    there = site.browser("ann")
    there.post("/model/quality")
    assert "Nothing could be measured: there are no decisions." in there.get("/model").text


def test_without_models_it_says_so(site: Site) -> None:
    assert "There is no model yet" in site.browser("ann").get("/model").text


def test_it_is_for_those_who_may_look(site: Site) -> None:
    assert site.browser().get("/model").headers["location"] == "/login"
    assert site.browser("root").get("/model").status_code == 403


def test_no_word_of_a_record_becomes_markup(site: Site) -> None:
    made = SnapshotRecord(created_at=site.now, snapshot={"model_version": MARKUP, "labels": 1})
    site.cluster.put(Topic.MODELS, write_snapshot(made), key=CHAMPION)
    site.cluster.put(Topic.LEARNER_STATE, write_snapshot(made), key=GOOD + b"1")
    order = {"order_id": "1", "model_version": MARKUP, "who": MARKUP, "why": MARKUP}
    site.cluster.put(Topic.CONTROL, orjson.dumps(order), key=b"model")
    page = site.browser("ray").get("/model").text
    assert page.count("&lt;img") == 6
    assert "<img" not in page
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?! src=)|javascript:", page)

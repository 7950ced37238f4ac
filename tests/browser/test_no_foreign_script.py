"""No word of any record runs on the pages of the installation: 500 ways into each, all of them on one page."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import orjson
import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import reviewer
from support.payloads import PAYLOADS, payloads
from support.shown import DRAFT
from support.site import Site, served
from support.wire_samples import KEY, transaction_document

from rules.mode import Mode
from streams.broker.topics import Topic
from streams.overseeing.rules_pushing import ACTIVE
from streams.reviewing.proposals import Proposals
from streams.wire.control import MODEL, ModelOrder, write_model_order
from streams.wire.heartbeat import Heartbeat, write_heartbeat
from streams.wire.snapshot_record import GOOD, SnapshotRecord, write_snapshot

pytestmark = pytest.mark.browser


@contextmanager
def looked_at(site: Site, chromium: Browser, path: str, text: str) -> Iterator[Page]:
    with served(site) as address, reviewer(chromium, address, "ray") as page:
        page.goto(path)
        shown = page.get_by_role("main").text_content() or ""
        assert shown.count(text) >= PAYLOADS
        yield page
        assert page.evaluate("window.pwned") is None


def test_of_workers_also_as_they_change(site: Site, chromium: Browser) -> None:
    def beat(word: str) -> None:
        for number, each in enumerate(payloads()):
            said = Heartbeat(
                instance=f"{word}{each}", at=site.now, started_at=site.now, mode=Mode.NORMAL, model_version=each
            )
            site.live.take_heartbeat(str(number).encode(), write_heartbeat(said))

    beat("first")
    with looked_at(site, chromium, "/operations", "first") as page:
        beat("second")
        site.now += timedelta(seconds=1)
        expect(page.get_by_text("second").first).to_be_visible(timeout=20_000)


def test_of_a_payment(site: Site, chromium: Browser) -> None:
    strange = {f"field {number} {each}": each for number, each in enumerate(payloads())}
    document = transaction_document(transaction_id="t-1") | strange
    site.cluster.put(Topic.TRANSACTIONS, orjson.dumps(document), key=KEY, at=site.now.timestamp() - 1)
    with looked_at(site, chromium, "/payments?transaction=t-1", "field "):
        pass


def test_of_models(site: Site, chromium: Browser) -> None:
    for number, each in enumerate(payloads()):
        made = SnapshotRecord(created_at=site.now, snapshot={"model_version": f"model {each}", "labels": 1})
        site.cluster.put(Topic.LEARNER_STATE, write_snapshot(made), key=GOOD + str(number).encode())
    order = ModelOrder(order_id="1", model_version=payloads()[0], who=payloads()[1], why=payloads()[2])
    site.cluster.put(Topic.CONTROL, write_model_order(order), key=MODEL)
    with looked_at(site, chromium, "/model", "model "):
        pass


def test_of_rules_and_proposals(site: Site, chromium: Browser) -> None:
    site.cluster.put(Topic.RULES, DRAFT.encode(), key=ACTIVE)
    for each in payloads():
        Proposals(site.store.engine).add(each, each, f"because {each}", "ann", site.now)
    with looked_at(site, chromium, "/rules", "because ") as page:
        page.evaluate("text => { document.querySelector('textarea').value = text }", "\n".join(payloads()))
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("The draft has faults")).to_be_visible()

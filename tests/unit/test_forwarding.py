"""What leaves for elsewhere: signed so that others can check it, and in the words that Alertmanager knows."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from support.wire_samples import EVENT_TIME, an_alert_event, an_information_request

from models.alert import AlertStatus
from streams.broker.topics import Topic
from streams.forwarding.process import NowhereToForward, places
from streams.forwarding.requests import question_to_webhook, to_alertmanager, to_webhook
from streams.settings import ForwardSettings, Settings
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord, write_request
from streams.wire.webhook import check

EVENT = an_alert_event()
RAW = b"\x01" * 24
SECRET = f"whsec_{base64.b64encode(RAW).decode()}"


def of_status(status: AlertStatus) -> bytes | None:
    request = to_alertmanager(replace(EVENT, data=replace(EVENT.data, status=status)))
    return None if request is None else request.body


def test_a_webhook_gets_the_event_whole_and_signed() -> None:
    request = to_webhook(EVENT, SECRET, 1_700_000_000.9)

    assert read_alert(request.body) == EVENT
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == (EVENT.id, "1700000000")
    expected = hmac.new(RAW, f"{EVENT.id}.1700000000.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_another_secret_gives_another_signature_and_none_gives_none() -> None:
    signatures = {to_webhook(EVENT, secret, 1.0).headers.get("webhook-signature") for secret in (SECRET, "plain", "")}
    assert len(signatures) == 3
    assert None in signatures


def test_alertmanager_gets_the_same_labels_for_all_of_an_incident_and_its_end_in_the_end() -> None:
    opened, resolved = (json.loads(of_status(each) or b"")[0] for each in (AlertStatus.OPEN, AlertStatus.RESOLVED))
    assert opened["labels"] == resolved["labels"]
    assert opened["labels"] == {
        "alertname": "RESPONSE_TIMEOUT",
        "incident": "worker-1/scorer",
        "severity": "critical",
        "component": "scorer",
        "partition": "3",
    }
    assert "endsAt" not in opened
    assert resolved["endsAt"] == opened["startsAt"] == EVENT_TIME.isoformat().replace("+00:00", "Z")


def test_alertmanager_has_no_word_for_settled() -> None:
    assert of_status(AlertStatus.SETTLED) is None


def test_places_are_those_that_are_set() -> None:
    with pytest.raises(NowhereToForward):
        places(Settings())
    every = ForwardSettings(webhook_url="http://a/x", alertmanager_url="http://b/", questions_url="http://c")
    assert [(each.name, each.topic, each.url) for each in places(Settings(forward=every))] == [
        ("webhook", Topic.ALERTS, "http://a/x"),
        ("alertmanager", Topic.ALERTS, "http://b/api/v2/alerts"),
        ("questions", Topic.INFORMATION_REQUESTED, "http://c"),
    ]


def test_a_question_leaves_as_an_event_that_is_the_same_whenever_it_is_sent_again() -> None:
    asked = an_information_request()
    first, again = (question_to_webhook(asked, SECRET, at) for at in (1_700_000_000, 1_700_000_060))
    assert first.body == again.body
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == asked.request_id
    check(first.headers, first.body, SECRET, 1_700_000_000)
    event = json.loads(first.body)
    assert (event["type"], event["subject"]) == ("holdfast.information.requested", asked.case_id)
    assert (event["specversion"], event["id"]) == ("1.0", asked.request_id)
    assert event["data"] == json.loads(write_request(asked))


def test_what_is_no_record_of_its_topic_is_told_so() -> None:
    every = ForwardSettings(webhook_url="http://a/x", alertmanager_url="http://b/", questions_url="http://c")
    for place in places(Settings(forward=every)):
        with pytest.raises(MalformedRecord):
            place.request(b"{}")


def test_the_secret_is_told_by_nothing() -> None:
    plain, secret = Settings(), Settings(forward=ForwardSettings(webhook_secret=SECRET))
    assert SECRET not in repr(secret)
    assert plain.version == secret.version

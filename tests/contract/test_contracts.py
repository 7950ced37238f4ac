"""The published documents say what the code does, judged by a validator that is not ours."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from support.wire_samples import (
    a_complaint,
    a_decision,
    a_label,
    a_mode_event,
    a_price_event,
    a_revision,
    an_alert_event,
    an_information_answer,
    an_information_request,
    transaction_document,
    without,
)

from streams.broker.topics import CATALOGUE
from streams.wire.alert import write_alert
from streams.wire.codec import write_answer, write_complaint, write_decision, write_label, write_request, write_revision
from streams.wire.contracts import CONTRACTS, asyncapi, documents, main, schema
from streams.wire.dead_letter import ERROR_HEADERS
from streams.wire.mode_event import write_mode_event
from streams.wire.review_price import write_price_event

COMMITTED = Path(__file__).parents[2] / "docs" / "contracts"

SAMPLES: dict[str, dict[str, Any]] = {
    "transaction": transaction_document(),
    "decision": orjson.loads(write_decision(a_decision())),
    "revision": orjson.loads(write_revision(a_revision())),
    "label": orjson.loads(write_label(a_label())),
    "information-request": orjson.loads(write_request(an_information_request())),
    "information-answer": orjson.loads(write_answer(an_information_answer())),
    "complaint": orjson.loads(write_complaint(a_complaint())),
    "alert": orjson.loads(write_alert(an_alert_event())),
    "mode": orjson.loads(write_mode_event(a_mode_event())),
    "review-price": orjson.loads(write_price_event(a_price_event())),
}
SCHEMAS = {contract.name: schema(contract) for contract in CONTRACTS}


def is_valid(name: str, document: dict[str, Any]) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name]).is_valid(document))


def test_the_committed_documents_are_those_of_the_code() -> None:
    assert {path.name: path.read_bytes() for path in COMMITTED.iterdir()} == documents()


def test_the_command_writes_all_documents(tmp_path: Path) -> None:
    main(tmp_path / "contracts")
    assert {path.name: path.read_bytes() for path in (tmp_path / "contracts").iterdir()} == documents()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_good_schemas(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_patterns_are_read_alike_outside_python(name: str) -> None:
    assert b"\\\\A" not in orjson.dumps(SCHEMAS[name])
    assert b"\\\\Z" not in orjson.dumps(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_good_samples_pass(name: str) -> None:
    assert is_valid(name, SAMPLES[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_unknown_fields_pass(name: str) -> None:
    assert is_valid(name, SAMPLES[name] | {"something_new": 1})


@pytest.mark.parametrize("name", SCHEMAS)
def test_samples_without_a_required_field_fail(name: str) -> None:
    for required in SCHEMAS[name]["required"]:
        assert not is_valid(name, without(SAMPLES[name], required)), required


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("transaction", {"amount_minor": 0}),
        ("transaction", {"amount_minor": 10**12 + 1}),
        ("transaction", {"amount_minor": "1"}),
        ("transaction", {"amount_minor": True}),
        ("transaction", {"amount_minor": 1.5}),
        ("transaction", {"transaction_id": "x" * 65}),
        ("transaction", {"transaction_id": "a b"}),
        ("transaction", {"event_time": "2026-01-02T03:04:05"}),
        ("transaction", {"event_time": 1767323045}),
        ("transaction", {"currency": "euro"}),
        ("transaction", {"channel": "pigeon"}),
        ("transaction", {"ip": "x" * 46}),
        ("transaction", {"schema_version": 2}),
        ("decision", {"outcome": "maybe"}),
        ("decision", {"reason_codes": ["BECAUSE"]}),
        ("decision", {"features": [None]}),
        ("decision", {"input": {"topic": "transactions"}}),
        ("decision", {"decided_at": 1767323045}),
        ("label", {"state": "unsure"}),
        ("label", {"source": None}),
        ("label", {"received_at": "today"}),
        ("information-answer", {"reply": "perhaps"}),
        ("information-answer", {"request_id": "a b"}),
        ("information-answer", {"text": "x" * 501}),
        ("complaint", {"complaint_id": "x" * 49}),
        ("complaint", {"state": "open"}),
        ("complaint", {"complained_at": "2026-01-02T03:04:05"}),
        ("review-price", {"type": "holdfast.mode.changed"}),
        ("review-price", {"data": without(SAMPLES["review-price"]["data"], "before_minor")}),
        ("alert", {"specversion": "0.3"}),
        ("alert", {"type": "com.example.deleted"}),
        ("alert", {"data": SAMPLES["alert"]["data"] | {"status": "closed"}}),
        ("alert", {"data": SAMPLES["alert"]["data"] | {"sample_transaction_ids": list("abcdef")}}),
        ("alert", {"data": without(SAMPLES["alert"]["data"], "severity")}),
    ],
)
def test_wrong_samples_fail(name: str, changes: dict[str, Any]) -> None:
    assert not is_valid(name, SAMPLES[name] | changes)


def test_asyncapi_describes_every_topic() -> None:
    channels = asyncapi()["channels"]
    assert [channel["address"] for channel in channels.values()] == [spec.topic.value for spec in CATALOGUE]
    assert all(spec.key in channels[spec.topic]["description"] for spec in CATALOGUE)


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    document = asyncapi()
    for reference in references(document):
        file, _, path = reference.partition("#/")
        if file:
            assert (COMMITTED / file).is_file(), reference
        else:
            assert at(document, path.split("/")), reference


def test_asyncapi_names_all_headers_of_a_dead_letter() -> None:
    assert list(asyncapi()["components"]["messages"]["deadLetter"]["headers"]["properties"]) == list(ERROR_HEADERS)


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for each in node.values() for found in references(each)]


def at(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[step]
    return document

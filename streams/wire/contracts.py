"""The contracts as documents: JSON Schema of each record, and AsyncAPI of all topics.

`python -m streams.wire.contracts` writes them to docs/contracts; a test holds those files against the code. JSON
Schema cannot say all: the key must be the pan_token, the record at most 64 KiB, the event at most 5 minutes ahead, and
no card number anywhere. The descriptions say it.
"""

import re
import sys
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import orjson

from models.dead_letter import DeadLetterReason
from models.information import InformationAnswer, InformationRequest
from models.label import Label
from models.transaction import EARLIEST_SCHEMA_VERSION, SCHEMA_VERSION, Transaction
from rules.complaint import Complaint
from rules.decision import Decision
from rules.revision import Revision
from streams.broker.topics import CATALOGUE, Topic, TopicSpec
from streams.wire import dead_letter
from streams.wire.alert import CONTENT_TYPE, AlertEvent
from streams.wire.codec import MAX_SECONDS_AHEAD, MAX_VALUE_BYTES
from streams.wire.mode_event import ModeEvent
from streams.wire.review_price import PriceEvent

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
DIRECTORY = Path("docs/contracts")

_PYTHON_ANCHORS = str.maketrans({"A": "^", "Z": "$"})
_OFFSET_REQUIRED = "([Zz]|[+-][0-9]{2}:[0-9]{2})$"  # `format` is only an annotation to many validators

_INCOMING = (
    f"At most {MAX_VALUE_BYTES // 1024} KiB of UTF-8 JSON. Unknown fields are ignored. A record that holds a card"
    " number anywhere (13 to 19 digits that pass the Luhn check) is refused."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One kind of record: its name, its type, what its schema cannot say, and the topics that carry it."""

    name: str
    kind: type
    beyond_schema: str
    topics: frozenset[Topic]
    content_type: str = "application/json"


CONTRACTS = (
    Contract(
        name="transaction",
        kind=Transaction,
        beyond_schema=f"{_INCOMING} The record's key is the pan_token in UTF-8. The event_time is at most"
        f" {MAX_SECONDS_AHEAD:.0f} s ahead of the broker's timestamp. What breaks this goes to {Topic.DEAD_LETTERS}.",
        topics=frozenset({Topic.TRANSACTIONS}),
    ),
    Contract(
        name="decision",
        kind=Decision,
        beyond_schema="Exactly one for each transaction, on one of the three decision topics; a canary's on its own."
        " Read committed.",
        topics=frozenset({Topic.APPROVE, Topic.BLOCK, Topic.REVIEW, Topic.CANARIES}),
    ),
    Contract(
        name="revision",
        kind=Revision,
        beyond_schema="At most one of each kind for a decision, and at most one of those that are final for a review"
        " (verdict, timeout_default, re_score_adopted); the decision itself stays as it was. Read committed.",
        topics=frozenset({Topic.REVISED}),
    ),
    Contract(
        name="label",
        kind=Label,
        beyond_schema=f"{_INCOMING} The record's key is the transaction_id.",
        topics=frozenset({Topic.LABELS}),
    ),
    Contract(
        name="information-request",
        kind=InformationRequest,
        beyond_schema="An answer counts until `until`. Read committed.",
        topics=frozenset({Topic.INFORMATION_REQUESTED}),
    ),
    Contract(
        name="information-answer",
        kind=InformationAnswer,
        beyond_schema=f"{_INCOMING} The first answer to a request counts.",
        topics=frozenset({Topic.INFORMATION_ANSWERED}),
    ),
    Contract(
        name="complaint",
        kind=Complaint,
        beyond_schema=f"{_INCOMING} The record's key is the transaction_id. What is handed in has no decision_id; the"
        " console says each again when it has found what it is about, and once more when it is settled: a record with"
        " a decision_id is its own.",
        topics=frozenset({Topic.COMPLAINTS}),
    ),
    Contract(
        name="alert",
        kind=AlertEvent,
        beyond_schema="CloudEvents 1.0, structured JSON. One open, bounded updates and one resolved for an incident;"
        " one settled, if payments went without the model.",
        topics=frozenset({Topic.ALERTS}),
        content_type=CONTENT_TYPE,
    ),
    Contract(
        name="mode",
        kind=ModeEvent,
        beyond_schema="CloudEvents 1.0, structured JSON. One for each change of a worker's mode.",
        topics=frozenset({Topic.MODES}),
        content_type=CONTENT_TYPE,
    ),
    Contract(
        name="review-price",
        kind=PriceEvent,
        beyond_schema="CloudEvents 1.0, structured JSON. One for each move, in one Kafka transaction with what workers"
        f" follow on {Topic.CONTROL}. Read committed.",
        topics=frozenset({Topic.REVIEW_PRICES}),
        content_type=CONTENT_TYPE,
    ),
)


def schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one kind of record."""
    _, definitions = msgspec.json.schema_components([contract.kind], ref_template="#/$defs/{name}")
    described = _portable(definitions)
    main = described.pop(contract.kind.__name__)
    head = {"$schema": JSON_SCHEMA, "$id": f"{contract.name}.schema.json", "title": contract.name}
    description = f"{main['description']} {contract.beyond_schema}"
    return head | {**main, "title": contract.name, "description": description} | {"$defs": described}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics; where the brokers are is the installation's matter."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Holdfast",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Payments in, exactly one decision out for each, and alerts. Money in minor units; times in"
            " RFC 3339, UTC. Topic names may carry a prefix.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {spec.topic.value: _channel(spec) for spec in CATALOGUE},
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def documents() -> dict[str, bytes]:
    """All documents by file name, as they are written."""
    named: dict[str, dict[str, Any]] = {f"{contract.name}.schema.json": schema(contract) for contract in CONTRACTS}
    return {name: _pretty(document) for name, document in (named | {"asyncapi.json": asyncapi()}).items()}


def main(directory: Path = DIRECTORY) -> None:
    """Write all documents."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in documents().items():
        (directory / name).write_bytes(content)


def _pretty(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _portable(node: Any) -> Any:
    """The same schema for any validator and from any Python: ECMA's anchors, zones required, docstrings dedented."""
    if isinstance(node, list):
        return [_portable(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _portable(each) for name, each in node.items()}
    if isinstance(node.get("pattern"), str):
        node["pattern"] = re.sub(r"\\([AZ])", lambda anchor: anchor[1].translate(_PYTHON_ANCHORS), node["pattern"])
    if isinstance(node.get("description"), str):
        node["description"] = cleandoc(node["description"])
    if node.get("format") == "date-time":
        node["pattern"] = _OFFSET_REQUIRED
    if isinstance(node.get("properties"), dict) and "schema_version" in node["properties"]:
        known = {"minimum": EARLIEST_SCHEMA_VERSION, "maximum": SCHEMA_VERSION}
        node["properties"]["schema_version"] |= known
    return node


def _channel(spec: TopicSpec) -> dict[str, Any]:
    message = _message_of(spec.topic)
    return {
        "address": spec.topic.value,
        "description": f"{spec.description} Keyed by {spec.key}.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["compact" if spec.compacted else "delete"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message_of(topic: Topic) -> str:
    if topic is Topic.DEAD_LETTERS:
        return "deadLetter"
    return next((contract.name for contract in CONTRACTS if topic in contract.topics), "internal")


def _messages() -> dict[str, Any]:
    carried = {contract.name: _message(contract) for contract in CONTRACTS}
    return carried | {"deadLetter": _dead_letter_message(), "internal": _internal_message()}


def _message(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.name,
        "contentType": contract.content_type,
        "description": contract.beyond_schema,
        "payload": {
            "schemaFormat": "application/schema+json;version=2020-12",
            "schema": {"$ref": f"./{contract.name}.schema.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _dead_letter_message() -> dict[str, Any]:
    headers: dict[str, dict[str, Any]] = {
        name: {"type": "string", "description": text} for name, text in dead_letter.ERROR_HEADERS.items()
    }
    headers[dead_letter.REASON]["enum"] = [reason.value for reason in DeadLetterReason]
    required = [name for name in headers if name != dead_letter.MASKED]
    return {
        "name": "deadLetter",
        "contentType": "application/octet-stream",
        "description": cleandoc(dead_letter.__doc__ or ""),
        "headers": {"type": "object", "properties": headers, "required": required},
        "payload": {"description": "the record's bytes as they came, card numbers masked"},
    }


def _internal_message() -> dict[str, Any]:
    return {
        "name": "internal",
        "contentType": "application/octet-stream",
        "description": "Between Holdfast's own processes; may change with any release.",
        "payload": {"description": "not part of the contract"},
    }


def _operations() -> dict[str, Any]:
    """What Holdfast does with each topic that others may use."""
    received = {Topic.TRANSACTIONS, Topic.LABELS, Topic.INFORMATION_ANSWERED, Topic.COMPLAINTS}
    public = [spec.topic for spec in CATALOGUE if _message_of(spec.topic) != "internal"]
    return {
        f"{'receive' if topic in received else 'send'}.{topic}": {
            "action": "receive" if topic in received else "send",
            "channel": {"$ref": f"#/channels/{topic}"},
        }
        for topic in public
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))

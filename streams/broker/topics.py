"""The topic catalogue: every topic there is, what its key is, and how it must be configured."""

from dataclasses import dataclass
from enum import StrEnum

from rules.decision import Outcome
from streams.settings import TopicSettings

COMPACTED_SEGMENT_BYTES = 8 << 20
DAY_MS = 86_400_000


class Topic(StrEnum):
    """The topics by their plain names."""

    TRANSACTIONS = "transactions"
    APPROVE = "decisions.approve"
    BLOCK = "decisions.block"
    REVIEW = "decisions.review"
    REVISED = "decisions.revised"
    DEAD_LETTERS = "transactions.DLT"
    LETTER_REPLAYS = "dlt-replays"
    LABELS = "labels"
    CARD_FEEDBACK = "card-feedback"
    PROFILES = "profiles"
    LANE_OWNERS = "lane-owners"
    MERCHANT_RISK = "merchant-risk"
    LEARNER_STATE = "learner-state"
    RECONCILER_STATE = "reconciler-state"
    INFORMATION_REQUESTED = "information.requested"
    INFORMATION_ANSWERED = "information.answered"
    COMPLAINTS = "complaints"
    CONSOLE_STATE = "console-state"
    MODELS = "models"
    RULES = "rules"
    CONTROL = "control"
    ALERTS = "alerts"
    MODES = "modes"
    REVIEW_PRICES = "review-prices"
    HEARTBEATS = "heartbeats"
    CANARIES = "canaries"


DECISIONS: dict[Outcome, Topic] = {outcome: Topic(f"decisions.{outcome}") for outcome in Outcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """How one topic must be."""

    topic: Topic
    key: str  # what the record key holds
    description: str
    per_card: bool = True  # partitioned like the input; else one partition
    compacted: bool = False
    retention_ms: int = 7 * DAY_MS
    max_message_bytes: int = 2_097_176  # above a lane's largest batch

    def configuration(self, settings: TopicSettings) -> dict[str, str]:
        """Kafka's topic configuration."""
        common = {
            "min.insync.replicas": str(settings.min_insync_replicas),
            "max.message.bytes": str(self.max_message_bytes),
            # By the broker: no producer's clock makes a payment late, a record impossible or its retention another.
            "message.timestamp.type": "LogAppendTime",
        }
        if self.compacted:
            return common | {
                "cleanup.policy": "compact",
                "min.cleanable.dirty.ratio": "0.2",
                "segment.ms": str(DAY_MS // 24),
                # The segment that is written to is never compacted, and whoever restores reads all of it.
                "segment.bytes": str(COMPACTED_SEGMENT_BYTES),
                "delete.retention.ms": str(DAY_MS),
            }
        return common | {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}

    def partitions(self, settings: TopicSettings) -> int:
        """How many partitions it must have."""
        return settings.partitions if self.per_card else 1


def _decision(topic: Topic, outcome: str) -> TopicSpec:
    # Kept longer than labels take to mature: the learner rebuilds its waiting examples from these topics.
    return TopicSpec(topic=topic, key="pan_token", description=f"Decisions to {outcome}.", retention_ms=30 * DAY_MS)


CATALOGUE: tuple[TopicSpec, ...] = (
    TopicSpec(
        topic=Topic.TRANSACTIONS,
        key="pan_token",
        description="Card payments waiting for a decision. Records over 64 KiB end as dead letters.",
        max_message_bytes=1_048_588,  # so that a dead letter, with our headers, always fits its topic
    ),
    _decision(Topic.APPROVE, "approve"),
    _decision(Topic.BLOCK, "block"),
    _decision(Topic.REVIEW, "send to a person"),
    _decision(Topic.REVISED, "change an earlier decision; names what it supersedes"),
    TopicSpec(
        topic=Topic.DEAD_LETTERS,
        key="original key",
        description="Records that could not be decided: original bytes and headers, and why.",
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.LETTER_REPLAYS,
        key="partition:offset of a dead letter",
        description="Which dead letters were sent again; each in one Kafka transaction with what was sent.",
        per_card=False,
        retention_ms=90 * DAY_MS,  # a mark must outlive its letter, or the letter could be sent twice
    ),
    TopicSpec(
        topic=Topic.LABELS,
        key="transaction_id",
        description="What transactions turned out to be.",
        retention_ms=90 * DAY_MS,
    ),
    TopicSpec(topic=Topic.CARD_FEEDBACK, key="pan_token", description="Known fraud of a card.", compacted=True),
    TopicSpec(topic=Topic.PROFILES, key="pan_token", description="Packed profile of each card.", compacted=True),
    TopicSpec(
        topic=Topic.LANE_OWNERS,
        key="name of a transactional producer",
        description="Which producers may write for each partition; a tombstone for one that no longer can.",
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.MERCHANT_RISK,
        key="terminal_id or merchant_id",
        description="Label history of acceptors with fraud in the window; each worker reads it whole.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.LEARNER_STATE,
        key="terminal_id or merchant_id",
        description="Label history of every acceptor; only the learner reads it, when it starts.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.RECONCILER_STATE,
        key="next",
        description="Up to where decisions made without the model were scored again; in one Kafka transaction with it.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.INFORMATION_REQUESTED,
        key="pan_token",
        description="Questions of reviewers to holders and merchants.",
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.INFORMATION_ANSWERED,
        key="request_id",
        description="What was answered.",
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.COMPLAINTS,
        key="transaction_id",
        description="Complaints about payments that were stopped, and what became of them.",
        retention_ms=90 * DAY_MS,  # as labels, which come of them
    ),
    TopicSpec(
        topic=Topic.CONSOLE_STATE,
        key="outbox",
        description="What the console published last; in one Kafka transaction with it.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.MODELS,
        key="champion, or candidate before there is one",
        description="The latest model snapshot, as data.",
        per_card=False,
        compacted=True,
        max_message_bytes=4_194_304,
    ),
    TopicSpec(
        topic=Topic.RULES,
        key="active or ruleset_version",
        description="Rule sets as TOML.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.CONTROL,
        key="name",
        description="The operator's word, with who and why.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.ALERTS,
        key="dedup_key",
        description="Incidents as CloudEvents 1.0, structured JSON.",
        per_card=False,
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.MODES,
        key="instance",
        description="Changes of each worker's mode as CloudEvents 1.0, structured JSON.",
        per_card=False,
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.REVIEW_PRICES,
        key="review_price",
        description="Moves of the price of a review as CloudEvents 1.0, structured JSON.",
        per_card=False,
        retention_ms=30 * DAY_MS,
    ),
    TopicSpec(
        topic=Topic.HEARTBEATS,
        key="instance",
        description="That a process lives, and a worker's mode; a tombstone is a clean end.",
        per_card=False,
        compacted=True,
    ),
    TopicSpec(
        topic=Topic.CANARIES,
        key="pan_token of the canary",
        description="Decisions on the watcher's canaries, the latest of each partition.",
        compacted=True,
    ),
)


def name_of(topic: Topic, settings: TopicSettings) -> str:
    """The topic's name on the broker."""
    return settings.prefix + topic

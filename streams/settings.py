"""Settings: one TOML file, overridden by `HOLDFAST_*` environment variables, checked once, frozen ever after."""

import difflib
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from models.family import Family
from models.label_trust import LabelTrust
from rules.block_limit import BlockLimitPolicy
from rules.breaker import BreakerPolicy
from rules.exploration import ExplorationPolicy
from rules.incidents import IncidentPolicy
from rules.mode import ModePolicy
from rules.policy import CostPolicy
from rules.review_policy import ReviewPolicy
from rules.review_price import CapacityPolicy
from rules.safe_default import SafeDefaultPolicy
from rules.stand_in import StandInLimits

SETTINGS_FILE = "holdfast.toml"
ENVIRONMENT_PREFIX = "HOLDFAST_"

Seconds = Annotated[float, Meta(gt=0)]
Milliseconds = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class SettingsError(Exception):
    """A setting is unknown or has a value that it cannot have; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Which Kafka, and how to speak to it."""

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ssl_cafile: str = ""  # PEM; empty: the system's
    ssl_certfile: str = ""  # PEM, for mutual TLS
    ssl_keyfile: str = ""
    ssl_check_hostname: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """How topics are created, and what is put before their names. Raises ValueError for copies that cannot be."""

    prefix: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{0,64}\Z")] = ""
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 8
    replication_factor: Annotated[int, Meta(ge=1, le=7)] = 1
    min_insync_replicas: Annotated[int, Meta(ge=1, le=7)] = 1

    def __post_init__(self) -> None:
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas must not be above replication_factor, or nothing can be written")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """The path of a round: from the input partitions, through one Kafka transaction, to the decision topics."""

    max_batch: Annotated[int, Meta(ge=1, le=5000)] = 1000  # of all lanes together
    min_batch_interval_ms: Annotated[int, Meta(ge=0, le=1000)] = 5  # rounds begin so far apart
    session_timeout_ms: Milliseconds = 6000
    heartbeat_interval_ms: Milliseconds = 1000
    transaction_timeout_ms: Milliseconds = 10_000
    request_timeout_ms: Milliseconds = 15_000
    retry_backoff_ms: Milliseconds = 2
    answer_timeout_seconds: Seconds = (
        10.0  # how long the deciding agent may take for a round before the worker gives up
    )
    profile_idle_days: Count = 90  # a card not seen for so long is forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineSettings:
    """By when a decision must be out, and when the model is not asked any more. Raises ValueError for neither."""

    deadline_ms: Milliseconds = 300  # from the broker's timestamp to the decision
    reserve_ms: Annotated[int, Meta(ge=0)] = 50  # older than deadline less reserve: decided by rules at once
    lag_enter: Count = 5000  # records up to the end of the partition, undecided, at which the lane goes by rules
    lag_leave: Annotated[int, Meta(ge=0)] = 500
    lag_calm_seconds: Annotated[float, Meta(ge=0)] = 3.0  # at most lag_leave behind for so long: caught up
    lag_ahead_seconds: Annotated[float, Meta(ge=0)] = 2.0  # a lag that grows counts as what it will be by then

    def __post_init__(self) -> None:
        if self.reserve_ms >= self.deadline_ms:
            raise ValueError("reserve_ms must be below deadline_ms, or the model is never asked")
        if self.lag_leave >= self.lag_enter:
            raise ValueError("lag_leave must be below lag_enter, or a lane is behind and not by turns")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerSettings:
    """The scorer process and how long it may think."""

    budget_ms: Milliseconds = 25  # for a batch
    slow_after_share: Annotated[float, Meta(gt=0, le=1)] = 0.8  # of the budget; an answer after it is slow, and is used
    memory_mb: Annotated[int, Meta(ge=256)] = 1024  # a scorer that wants more ends, and is replaced
    hung_after_ms: Milliseconds = 500  # no answer for so long: killed and replaced
    start_timeout_seconds: Seconds = 20.0
    restart_backoff_seconds: Seconds = 0.2  # doubled up to ten times this
    stale_after_hours: Seconds = 24.0 * 30  # a snapshot older than this is not trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """How labels become a model."""

    family: Family = Family.LOGISTIC  # of the model
    maturity_days: Annotated[float, Meta(gt=0)] = 7.0  # no report for so long: legitimate
    publish_interval_seconds: Seconds = 10.0
    publish_every_labels: Count = 20_000
    least_labels: Count = 500  # before the first snapshot
    least_frauds: Count = 10
    keep_days: Annotated[float, Meta(ge=0)] = 30.0  # after maturity an example is kept for labels that come late
    drift_after_labels: Annotated[int, Meta(ge=0)] = 20_000  # learnt by the champion: until then its scores still move
    keep_model_minutes: Seconds = 60.0  # between two champions that are kept to go back to, eight in all
    most_examples: Count = 500_000  # held in memory, about 0.6 KB each; the oldest go first

    def are_enough(self, *, labels: int, frauds: int) -> bool:
        """Whether a model that has learnt so many may decide."""
        return labels >= self.least_labels and frauds >= self.least_frauds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerSettings:
    """How what was decided without the model is scored again."""

    most_per_second: Count = 1500  # decisions; payments keep the processors and the broker meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Where the cases of reviewers are kept, and how often time is kept for them."""

    # SQLite in a file, or postgresql://user:password@host/database
    store_url: Annotated[str, Meta(pattern=r"\A(sqlite:///.|postgresql://.)")] = field(
        default="sqlite:///.holdfast/reviews.db", repr=False
    )
    sweep_seconds: Seconds = 1.0  # between looks for cases that are due, and for queues that are full
    host: str = "127.0.0.1"  # beyond this machine only behind a proxy with TLS
    port: Annotated[int, Meta(ge=-1, le=65535)] = 8480  # of the pages; 0: any free one; -1: no pages
    answers_secret: str = field(default="", repr=False)  # of answers that come by HTTP; empty: none do


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """When `holdfast audit --follow` calls a transaction unaccounted, and how much it holds."""

    grace_seconds: Seconds = 30.0  # beyond what the takeover of a dead worker's partitions takes
    most_outstanding: Count = 2_000_000  # transactions read and not ended, 29 bytes each; beyond them none are read
    most_remembered: Count = 10_000_000  # decided payments that a repeat is recognised of, 8 bytes each
    remember_hours: Seconds = 168.0  # and each for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """How often processes say that they live, and when one is silent. Raises ValueError for a silence of one beat."""

    heartbeat_seconds: Seconds = 2.0
    silent_after_seconds: Seconds = 7.0  # beyond the session of a worker: its partitions have gone to others by then
    canaries: bool = True  # the watcher sends one to each partition of the input
    canary_seconds: Seconds = 10.0  # between two of a partition
    canary_late_seconds: Seconds = 20.0  # not decided for so long; beyond the takeover of a dead worker's partitions
    input_silent_seconds: Annotated[float, Meta(ge=0)] = 300.0  # no payment for so long; 0: nobody is missed

    def __post_init__(self) -> None:
        if self.silent_after_seconds < 2 * self.heartbeat_seconds:
            raise ValueError("silent_after_seconds must be at least two heartbeats, or each late one is a silence")


Url = Annotated[str, Meta(pattern=r"\A(https?://\S+)?\Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardSettings:
    """Where `holdfast forward` sends alerts and questions; empty: not there."""

    webhook_url: Url = ""
    webhook_secret: str = field(default="", repr=False)  # of Standard Webhooks; empty: nothing is signed
    alertmanager_url: Url = ""  # the address of Alertmanager, without the path of its API
    questions_url: Url = ""  # for what reviewers ask, signed with the same secret
    timeout_seconds: Seconds = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The identity provider that says who comes into the console; without an issuer there is none.

    Raises ValueError where it could be anybody's, or could send nobody back.
    """

    issuer: Url = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    redirect_url: Url = ""  # the console's /login/provider/back, as browsers reach it
    claim: str = "preferred_username"  # of the id_token, that is the user's name
    scope: str = "openid profile"

    def __post_init__(self) -> None:
        if not self.issuer:
            return
        if not (self.client_id and self.redirect_url):
            raise ValueError("an issuer needs client_id and redirect_url beside it")
        where = urlsplit(self.issuer)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("an issuer on another machine must have https, or anybody can be it")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """The Prometheus endpoint of each process; port 0 takes a free one and logs it."""

    host: str = "127.0.0.1"
    worker_port: Annotated[int, Meta(ge=-1, le=65535)] = 0  # -1: none
    learner_port: Annotated[int, Meta(ge=-1, le=65535)] = 0
    audit_port: Annotated[int, Meta(ge=-1, le=65535)] = 0
    reconciler_port: Annotated[int, Meta(ge=-1, le=65535)] = 0
    watcher_port: Annotated[int, Meta(ge=-1, le=65535)] = 0
    forward_port: Annotated[int, Meta(ge=-1, le=65535)] = 0
    console_port: Annotated[int, Meta(ge=-1, le=65535)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that may differ between two installations."""

    app: Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,32}\Z")] = "holdfast"  # prefix of group and transactional ids
    sandbox: bool = False  # test tokens and injected faults are obeyed; never in production
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    topics: TopicSettings = field(default_factory=TopicSettings)
    lanes: LaneSettings = field(default_factory=LaneSettings)
    deadline: DeadlineSettings = field(default_factory=DeadlineSettings)
    scorer: ScorerSettings = field(default_factory=ScorerSettings)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    mode: ModePolicy = field(default_factory=ModePolicy)
    policy: CostPolicy = field(default_factory=CostPolicy)
    stand_in: StandInLimits = field(default_factory=StandInLimits)
    safe_default: SafeDefaultPolicy = field(default_factory=SafeDefaultPolicy)
    block_limit: BlockLimitPolicy = field(default_factory=BlockLimitPolicy)
    exploration: ExplorationPolicy = field(default_factory=ExplorationPolicy)
    review: ReviewPolicy = field(default_factory=ReviewPolicy)
    capacity: CapacityPolicy = field(default_factory=CapacityPolicy)
    incidents: IncidentPolicy = field(default_factory=IncidentPolicy)
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    labels: LabelTrust = field(default_factory=LabelTrust)
    reconciler: ReconcilerSettings = field(default_factory=ReconcilerSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)

    @property
    def lanes_group(self) -> str:
        """The consumer group of all workers."""
        return self.own("lanes")

    def own(self, name: str) -> str:
        """The name of a group or of a transactional producer of this installation: no other's on the same brokers."""
        return f"{self.app}-{self.topics.prefix}{name}"

    @property
    def version(self) -> str:
        """A short digest of everything here but secrets; stands on each decision."""
        return hashlib.sha256(msgspec.json.encode(_told(self), order="sorted")).hexdigest()[:12]


def _told(record: Any) -> Any:
    """A section and those in it without secrets, which are what `repr` leaves out."""
    if not is_dataclass(record):
        return record
    return {each.name: _told(getattr(record, each.name)) for each in fields(record) if each.repr}


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read settings: `path`, else `HOLDFAST_SETTINGS`, else holdfast.toml here if there is one; then the environment.

    Raises SettingsError, naming the key, for anything unknown or out of range.
    """
    named = path or (Path(environment["HOLDFAST_SETTINGS"]) if environment.get("HOLDFAST_SETTINGS") else None)
    source = named or Path(SETTINGS_FILE)
    plain: dict[str, Any] = {}
    if named or source.exists():
        try:
            plain = tomllib.loads(source.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{source}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{source}: {error}") from error
        _refuse_unknown(Settings, plain, where=str(source))
    _overlay(plain, environment)
    try:
        return msgspec.convert(plain, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from error


def _refuse_unknown(record: type, plain: Mapping[str, Any], *, where: str) -> None:
    known = {each.name: each.type for each in fields(record)}
    for key, value in plain.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise SettingsError(f"{where}: unknown setting `{key}`" + (f"; did you mean `{near[0]}`?" if near else ""))
        section = known[key]
        if isinstance(section, type) and is_dataclass(section):
            if not isinstance(value, dict):
                raise SettingsError(f"{where}: `{key}` is a section, not a value")
            _refuse_unknown(section, value, where=f"{where} [{key}]")


def _overlay(plain: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Lay `HOLDFAST_BROKER`, `HOLDFAST_SANDBOX` and `HOLDFAST_<SECTION>_<KEY>` over what the file said."""
    if servers := environment.get("HOLDFAST_BROKER"):
        plain.setdefault("broker", {})["bootstrap_servers"] = servers
    for each in fields(Settings):
        if isinstance(each.type, type) and is_dataclass(each.type):
            for inner in fields(each.type):
                value = environment.get(f"{ENVIRONMENT_PREFIX}{each.name}_{inner.name}".upper())
                if value is not None:
                    plain.setdefault(each.name, {})[inner.name] = value
        elif (value := environment.get(f"{ENVIRONMENT_PREFIX}{each.name}".upper())) is not None:
            plain[each.name] = value

"""The tables of the store. They are made and changed by the steps in `migrations`; a test holds both together.

Times are microseconds since 1970: both databases compare and index them alike. A case is kept whole as a document;
beside it stand only the columns that something is looked up or put in order by.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key counts up by itself in SQLite

cases = Table(
    "cases",
    metadata,
    Column("case_id", String(64), primary_key=True),
    Column("transaction_id", String(64), nullable=False),
    Column("card", String(64), nullable=False),
    Column("merchant", String(64), nullable=False),
    Column("chief_reason", String(64)),  # the feature that raised its score most
    Column("version", Integer, nullable=False),  # words taken so far: who writes names the one that they have read
    Column("queue", String(32), nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("rank", Double, nullable=False),  # the lowest goes first
    Column("opened_at", BigInteger, nullable=False),
    Column("warn_at", BigInteger, nullable=False),  # from here on it is in danger of being late
    Column("free_from", BigInteger),  # when it may be taken; null while it waits, and when it is closed
    Column("holder", String(64)),  # who has it in hand until then
    Column("expires_at", BigInteger),  # when it closes by itself; null when it is closed
    Column("document", Text, nullable=False),  # the case
    Column("decision", Text, nullable=False),  # as it lay on its topic
    Column("place", Text, nullable=False),  # where
    Index("cases_by_transaction", "transaction_id"),
    Index("cases_by_time", "opened_at"),
)
Index(
    "cases_to_take",
    cases.c.queue,
    cases.c.line,
    cases.c.rank,
    cases.c.free_from,
    sqlite_where=text("free_from IS NOT NULL"),
    postgresql_where=text("free_from IS NOT NULL"),
)
Index(  # all that is counted of queues: no case is read for it
    "cases_by_queue",
    cases.c.queue,
    cases.c.line,
    cases.c.warn_at,
    cases.c.opened_at,
    cases.c.free_from,
    cases.c.expires_at,
    sqlite_where=text("expires_at IS NOT NULL"),
    postgresql_where=text("expires_at IS NOT NULL"),
)
Index(
    "cases_in_hand",
    cases.c.holder,
    sqlite_where=text("holder IS NOT NULL"),
    postgresql_where=text("holder IS NOT NULL"),
)
Index(
    "cases_to_expire",
    cases.c.expires_at,
    sqlite_where=text("expires_at IS NOT NULL"),
    postgresql_where=text("expires_at IS NOT NULL"),
)

for _name in ("card", "merchant", "chief_reason"):  # precedents
    Index(
        f"cases_by_{_name}",
        cases.c[_name],
        cases.c.opened_at,
        sqlite_where=text("expires_at IS NULL"),
        postgresql_where=text("expires_at IS NULL"),
    )

verdicts = Table(
    "verdicts",
    metadata,
    Column("case_id", String(64), primary_key=True),
    Column("reviewer", String(64), primary_key=True),
    Column("outcome", String(16)),  # null, as those that follow, of verdicts of before it was noted
    Column("risk", Double),  # that the model saw; null where it saw none
    Column("at", BigInteger),
    Column("blind", Boolean, nullable=False, server_default=false()),  # a second look: it closed nothing
    Index("verdicts_by_time", "at"),
)

second_looks = Table(
    "second_looks",
    metadata,
    Column("case_id", String(64), primary_key=True),
    Column("holder", String(64)),  # who has it in hand until it is free
    Column("free_from", BigInteger),  # null once somebody has looked
)
Index(
    "second_looks_to_take",
    second_looks.c.free_from,
    sqlite_where=text("free_from IS NOT NULL"),
    postgresql_where=text("free_from IS NOT NULL"),
)

words = Table(
    "words",
    metadata,
    Column("case_id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("word", String(32), nullable=False),
    Column("speaker", String(64)),  # null: the clock, the model, or whoever was asked
)

stopped = Table(
    "stopped",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("transaction_id", String(64), nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    Column("source", String(16), nullable=False),
    Column("model_version", String(64)),
    Column("document", Text, nullable=False),  # the payment, and what a revision says of it
    Index("stopped_by_transaction", "transaction_id"),
    Index("stopped_by_time", "stopped_at", "source", "model_version"),  # all that figures need: no row is read for it
)

complaints = Table(
    "complaints",
    metadata,
    Column("complaint_id", String(48), primary_key=True),
    Column("decision_id", String(64), nullable=False),
    Column("transaction_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("complained_at", BigInteger, nullable=False),
    Column("stopped_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),  # the complaint
    Column("payment", Text, nullable=False),  # that it is about, as it was stopped: the other table forgets
    Index("complaints_by_time", "stopped_at"),
    Index("complaints_by_transaction", "transaction_id"),
)
Index(  # one at a time of each payment, and after a rejected one another
    "complaints_by_decision",
    complaints.c.decision_id,
    unique=True,
    sqlite_where=text("state <> 'rejected'"),
    postgresql_where=text("state <> 'rejected'"),
)
Index(
    "complaints_to_settle",
    complaints.c.complained_at,
    sqlite_where=text("state = 'received'"),
    postgresql_where=text("state = 'received'"),
)

review_price = Table(
    "review_price",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),  # there is one row, once it was told
    Column("minor", BigInteger, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("case_id", String(64), nullable=False),  # or the complaint, that they tell of
    Column("records", Text, nullable=False),  # that go to Kafka together
    sqlite_autoincrement=True,  # a number must never come again: it tells what is on the topics
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("store", String(32), primary_key=True),  # its name: there is one row
    Column("batch", BigInteger, nullable=False),  # of the outbox, that went last and is known to have arrived
)

positions = Table(
    "positions",
    metadata,
    Column("place", String(255), primary_key=True),  # of a partition
    Column("next_offset", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password", Text, nullable=False),  # as argon2 writes it: parameters, salt and hash; empty: none
    Column("active", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token", String(64), primary_key=True),  # its SHA-256: who reads the table has no session
    Column("name", String(64), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # from 1, without a gap
    Column("at", BigInteger, nullable=False),
    Column("who", String(64), nullable=False),
    Column("what", String(32), nullable=False),
    Column("details", Text, nullable=False),
    Column("digest", String(64), nullable=False),
)

log_head = Table(
    "log_head",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),  # there is one row
    Column("number", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)

rule_proposals = Table(
    "rule_proposals",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("text", Text, nullable=False),
    Column("ruleset_version", String(128), nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("closed_by", String(64)),
    Column("closed_at", BigInteger),
)

"""Cases, verdicts, words, outbox and positions."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(64), primary_key=True),
        sa.Column("transaction_id", sa.String(64), nullable=False),
        sa.Column("card", sa.String(64), nullable=False),
        sa.Column("merchant", sa.String(64), nullable=False),
        sa.Column("chief_reason", sa.String(64)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("queue", sa.String(32), nullable=False),
        sa.Column("line", sa.SmallInteger, nullable=False),
        sa.Column("rank", sa.Double, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("warn_at", sa.BigInteger, nullable=False),
        sa.Column("free_from", sa.BigInteger),
        sa.Column("holder", sa.String(64)),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
    )
    op.create_index("cases_by_transaction", "cases", ["transaction_id"])
    for name, columns, where in (
        ("cases_to_take", ["queue", "line", "rank", "free_from"], sa.text("free_from IS NOT NULL")),
        (
            "cases_by_queue",
            ["queue", "line", "warn_at", "opened_at", "free_from", "expires_at"],
            sa.text("expires_at IS NOT NULL"),
        ),
        ("cases_in_hand", ["holder"], sa.text("holder IS NOT NULL")),
        ("cases_to_expire", ["expires_at"], sa.text("expires_at IS NOT NULL")),
        ("cases_by_card", ["card", "opened_at"], sa.text("expires_at IS NULL")),
        ("cases_by_merchant", ["merchant", "opened_at"], sa.text("expires_at IS NULL")),
        ("cases_by_chief_reason", ["chief_reason", "opened_at"], sa.text("expires_at IS NULL")),
    ):
        op.create_index(name, "cases", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "verdicts",
        sa.Column("case_id", sa.String(64), primary_key=True),
        sa.Column("reviewer", sa.String(64), primary_key=True),
    )
    op.create_table(
        "words",
        sa.Column("case_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("word", sa.String(32), nullable=False),
        sa.Column("speaker", sa.String(64)),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("records", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    deliveries = op.create_table(
        "deliveries",
        sa.Column("store", sa.String(32), primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(deliveries, [{"store": uuid.uuid4().hex, "batch": 0}])
    op.create_table(
        "positions",
        sa.Column("place", sa.String(255), primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )

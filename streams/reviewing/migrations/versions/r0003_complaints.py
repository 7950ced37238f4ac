"""Payments that were stopped, and complaints about them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "stopped",
        sa.Column("decision_id", sa.String(64), primary_key=True),
        sa.Column("transaction_id", sa.String(64), nullable=False),
        sa.Column("stopped_at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("model_version", sa.String(64)),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("stopped_by_transaction", "stopped", ["transaction_id"])
    op.create_index("stopped_by_time", "stopped", ["stopped_at", "source", "model_version"])
    op.create_table(
        "complaints",
        sa.Column("complaint_id", sa.String(48), primary_key=True),
        sa.Column("decision_id", sa.String(64), nullable=False),
        sa.Column("transaction_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("complained_at", sa.BigInteger, nullable=False),
        sa.Column("stopped_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("payment", sa.Text, nullable=False),
    )
    op.create_index("complaints_by_time", "complaints", ["stopped_at"])
    op.create_index("complaints_by_transaction", "complaints", ["transaction_id"])
    for name, column, where, unique in (
        ("complaints_by_decision", "decision_id", sa.text("state <> 'rejected'"), True),
        ("complaints_to_settle", "complained_at", sa.text("state = 'received'"), False),
    ):
        op.create_index(name, "complaints", [column], unique=unique, sqlite_where=where, postgresql_where=where)

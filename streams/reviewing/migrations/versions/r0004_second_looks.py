"""What verdicts were, and second looks at cases."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them; of verdicts of before it is not known what they were."""
    op.add_column("verdicts", sa.Column("outcome", sa.String(16)))
    op.add_column("verdicts", sa.Column("risk", sa.Double))
    op.add_column("verdicts", sa.Column("at", sa.BigInteger))
    op.add_column("verdicts", sa.Column("blind", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("verdicts_by_time", "verdicts", ["at"])
    op.create_table(
        "second_looks",
        sa.Column("case_id", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64)),
        sa.Column("free_from", sa.BigInteger),
    )
    where = sa.text("free_from IS NOT NULL")
    op.create_index("second_looks_to_take", "second_looks", ["free_from"], sqlite_where=where, postgresql_where=where)

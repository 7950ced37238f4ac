"""The price of a review, and what it is worked out from."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "review_price",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("minor", sa.BigInteger, nullable=False),
        sa.Column("moved_at", sa.BigInteger, nullable=False),
    )
    op.create_index("cases_by_time", "cases", ["opened_at"])

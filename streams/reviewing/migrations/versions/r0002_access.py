"""Users, their sessions, and the log of what they did, which can only be added to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_WHY = "'the log is only added to'"
_REFUSING = (
    f"CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION {_WHY}; END$$"
)
_CHANGES = "BEFORE UPDATE OR DELETE OR TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change()"
_ONLY_ADDED_TO = {
    "sqlite": (
        f"CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, {_WHY}); END",
        f"CREATE TRIGGER log_is_not_cut BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, {_WHY}); END",
    ),
    "postgresql": (_REFUSING, f"CREATE TRIGGER log_is_not_changed {_CHANGES}"),
}


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "users",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "log",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "log_head",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"one": 1, "number": 0, "digest": ""}])
    for statement in _ONLY_ADDED_TO[op.get_context().dialect.name]:
        op.execute(statement)

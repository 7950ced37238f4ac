"""What Alembic runs to carry the steps out: on the connection that it is given, in that connection's transaction."""

from alembic import context

from streams.reviewing.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's too: all steps or none
)
context.run_migrations()

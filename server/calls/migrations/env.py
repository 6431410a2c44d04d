"""Alembic's entry: runs the steps on the connection that `server.calls.database` hands in."""

from alembic import context

from server.calls.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

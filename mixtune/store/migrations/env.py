"""Run by Alembic: works on the connection, and in the transaction, that mixtune.store.migration hands in."""

from alembic import context

from mixtune.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

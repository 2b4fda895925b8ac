"""Run migrations inside the transaction that the program opened."""

from alembic import context

from syncd.state.schema_service import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

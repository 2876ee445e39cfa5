"""Alembic's entry: run the migrations on the connection core.storage.upgrade hands over.

That connection is inside a transaction, so that a migration happens as a whole or not at all.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,
)
context.run_migrations()

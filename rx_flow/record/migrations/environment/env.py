"""
What Alembic runs: each revision on the connection it is given, or on the database of `alembic -x url=...`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from alembic import context
from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.pool import NullPool

from rx_flow.record.revisions import COMPONENTS


def declared() -> list[MetaData]:
    """
    Return all components' tables, for drafting revisions; when a database is brought up to date, revisions alone count.
    """
    modules = (f"rx_flow.{name}.tables" for name in COMPONENTS)
    return list(
        {id(found): found for name in modules if find_spec(name) for found in (import_module(name).metadata,)}.values()
    )


def migrate(connection: Connection, metadata: list[MetaData] | None = None) -> None:
    """
    Run what Alembic has decided to run.
    """
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"], poolclass=NullPool).connect() as own:
        migrate(own, declared())

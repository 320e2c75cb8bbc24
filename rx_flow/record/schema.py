"""
How a database gets to the schema that it must have (`revisions`). The only place that runs Alembic.

How a component writes its tables and revisions:

1.  `rx_flow/<component>/tables.py` declares its tables on `record.tables.metadata` or its own, named `<component>_...`;
    times are `Moment`, the first key column of a table that grows is `area`.
2.  `rx_flow/<component>/migrations/<component>_0001.py` is a branch of its own: `revision = "<component>_0001"`,
    `down_revision = None`, `branch_labels = ("<component>",)`; a later one has `down_revision` and no label.
    Its columns are frozen text (`record_0001.py` is the pattern): a revision imports nothing of rx_flow.
    `alembic -x url=... revision --autogenerate --head <component>@head -m "..."` drafts one (the first: `--head base
    --branch-label <component> --version-path rx_flow/<component>/migrations`).
3.  A test: `drift(url, tables) == []` on a database from the fixture `fresh_database("record", "auth", "<component>")`.

A site's database has the branches `record`, `auth` and its own: `revisions.components("hospital")`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Table, create_engine
from sqlalchemy.pool import NullPool

from rx_flow.record.revisions import COMPONENTS, PACKAGE, folder, heads


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "record" / "migrations" / "environment"))
    config.set_main_option("path_separator", "newline")
    folders = map(folder, COMPONENTS)
    config.set_main_option("version_locations", "\n".join(str(one) for one in folders if one.is_dir()))
    return config


def upgrade(url: str, of: Iterable[str]) -> None:
    """
    Bring the database at `url` to the newest revision of each component, creating it where it is empty.

    Everything happens in one transaction on PostgreSQL, and revision by revision on SQLite.
    """
    config = _config()
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            for head in sorted(heads(of)):
                command.upgrade(config, head)
    finally:
        engine.dispose()


def drift(url: str, tables: Sequence[Table]) -> list[Any]:
    """
    Return what differs between tables of one catalogue as declared and as the database has them; [] is as it should be.
    """
    mine = {table.name for table in tables}

    def is_mine(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or name in mine

    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"include_object": is_mine, "compare_type": True, "compare_server_default": True}
            )
            return list(compare_metadata(context, tables[0].metadata))
    finally:
        engine.dispose()

"""
Every row of every table of every site, at one moment; and what has changed from one moment to another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, create_engine, inspect, text

LOG, NUMBER = "audit_entry", "idx"
# What follows from the entries by itself, a moment later: an entry's number, tiles, checkpoints, what a witness saw.
MACHINERY = {"audit_secret", "log", "log_tile", "log_leaf", "log_checkpoint", "log_cosignature", "log_witnessed"}
ITS_OWN = {"log_start", "log_stop", "witness_new_log", "adopt"}  # entries about the log, and of every start
Row = tuple[Any, ...]
Rows = dict[tuple[str, str], Counter[Row]]  # by site and table


class Entry(NamedTuple):
    """
    An entry of a site's log, as far as these tests ask.
    """

    site: str
    action: str
    code: str | None
    actor: str | None
    rx: str | None


@dataclass(frozen=True)
class Difference:
    """
    What happened in between: tables that changed (the logs apart), and what the logs say, refusals by themselves.
    """

    changed: set[tuple[str, str]]
    denied: list[Entry]
    noted: list[Entry]
    lost: int = 0  # entries that are not there any more

    def tables(self) -> dict[str, set[str]]:
        """The tables that changed, by site."""
        found: dict[str, set[str]] = {}
        for site, table in self.changed:
            found.setdefault(site, set()).add(table)
        return found


@dataclass
class Watch:
    """
    Looks at all databases from outside, by connections of its own.
    """

    databases: Mapping[str, str]
    _open: dict[str, tuple[Connection, dict[str, str]]] = field(default_factory=dict)

    def look(self) -> Rows:
        """Return every row of every table but the migrations' own, and those that follow from the log by themselves."""
        found: Rows = {}
        for site in self.databases:
            connection, tables = self._connection(site)
            for table, columns in tables.items():
                rows = connection.execute(text(f'SELECT {columns} FROM "{table}"'))  # noqa: S608  Names of our own.
                kept = (row for row in rows if table != LOG or row.action not in ITS_OWN)
                found[site, table] = Counter(tuple(row) for row in kept)
        return found

    def entries(self, site: str) -> list[dict[str, Any]]:
        """Return what a site's log says, in the order in which it was written down."""
        connection, _ = self._connection(site)
        rows = connection.execute(text(f"SELECT body FROM {LOG} ORDER BY recorded_at, chain, seq"))  # noqa: S608  As above.
        return [one for row in rows if (one := orjson.loads(bytes(row[0])))["action"] not in ITS_OWN]

    def rows(self, site: str, query: str, **values: Any) -> list[Row]:  # noqa: ANN401  Whatever a column holds.
        """Ask one database."""
        connection, _ = self._connection(site)
        return [tuple(row) for row in connection.execute(text(query), values)]

    def close(self) -> None:
        """Let go of every connection."""
        for connection, _ in self._open.values():
            connection.close()
            connection.engine.dispose()
        self._open.clear()

    def _connection(self, site: str) -> tuple[Connection, dict[str, str]]:
        if site not in self._open:
            engine = create_engine(self.databases[site], isolation_level="AUTOCOMMIT")
            connection = engine.connect()
            seen = inspect(connection)
            tables = sorted(set(seen.get_table_names()) - {"alembic_version"} - MACHINERY)
            columns = {table: [one["name"] for one in seen.get_columns(table)] for table in tables}
            self._open[site] = (
                connection,
                {
                    table: ", ".join(f'"{name}"' for name in columns[table] if (table, name) != (LOG, NUMBER))
                    for table in tables
                },
            )
        return self._open[site]


def difference(before: Rows, after: Rows) -> Difference:
    """
    Return what changed between two moments.
    """
    changed = {key for key in after if key[1] != LOG and before[key] != after[key]}
    logs = [key for key in after if key[1] == LOG]
    new = [(site, row) for site, table in logs for row in (after[site, table] - before[site, table]).elements()]
    entries = [(site, one) for site, row in new if (one := _content(row))["action"] not in ITS_OWN]
    said = [
        (one["outcome"], Entry(site, one["action"], one["code"], (one["actor"] or {}).get("id"), one["rx"]))
        for site, one in entries
    ]
    return Difference(
        changed,
        denied=[entry for outcome, entry in said if outcome == "denied"],
        noted=[entry for outcome, entry in said if outcome == "ok"],
        lost=sum((before[key] - after[key]).total() for key in logs),
    )


def _content(row: Row) -> dict[str, Any]:
    """An entry's own bytes are the one column of bytes."""
    body = next(bytes(value) for value in row if isinstance(value, bytes | memoryview))
    found: dict[str, Any] = orjson.loads(body)
    return found

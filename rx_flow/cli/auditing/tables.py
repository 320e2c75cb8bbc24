"""
Log entries as tables for other programs: CSV that no spreadsheet takes for a formula, NDJSON, Parquet.
"""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble, install

COLUMNS = (
    "index", "at", "occurred_at", "site", "area", "chain", "seq", "rx", "actor", "role", "institution", "on_behalf",
    "client", "action", "from", "to", "outcome", "code", "document", "purpose", "trace",
)  # fmt: skip
_NUMBERS = {"index": "BIGINT", "seq": "INTEGER"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what makes a spreadsheet evaluate a cell (OWASP, CSV injection)


def row(index: int, body: bytes) -> dict[str, Any]:
    """
    Return an entry flattened into COLUMNS; commitments are left out, they mean nothing without the exact bytes.
    """
    entry = orjson.loads(body)
    actor = entry.get("actor") or {}
    flat = {**entry, "index": index, "actor": actor.get("id"), "role": actor.get("role")}
    flat["institution"] = actor.get("institution")
    return {name: flat.get(name) for name in COLUMNS}


def as_csv(entries: Iterable[tuple[int, bytes]]) -> bytes:
    """
    Return RFC 4180 CSV in UTF-8 with a byte order mark; a cell that begins like a formula gets a quote before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for index, body in entries:
        writer.writerow([_cell(value) for value in row(index, body).values()])
    return codecs.BOM_UTF8 + out.getvalue().encode()


def as_ndjson(entries: Iterable[tuple[int, bytes]]) -> bytes:
    """
    Return one flat object a line.
    """
    return b"".join(orjson.dumps(row(index, body)) + b"\n" for index, body in entries)


def as_parquet(entries: Iterable[tuple[int, bytes]]) -> bytes:
    """
    Return Parquet, by DuckDB; `Trouble` where that is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415  An extra: most never need it.
    except ImportError:
        raise Trouble("unfit", tr("需要 duckdb", "this needs duckdb"), install("analytics")) from None
    columns = ", ".join(f"'{name}': '{_NUMBERS.get(name, 'VARCHAR')}'" for name in COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "entries.ndjson", Path(folder) / "entries.parquet"
        source.write_bytes(as_ndjson(entries))
        with duckdb.connect() as db:
            db.execute(
                f"COPY (SELECT * FROM read_json('{source}', format='newline_delimited', columns={{{columns}}})"  # noqa: S608  Names of ours.
                f" ORDER BY index) TO '{target}' (FORMAT parquet)"
            )
        return target.read_bytes()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


FORMATS = {"csv": as_csv, "ndjson": as_ndjson, "parquet": as_parquet}

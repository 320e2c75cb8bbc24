"""
Which databases and keys a command means: the layout of a data folder, known here and in `app.embedded` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory, Institution, Kind
from rx_flow.opening import components
from rx_flow.record.database import Database
from rx_flow.record.revisions import heads

KEYS_HELP = tr(
    "密钥目录；默认为数据目录下的 keys，没有则为 ./keys", "the folder of keys; DATA/keys or else ./keys if none"
)
Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the folder of databases"))]
Keys = Annotated[Path | None, typer.Option("--keys", help=KEYS_HELP)]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]


def keys_of(data: Path | None, keys: Path | None = None) -> Path:
    """Return the folder of keys: the one named, else the data folder's own, else `keys` here."""
    if keys is not None:
        return keys
    own = data / "keys" if data is not None else None
    return own if own is not None and own.is_dir() else Path("keys")


def directory(data: Path, keys: Path | None = None) -> Directory:
    """Return who takes part in the installation of a data folder."""
    return Directory.load(keys_of(data, keys))


def institution(known: Directory, code: str) -> Institution:
    """Return the institution of a code, the platform where none is named; `Trouble` for an unknown one."""
    if not code:
        return only(known, Kind.PLATFORM)
    found = known.institution(code)
    if found is None:
        raise Trouble("not_found", tr("没有这个机构", "no such institution"), code)
    return found


def only(known: Directory, kind: Kind) -> Institution:
    """Return the installation's platform or insurer; `Trouble` where it has none."""
    for one in known.of_kind(kind):
        return one
    raise Trouble("not_found", tr("名录中没有这类机构", "there is none of this kind in the directory"), kind.value)


def database_url(data: Path, code: str) -> str:
    """Return where the embedded services keep an institution's database."""
    return f"sqlite:///{data / code}.db"


def made(data: Path, one: Institution, url: str | None) -> str:
    """Return where an institution's database is to be: at `url`, else in the data folder, made if need be."""
    data.mkdir(parents=True, exist_ok=True)
    return url or database_url(data, one.code)


@contextmanager
def opened(data: Path, code: str = "", *, url: str | None = None, keys: Path | None = None) -> Iterator[Database]:
    """
    Open an institution's database for reading or a short action; `SchemaOutdated` and `Trouble` say what to run.
    """
    known = institution(directory(data, keys), code)
    if url is None and not (data / f"{known.code}.db").is_file():
        raise Trouble(
            "not_found",
            tr("数据目录里没有该机构的数据库", "no database of this institution in the data folder"),
            str(data / f"{known.code}.db"),
        )
    try:
        db = Database.open(url or database_url(data, known.code), heads=heads(components(known.kind)))
    except SQLAlchemyError as error:  # its text may hold the address, and with it a password
        title = tr("数据库无法连接", "the database cannot be opened")
        raise Trouble("unfit", title, f"{known.code}: {type(error).__name__}") from None
    try:
        yield db
    finally:
        db.close()

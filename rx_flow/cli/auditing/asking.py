"""
How the commands that read a log open it: for one question, which becomes an entry of that log itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from rx_flow.auth.telling.sentences import tell
from rx_flow.cli import sites
from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.screen import screen
from rx_flow.config import Directory, Institution
from rx_flow.law.standing import Actor, RxId
from rx_flow.platform.log.reading import READ
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin, Recorded
from rx_flow.record.database import Database

R = TypeVar("R")
Site = Annotated[
    str, typer.Option("--site", help=tr("机构代码，默认为流转平台", "whose log: a code; the platform's if none"))
]
Json = Annotated[bool, typer.Option("--json", help=tr("每行一条 JSON", "one JSON entry a line"))]
Since = Annotated[str | None, typer.Option(help=tr("起始时间（含）", "from this day or time on (Shanghai)"))]
Until = Annotated[str | None, typer.Option(help=tr("截止时间（不含）", "before this day or time (Shanghai)"))]


@dataclass(frozen=True, slots=True)
class Opened:
    """
    A site's log, opened by somebody with its database at hand.
    """

    me: Institution
    known: Directory
    folder: Path
    url: str
    db: Database

    def ask(self, purpose: str, query: Callable[[Connection], R], rx: str | None = None) -> R:
        """Answer a question, and record that it was asked: by the site, in its own chain or the prescription's."""
        actor = Actor(self.me.code, self.me.kind.role, self.me.code)
        about = None if rx is None else RxId(rx)
        now = datetime.now(UTC)
        self.db.run(audit.append, Entry(now, Origin(self.me.code, ""), actor, READ, about, purpose=purpose))
        return self.db.look(query)


@contextmanager
def asking(data: Path, site: str, *, keys: Path | None = None, url: str | None = None) -> Iterator[Opened]:
    """
    Open a site's log; `Trouble` where there is none.
    """
    known = sites.directory(data, keys)
    me = sites.institution(known, site)
    with sites.opened(data, me.code, url=url, keys=keys) as db:
        yield Opened(me, known, sites.keys_of(data, keys), url or sites.database_url(data, me.code), db)


def as_record(one: Recorded) -> dict[str, Any]:
    """Return an entry's own fields and the digest that its successor names."""
    return {**one.content, "digest": one.digest}


def print_json(found: Sequence[Recorded]) -> None:
    """Print entries as machines read them, a line each."""
    for one in found:
        typer.echo(json.dumps(as_record(one), ensure_ascii=False, sort_keys=True))


def print_table(found: Sequence[Recorded], known: Directory) -> None:
    """Print entries in the words of people."""
    heads = tr(
        "时间 处方 动作 状态变化 由谁 机构 结果", "time prescription action state who institution outcome"
    ).split()
    shown = Table(*heads, header_style="bold")
    for column in shown.columns:
        column.overflow = "fold"
    shown.columns[0].no_wrap = shown.columns[1].no_wrap = True
    for one in found:
        shown.add_row(*_cells(one, known))
    screen().print(shown)


def _cells(one: Recorded, known: Directory) -> tuple[str, ...]:
    entry = one.content
    told = tell(entry, known, LANGUAGE)
    return (
        told.when,
        entry["rx"] or "",
        escape(told.what + (f" ({told.purpose})" if told.purpose else "")),
        told.moved,
        escape(f"{told.who} {told.role}".strip()),
        escape(told.institution),
        f"[red]{escape(told.result)}[/]" if entry["outcome"] == audit.Outcome.DENIED else escape(told.result),
    )

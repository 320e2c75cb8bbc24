"""
`rx-flow audit list`, `show`, `denied` and `accesses`: entries by any question, as a table or as JSON.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from rx_flow.cli.asked import ask
from rx_flow.cli.auditing.asking import Json, Opened, Since, Site, Until, asking, print_json, print_table
from rx_flow.cli.auditing.moments import moment
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Kind, Settings
from rx_flow.law.refusals import Code
from rx_flow.opening import open_keys
from rx_flow.record.audit import Outcome, Recorded, entries
from rx_flow.record.reading.pages import LIMIT_MAX, READS, Question, page

SHOWN_MAX = 200
CHAIN_MAX = 10_000
_IDENTITY = re.compile(r"(?:(?P<type>[0-9]{2})[ |])?(?P<number>[0-9A-Z()-]{4,30})")

Limit = Annotated[int, typer.Option(min=1, max=CHAIN_MAX, help=tr("最多条数", "at most so many"))]
After = Annotated[
    str | None, typer.Option(help=tr("接上一页（见其提示）", "go on where the page before ended, as it said"))
]


def _print(log: Opened, question: Question, purpose: str, *, limit: int, after: str | None, as_json: bool) -> None:
    """Ask page by page up to the limit, print it, and say how to go on."""
    found: list[Recorded] = []
    while len(found) < limit:
        most = min(limit - len(found), LIMIT_MAX)
        part = log.ask(f"{purpose}: {question.words}", partial(page, question=question, after=after, limit=most))
        found += part.entries
        after = part.next
        if after is None:
            break
    if as_json:
        print_json(found)
    else:
        print_table(found, log.known)
    if after is not None:
        typer.echo(tr(f"还有更早的记录：--after {after}", f"there are more: --after {after}"), err=True)


def list_(
    *,
    data: Data = Path("data"),
    site: Site = "",
    rx: Annotated[str | None, typer.Option(help=tr("处方编号", "prescription id"))] = None,
    person: Annotated[str | None, typer.Option(help=tr("人员代码", "national code of a person"))] = None,
    institution: Annotated[str | None, typer.Option(help=tr("机构代码", "national code of an institution"))] = None,
    patient: Annotated[str | None, typer.Option(help=tr("患者假名", "a patient's pseudonym"))] = None,
    action: Annotated[
        list[str] | None, typer.Option(help=tr("动作，可多次", "an action, such as dispense; more than once"))
    ] = None,
    since: Since = None,
    until: Until = None,
    outcome: Annotated[Outcome | None, typer.Option(help=tr("ok 成功 / denied 被拒绝", "done or refused"))] = None,
    code: Annotated[Code | None, typer.Option(help=tr("拒绝代码", "why it was refused"))] = None,
    trace: Annotated[str | None, typer.Option(help=tr("追踪号", "trace id of a request"))] = None,
    after: After = None,
    limit: Limit = SHOWN_MAX,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print what the filters find."""
    question = Question(
        rx=rx,
        person=person,
        institution=institution,
        patient=patient,
        actions=tuple(action) if action else None,
        outcome=outcome,
        code=code,
        since=moment(since),
        until=moment(until),
        trace=trace,
    )
    with asking(data, site, keys=keys, url=database_url) as log:
        _print(log, question, "entries", limit=limit, after=after, as_json=as_json)


def show(
    rx: Annotated[str, typer.Argument(help=tr("处方编号", "prescription id"))],
    *,
    data: Data = Path("data"),
    site: Site = "",
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print one chain of the log."""
    with asking(data, site, keys=keys, url=database_url) as log:
        found = sorted(log.ask(f"steps: {rx}", lambda tx: entries(tx, rx=rx, limit=CHAIN_MAX)), key=lambda one: one.seq)
        known = log.known
    if not found:
        raise Trouble("not_found", tr("没有这张处方的记录", "no entries about this prescription"), rx)
    if as_json:
        print_json(found)
        return
    print_table(found, known)
    digests = Table(tr("序号", "seq"), tr("文书摘要", "document"), tr("本条摘要", "entry"), tr("前条摘要", "previous"))
    for one in found:
        digests.add_row(str(one.seq), one.content["document"][:16], one.digest[:16], one.prev[:16])
    screen().print(digests)


def denied(
    *,
    data: Data = Path("data"),
    site: Site = "",
    since: Since = None,
    until: Until = None,
    code: Annotated[Code | None, typer.Option(help=tr("拒绝代码", "why it was refused"))] = None,
    person: Annotated[str | None, typer.Option(help=tr("人员代码", "national code of a person"))] = None,
    after: After = None,
    limit: Limit = SHOWN_MAX,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print refusals."""
    question = Question(outcome=Outcome.DENIED, code=code, person=person, since=moment(since), until=moment(until))
    with asking(data, site, keys=keys, url=database_url) as log:
        _print(log, question, "denied", limit=limit, after=after, as_json=as_json)


def accesses(
    *,
    data: Data = Path("data"),
    pseudonym: Annotated[
        str | None, typer.Option(help=tr("患者假名，代替证件号", "a pseudonym, in place of the identity number"))
    ] = None,
    since: Since = None,
    until: Until = None,
    after: After = None,
    limit: Limit = SHOWN_MAX,
    keys: Keys = None,
    database_url: Url = None,
    as_json: Json = False,
) -> None:
    """Print who read of a patient at the platform, which alone can tell whose a prescription is."""
    with asking(data, "", keys=keys, url=database_url) as log:
        patient = pseudonym or _pseudonym(log)
        question = Question(patient=patient, actions=tuple(sorted(READS)), since=moment(since), until=moment(until))
        _print(log, question, "accesses", limit=limit, after=after, as_json=as_json)


def _pseudonym(log: Opened) -> str:
    """Ask whose records; what was typed is forgotten at once."""
    if log.me.kind is not Kind.PLATFORM:  # the default of --site is the platform
        raise Trouble("not_found", tr("只有平台能查询", "only the platform can tell"), log.me.code)
    typed = ask(tr("证件类型和号码", "type and number of the identity document"))
    found = _IDENTITY.fullmatch(typed.strip())
    if found is None:
        raise Trouble("malformed", tr("证件号格式不正确", "not an identity number"), "01 110101199001011237")
    _, keyring = open_keys(Settings(log.me.code, log.url, log.folder))
    return keyring.pseudonym(found["type"] or "01", found["number"])

"""
What `rx-flow verify` says of a sealed sheet (处方笺): offline, by the root alone. Nothing here knows a site.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.trouble import Trouble, install
from rx_flow.crypto.errors import Untrusted
from rx_flow.evidence.words import reason
from rx_flow.law.standing import wall_clock

PDF = b"%PDF-"  # how such a file begins


def tell(pdf: bytes, roots: bytes, *, as_json: bool) -> None:
    """
    Print who sealed a sheet, when, and what it is, trusting `roots` (PEM) alone; leave with 1 and the reason if not so.

    It is judged as of the time of sealing that it states.
    """
    with extra():
        from rx_flow.evidence.sheet.sealed import check  # noqa: PLC0415  an extra, which is not always there
    try:
        found = check(pdf, roots)
    except Untrusted as refused:
        _say({"holds": False, "failed": {"code": refused.reason.value, "detail": refused.detail}}, as_json=as_json)
        raise typer.Exit(1) from refused
    signer = found.signer
    by = {"institution": signer.institution, "name": signer.name, "certificate": signer.thumbprint}
    _say({"holds": True, "title": found.title, "at": found.at.isoformat(), "by": by}, as_json=as_json)


def _say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    elif found["holds"]:
        by, at = found["by"], wall_clock(datetime.fromisoformat(found["at"]))
        typer.echo(found["title"])
        typer.echo(f"{by['name']} {by['institution']}  {at}")
        typer.echo(tr("医院电子签章成立，签章后未改动", "The hospital's seal holds; nothing was changed after it"))
    else:
        why = found["failed"]
        words = reason(why["code"])[0 if LANGUAGE == "zh" else 1]
        typer.echo(f"{words} [{why['code']}] {why['detail']}".strip())
        typer.echo(tr("签章不成立", "The seal does not hold"))


@contextmanager
def extra() -> Iterator[None]:
    """Say which extra is missing, where it is."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise Trouble(
            "pdf_extra_missing",
            tr("生成或核验 PDF 需要可选组件", "PDF needs an extra that is not installed"),
            install("pdf"),
        ) from missing

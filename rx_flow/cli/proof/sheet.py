"""
`rx-flow evidence --pdf`: the prescription sheet (处方笺) under the seal of the hospital that issued the prescription.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.proof import private
from rx_flow.cli.proof.sealed import extra
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory, Institution, Kind, Settings
from rx_flow.crypto.pki.path import ROOT_FILE
from rx_flow.hospital.printing import printed
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.opening import open_keys
from rx_flow.record.advance import load
from rx_flow.record.audit import Origin


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which sheet somebody wants, where everything is, and what it is for, which stands in the hospital's log.
    """

    rx: RxId
    data: Path
    keys: Path | None
    database_url: str | None
    purpose: str


def write(wanted: Wanted, out: Path, *, now: datetime) -> int:
    """
    Write a sheet that is sealed with the key of the hospital that issued the prescription; return its size in bytes.

    The file has just been judged as a stranger would. `Trouble` where the hospital's database or the extra is missing;
    `Refused`, `Untrusted` and `Unfit` as the parts say.
    """
    known, folder = sites.directory(wanted.data, wanted.keys), sites.keys_of(wanted.data, wanted.keys)
    hospital = _issuer(wanted, known)
    url = wanted.database_url or sites.database_url(wanted.data, hospital.code)
    trust, keyring = open_keys(Settings(hospital.code, url, folder))
    with extra():
        from rx_flow.evidence.sheet import draw, sealed  # noqa: PLC0415  an extra, which is not always there
    with sites.opened(wanted.data, hospital.code, url=url, keys=wanted.keys) as db:
        sheet = db.run(
            printed,
            wanted.rx,
            Actor(hospital.code, Role.HOSPITAL, hospital.code),
            keyring=keyring,
            trust=trust,
            names={one.code: one.name for one in known.of_kind(Kind.PHARMACY)},
            purpose=f"sheet, {wanted.purpose}",
            origin=Origin(hospital.code, ""),
            now=now,
        )
    pdf = sealed.sign(draw.render(sheet), keyring.seal, trust=trust, at=now, notice=sheet.notice)
    sealed.check(pdf, (folder / ROOT_FILE).read_bytes())
    private.write(out, pdf)
    return len(pdf)


def _issuer(wanted: Wanted, known: Directory) -> Institution:
    """The hospital whose database has the prescription: its id does not say whose it is."""
    for one in known.of_kind(Kind.HOSPITAL):
        if wanted.database_url is None and not (wanted.data / f"{one.code}.db").is_file():
            continue
        with sites.opened(wanted.data, one.code, url=wanted.database_url, keys=wanted.keys) as db:
            standing = db.look(load, wanted.rx)
        if standing is not None and standing.hospital == one.code:
            return one
    title = tr("没有医院的数据库有这张处方", "no hospital's database here has this prescription")
    raise Trouble("not_found", title, wanted.rx)

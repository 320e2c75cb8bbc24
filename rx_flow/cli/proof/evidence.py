"""
`rx-flow evidence` gives out what proves a prescription, to be judged by `rx-flow verify`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.proof import private, sheet
from rx_flow.cli.proof.verify import lines, told
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Settings
from rx_flow.evidence.manifest import Purpose
from rx_flow.evidence.verify import Result, verify
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.opening import open_keys
from rx_flow.platform.exporting import Wanted, export
from rx_flow.platform.vault import Vault
from rx_flow.record.audit import Origin

DISCOUNTED = 3  # the exit code for a bundle that was written and has documents that do not count


def evidence(
    rx: Annotated[str, typer.Argument(help=tr("处方编号", "prescription id"))],
    *,
    out: Annotated[Path, typer.Option("--out", help=tr("写到哪个文件", "the file to write"))],
    data: Data = Path("data"),
    withhold_patient: Annotated[
        bool,
        typer.Option(
            "--withhold-patient",
            help=tr("遮蔽患者信息，只留加盐承诺", "leave the patient out: salted commitments only"),
        ),
    ] = False,
    pdf: Annotated[
        bool,
        typer.Option(
            "--pdf",
            help=tr(
                "改为出具盖有医院电子签章的处方笺（PDF）", "the prescription sheet under the hospital's seal instead"
            ),
        ),
    ] = False,
    purpose: Annotated[Purpose, typer.Option(help=tr("用途", "what it is for; it stands in the log"))] = Purpose.COURT,
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """
    Write a bundle, or the sheet, that has just been judged as a stranger would; nothing that does not hold.

    But for documents whose signers' certificates were revoked before they were recorded: these are named on stderr, and
    the exit code is 3.
    """
    if pdf:
        if withhold_patient:
            detail = tr("处方笺写有患者信息", "a sheet says who the patient is")
            raise Trouble("malformed", tr("--pdf 与 --withhold-patient 不能同用", "--pdf withholds nothing"), detail)
        wanted = sheet.Wanted(RxId(rx), data=data, keys=keys, database_url=database_url, purpose=purpose.value)
        _tell(out, sheet.write(wanted, out, now=datetime.now(UTC)))
        return
    discounted = _give(Wanted(RxId(rx), purpose, withhold_patient), out, data=data, keys=keys, url=database_url)
    if discounted is not None:
        _warn(discounted)
        raise typer.Exit(DISCOUNTED)


def _give(wanted: Wanted, out: Path, *, data: Path, keys: Path | None, url: str | None) -> Result | None:
    """
    Write the bundle, and return the step in which documents do not count, None where all do.

    A court asks about what a stolen key signed above all. `Trouble`, and no file, for anything else that does not hold.
    """
    folder = sites.keys_of(data, keys)
    me = sites.institution(sites.directory(data, keys), "")
    trust, keyring = open_keys(Settings(me.code, url or sites.database_url(data, me.code), folder))
    now = datetime.now(UTC)
    with sites.opened(data, me.code, url=url, keys=keys) as db:
        bundle = db.run(
            export,
            wanted,
            Actor(me.code, Role.PLATFORM, me.code),
            vault=Vault(keyring, trust),
            origin=Origin(me.code, ""),
            now=now,
        )
    report = verify(bundle, (folder / "root.pem").read_bytes(), now=now)
    if report.failed is not None and report.discounted is None:
        title = tr("证据不成立，未写出", "it does not hold, and was not written")
        raise Trouble(report.failed.code, title, told(report.failed))
    private.write(out, bundle)
    _tell(out, len(bundle))
    return report.discounted


def _tell(out: Path, size: int) -> None:
    typer.echo(tr(f"已写出 {out}（{size} 字节）", f"{out}: {size} bytes"))
    typer.echo(tr(f"核验：rx-flow verify {out} --root ROOT.pem", f"judge it: rx-flow verify {out} --root ROOT.pem"))


def _warn(failed: Result) -> None:
    """Say aloud what does not count: whoever hands the file over has to know."""
    typer.echo(tr("注意：已写出，但证据不成立", "NOTE: it was written, but the evidence does not hold"), err=True)
    for line in lines(failed):
        typer.echo(line, err=True)

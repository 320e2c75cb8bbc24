"""
`rx-flow evidence` gives out what proves a prescription, to be judged by `rx-flow verify`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.app import open_keys
from rx_flow.auth.site import utc_now
from rx_flow.cli import sites
from rx_flow.cli.language import tr
from rx_flow.cli.proof.verify import told
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Settings
from rx_flow.evidence.manifest import Purpose
from rx_flow.evidence.verify import verify
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.platform.exporting import Wanted, export
from rx_flow.platform.vault import Vault
from rx_flow.record.audit import Origin

Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the data folder of the services"))]
Keys = Annotated[
    Path | None, typer.Option("--keys", help=tr("密钥目录", "the folder of keys; DATA/keys or ./keys if none"))
]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]

EVIDENCE = tr(
    "由平台出具一张处方的证据包：文书、证书、吊销列表、审计记录，供任何人离线核验；出具本身写入审计日志。\n\n"
    "例：rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient",
    "Give out what proves a prescription: documents, certificates, revocation lists, audit entries, for anybody to "
    "judge offline; that it was given out is itself an entry.\n\n"
    "Example: rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient",
)


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
    purpose: Annotated[Purpose, typer.Option(help=tr("用途", "what it is for; it stands in the log"))] = Purpose.COURT,
    keys: Keys = None,
    database_url: Url = None,
) -> None:
    """Write a bundle that has just been judged as a stranger would."""
    known = sites.directory(data, keys)
    folder = sites.keys_of(data, keys)
    me = sites.institution(known, "")
    trust, keyring = open_keys(Settings(me.code, database_url or sites.database_url(data, me.code), folder))
    now = utc_now()
    with sites.opened(data, me.code, url=database_url, keys=keys) as db:
        bundle = db.run(
            export,
            Wanted(RxId(rx), purpose, withhold_patient),
            Actor(me.code, Role.PLATFORM, me.code),
            vault=Vault(keyring, trust),
            origin=Origin(me.code, ""),
            now=now,
        )
    failed = verify(bundle, (folder / "root.pem").read_bytes(), now=now).failed
    if failed is not None:
        raise Trouble(failed.code, tr("证据不成立，未写出", "it does not hold, and was not written"), told(failed))
    _write(out, bundle)
    typer.echo(tr(f"已写出 {out}（{len(bundle)} 字节）", f"{out}: {len(bundle)} bytes"))
    typer.echo(tr(f"核验：rx-flow verify {out} --root ROOT.pem", f"judge it: rx-flow verify {out} --root ROOT.pem"))


def _write(out: Path, bundle: bytes) -> None:
    """What holds a patient's data is for whoever asked for it alone."""
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(bundle)

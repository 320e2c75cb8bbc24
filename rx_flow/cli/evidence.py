"""
`rx-flow evidence` gives out what proves a prescription; `rx-flow verify` judges it, offline and without any database.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.app import open_keys
from rx_flow.auth.site import utc_now
from rx_flow.cli import sites
from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Settings
from rx_flow.evidence.container import BUNDLE_MAX
from rx_flow.evidence.manifest import Purpose
from rx_flow.evidence.steps import Fact
from rx_flow.evidence.verify import Outcome, Report, Result, verify
from rx_flow.evidence.words import OUTCOMES, STEPS, reason
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.platform.exporting import Wanted, export
from rx_flow.platform.vault import Vault
from rx_flow.record.audit import Origin
from rx_flow.tlog.policy import Policy, parse

POLICY_MAX = 2**16

Data = Annotated[Path, typer.Option("--data", help=tr("数据目录", "the data folder of the services"))]
Keys = Annotated[
    Path | None, typer.Option("--keys", help=tr("密钥目录", "the folder of keys; DATA/keys or ./keys if none"))
]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]
Json = Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))]

EVIDENCE = tr(
    "由平台出具一张处方的证据包：文书、证书、吊销列表、审计记录，供任何人离线核验；出具本身写入审计日志。\n\n"
    "例：rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient",
    "Give out what proves a prescription: documents, certificates, revocation lists, audit entries, for anybody to "
    "judge offline; that it was given out is itself an entry.\n\n"
    "Example: rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient",
)
VERIFY = tr(
    "离线核验证据包：逐步给出通过或确切原因；只信任所给的根证书。退出码 0 成立，1 不成立。\n\n"
    "例：rx-flow verify rx.zip --root ROOT.pem",
    "Judge a bundle offline, step by step, trusting the given root alone. Exit code 0 if it holds, 1 if not.\n\n"
    "Example: rx-flow verify rx.zip --root ROOT.pem",
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
        raise Trouble(failed.code, tr("证据不成立，未写出", "it does not hold, and was not written"), _told(failed))
    _write(out, bundle)
    typer.echo(tr(f"已写出 {out}（{len(bundle)} 字节）", f"{out}: {len(bundle)} bytes"))
    typer.echo(tr(f"核验：rx-flow verify {out} --root ROOT.pem", f"judge it: rx-flow verify {out} --root ROOT.pem"))


def check(
    file: Annotated[Path, typer.Argument(help=tr("证据包", "the bundle"))],
    *,
    root: Annotated[Path, typer.Option("--root", help=tr("您信任的根证书（PEM）", "the root that you trust, in PEM"))],
    log_policy: Annotated[
        Path | None,
        typer.Option("--log-policy", help=tr("日志与见证方的公钥", "keys of log and witnesses (c2sp.org/tlog-policy)")),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print every step, and leave with 0 if none failed."""
    policy: Policy | None = parse(_read(log_policy, POLICY_MAX)) if log_policy is not None else None
    report = verify(_read(file, BUNDLE_MAX), _read(root, BUNDLE_MAX), now=utc_now(), policy=policy)
    if as_json:
        typer.echo(json.dumps(_document(report), ensure_ascii=False, indent=1))
    else:
        _print(report)
    if report.failed is not None:
        raise typer.Exit(1)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise Trouble("not_found", tr("文件无法读取", "the file cannot be read"), str(path)) from error


def _write(out: Path, bundle: bytes) -> None:
    """What holds a patient's data is for whoever asked for it alone."""
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(bundle)


def _print(report: Report) -> None:
    for one in report.results:
        typer.echo(f"{one.number:>2}  {_say(OUTCOMES[one.outcome])}  {_say(STEPS[one.step])}{_why(one)}")
        for fact in one.facts:
            typer.echo(f"      {_say(fact)}")
    typer.echo("")
    if report.failed is not None:
        typer.echo(tr("证据不成立", "The evidence does not hold"))
        return
    left = [one for one in report.results if one.outcome is Outcome.UNCHECKED]
    more = tr("（未核验：", " (not checked: ") + ", ".join(_say(STEPS[one.step]) for one in left) + tr("）", ")")
    typer.echo(tr(f"处方 {report.rx} 的证据成立", f"The evidence of {report.rx} holds") + (more if left else ""))


def _why(one: Result) -> str:
    return f": {_told(one)}" if one.outcome is Outcome.FAILED else ""


def _told(one: Result) -> str:
    return f"{_say(reason(one.code))} [{one.code}]" + (f" {one.detail}" if one.detail else "")


def _say(words: tuple[str, str] | Fact) -> str:
    return words[0 if LANGUAGE == "zh" else 1]


def _document(report: Report) -> dict[str, object]:
    failed = report.failed
    return {
        "rx": report.rx,
        "holds": failed is None,
        "failed": None if failed is None else {"step": failed.step, "code": failed.code, "detail": failed.detail},
        "steps": [
            {
                "number": one.number,
                "step": one.step,
                "outcome": one.outcome,
                "code": one.code,
                "detail": one.detail,
                "facts": [_say(fact) for fact in one.facts],
            }
            for one in report.results
        ],
    }

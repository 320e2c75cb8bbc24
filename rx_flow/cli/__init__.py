"""
The command `rx-flow`: every command is named here, and every expected no becomes a problem on stderr.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rx_flow.cli.language import tr
from rx_flow.cli.later import declare, load
from rx_flow.cli.trouble import Trouble, fail

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=tr(
        "双通道电子处方：从医师开方到医保结算，每一步都有签名。\n\n例：rx-flow demo\n\n例：rx-flow serve --data data",
        "Dual-channel electronic prescriptions, from the doctor's pen to the insurer's payment.\n\n"
        "Example: rx-flow demo\n\nExample: rx-flow serve --data data",
    ),
)
declare(
    app,
    "migrate",
    "rx_flow.cli.migrate:migrate",
    zh="把数据库升级到本程序的结构。\n\n例：rx-flow migrate --data data",
    en="Bring databases to this program's schema.\n\nExample: rx-flow migrate --data data",
)
declare(
    app,
    "expire",
    "rx_flow.cli.expire:expire",
    zh="由平台签发失效声明：所有已过有效期的处方。平台运行时每 20 秒自动执行。\n\n例：rx-flow expire --data data",
    en="Have the platform declare out of date what is; a running platform does it every 20 seconds.\n\n"
    "Example: rx-flow expire --data data",
)
declare(
    app,
    "evidence",
    "rx_flow.cli.proof.evidence:evidence",
    zh="由平台出具一张处方的证据包：文书、证书、吊销列表、审计记录，供任何人离线核验；出具本身写入审计日志。"
    "有文书的签名证书在其入库之前已吊销的，照常出具并指明，退出码为 3。\n\n"
    "例：rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient\n\n"
    "例：rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.pdf --pdf",
    en="Give out what proves a prescription: documents, certificates, revocation lists, audit entries, for anybody to "
    "judge offline; that it was given out is itself an entry. Where a signer's certificate was revoked before a "
    "document was recorded, it is given out too, and says so: exit code 3.\n\n"
    "Example: rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.zip --withhold-patient\n\n"
    "Example: rx-flow evidence 350100-0123456789ABCDEF --data data --out rx.pdf --pdf",
)
declare(
    app,
    "verify",
    "rx_flow.cli.proof.verify:check",
    zh="离线核验证据包或处方笺（PDF）：逐步给出通过或确切原因；只信任所给的根证书。退出码 0 成立，1 不成立。\n\n"
    "例：rx-flow verify rx.zip --root ROOT.pem",
    en="Judge a bundle or a sealed sheet offline, step by step, trusting the given root alone.\n\n"
    "Exit code 0 if it holds, 1 if not.\n\nExample: rx-flow verify rx.zip --root ROOT.pem",
)
declare(
    app,
    "demo",
    "rx_flow.cli.demo.command:demo",
    zh="演示：生成密钥与数据，启动全部服务，经 HTTP 演完十余张真实谈判药处方的一生，并汇报结果与费用。\n\n"
    "例：rx-flow demo\n\n例：rx-flow demo --json --data data/demo-1",
    en="Make keys and data, start every service, and play prescriptions of real negotiated drugs from pen to payment "
    "over HTTP; then say what became of each, and who paid what.\n\nExample: rx-flow demo\n\n"
    "Example: rx-flow demo --json --data data/demo-1",
)
declare(
    app,
    "keys",
    "rx_flow.cli.keys:app",
    zh="证书与密钥：为开发建立（init），以及更换、改 PIN、移入令牌、续期、吊销。",
    en="Keys and certificates: made for development by init; rotated, moved into tokens, renewed and revoked by the "
    "others.",
)
declare(
    app,
    "serve",
    "rx_flow.cli.serve:app",
    zh="启动服务，直到按 Ctrl-C。不带子命令时在一个进程里运行所有机构；也可单独启动一个机构。\n\n"
    "例：rx-flow serve --data data\n\n例：rx-flow serve hospital H35010000001 --data data --port 8001",
    en="Run the services until Ctrl-C: every institution in one process, or one of them alone.\n\n"
    "Example: rx-flow serve --data data\n\nExample: rx-flow serve hospital H35010000001 --data data --port 8001",
)
declare(
    app,
    "audit",
    "rx_flow.cli.audit:app",
    zh="查询审计日志",
    en="Read the audit log.",
)
declare(
    app,
    "staff",
    "rx_flow.cli.staff:app",
    zh="工作人员的签名 PIN。",
    en="The PINs of staff.",
)
declare(
    app,
    "insured",
    "rx_flow.cli.insured:app",
    zh="医保经办机构的参保登记。",
    en="Who is insured, at the insurer.",
)
declare(
    app,
    "law",
    "rx_flow.cli.law:app",
    zh="打印处方流转规则。",
    en="Print the law: what may happen, by whom, and when.",
)


@app.callback()
def options(
    lang: Annotated[str | None, typer.Option("--lang", help=tr("语言：zh 或 en", "language: zh or en"))] = None,
) -> None:
    """Declare what `language` has read already, so that `--help` shows it."""
    _ = lang


def main() -> None:
    """
    Run the command. Exit codes: 0 done, 1 an expected no (on stderr, as JSON with `--json`), 2 a wrong command line.
    """
    try:
        app(args=without_language(sys.argv[1:]), prog_name="rx-flow")
    except Exception as error:
        no: Trouble | None = error if isinstance(error, Trouble) else load("rx_flow.cli.answers:answer")(error)
        if no is None:
            raise
        fail(no.code, no.title, no.detail)


def without_language(arguments: list[str]) -> list[str]:
    """Return the command line without `--lang`, which may stand anywhere in it."""
    kept: list[str] = []
    words = iter(arguments)
    for argument in words:
        if argument == "--lang":
            next(words, None)
        elif not argument.startswith("--lang="):
            kept.append(argument)
    return kept

"""
The command `rx-flow`: every command is assembled here, and every expected no becomes a problem on stderr.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rx_flow.auth.titles import TITLES, code_of
from rx_flow.cli import audit, keys, law, serve, upkeep
from rx_flow.cli.demo import command as demo
from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.proof import evidence, verify
from rx_flow.cli.trouble import Trouble, fail
from rx_flow.config import Unfit
from rx_flow.crypto.errors import Missing, Untrusted
from rx_flow.law.refusals import Refused
from rx_flow.record.database import SchemaOutdated

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
app.add_typer(keys.app, name="keys")
app.add_typer(serve.app, name="serve")
app.command(
    "migrate",
    help=tr(
        "把数据库升级到本程序的结构。\n\n例：rx-flow migrate --data data",
        "Bring databases to this program's schema.\n\nExample: rx-flow migrate --data data",
    ),
)(serve.migrate)
app.add_typer(audit.app, name="audit")
app.add_typer(upkeep.app, name="staff")
app.command(
    "expire",
    help=tr(
        "由平台签发失效声明：所有已过有效期的处方。平台运行时每 20 秒自动执行。\n\n例：rx-flow expire --data data",
        "Have the platform declare out of date what is; a running platform does it every 20 seconds.\n\n"
        "Example: rx-flow expire --data data",
    ),
)(upkeep.expire)
app.add_typer(upkeep.insured, name="insured")
app.add_typer(law.app, name="law")
app.command("evidence", help=evidence.EVIDENCE)(evidence.evidence)
app.command("verify", help=verify.VERIFY)(verify.check)
app.command("demo", help=demo.HELP)(demo.demo)


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
    except Trouble as trouble:
        fail(trouble.code, trouble.title, trouble.detail)
    except (Refused, Untrusted) as refusal:
        code = code_of(refusal)
        fail(code, TITLES[code][0 if LANGUAGE == "zh" else 1], refusal.detail if isinstance(refusal, Refused) else "")
    except SchemaOutdated as outdated:
        fail("schema_outdated", str(outdated))
    except (Unfit, Missing) as unfit:
        fail("unfit", str(unfit))


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

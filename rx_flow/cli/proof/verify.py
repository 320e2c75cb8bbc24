"""
`rx-flow verify` judges an evidence bundle: offline, without a database, a key or a site; it prints numbered steps.

A sealed sheet (处方笺) is judged by `sealed`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.cli.proof import sealed
from rx_flow.cli.trouble import Trouble
from rx_flow.evidence.case import Fact
from rx_flow.evidence.container import BUNDLE_MAX
from rx_flow.evidence.verify import Outcome, Report, Result, verify
from rx_flow.evidence.words import OUTCOMES, STEPS, reason
from rx_flow.tlog.policy import Policy, parse

POLICY_MAX = 2**16


def check(
    file: Annotated[Path, typer.Argument(help=tr("证据包或处方笺", "the bundle, or the sheet"))],
    *,
    root: Annotated[Path, typer.Option("--root", help=tr("您信任的根证书（PEM）", "the root that you trust, in PEM"))],
    log_policy: Annotated[
        Path | None,
        typer.Option("--log-policy", help=tr("日志与见证方的公钥", "keys of log and witnesses (c2sp.org/tlog-policy)")),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))] = False,
) -> None:
    """Print every step, and leave with 0 if none failed."""
    policy: Policy | None = parse(_read(log_policy, POLICY_MAX)) if log_policy is not None else None
    content, roots = _read(file, BUNDLE_MAX), _read(root, BUNDLE_MAX)
    if content.startswith(sealed.PDF):
        sealed.tell(content, roots, as_json=as_json)
        return
    report = verify(content, roots, now=datetime.now(UTC), policy=policy)
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


def _print(report: Report) -> None:
    for one in report.results:
        for line in lines(one):
            typer.echo(line)
    typer.echo("")
    if report.failed is not None:
        typer.echo(tr("证据不成立", "The evidence does not hold"))
        return
    left = [one for one in report.results if one.outcome is Outcome.UNCHECKED]
    more = tr("（未核验：", " (not checked: ") + ", ".join(_say(STEPS[one.step]) for one in left) + tr("）", ")")
    typer.echo(tr(f"处方 {report.rx} 的证据成立", f"The evidence of {report.rx} holds") + (more if left else ""))


def lines(one: Result) -> list[str]:
    """Return what is said of a step: its number, what became of it, and what is worth reading."""
    first = f"{one.number:>2}  {_say(OUTCOMES[one.outcome])}  {_say(STEPS[one.step])}{_why(one)}"
    return [first, *(f"      {_say(fact)}" for fact in one.facts)]


def _why(one: Result) -> str:
    return f": {told(one)}" if one.outcome is Outcome.FAILED else ""


def told(one: Result) -> str:
    """Return a failed step's reason in words, its code, and where."""
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

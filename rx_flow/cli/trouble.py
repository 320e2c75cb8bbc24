"""
How a command says no: a stable code, a title, a detail; exit code 1. Usage errors are typer's, exit code 2.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import typer

from rx_flow.cli.language import tr


class Trouble(Exception):  # noqa: N818  It is an answer of a command, not a fault of the program.
    """
    An expected no of a command itself: `code` for machines, `title` and `detail` for people.
    """

    def __init__(self, code: str, title: str, detail: str = "") -> None:
        super().__init__(f"{code}: {title}")
        self.code = code
        self.title = title
        self.detail = detail


def install(extra: str) -> str:
    """Return how an extra of this package is installed, from a checkout and as a package."""
    return tr(
        f"在源码目录下：pip install -e '.[{extra}]'；作为软件包：pip install 'rx-flow[{extra}]'",
        f"from a checkout: pip install -e '.[{extra}]'; as a package: pip install 'rx-flow[{extra}]'",
    )


def fail(code: str, title: str, detail: str = "") -> NoReturn:
    """Print the problem on stderr, as JSON where `--json` was asked for, and leave with exit code 1."""
    if "--json" in sys.argv:
        problem = {"type": "about:blank", "code": code, "title": title, "detail": detail}
        typer.echo(json.dumps(problem, ensure_ascii=False), err=True)
    else:
        label = tr("错误", "error")
        typer.echo(f"{label} {code}: {title}" + (f"\n  {detail}" if detail else ""), err=True)
    sys.exit(1)

"""
`rx-flow law`: the one table of the law, printed as it stands in the program; README carries the same text.
"""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markdown import Markdown

from rx_flow.cli.language import LANGUAGE, tr
from rx_flow.law.diagram import markdown_table, mermaid

app = typer.Typer(no_args_is_help=True)


@app.command(
    help=tr(
        "打印唯一的流转规则表；输出到文件时为 Markdown。\n\n例：rx-flow law table > law.md",
        "Print the one table of the law; Markdown where it goes to a file.\n\nExample: rx-flow law table > law.md",
    )
)
def table() -> None:
    """Print the table: drawn on a terminal, as Markdown elsewhere."""
    console = Console()
    if console.is_terminal:
        console.print(Markdown(markdown_table(LANGUAGE).replace("<br>", ", ")))
    else:
        typer.echo(markdown_table(LANGUAGE), nl=False)


@app.command(
    help=tr(
        "以 Mermaid 状态图打印同一规则。\n\n例：rx-flow law diagram > law.mmd",
        "Print the same law as a Mermaid state diagram.\n\nExample: rx-flow law diagram > law.mmd",
    )
)
def diagram() -> None:
    """Print the diagram's source."""
    typer.echo(mermaid(), nl=False)

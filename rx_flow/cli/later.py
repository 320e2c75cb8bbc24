"""
Commands that are imported when they are called: until then there is a name, a help text, and where to find the rest.

So `--help` and a quick command do not wait for databases, web servers and whatever else the others need.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand

from rx_flow.cli.language import tr


class Later(TyperCommand):
    """
    Stands for a command, or for a group of them, until it is called.
    """

    where: ClassVar[str]  # module:name of a function with typer's annotations, or of a typer.Typer

    def loaded(self) -> Any:  # noqa: ANN401  typer keeps its click to itself.
        """Return the command itself, imported now, under the name and with the help text that it has here."""
        found = load(self.where)
        group = found if isinstance(found, typer.Typer) else typer.Typer(add_completion=False)
        group.rich_markup_mode = self.rich_markup_mode
        if group is not found:
            group.command()(found)
        command: Any = typer.main.get_group(group) if group is found else typer.main.get_command(group)
        command.name, command.help = self.name, self.help
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401  As above.
        """Let the command itself read its arguments; from here on nobody asks for what stood in its place."""
        return self.loaded().make_context(info_name, args, parent, **extra)


def load(where: str) -> Any:  # noqa: ANN401  Whatever has that name.
    """Import what `module:name` names."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def declare(app: typer.Typer, name: str, where: str, *, zh: str, en: str) -> None:
    """Give an app a command: its name, where it is (`Later.where`), and its help text."""
    app.command(name, help=tr(zh, en), cls=type("Later", (Later,), {"where": where}))(_called_later)


def _called_later() -> None:
    """Typer wants a function to declare a command by; this one is never called."""

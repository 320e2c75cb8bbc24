"""
The console that tables are printed on: as wide as the terminal, and wide enough where it is a file or a pipe.
"""

from __future__ import annotations

from rich.console import Console

WIDTH_MIN = 150


def progress() -> Console:
    """Return a console for what is under way, on stderr."""
    return Console(stderr=True)


def screen() -> Console:
    """Return a console for results, on stdout."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, WIDTH_MIN))

"""
What commands ask people for: secrets, which are never arguments, because others can see those.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.crypto.errors import WrongPin


def ask(what: str) -> str:
    """Return what somebody types unseen at a terminal, else the next line of standard input, without its end."""
    return getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


@contextmanager
def unlocking(what: str) -> Iterator[None]:
    """Say in one way that a passphrase or a PIN does not open `what`: `Trouble("wrong_pin")`."""
    try:
        yield
    except WrongPin:
        raise Trouble("wrong_pin", tr("口令或 PIN 不正确", "the passphrase or PIN is wrong"), what) from None

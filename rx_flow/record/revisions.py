"""
Which revisions of the schema there are, read from the files of the revisions: opening a database needs no Alembic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
COMPONENTS = ("record", "auth", "hospital", "platform", "pharmacy", "settlement")
_REVISION = re.compile(r'^revision(?:: [^=]+)? = "(\w+)"$', re.MULTILINE)
_BEFORE = re.compile(r'^down_revision(?:: [^=]+)? = "(\w+)"$', re.MULTILINE)


def components(kind: str) -> tuple[str, ...]:
    """
    Return the components whose tables a site of this kind has.
    """
    return ("record", "auth", kind)


def folder(component: str) -> Path:
    """
    Return where the revisions of a component are.
    """
    return PACKAGE / component / "migrations"


def heads(of: Iterable[str]) -> frozenset[str]:
    """
    Return the newest revision of each component; a component without revisions has none.
    """
    texts = [path.read_text("utf-8") for component in of for path in folder(component).glob("*.py")]
    revisions = {found for text in texts for found in _REVISION.findall(text)}
    return frozenset(revisions.difference(found for text in texts for found in _BEFORE.findall(text)))

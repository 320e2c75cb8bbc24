"""
What a command says of the exceptions of the parts beneath it: which are an expected no, and in which words.

Imported once there is one to be told, because it knows them all.
"""

from __future__ import annotations

from rx_flow.auth.titles import TITLES, code_of
from rx_flow.cli.language import LANGUAGE
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Unfit
from rx_flow.crypto.errors import Missing, Untrusted
from rx_flow.law.refusals import Refused
from rx_flow.record.database import SchemaOutdated


def answer(error: Exception) -> Trouble | None:
    """Return the expected no that an exception is; None for a mistake of the program."""
    if isinstance(error, Trouble):
        return error
    if isinstance(error, Refused | Untrusted):
        code = code_of(error)
        return Trouble(
            code, TITLES[code][0 if LANGUAGE == "zh" else 1], error.detail if isinstance(error, Refused) else ""
        )
    if isinstance(error, SchemaOutdated):
        return Trouble("schema_outdated", str(error))
    if isinstance(error, Unfit | Missing):
        return Trouble("unfit", str(error))
    return None

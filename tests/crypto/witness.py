"""
An independent witness of what was computed: which C and Rust functions of other people's libraries a piece of code ran.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any, Self

# Reading text, comparing and counting. Everything else is work: keys, signatures, inflating, files, the network.
_HARMLESS = {"builtins", "binascii", "pybase64", "pybase64._pybase64", "orjson", "_json", "json", "re", "_sre"}
_HARMLESS |= {"_datetime", "datetime", "functools", "_abc"}
_DIGESTS = {"openssl_sha256", "hexdigest", "digest"}  # over the document's own bytes: its name


class Witness:
    """
    Between entering and leaving, `seen` collects the names of the functions called that are work.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        self._collects = gc.isenabled()
        gc.disable()  # what others do when rubbish is collected is no work of ours
        sys.setprofile(self._notice)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)
        if self._collects:
            gc.enable()

    def _notice(self, _frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401  any function at all
        if event != "c_call" or called is sys.setprofile:
            return
        module = getattr(called, "__module__", None) or type(getattr(called, "__self__", None)).__module__
        if module == "_hashlib" and called.__name__ in _DIGESTS:
            return
        if module not in _HARMLESS:
            self.seen.add(f"{module}.{called.__name__}")

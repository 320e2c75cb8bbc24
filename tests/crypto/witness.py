"""
An independent witness of what was computed: which functions of other people's libraries a piece of code ran.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any, Self

from rx_flow.crypto.suites import libcrypto

# Reading text, comparing and counting. Everything else is work: keys, signatures, inflating, files, the network.
_HARMLESS = {"builtins", "binascii", "pybase64", "pybase64._pybase64", "orjson", "_json", "json", "re", "_sre"}
_HARMLESS |= {"_datetime", "datetime", "functools", "_abc"}
_DIGESTS = {"_hashlib", "cryptography.hazmat.bindings._rust.openssl.hashes"}
_C_LIBRARY = libcrypto.__file__  # what calls OpenSSL's own functions, which no profiler sees


class Witness:
    """
    Between entering and leaving: `seen` are the names of the functions that ran and are work; `hashed`, if any hashed.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.hashed = False

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

    def _notice(self, frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401  any function at all
        if event == "call" and frame.f_code.co_filename == _C_LIBRARY:
            self.seen.add(f"libcrypto.{frame.f_code.co_name}")
        if event != "c_call" or called is sys.setprofile:
            return
        module = getattr(called, "__module__", None) or type(getattr(called, "__self__", None)).__module__
        if module in _DIGESTS:
            self.hashed = True
        elif module not in _HARMLESS and frame.f_code.co_filename != _C_LIBRARY:
            self.seen.add(f"{module}.{called.__name__}")

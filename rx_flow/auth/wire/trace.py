"""
The trace id of the request being answered: one thread through several institutions (W3C Trace Context).
"""

from __future__ import annotations

import hashlib
import re
from contextvars import ContextVar
from typing import Final

from rx_flow.crypto.tokens import nonce

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("rx_flow_trace", default="")

begin = _current.set
end = _current.reset


def current() -> str:
    """Return the trace id of the request that is being answered: 32 hex digits, or "" outside any request."""
    return _current.get()


def fresh() -> str:
    """Return a new trace id."""
    return hashlib.sha256(nonce(16).encode()).hexdigest()[:32]


def read(traceparent: bytes) -> str:
    """Return the trace id of a `traceparent` header, or "" for one that is not well-formed."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1].decode() if found else ""


def header(trace: str) -> str:
    """Return the `traceparent` header that carries a trace id on; entries tell our hops apart, not spans."""
    return f"00-{trace}-{trace[:16]}-01"

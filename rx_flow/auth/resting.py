"""
How a request rests in the outbox when it says what must not stand in clear: sealed, and opened as it leaves.
"""

from __future__ import annotations

from rx_flow.crypto.keyrings.keys import AtRest

_JSON = b"{"  # what a request in clear begins with; a sealed one begins with its version


def seal(at_rest: AtRest, path: str, body: bytes) -> bytes:
    """
    Return a request to `path` such that the outbox holds nothing of it in clear: a pick-up code, a stated reason.
    """
    return at_rest.seal(body, context=f"outbox|{path}")


def leave(at_rest: AtRest, path: str, body: bytes) -> bytes:
    """
    Return a request as it goes out, sealed in the outbox or not; `Untrusted` where it was altered or moved there.
    """
    return body if body.startswith(_JSON) else at_rest.open(body, context=f"outbox|{path}")

"""
What every object that holds a secret has in common: it can be used, and not printed, copied, pickled or compared.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final


class Opaque:
    """
    Holds something secret; shows no more than its kind and what `_shown` says.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        shown = self._shown()
        return f"<{type(self).__name__} {shown}>" if shown else f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        # copy.copy, copy.deepcopy, dataclasses.asdict and pickle all come here.
        raise TypeError(f"a {type(self).__name__} stays where it is")

    def _shown(self) -> str:
        """What may be printed: never a secret, never a name."""
        return ""


@final
class Secret(Opaque):
    """
    A symmetric secret: 32 random bytes under which something is authenticated or derived.
    """

    __slots__ = ("_bytes",)

    def __init__(self, data: bytes | bytearray) -> None:
        self._bytes = bytes(data)

    def mac(self, text: str) -> bytes:
        """Return HMAC-SHA256 of a text (32 bytes)."""
        return hmac.digest(self._bytes, text.encode(), "sha256")

    def reveal(self) -> bytes:
        """Return the secret itself, for a library that has to have it."""
        return self._bytes


def wipe(*buffers: bytearray) -> None:
    """
    Overwrite buffers with zeros.

    What Python cannot promise: bytes and str (a PIN as it arrived) stay until their memory is used again, and a library
    may have made copies of its own. OpenSSL overwrites its own copy of a private key when the key object dies.
    """
    for buffer in buffers:
        buffer[:] = bytes(len(buffer))

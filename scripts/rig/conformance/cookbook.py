"""
The worked examples of RFC 7515, 7516, 7520, 7797 and 8037. Almost all show algorithms and forms that we do not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from scripts.rig.conformance import examples
from scripts.rig.conformance.jose import public_key, sealed, signed
from scripts.rig.conformance.ours import Ours
from scripts.rig.conformance.reading import Members, load
from scripts.rig.conformance.verdicts import Case, Said

_FOLDERS = ("jws", "rfc7797", "jwe", "curve25519", "jwk")
_NESTED = "6.nesting_signatures_and_encryption.json"


def cookbook(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield every form of every example of RFC 7520, 7797 and 8037."""
    root = folder / "jose_cookbook"
    for path in (one for each in _FOLDERS for one in sorted((root / each).glob("*.json"))):
        found: Members = load(path)
        if path.parent.name == "jwk":
            yield public_key(ours, path.stem, found)
        else:
            yield from _example(ours, path.stem, found)
    nested: Members = load(root / _NESTED)
    for part in ("sign", "encrypt"):
        yield from _example(ours, f"6 {part}", nested[part])


def rfc7515(ours: Ours) -> Iterator[Case]:
    """Yield the examples of RFC 7515 appendices A and E."""
    for name, (raw, key) in examples.SIGNED.items():
        yield signed(ours, f"RFC 7515 {name}", raw, key, Said.VALID)
    yield signed(ours, "RFC 7515 E", examples.UNKNOWN_CRITICAL, {"kty": "oct"}, Said.INVALID)


def rfc7516(ours: Ours) -> Iterator[Case]:
    """Yield the examples of RFC 7516 appendix A."""
    for name, raw in examples.SEALED.items():
        yield sealed(ours, f"RFC 7516 {name}", raw, {"kty": "oct"}, Said.VALID)


def _example(ours: Ours, name: str, found: Members) -> Iterator[Case]:
    key = found["input"].get("key", {"kty": "oct"})
    key = {"kty": "oct"} if isinstance(key, list) else key
    for form, written in found["output"].items():
        raw = written if isinstance(written, str) else json.dumps(written)
        seals = "encrypting_content" in found
        make = sealed if seals else signed
        yield make(ours, f"{name} {form}", raw, key, Said.VALID)

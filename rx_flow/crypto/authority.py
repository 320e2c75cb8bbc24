"""
The names of `crypto.pki.authority` under which others still know them.
"""

from __future__ import annotations

from rx_flow.crypto.pki.authority import (
    PASSPHRASE_FILE,
    PINS_FILE,
    InstitutionSpec,
    Made,
    OtherSuite,
    PersonSpec,
    development_passphrase,
    development_pins,
    freshen,
    init,
)

__all__ = [
    "PASSPHRASE_FILE",
    "PINS_FILE",
    "InstitutionSpec",
    "Made",
    "OtherSuite",
    "PersonSpec",
    "development_passphrase",
    "development_pins",
    "freshen",
    "init",
]

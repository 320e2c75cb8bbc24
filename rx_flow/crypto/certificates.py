"""
The names of `crypto.pki` under which others still know them.
"""

from __future__ import annotations

from rx_flow.crypto.pki.path import CACHE_MAX, Trust
from rx_flow.crypto.pki.profile import (
    ARC,
    DEVELOPMENT,
    EXTENDED_USAGE,
    KEY_USAGE,
    KEY_USAGE_BITS,
    READ_PACKAGES,
    SIGN_DOCUMENTS,
    Certified,
    OpenKey,
    Purpose,
    Signer,
    describe,
    is_development,
    thumbprint,
)

__all__ = [
    "ARC",
    "CACHE_MAX",
    "DEVELOPMENT",
    "EXTENDED_USAGE",
    "KEY_USAGE",
    "KEY_USAGE_BITS",
    "READ_PACKAGES",
    "SIGN_DOCUMENTS",
    "Certified",
    "OpenKey",
    "Purpose",
    "Signer",
    "Trust",
    "describe",
    "is_development",
    "thumbprint",
]

"""
The earlier name of `rx_flow.crypto.keyrings`.
"""

from rx_flow.crypto.keyrings.files import KEYS_FILE, STAFF, unlock
from rx_flow.crypto.keyrings.keys import AtRest, LogKey, OpeningKey, SigningKey
from rx_flow.crypto.keyrings.ring import SECRET_BYTES, SECRETS, Keyring

__all__ = [
    "KEYS_FILE", "SECRETS", "SECRET_BYTES", "STAFF", "AtRest", "Keyring", "LogKey", "OpeningKey", "SigningKey", "unlock",
]  # fmt: skip

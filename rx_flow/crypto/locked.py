"""
The earlier name of `rx_flow.crypto.keyrings.locked`.
"""

from rx_flow.crypto.keyrings.locked import lock, unlock, write

__all__ = ["lock", "unlock", "write"]

"""
The names of the suites of algorithms as a command line takes them.
"""

from __future__ import annotations

from enum import StrEnum


class Suites(StrEnum):
    """
    Which algorithms: `crypto.suites` has a row for each.
    """

    P256 = "p256"
    SM = "sm"
    PQ = "pq"

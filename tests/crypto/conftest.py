"""
A small house of development keys, made once for all tests of cryptography, and the folder of other people's vectors.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from forge import NOW, House, build

from rx_flow.crypto.suites.pq import PQ
from rx_flow.crypto.suites.sm import SM

VECTORS = "RX_FLOW_VECTORS"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Hospital, platform, pharmacy, insurer, a doctor and a pharmacist, from the development authority."""
    return build(tmp_path_factory.mktemp("keys"), now=NOW)


@pytest.fixture(scope="session")
def national(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The same house, with keys and certificates of the national algorithms."""
    return build(tmp_path_factory.mktemp("national"), now=NOW, suite=SM)


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The same house, with two keys in every certificate, one of them against quantum computers."""
    return build(tmp_path_factory.mktemp("lasting"), now=NOW, suite=PQ)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of test vectors made by others; skipped, and the report says so, where it is not given."""
    folder = os.environ.get(VECTORS)
    if not folder:
        pytest.skip(f"{VECTORS} names no folder of vectors")
    return Path(folder)

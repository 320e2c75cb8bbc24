"""
The folder of other people's vectors, and the modules that stand beside the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

VECTORS = "RX_FLOW_VECTORS"


@pytest.fixture(scope="session")
def merkle_vectors() -> Path:
    """The cases of transparency-dev/merkle; skipped, and the report says so, where they are not given."""
    folder = os.environ.get(VECTORS)
    if not folder:
        pytest.skip(f"{VECTORS} names no folder of vectors")
    return Path(folder) / "merkle"

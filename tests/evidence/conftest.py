"""
Bundles made once for all tests of evidence.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bundles import Bundles, make
from sheets import Offices, offices


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """One prescription for each way that one can go, each exported whole and with the patient withheld."""
    return make(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="session")
def there(tmp_path_factory: pytest.TempPathFactory) -> Offices:
    """Everybody who signs something on a prescription sheet, with their keys."""
    return offices(tmp_path_factory.mktemp("offices"))

"""
Lets the tests of commands share how a command is run, and one demonstration.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commanded import rx_flow


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="session")
def ran(data: Path) -> subprocess.CompletedProcess[str]:
    return rx_flow("demo", "--json", "--data", str(data))


@pytest.fixture(scope="session")
def prescriptions(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)["prescriptions"]
    return found

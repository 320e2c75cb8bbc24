"""
Runs commands as a user does, in a process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rx_flow.cli.demo.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
TAMPERED = next(at for at, case in enumerate(CASES) if case.caught)


def rx_flow(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  Our own command.
        [sys.executable, "-P", "-m", "rx_flow", *arguments],
        capture_output=True,
        input=stdin,
        text=True,
        check=False,
        timeout=600,
        env=ENVIRONMENT,
    )

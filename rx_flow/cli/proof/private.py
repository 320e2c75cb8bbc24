"""
Files that hold a patient's data: for whoever asked for them alone. The only place of the commands that writes one.
"""

from __future__ import annotations

import os
from pathlib import Path


def write(out: Path, content: bytes) -> None:
    """
    Write a file that its owner alone can read, also where one stood there that others could; `OSError` if one cannot.
    """
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)

"""
Reads other people's files of cases, and the JSON Web Keys in them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.rig.conformance.verdicts import Said

Members = dict[str, Any]


def wycheproof(folder: Path, name: str) -> Iterator[tuple[Members, Members]]:
    """
    Yield (group, case) of a file of Wycheproof; `ValueError` when it does not hold as many as it says.
    """
    found = load(folder / "wycheproof" / f"{name}_test.json")
    pairs = [(group, case) for group in found["testGroups"] for case in group["tests"]]
    if len(pairs) != found["numberOfTests"]:
        raise ValueError(f"{name}: {len(pairs)} cases, and it says {found['numberOfTests']}")
    yield from pairs


def load(path: Path) -> Any:  # noqa: ANN401  whatever shape its authors chose
    """
    Return the value of a JSON file.
    """
    return json.loads(path.read_text("utf-8"))


def said(case: Members) -> Said:
    """
    Return what Wycheproof says of a case.
    """
    return Said(case["result"])


def name(case: Members) -> str:
    """
    Return how a case of Wycheproof is called in a report.
    """
    return f"{case['tcId']} {case.get('comment', '')}".strip()


def b64(text: str) -> bytes:
    """
    Return the bytes of base64url, read as leniently as other people's keys are written; b"" for what is not base64.
    """
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def base64url(data: bytes) -> str:
    """
    Return base64url without padding.
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header(token: object) -> Members:
    """
    Return what the first part of a compact token says, read leniently; empty for what cannot be read.
    """
    try:
        found = json.loads(b64(str(token).split(".", 1)[0]))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""
Lets a fuzzer come past the doors: now and then it is handed a real prescription, PIN, code or sealed package.

Loaded by schemathesis (SCHEMATHESIS_HOOKS); what is real stands in the file that RIG_FUZZ names. Which of it a case
gets is decided by the case's own content, so that a case can be played again.
"""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import schemathesis

REAL: dict[str, Any] = json.loads(Path(os.environ["RIG_FUZZ"]).read_text("utf-8"))
RX = re.compile(r"[0-9]{6}-[0-9A-HJKMNP-TV-Z]{16}")
OFTEN = 3  # of four cases
LONGEST = {"code": 80, "package": 200_000, "rx": 23}  # beyond it a case is meant to be refused


def _draw(salt: str, value: object) -> int:
    """Return a number that depends on the case alone."""
    text = json.dumps(value, default=repr, sort_keys=True, ensure_ascii=True)
    return int.from_bytes(sha256(f"{salt}{text}".encode()).digest()[:4])


def _pick(salt: str, value: object, among: list[Any]) -> Any:  # noqa: ANN401  Whatever stands in the file.
    """Return something real three times out of four, else what the fuzzer made."""
    draw = _draw(salt, value)
    return among[draw // 4 % len(among)] if among and draw % 4 < OFTEN else value


@schemathesis.serializer("application/ocsp-request")
def as_it_is(context: Any, value: Any) -> bytes | None:  # noqa: ANN401, ARG001  The fuzzer's own types.
    """Send bytes as they are, and anything else as its text."""
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:  # noqa: ANN401, ARG001  The fuzzer's own types.
    """Put in prescriptions that exist, in whatever state; what is no number at all is meant to be refused."""
    if isinstance(path_parameters, dict) and RX.fullmatch(str(path_parameters.get("rx"))):
        return {**path_parameters, "rx": _pick("rx", path_parameters, REAL["rx"])}
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:  # noqa: ANN401, ARG001  The fuzzer's own types.
    """Put in the right PIN, codes that patients hold, and packages that open."""
    if not isinstance(body, dict):
        return body
    real = dict(body)
    for name, among in (("code", REAL["codes"]), ("package", REAL["packages"]), ("rx", REAL["rx"])):
        if isinstance(body.get(name), str) and 0 < len(body[name]) <= LONGEST[name]:
            real[name] = _pick(name, body, among)
    # A PIN of the right form is always the right one: five wrong ones would lock everything behind it.
    if REAL["pins"] and isinstance(body.get("pin"), str) and re.fullmatch(r"[0-9]{4,12}", body["pin"], re.ASCII):
        real["pin"] = REAL["pins"][0]
    return real

"""
A PKCS #11 token for tests: SoftHSM 2 with a folder of its own for each test process, and as many tokens as asked for.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_PLACES = ("/usr/lib/softhsm/libsofthsm2.so", *map(str, Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")))


def module() -> str | None:
    """SoftHSM's library, or None where it is not installed: the tests that need it are skipped then, visibly."""
    return next((one for one in (os.environ.get("RX_FLOW_SOFTHSM", ""), *_PLACES) if one and Path(one).is_file()), None)


@dataclass(frozen=True)
class Token:
    """
    A fresh token: where it is, and its PIN.
    """

    module: str
    label: str
    pin: str

    @property
    def uri(self) -> str:
        """The token as RX_FLOW_KEYRING has it."""
        return f"pkcs11:token={quote(self.label)}?module-path={quote(self.module)}"


TOKENS = 24  # for the tests of one process
_free: list[Token] = []
_made: list[bool] = []


def _configured() -> None:
    """
    Give this process a folder and tokens of its own. SoftHSM looks for both once, when it is loaded.
    """
    folder = Path(tempfile.mkdtemp(prefix="rx-flow-softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    for number in range(TOKENS):
        _free.append(Token(module() or "", f"token {number}", pin="73" + "5190"))
        subprocess.run(  # noqa: S603  its arguments are ours
            [  # noqa: S607  found by the search path, wherever it was installed
                "softhsm2-util", "--init-token", "--free", "--label", _free[-1].label, "--so-pin", "00000000",
                "--pin", _free[-1].pin, "--module", _free[-1].module,
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip


def fresh() -> Token:
    """
    Return a token that nobody in this process has used.
    """
    if not _made:
        _made.append(True)
        _configured()
    return _free.pop()

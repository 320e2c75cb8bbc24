"""
What poppler's `pdfsig`, which knows nothing of us, says of a sealed sheet; skipped, and said, where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pyhanko.pdf_utils.generic import pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from sheets import NOW, Offices, offices, sheet

from rx_flow.evidence.sheet import draw, sealed

PDFSIG, CERTUTIL = shutil.which("pdfsig"), shutil.which("certutil")
pytestmark = pytest.mark.skipif(
    PDFSIG is None or CERTUTIL is None, reason="poppler-utils and libnss3-tools are not installed"
)


def run(*command: str | Path) -> str:
    ran = subprocess.run(  # noqa: S603  programs of the system on files of ours
        [str(one) for one in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    return ran.stdout + ran.stderr


def database(folder: Path, root: Path) -> Path:
    """A store of certificates, as browsers have one, that believes in one root."""
    folder.mkdir()
    assert CERTUTIL is not None
    run(CERTUTIL, "-N", "-d", f"sql:{folder}", "--empty-password")
    run(CERTUTIL, "-A", "-d", f"sql:{folder}", "-n", "root", "-t", ",C,", "-i", root)
    return folder


@pytest.fixture(scope="module")
def paper(there: Offices) -> bytes:
    return sealed.sign(draw.render(sheet(there)), there.hospital.seal, trust=there.trust, at=NOW)


@pytest.fixture(scope="module")
def believing(there: Offices, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return database(tmp_path_factory.mktemp("nss") / "db", there.folder / "root.pem")


def said(pdf: bytes, believing: Path, folder: Path) -> str:
    file = folder / "sheet.pdf"
    file.write_bytes(pdf)
    assert PDFSIG is not None
    return run(PDFSIG, "-nssdir", f"sql:{believing}", file)


def test_a_viewer_shows_the_seal_as_valid_against_our_root(paper: bytes, believing: Path, tmp_path: Path) -> None:
    found = said(paper, believing, tmp_path)

    assert "Signature is Valid." in found
    assert "Certificate is Trusted." in found
    assert "Total document signed" in found
    assert "ETSI.CAdES.detached" in found
    assert "Signer Certificate Common Name: 榕城第一医院" in found
    assert "Nov 23 2026 08:30:00" in found


def test_a_viewer_shows_a_changed_byte(paper: bytes, believing: Path, tmp_path: Path) -> None:
    at = paper.index(b"stream") + 40
    changed = paper[:at] + bytes([paper[at] ^ 1]) + paper[at + 1 :]

    found = said(changed, believing, tmp_path)
    assert "Signature is Valid." not in found
    assert "Digest Mismatch" in found


def test_a_viewer_that_trusts_another_root_does_not_trust_the_seal(paper: bytes, tmp_path: Path) -> None:
    other = offices(tmp_path / "other")

    found = said(paper, database(tmp_path / "db", other.folder / "root.pem"), tmp_path)
    assert "Signature is Valid." in found
    assert "Certificate is Trusted." not in found


def test_a_viewer_says_that_something_was_added_afterwards(paper: bytes, believing: Path, tmp_path: Path) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(paper))
    writer.root["/Lang"] = pdf_string("zh")
    writer.update_root()
    out = BytesIO()
    writer.write(out)

    found = said(out.getvalue(), believing, tmp_path)
    assert "Not total document signed" in found

"""
What `rx-flow verify` says of a sealed sheet (处方笺): offline, by the root alone. Nothing here knows a site.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble

PDF = b"%PDF-"  # how such a file begins


def judged(pdf: bytes, roots: bytes) -> dict[str, str]:
    """
    Return who sealed a sheet, when, and what it is, as of then, trusting `roots` (PEM) alone; `Untrusted` if it is not.
    """
    with extra():
        from rx_flow.evidence.sheet import sealed  # noqa: PLC0415  an extra, which is not always there
    found = sealed.check(pdf, roots)
    return {
        "title": found.title,
        "institution": found.signer.institution,
        "name": found.signer.name,
        "at": found.at.isoformat(),
        "certificate": found.signer.thumbprint,
    }


@contextmanager
def extra() -> Iterator[None]:
    """Say which extra is missing, where it is."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise Trouble(
            "pdf_extra_missing",
            tr("生成或核验 PDF 需要可选组件", "PDF needs an extra that is not installed"),
            "pip install 'rx-flow[pdf]'",
        ) from missing

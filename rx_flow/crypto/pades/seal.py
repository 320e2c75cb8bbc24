"""
Puts a visible PAdES signature on a PDF, with everything in the file that a stranger needs but the root.

Level B-B; the revocation lists of the whole chain stand in the file's DSS as level B-LT asks, in the signed revision
itself. A time-stamp authority, which B-T and B-LT need, is not asked: the time is the signer's own statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO

from asn1crypto import crl, pem
from asn1crypto import x509 as asn1
from asn1crypto.algos import SignedDigestAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pki.offline import enclose
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose

FIELD = "seal"
MECHANISM = "sha256_ecdsa"  # of the one suite that PDF viewers know
_SIGNATURE_MAX = 72  # bytes of an ECDSA-Sig-Value of P-256 in DER


@dataclass(frozen=True, slots=True)
class Seal:
    """
    What is seen of a signature: a page of PDF, and the place on the first page, in points from its lower left corner.

    `label` names the field for people who cannot see it; `reason` is shown by viewers.
    """

    picture: bytes = field(repr=False)
    place: tuple[int, int, int, int]  # left, bottom, right, top
    label: str
    reason: str


def sign(pdf: bytes, key: SigningKey, *, trust: Trust, at: datetime, seal: Seal) -> bytes:
    """
    Return `pdf` signed and certified with `key` at `at` (aware, whole seconds count): no change is permitted after it.

    `pdf` is our own, not a stranger's. The certificates between the key's and the root, and the last revocation list of
    each authority, come from `trust` and go into the file. About 50 ms; not on an event loop. `Untrusted`:
    WRONG_ALGORITHM for a key of a suite that PDF has no name for, WRONG_USAGE for one that seals no documents, and what
    `Trust` says of a certificate that it does not believe.
    """
    if key.suite is not suites.DEFAULT:
        raise Untrusted(Reason.WRONG_ALGORITHM, f"no PDF viewer knows {key.suite.name}")
    enclosed = enclose(trust, [key.thumbprint])
    own = asn1.Certificate.load(_der(enclosed.leaves[key.thumbprint]))
    between = [asn1.Certificate.load(_der(one)) for one in enclosed.authorities.values()]
    moment = at.replace(microsecond=0)
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    writer.document_meta.last_modified = moment
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        sig_contents=None,
        certs=[own, *between],
        crls=[crl.CertificateList.load(_der(one)) for one in enclosed.lists.values()],
    )
    meta = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        name=key.signer.name,
        reason=seal.reason,
        tight_size_estimates=True,
    )
    place = SigFieldSpec(FIELD, on_page=0, box=seal.place, readable_field_name=seal.label)
    style = StaticStampStyle(background=_Picture(seal.picture), background_opacity=1.0, border_width=0)
    signer = _At(meta, _Key(key, own, between, moment), stamp_style=style, new_field_spec=place)
    signer.moment = moment
    signed: BytesIO = signer.sign_pdf(writer)
    return signed.getvalue()


class _Key(Signer):
    """A signing key as pyHanko wants one: it is asked for signatures, and never for what is in it."""

    def __init__(
        self, key: SigningKey, certificate: asn1.Certificate, between: list[asn1.Certificate], at: datetime
    ) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # the library does not type it
        store.register_multiple(between)
        super().__init__(
            signing_cert=certificate,
            cert_registry=store,
            signature_mechanism=SignedDigestAlgorithm({"algorithm": MECHANISM}),
            embed_roots=False,
        )
        self._key = key
        self._at = at

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002  the library's own signature
        """Return an ECDSA-Sig-Value (RFC 3279); for a dry run as many bytes as it has at most."""
        _ = digest_algorithm  # it is the mechanism's
        if dry_run:
            return bytes(_SIGNATURE_MAX)
        raw = self._key.sign(data, purpose=Purpose.DOCUMENT, at=self._at)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


class _At(PdfSigner):
    """The library's signer, told the time: it would read the clock."""

    moment: datetime

    def init_signing_session(
        self,
        pdf_out: BasePdfFileWriter,
        existing_fields_only: bool = False,  # noqa: FBT001, FBT002  the library's own signature
    ) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self.moment
        return session


class _Picture(PdfContent):
    """The first page of a PDF in memory, to be drawn into another one."""

    def __init__(self, pdf: bytes) -> None:
        super().__init__()
        self._pdf = pdf

    def render(self) -> bytes:
        """Bring the page into the writer; return the operators that draw it."""
        drawn = self._ensure_writer.import_page_as_xobject(PdfFileReader(BytesIO(self._pdf)))
        self.resources.xobject["/Picture"] = drawn
        left, bottom, right, top = (float(one) for one in drawn.get_object()["/BBox"])
        self.box = BoxConstraints(width=right - left, height=top - bottom)
        return b"/Picture Do"


def _der(text: bytes) -> bytes:
    found: bytes = pem.unarmor(text)[2]
    return found

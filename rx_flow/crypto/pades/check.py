"""
Judges the signature in a PDF by our own rules of whom to believe; the form of PDF and CMS is pyHanko's to read.

Stricter than PAdES where that leaves room: one signature over the whole file, one spelling of it, nothing after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import EmbeddedPdfSignature, SignatureCoverageLevel
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pades.seal import FIELD, MECHANISM
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose, Signer, certificates, thumbprint
from rx_flow.crypto.suites.p256 import HALF

PDF_MAX = 8 * 2**20  # bytes; a sheet has about 150,000
_SUBFILTER = "/ETSI.CAdES.detached"


@dataclass(frozen=True, slots=True)
class Sealed:
    """
    Who sealed a PDF, when by their own statement (aware, UTC), and the title of the file.
    """

    signer: Signer
    at: datetime
    title: str


def check(pdf: bytes, roots: bytes, *, lists: Iterable[bytes] = (), now: datetime | None = None) -> Sealed:
    """
    Return who sealed a PDF, believing `roots` (PEM) alone; raise `Untrusted` with the first reason not to believe it.

    Without `now` it is judged as of the stated time of signing, by the lists in the file. With `now` it is judged as
    something that has come just now, by the newest of those lists and of `lists` (DER or PEM): what cannot be said then
    is STATUS_UNDETERMINABLE. No time-stamp shows that the time is true: who has stolen a key can state any.
    """
    if len(pdf) > PDF_MAX:
        raise Untrusted(Reason.TOO_LARGE)
    # 1. The form: one signature of our kind, over every byte but its own.
    with _reading():
        reader = PdfFileReader(BytesIO(pdf))
        signatures = reader.embedded_signatures
        kinds = [(one.field_name, one.sig_object["/SubFilter"]) for one in signatures]
    if kinds != [(FIELD, _SUBFILTER)]:
        raise Untrusted(Reason.MALFORMED, "not one seal")
    (found,) = signatures
    with _reading():
        whole = found.evaluate_signature_coverage() == SignatureCoverageLevel.ENTIRE_FILE
    if not whole:
        raise Untrusted(Reason.CHANGED_SINCE)
    # 2. The one spelling of a signature, and the one signature of a key over some bytes.
    with _reading():
        info = _spelled(pdf, found)
        # 3. The bytes that were signed, and the certificate that the signature itself names.
        intact, valid = validate_sig_integrity(info, found.signer_cert, "data", found.compute_digest())
    if not intact:
        raise Untrusted(Reason.ALTERED)
    if not valid:
        raise Untrusted(Reason.BAD_SIGNATURE)
    # 4. Whom the certificate names, and whether it is to be believed.
    with _reading():
        at = found.self_reported_timestamp
        store = DocumentSecurityStore.read_dss(reader)
        signer, *others = _certificates(found, [one.get_object().data for one in store.certs.values()])
        enclosed = [one.get_object().data for one in store.crls]
        title = str(reader.trailer_view["/Info"]["/Title"])
    if at is None or at.utcoffset() is None:
        raise Untrusted(Reason.MALFORMED, "time")
    believed = certificates(roots)
    with _reading():  # a certificate is read bit by bit
        trust, print_ = Trust(believed, (signer, *others)), thumbprint(signer)
    if {*map(thumbprint, others)} != {*trust.chain(print_)} - {*map(thumbprint, believed)}:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "a certificate that is no part of the way to the root")
    for one in (*enclosed, *lists):
        trust.take(one)
    certified = trust.certified(print_, Purpose.DOCUMENT, at, now=now or at)
    return Sealed(certified.signer, at, title)


@contextmanager
def _reading() -> Iterator[None]:
    """What another has written can make a reader of PDF fail in any way: all of them mean the same."""
    try:
        yield
    except Untrusted:
        raise
    except Exception as fault:
        raise Untrusted(Reason.MALFORMED, "PDF") from fault


def _spelled(pdf: bytes, found: EmbeddedPdfSignature) -> cms.SignerInfo:
    """
    The one signer's part of the CMS, which must be written as `seal.sign` writes it, with zeros after it.

    What stands between the two signed ranges is no part of what was signed: another spelling of it would go unnoticed.
    """
    _, before, after, _ = (int(one) for one in found.byte_range)
    gap = pdf[before:after]
    read = bytes.fromhex(gap[1:-1].decode("ascii"))
    signed = cms.ContentInfo.load(read)["content"]
    (info,) = signed["signer_infos"]
    r, s = decode_dss_signature(info["signature"].native)
    if s > HALF:
        raise Untrusted(Reason.SIGNATURE_MALLEABLE)
    own = found.signer_cert
    by = cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number})
    digest = {"algorithm": "sha256"}
    as_ours = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "data"},
            "certificates": list(signed["certificates"]),
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": cms.SignerIdentifier("issuer_and_serial_number", by),
                    "digest_algorithm": digest,
                    "signed_attrs": info["signed_attrs"],
                    "signature_algorithm": {"algorithm": MECHANISM},
                    "signature": encode_dss_signature(r, s),
                }
            ],
        }
    )
    written = cms.ContentInfo({"content_type": "signed_data", "content": as_ours}).dump()
    if gap != b"<" + written.hex().upper().encode() + b"00" * (len(read) - len(written)) + b">":
        raise Untrusted(Reason.MALFORMED, "CMS")
    return info


def _certificates(found: EmbeddedPdfSignature, sealed: list[bytes]) -> list[x509.Certificate]:
    """
    The signer's certificate, and then all others that came with the signature: each once, and the `sealed` ones.

    Those in the signature stand outside of what is signed, and a certificate has more than one spelling that verifies.
    """
    own = found.signer_cert.dump()
    came = [one.chosen.dump() for one in found.signed_data["certificates"]]
    if sorted(came) != sorted(sealed):
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "other certificates than were sealed")
    return [x509.load_der_x509_certificate(one) for one in (own, *(one for one in came if one != own))]

"""
Plain PDF files to be sealed, and what forgers make of sealed ones: by pyHanko itself, with keys of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import Any

from asn1crypto import cms, crl, keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from forge import NOW, House, Issuer
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pades.seal import FIELD, Seal, sign

TITLE = "处方笺 350100-ABCDEFGHJKMNPQRS"
SECOND = NOW.replace(microsecond=0)


def page(content: bytes = b"0.8 0 0 rg 10 10 60 60 re f", *, title: str | None = None) -> bytes:
    """One page with something red on it."""
    writer = PdfFileWriter()
    stream = writer.add_object(generic.StreamObject(stream_data=content))
    writer.insert_page(PageObject(contents=stream, media_box=(0, 0, 200, 200)))
    if title is not None:
        writer.document_meta.title = title
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


SEAL = Seal(page(b"1 0 0 rg 0 0 50 50 re f"), (120, 20, 180, 80), "医院电子签章", "处方外流")


def sealed(house: House, key: SigningKey | None = None, *, at: datetime = NOW) -> bytes:
    """A page under the hospital's seal."""
    return sign(page(title=TITLE), key or house.hospital.seal, trust=house.trust, at=at, seal=SEAL)


class _Session(signers.PdfSigner):
    """Signs at a stated time, which a forger is free to choose."""

    at: datetime | None = SECOND

    def init_signing_session(self, *arguments: Any, **more: Any) -> PdfSigningSession:  # noqa: ANN401  the library's
        session = super().init_signing_session(*arguments, **more)
        session.system_time = self.at
        return session


def forged(
    signer: Issuer,
    *,
    lists: Iterable[bytes] = (),
    others: Iterable[x509.Certificate] = (),
    at: datetime | None = SECOND,
    on: bytes | None = None,
    **change: Any,  # noqa: ANN401  whatever a test wants to change of the signature
) -> bytes:
    """A page signed outside our code, right in everything that is not changed."""
    private, certificate = signer
    writer = IncrementalPdfFileWriter(BytesIO(on or page(title=TITLE)))
    found = [asn1.Certificate.load(one.public_bytes(Encoding.DER)) for one in (certificate, *others)]
    listed = [crl.CertificateList.load(one) for one in lists]
    if listed:
        DocumentSecurityStore.supply_dss_in_writer(writer, sig_contents=None, certs=found, crls=listed)
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # the library does not type it
    store.register_multiple(found[1:])
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    by = signers.SimpleSigner(found[0], keys.PrivateKeyInfo.load(der), store)
    meta = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    meta = replace(meta, **change)
    assert meta.field_name is not None
    session = _Session(meta, by, new_field_spec=SigFieldSpec(meta.field_name))
    session.at = at
    out: BytesIO = session.sign_pdf(writer)
    return out.getvalue()


def gap(pdf: bytes) -> tuple[int, int]:
    """Where the hexadecimal digits of the signature begin and end."""
    (found,) = PdfFileReader(BytesIO(pdf)).embedded_signatures
    _, before, after, _ = (int(one) for one in found.byte_range)
    return before + 1, after - 1


def resigned(pdf: bytes, change: Any) -> bytes:  # noqa: ANN401  a function over asn1crypto's untyped SignedData
    """The same file with something changed in its CMS, which no signature covers."""
    begin, end = gap(pdf)
    content = cms.ContentInfo.load(bytes.fromhex(pdf[begin:end].decode()))
    change(content["content"])
    written = content.dump(force=True).hex().upper().encode()
    assert len(written) <= end - begin
    return pdf[:begin] + written.ljust(end - begin, b"0") + pdf[end:]

"""
Sealed PDF files: what is believed by the root alone, and every way in which one is not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from asn1crypto import pem as armour
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from forge import (
    DAY,
    HOSPITAL,
    NOW,
    House,
    Issuer,
    authority_certificate,
    believing,
    leaf,
    listed,
    root,
    signing_key,
)
from paper import SEAL, SECOND, TITLE, forged, gap, page, resigned, sealed
from pyhanko.pdf_utils.generic import pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.validation import read_certification_data, validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import ValidationContext

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pades.check import PDF_MAX, check
from rx_flow.crypto.pades.seal import sign
from rx_flow.crypto.pki.lists import Revoked
from rx_flow.crypto.suites import p256

R = Reason
FLIPS = 250  # positions of a fixed sample, in what is signed and in the signature itself


def pem(*tops: Issuer) -> bytes:
    return b"".join(one[1].public_bytes(Encoding.PEM) for one in tops)


@pytest.fixture(scope="module")
def roots(house: House) -> bytes:
    return (house.folder / "root.pem").read_bytes()


@pytest.fixture(scope="module")
def paper(house: House) -> bytes:
    return sealed(house)


@pytest.fixture(scope="module")
def top() -> Issuer:
    return root()


def refusal(pdf: bytes, roots: bytes, **how: Any) -> Reason:  # noqa: ANN401  the options of `check`
    with pytest.raises(Untrusted) as refused:
        check(pdf, roots, **how)
    return refused.value.reason


def test_the_root_alone_shows_who_sealed_and_when(paper: bytes, roots: bytes, house: House) -> None:
    found = check(paper, roots)

    assert found.signer == house.hospital.seal.signer
    assert found.signer.id == HOSPITAL
    assert found.at == SECOND
    assert found.title == TITLE


def test_what_was_sealed_stands_unchanged_before_the_seal(paper: bytes) -> None:
    assert paper.startswith(page(title=TITLE)[:200])


def test_another_implementation_finds_it_whole_and_trusted(paper: bytes, roots: bytes) -> None:
    (found,) = PdfFileReader(BytesIO(paper)).embedded_signatures
    believed = asn1.Certificate.load(armour.unarmor(roots)[2])
    lists = [one.get_object().data for one in DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(paper))).crls]
    context = ValidationContext(
        trust_roots=[believed], moment=SECOND, allow_fetching=False, crls=lists, revocation_mode="require"
    )
    status = validate_pdf_signature(found, context)

    assert status.bottom_line
    assert status.trusted
    assert status.docmdp_ok


def test_the_seal_permits_no_change_after_it(paper: bytes) -> None:
    found = read_certification_data(PdfFileReader(BytesIO(paper)))

    assert found is not None
    assert found.permission is MDPPerm.NO_CHANGES


def test_another_root_does_not_believe_it(paper: bytes, top: Issuer) -> None:
    assert refusal(paper, pem(top)) is R.UNTRUSTED_CHAIN


def test_a_root_that_is_no_certificate_believes_nothing(paper: bytes) -> None:
    assert refusal(paper, b"not a root") is R.BAD_CERTIFICATE


def test_something_added_after_the_seal_is_said(paper: bytes, roots: bytes) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(paper))
    writer.root["/Lang"] = pdf_string("zh")
    writer.update_root()
    out = BytesIO()
    writer.write(out)

    assert refusal(out.getvalue(), roots) is R.CHANGED_SINCE
    assert refusal(paper + b"\n", roots) is R.CHANGED_SINCE


@pytest.mark.parametrize("bit", [1, 0x20], ids=["another digit", "the same digit written small"])
def test_every_digit_of_the_signature_has_one_spelling(paper: bytes, roots: bytes, bit: int) -> None:
    """What stands between the signed ranges is signed by nothing: it must be judged by its form."""
    begin, end = gap(paper)
    chance = random.Random(3)  # noqa: S311  a fixed sample
    for at in (begin - 1, end, *chance.sample(range(begin, end), FLIPS)):
        changed = bytearray(paper)
        changed[at] ^= bit
        refusal(bytes(changed), roots)


def test_no_signed_byte_can_be_changed(paper: bytes, roots: bytes) -> None:
    begin, end = gap(paper)
    chance = random.Random(3)  # noqa: S311  a fixed sample
    for at in chance.sample([*range(begin - 1), *range(end + 1, len(paper))], FLIPS):
        changed = bytearray(paper)
        changed[at] ^= 1 << chance.randrange(8)
        refusal(bytes(changed), roots)


def test_a_second_copy_of_the_certificate_is_not_overlooked(top: Issuer) -> None:
    """A reader that takes the first one that fits would never look at the other, which nothing signs."""
    by = leaf(top)

    with pytest.raises(Untrusted) as refused:
        low(lambda: check(forged(by, lists=[listed(top)], others=[by[1]]), pem(top)))
    assert refused.value.reason is R.UNTRUSTED_CHAIN


def below(top: Issuer) -> Issuer:
    """An authority whose certificate ends in a bit that may be called unused: it verifies in two spellings."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "in between")])
    private = ec.generate_private_key(ec.SECP256R1())
    while True:
        found = authority_certificate(subject, private, (top[0], top[1].subject), begins=NOW - DAY, days=900, depth=0)
        if found.signature[-1] % 2 == 0:
            return private, found


def test_an_authoritys_certificate_has_one_spelling_too(top: Issuer) -> None:
    middle = below(top)
    by, lists = leaf(middle), [listed(top), listed(middle)]
    signature = middle[1].signature.hex().upper().encode()

    def attempt(unused: bytes) -> object:
        pdf = forged(by, lists=lists, others=[middle[1]])
        assert pdf.count(b"00" + signature) == 1
        return check(pdf.replace(b"00" + signature, unused + signature), pem(top))

    assert low(lambda: attempt(b"00"))
    with pytest.raises(Untrusted) as refused:
        low(lambda: attempt(b"01"))
    assert refused.value.reason is R.UNTRUSTED_CHAIN


def test_changed_content_is_called_altered(paper: bytes, roots: bytes) -> None:
    assert refusal(paper.replace(b"0.8 0 0 rg", b"0.1 0 0 rg"), roots) is R.ALTERED


def test_a_signature_over_something_else_is_called_bad(paper: bytes, roots: bytes) -> None:
    def change(signed: Any) -> None:  # noqa: ANN401  asn1crypto has no types
        info = signed["signer_infos"][0]
        r, s = decode_dss_signature(info["signature"].native)
        info["signature"] = encode_dss_signature(r ^ 1, s)

    assert refusal(resigned(paper, change), roots) is R.BAD_SIGNATURE


def test_the_other_form_of_the_signature_is_refused(paper: bytes, roots: bytes) -> None:
    def change(signed: Any) -> None:  # noqa: ANN401  asn1crypto has no types
        info = signed["signer_infos"][0]
        r, s = decode_dss_signature(info["signature"].native)
        info["signature"] = encode_dss_signature(r, p256.ORDER - s)

    assert refusal(resigned(paper, change), roots) is R.SIGNATURE_MALLEABLE


@pytest.mark.parametrize("rest", [b"A", b"0a", b"FF"])
def test_nothing_but_zeros_follows_the_signature(house: House, roots: bytes, rest: bytes) -> None:
    """ECDSA signatures differ in length by a few bytes, so there is room for something to be hidden."""
    paper = next(one for one in (sealed(house) for _ in range(50)) if one[gap(one)[1] - 2 : gap(one)[1]] == b"00")
    end = gap(paper)[1]

    assert refusal(paper[: end - len(rest)] + rest + paper[end:], roots) is R.MALFORMED


def lied(where: str, value: object) -> Callable[[Any], None]:
    def change(signed: Any) -> None:  # noqa: ANN401  asn1crypto has no types
        target = signed if where in ("version", "digest_algorithms") else signed["signer_infos"][0]
        target[where] = value

    return change


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("version", "v3"),
        ("digest_algorithms", [{"algorithm": "sha1"}]),
        ("digest_algorithm", {"algorithm": "sha1"}),
        ("signature_algorithm", {"algorithm": "sha224_ecdsa"}),
    ],
)
def test_what_the_signature_says_of_itself_is_as_we_write_it(
    paper: bytes, roots: bytes, where: str, value: object
) -> None:
    assert refusal(resigned(paper, lied(where, value)), roots) is R.MALFORMED


def test_what_is_no_pdf_is_malformed(roots: bytes) -> None:
    assert refusal(b"%PDF-1.7\nnothing", roots) is R.MALFORMED
    assert refusal(page(title=TITLE), roots) is R.MALFORMED


def test_what_is_too_large_is_not_read(roots: bytes) -> None:
    assert refusal(bytes(PDF_MAX + 1), roots) is R.TOO_LARGE


def test_a_stranger_may_use_another_library(top: Issuer) -> None:
    """The forger of these tests writes what we write: whatever is refused below is refused for what was changed."""
    by = leaf(top)

    assert low(lambda: check(forged(by, lists=[listed(top)]), pem(top)).at) == SECOND


def low(attempt: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever the attempt returns
    """Try until the library happens to sign in the lower form: one time in two."""
    for _ in range(60):
        try:
            return attempt()
        except Untrusted as refused:
            if refused.reason is not R.SIGNATURE_MALLEABLE:
                raise
    raise AssertionError("never in the lower form")


@pytest.mark.parametrize(
    "change",
    [{"subfilter": SigSeedSubFilter.ADOBE_PKCS7_DETACHED}, {"field_name": "approval"}],
)
def test_a_signature_of_another_kind_is_no_seal(top: Issuer, change: dict[str, object]) -> None:
    assert refusal(forged(leaf(top), lists=[listed(top)], **change), pem(top)) is R.MALFORMED


def test_a_second_signature_is_no_seal(top: Issuer) -> None:
    first = forged(leaf(top), lists=[listed(top)], certify=False)
    second = forged(leaf(top), on=first, certify=False, field_name="other")

    assert refusal(second, pem(top)) is R.MALFORMED


def test_a_seal_without_a_time_or_with_one_of_no_zone_is_malformed(top: Issuer) -> None:
    by, there = leaf(top), pem(top)

    with pytest.raises(Untrusted, match="time"):
        low(lambda: check(forged(by, lists=[listed(top)], at=SECOND.replace(tzinfo=None)), there))


def test_a_certificate_that_leads_nowhere_is_refused(top: Issuer) -> None:
    by, stray = leaf(top), root()

    def attempt() -> object:
        return check(forged(by, lists=[listed(top)], others=[stray[1]]), pem(top))

    with pytest.raises(Untrusted) as refused:
        low(attempt)
    assert refused.value.reason is R.UNTRUSTED_CHAIN


def test_without_a_revocation_list_nobody_can_say(top: Issuer) -> None:
    by = leaf(top)

    with pytest.raises(Untrusted) as refused:
        low(lambda: check(forged(by, lists=[listed(root())], others=()), pem(top)))
    assert refused.value.reason is R.BAD_LIST


def test_later_lists_revoke_what_comes_in_now(top: Issuer) -> None:
    by = leaf(top)
    stolen = Revoked(by[1].serial_number, NOW - DAY, "key_compromise")
    newer = listed(top, [stolen], number=2)

    def attempt(**how: Any) -> object:  # noqa: ANN401  the options of `check`
        return low(lambda: check(forged(by, lists=[listed(top)]), pem(top), **how))

    assert attempt(now=NOW + DAY)
    with pytest.raises(Untrusted) as refused:
        attempt(now=NOW + DAY, lists=[newer])
    assert refused.value.reason is R.CERTIFICATE_REVOKED
    with pytest.raises(Untrusted) as refused:
        attempt(now=NOW + 600 * DAY)
    assert refused.value.reason is R.STATUS_UNDETERMINABLE


def test_a_seal_is_judged_by_the_time_that_it_states(top: Issuer) -> None:
    by = leaf(top)

    with pytest.raises(Untrusted) as refused:
        low(lambda: check(forged(by, lists=[listed(top)], at=SECOND - 3 * DAY), pem(top)))
    assert refused.value.reason is R.CERTIFICATE_NOT_YET_VALID


def test_only_a_key_for_documents_seals(house: House) -> None:
    with pytest.raises(Untrusted) as refused:
        sign(page(), house.hospital.token, trust=house.trust, at=NOW, seal=SEAL)
    assert refused.value.reason is R.WRONG_USAGE


def test_nothing_is_sealed_outside_the_certificates_validity(house: House) -> None:
    with pytest.raises(Untrusted) as refused:
        sealed(house, at=NOW + timedelta(days=5000))
    assert refused.value.reason is R.CERTIFICATE_EXPIRED


def test_nothing_is_sealed_that_a_stranger_could_not_judge(top: Issuer) -> None:
    by = leaf(top)
    trust = believing([top], [by[1]])
    trust._lists = {}

    with pytest.raises(Untrusted) as refused:
        sign(page(), signing_key(*by), trust=trust, at=NOW, seal=SEAL)
    assert refused.value.reason is R.STATUS_UNDETERMINABLE


def test_a_suite_that_pdf_has_no_name_for_seals_nothing(house: House) -> None:
    other = next(one for one in suites.SUITES if one is not suites.DEFAULT)
    private = other.generate()
    key = signing_key(private, house.trust.certificates[house.hospital.seal.thumbprint])

    with pytest.raises(Untrusted) as refused:
        sign(page(), key, trust=house.trust, at=NOW, seal=SEAL)
    assert refused.value.reason is R.WRONG_ALGORITHM

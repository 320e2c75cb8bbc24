"""
A house whose certificates hold two keys each: documents, chains, lists and packages that must last fifteen years.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from forge import AT, BODY, DOCTOR, NOW, PHARMACY, PLATFORM, RX, House, b64, header, payload, refusal, written

from rx_flow.crypto import suites, tokens
from rx_flow.crypto.compact import decode, encode
from rx_flow.crypto.documents import verify_document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.packages import add_recipient, open_package, seal
from rx_flow.crypto.pki import issuing, register
from rx_flow.crypto.pki.issuing import Kind, Who
from rx_flow.crypto.pki.path import Trust, suites_of_roots
from rx_flow.crypto.pki.profile import Purpose, describe, thumbprint
from rx_flow.crypto.pki.status import Answer, Seen
from rx_flow.crypto.suites import p256, pq
from rx_flow.crypto.suites.pair import ReadingPublic, SigningPrivate, SigningPublic

R = Reason
SEEN = Seen(NOW)
HALF = 64  # bytes of the first signature
DAY = timedelta(days=1)


def resigned(raw: str, signature: bytes) -> str:
    return f"{raw.rpartition('.')[0]}.{encode(signature).decode()}"


def signature_of(raw: str) -> bytes:
    return decode(raw.rpartition(".")[2].encode())


def test_a_document_has_two_signatures_and_both_are_looked_at(lasting: House) -> None:
    raw = written(lasting.doctor)
    before = dict(suites.tally)

    document = verify_document(raw, lasting.trust, SEEN)

    assert (document.by, document.body) == (DOCTOR, BODY)
    assert suites.tally["verify"] - before["verify"] >= 1
    assert suites.tally["verify_quantum"] - before["verify_quantum"] >= 1
    assert len(signature_of(raw)) == HALF + 3309


def test_half_of_a_signature_is_none(lasting: House) -> None:
    raw, other = written(lasting.doctor), written(lasting.doctor, body={"action": "other"})
    mine, another = signature_of(raw), signature_of(other)

    for signature, reason in (
        (mine[:HALF], R.QUANTUM_MISSING),
        (mine[HALF:], R.CLASSICAL_MISSING),
        (another[:HALF] + mine[HALF:], R.BAD_SIGNATURE),
        (mine[:HALF] + another[HALF:], R.BAD_QUANTUM_SIGNATURE),
    ):
        assert refusal(resigned(raw, signature), lasting.trust) is reason


def test_the_second_signature_cannot_be_stripped_by_naming_the_first_alone(lasting: House) -> None:
    """Whoever can forge ES256 writes a header that asks for no more; but the certificate holds two keys."""
    private = lasting.doctor._private
    assert isinstance(private, SigningPrivate)
    members = header(lasting, alg="ES256", sigT=AT)
    head = f"{b64(members)}.{b64(payload())}"
    forged = f"{head}.{b64(p256.sign(private.classical, head.encode()))}"

    assert refusal(forged, lasting.trust) is R.WRONG_ALGORITHM


def test_a_thumbprint_binds_both_keys(lasting: House) -> None:
    """Another ML-DSA key beside the same P-256 key is another certificate, which nobody has signed."""
    print_ = lasting.doctor.thumbprint
    certificate = lasting.trust.certificates[print_]
    public = describe(certificate).public
    assert isinstance(public, SigningPublic)
    der = certificate.public_bytes(Encoding.DER)
    bits = public.quantum.public_bytes_raw()
    assert der.count(bits) == 1

    swapped = issuing.x509.load_der_x509_certificate(
        der.replace(bits, pq.generate().public_key().quantum.public_bytes_raw())
    )

    assert thumbprint(swapped) != print_
    lasting_trust = Trust(lasting.trust.roots, [swapped, *lasting.trust.authorities.values()])
    with pytest.raises(Untrusted, match=r"untrusted_chain|bad_signature|bad_quantum_signature"):
        lasting_trust.certified(thumbprint(swapped), Purpose.DOCUMENT, NOW, now=NOW)


def test_every_link_of_a_chain_has_two_signatures(lasting: House) -> None:
    found = [*lasting.trust.authorities.values(), *lasting.trust.certificates.values()]

    assert len(found) > 10
    for certificate in found:
        assert certificate.signature_algorithm_oid.dotted_string == pq.pair.SIGNING.dotted_string
        assert len(certificate.signature) == HALF + 3309
    assert lasting.trust.status(lasting.doctor.thumbprint, now=NOW).answer is Answer.VALID


def test_a_key_of_one_kind_is_not_certified_for_the_other(lasting: House) -> None:
    authority = register.load(lasting.folder, lasting.passphrase)
    issuer, begins = authority.issuer(Kind.INSTITUTIONS), NOW - DAY
    who = Who(PLATFORM, "platform", PLATFORM, "处方流转平台")
    signing, reading = pq.generate().public_key(), pq.generate_reader().public_key()

    for public, purpose in ((signing, Purpose.PACKAGE), (reading, Purpose.DOCUMENT), (reading, Purpose.TOKEN)):
        certificate = issuing.leaf(issuer, who, public, purpose=purpose, begins=begins)
        with pytest.raises(Untrusted, match="bad_certificate"):
            describe(certificate)
    for public, purpose in ((reading, Purpose.PACKAGE), (signing, Purpose.DOCUMENT), (signing, Purpose.TOKEN)):
        assert describe(issuing.leaf(issuer, who, public, purpose=purpose, begins=begins)).public == public


def test_a_key_for_opening_packages_has_signed_nothing() -> None:
    with pytest.raises(Untrusted, match="wrong_usage"):
        pq.verify(pq.generate_reader().public_key(), b"data", bytes(HALF + 3309))


def test_a_package_is_sealed_and_passed_on(lasting: House) -> None:
    to = lasting.trust.reader(PLATFORM, NOW)
    assert isinstance(to.public, ReadingPublic)

    package = seal(["a", "b"], to, rx=RX)
    more = add_recipient(package, lasting.platform.opening, lasting.trust.reader(PHARMACY, NOW), rx=RX)

    for ring in (lasting.platform, lasting.pharmacy):
        assert open_package(more, ring.opening, rx=RX) == ("a", "b")
    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(package, lasting.pharmacy.opening, rx=RX)


def test_a_package_of_one_suite_does_not_open_with_a_key_of_another(lasting: House, house: House) -> None:
    package = seal(["a"], house.trust.reader(PLATFORM, NOW), rx=RX)
    kid = house.platform.opening.public.kid

    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(package, lasting.platform.opening, rx=RX)
    with pytest.raises(Untrusted, match="unknown_suite"):
        open_package(package.replace(kid, lasting.platform.opening.public.kid), lasting.platform.opening, rx=RX)


def test_institutions_sign_in_with_two_signatures(lasting: House) -> None:
    key = lasting.hospital.token
    jwt = tokens.client_assertion(key, key.id, PLATFORM, now=NOW, jti="once")

    assert len(jwt) < tokens.TOKEN_MAX
    assert tokens.verify_assertion(jwt, lasting.trust, PLATFORM, now=NOW).issuer == key.id


def test_a_house_without_second_keys_is_not_believed_where_they_are_asked_for(lasting: House, house: House) -> None:
    """What a quantum computer could forge tomorrow: certificates of one key. Settings say that they do not count."""
    raw = written(house.doctor)
    both = (*lasting.trust.roots, *house.trust.roots)
    known = [*house.trust.certificates.values(), *house.trust.authorities.values()]
    lists = [path.read_bytes() for path in sorted((house.folder / "lists").glob("*.crl"))]

    assert verify_document(raw, Trust(both, known, lists), SEEN).by == DOCTOR
    strict = Trust(both, known, lists, accepts=["pq"])
    with pytest.raises(Untrusted, match="suite_not_accepted"):
        verify_document(raw, strict, SEEN)


def test_the_suite_is_off_until_somebody_asks_for_it(lasting: House, house: House) -> None:
    """A folder of keys made without a word has no such key, and who goes by its root believes none."""
    known = [*lasting.trust.certificates.values(), *lasting.trust.authorities.values()]
    lists = [path.read_bytes() for path in sorted((lasting.folder / "lists").glob("*.crl"))]
    both = Trust((*house.trust.roots, *lasting.trust.roots), known, lists, accepts=suites_of_roots(house.folder))

    assert suites_of_roots(house.folder) == ("p256",)
    assert not any(suites.PQ.owns(describe(one).public) for one in house.trust.certificates.values())
    assert refusal(written(lasting.doctor), both) is R.SUITE_NOT_ACCEPTED

"""
Answers about single certificates: OpenSSL asks and verifies, and what cannot be answered is an answer too.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponse, OCSPResponseStatus
from forge import DAY, DOCTOR, HOSPITAL, PLATFORM, House, build, leaf, root

from rx_flow.crypto.pki import register, renewal, responders
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.ocsp import NONCE_MAX, REQUEST_MAX, Responder
from rx_flow.crypto.pki.path import Trust

NOW = datetime.now(UTC).replace(microsecond=0)  # OpenSSL looks at its own clock
SHA256 = hashes.SHA256()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house in which the doctor's key was stolen three hours ago; the hospital's seal is good."""
    made = build(tmp_path_factory.mktemp("keys"), now=NOW)
    since = NOW - timedelta(hours=3)
    renewal.revoke(made.folder, DOCTOR, Why.KEY_COMPROMISE, now=NOW, passphrase=made.passphrase, since=since)
    return made


@pytest.fixture(scope="module")
def responder(there: House) -> Responder:
    pairs = responders.load(there.folder / PLATFORM, there.passphrase).values()
    return Responder(Trust.load(there.folder), pairs)


def pem(there: House, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((there.folder / f"{name}.pem").read_bytes())


def request(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *extensions: tuple[x509.ExtensionType, bool],
    algorithm: hashes.HashAlgorithm = SHA256,
) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.build().public_bytes(Encoding.DER)


def asked(responder: Responder, raw: bytes, now: datetime = NOW) -> OCSPResponse:
    return ocsp.load_der_ocsp_response(responder.answer(raw, now=now))


def openssl(there: House, tmp_path: Path, responder: Responder, cert: str, issuer: str, *options: str) -> str:
    """OpenSSL writes the request and judges the answer, with the root alone as its trust."""
    issued_by = ("-issuer", f"authorities/{issuer}.pem")
    files = tmp_path / "request.der", tmp_path / "response.der"

    def run(*arguments: str) -> str:
        ran = subprocess.run(  # noqa: S603  our own files
            ["/usr/bin/openssl", "ocsp", *arguments],
            cwd=there.folder, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    run(*options, *issued_by, "-cert", f"public/{cert}.pem", "-reqout", str(files[0]))
    files[1].write_bytes(responder.answer(files[0].read_bytes(), now=NOW))
    return run(
        "-reqin", str(files[0]), "-respin", str(files[1]), *options, *issued_by, "-cert", f"public/{cert}.pem",
        "-no_nonce", "-CAfile", "root.pem", "-verify_other", f"authorities/{issuer}.pem",
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["-sha1", "-sha256", "-sha384", "-sha512"])
def test_openssl_believes_the_answers(there: House, responder: Responder, tmp_path: Path, algorithm: str) -> None:
    good = openssl(there, tmp_path, responder, f"{HOSPITAL}.seal", "institutions-1", algorithm)
    gone = openssl(there, tmp_path, responder, DOCTOR, "persons-1", algorithm)

    assert "Response verify OK" in good
    assert f"public/{HOSPITAL}.seal.pem: good" in good
    assert "Response verify OK" in gone
    assert f"public/{DOCTOR}.pem: revoked" in gone
    assert "Reason: keyCompromise" in gone


def test_an_answer_says_what_the_list_says_and_no_longer_than_it_holds(there: House, responder: Responder) -> None:
    persons = pem(there, "authorities/persons-1")
    raw = request(pem(there, f"public/{DOCTOR}"), persons)
    found = asked(responder, raw)
    listed = responder._trust.lists[responder._trust.names["persons-1"]]

    assert found.certificate_status is OCSPCertStatus.REVOKED
    assert (found.revocation_time_utc, found.revocation_reason) == (NOW, x509.ReasonFlags.key_compromise)
    assert (found.this_update_utc, found.next_update_utc) == (listed.this_update, NOW + timedelta(hours=1))
    late = listed.next_update - timedelta(minutes=5)
    assert asked(responder, raw, late).next_update_utc == listed.next_update


def test_an_answer_is_signed_by_a_certificate_for_that_alone(there: House, responder: Responder) -> None:
    persons = pem(there, "authorities/persons-1")
    found = asked(responder, request(pem(there, f"public/{DOCTOR}"), persons))
    (signer,) = found.certificates

    signer.verify_directly_issued_by(persons)
    extensions = signer.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING
    ]
    assert extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert signer.not_valid_after_utc - signer.not_valid_before_utc == 30 * DAY
    assert found.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(signer.public_key()).digest


def test_the_asker_s_nonce_comes_back_signed(there: House, responder: Responder) -> None:
    pair = pem(there, f"public/{DOCTOR}"), pem(there, "authorities/persons-1")
    for nonce in (b"\x01", b"n" * 32, b"n" * NONCE_MAX):
        found = asked(responder, request(*pair, (x509.OCSPNonce(nonce), False)))
        assert found.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
    assert list(asked(responder, request(*pair)).extensions) == []


def test_a_number_that_was_never_given_is_unknown(there: House, responder: Responder) -> None:
    persons, institutions = pem(there, "authorities/persons-1"), pem(there, "authorities/institutions-1")
    seal = pem(there, f"public/{HOSPITAL}.seal")
    of_persons = ocsp.load_der_ocsp_request(request(pem(there, f"public/{DOCTOR}"), persons))

    def numbered(serial: int) -> bytes:
        names = of_persons.issuer_name_hash, of_persons.issuer_key_hash
        made = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*names, serial, SHA256).build()
        return made.public_bytes(Encoding.DER)

    assert asked(responder, numbered(4711)).certificate_status is OCSPCertStatus.UNKNOWN
    # A good certificate, asked for under another authority than its own.
    assert asked(responder, numbered(seal.serial_number)).certificate_status is OCSPCertStatus.UNKNOWN
    assert asked(responder, request(seal, institutions)).certificate_status is OCSPCertStatus.GOOD


def test_for_an_authority_of_somebody_else_s_nobody_answers(there: House, responder: Responder) -> None:
    issuer = root()
    stranger = request(leaf(issuer)[1], issuer[1])
    above = request(pem(there, "authorities/persons-1"), pem(there, "root"))  # for the root there is a list alone

    for raw in (stranger, above):
        assert asked(responder, raw).response_status is OCSPResponseStatus.UNAUTHORIZED


def test_without_a_list_that_holds_the_answer_is_later(there: House) -> None:
    pairs = list(responders.load(there.folder / PLATFORM, there.passphrase).values())
    raw = request(pem(there, f"public/{HOSPITAL}.seal"), pem(there, "authorities/institutions-1"))
    full = Trust.load(there.folder)
    bare = Trust(full.roots, [*full.authorities.values(), *full.certificates.values()])
    until = full.lists[full.names["institutions-1"]].next_update

    assert asked(Responder(bare, pairs), raw).response_status is OCSPResponseStatus.TRY_LATER
    assert asked(Responder(full, pairs), raw, until).response_status is OCSPResponseStatus.SUCCESSFUL
    for late in (until + timedelta(seconds=1), NOW + 31 * DAY):
        assert asked(Responder(full, pairs), raw, late).response_status is OCSPResponseStatus.TRY_LATER


def test_an_ended_responder_answers_nothing(there: House) -> None:
    full = Trust.load(there.folder)
    found = register.load(there.folder, there.passphrase).issuers["institutions-1"]
    taken = full.lists[full.names["institutions-1"]]
    long = type(taken)(taken.number, taken.this_update, NOW + 60 * DAY, taken.revoked, None, taken.raw)
    full._lists = {**full.lists, full.names["institutions-1"]: long}
    raw = request(pem(there, f"public/{HOSPITAL}.seal"), found.certificate)
    one = Responder(full, [responders.load(there.folder / PLATFORM, there.passphrase)["institutions-1"]])

    assert asked(one, raw, NOW + 28 * DAY).response_status is OCSPResponseStatus.SUCCESSFUL
    assert asked(one, raw, NOW + 30 * DAY).response_status is OCSPResponseStatus.TRY_LATER


def test_who_is_certified_by_nobody_here_answers_for_nobody(there: House) -> None:
    stray = leaf(root("stranger"))
    one = Responder(Trust.load(there.folder), [stray])

    assert repr(one) == "<Responder for 0 authorities>"


def malformed(there: House) -> list[bytes]:
    pair = pem(there, f"public/{DOCTOR}"), pem(there, "authorities/persons-1")
    right = request(*pair)
    (single,) = [right[4:]] if right[1] == 0x81 else [right[2:]]
    return [
        b"",
        b"\x30\x03\x02\x01\x01",
        right[:-1],
        right + b"\0",
        right + b"\0" * REQUEST_MAX,
        request(*pair, (x509.OCSPNonce(b""), False)),
        request(*pair, (x509.OCSPNonce(b"n" * (NONCE_MAX + 1)), False)),
        request(*pair, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True)),
        single,
    ]


def test_what_cannot_be_read_is_malformed(there: House, responder: Responder) -> None:
    for raw in malformed(there):
        assert asked(responder, raw).response_status is OCSPResponseStatus.MALFORMED_REQUEST
    aside = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), False)
    raw = request(pem(there, f"public/{DOCTOR}"), pem(there, "authorities/persons-1"), aside)
    assert asked(responder, raw).response_status is OCSPResponseStatus.SUCCESSFUL


def test_two_questions_in_one_are_not_answered(there: House, responder: Responder, tmp_path: Path) -> None:
    where = tmp_path / "two.der"
    subprocess.run(  # noqa: S603  our own files
        ["/usr/bin/openssl", "ocsp", "-issuer", "authorities/institutions-1.pem", "-cert",
         f"public/{HOSPITAL}.seal.pem", "-cert", f"public/{HOSPITAL}.open.pem", "-reqout", str(where)],
        cwd=there.folder, capture_output=True, check=True, timeout=60,
    )  # fmt: skip

    assert asked(responder, where.read_bytes()).response_status is OCSPResponseStatus.MALFORMED_REQUEST

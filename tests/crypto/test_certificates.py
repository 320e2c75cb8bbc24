"""
Certificates: whom they name, what for, when, and on whose word; and that a chain is walked once.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from forge import (
    DAY,
    DOCTOR,
    HOSPITAL,
    INSURER,
    NOW,
    PHARMACIST,
    PHARMACY,
    PLATFORM,
    House,
    Issuer,
    authority_certificate,
    believing,
    leaf,
    listed,
    root,
    signer,
)

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import profile
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import SIGN_DOCUMENTS, Purpose, thumbprint

R = Reason


def refusal(trust: Trust, print_: str, purpose: Purpose = Purpose.DOCUMENT) -> Reason:
    with pytest.raises(Untrusted) as refused:
        trust.certified(print_, purpose, NOW, now=NOW)
    return refused.value.reason


def test_a_certificate_says_who_in_which_role_and_where(house: House) -> None:
    seal = signer(house.trust, house.hospital.seal.thumbprint, NOW)
    doctor = signer(house.trust, house.doctor.thumbprint, NOW)

    assert (seal.id, seal.role, seal.institution, seal.name) == (HOSPITAL, "hospital", HOSPITAL, "榕城医院")
    assert (doctor.id, doctor.role, doctor.institution, doctor.name) == (DOCTOR, "prescriber", HOSPITAL, "林医生")
    assert doctor.thumbprint == house.doctor.thumbprint


def test_every_institution_has_its_own_key_to_be_written_to(house: House) -> None:
    keys = [house.trust.reader(code, NOW) for code in (HOSPITAL, PLATFORM, PHARMACY, INSURER)]

    assert [key.institution for key in keys] == [HOSPITAL, PLATFORM, PHARMACY, INSURER]
    assert len({key.kid for key in keys}) == len(keys)
    assert all(house.keyrings[key.institution].opening.public == key for key in keys)


@pytest.mark.parametrize("code", ["H99999999999", DOCTOR, PHARMACIST, ""])
def test_who_has_no_key_for_packages_cannot_be_written_to(house: House, code: str) -> None:
    with pytest.raises(Untrusted, match="unknown_reader"):
        house.trust.reader(code, NOW)


def test_a_purpose_is_not_another(house: House) -> None:
    prints = {
        Purpose.DOCUMENT: house.hospital.seal.thumbprint,
        Purpose.TOKEN: house.hospital.token.thumbprint,
        Purpose.PACKAGE: house.hospital.opening.public.kid,
    }
    for has, print_ in prints.items():
        for asked in Purpose:
            if asked is has:
                assert house.trust.certified(print_, asked, NOW, now=NOW).purpose is has
            else:
                assert refusal(house.trust, print_, asked) is R.WRONG_USAGE


def other_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


BAD: list[tuple[dict[str, object], Reason]] = [
    *(({"subject": {oid: None}}, R.BAD_CERTIFICATE) for oid in (
        NameOID.SERIAL_NUMBER, NameOID.TITLE, NameOID.ORGANIZATION_IDENTIFIER, NameOID.COMMON_NAME)),
    ({"private": other_key()}, R.BAD_CERTIFICATE),
    ({"usages": False}, R.WRONG_USAGE),
    ({"bits": frozenset({"digital_signature"})}, R.WRONG_USAGE),
    ({"bits": frozenset({"digital_signature", "content_commitment", "key_agreement"})}, R.WRONG_USAGE),
    ({"bits": frozenset({"digital_signature", "content_commitment", "key_cert_sign"})}, R.WRONG_USAGE),
    ({"extended": [ExtendedKeyUsageOID.SERVER_AUTH]}, R.WRONG_USAGE),
    ({"extended": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]}, R.WRONG_USAGE),
    ({"extended": [SIGN_DOCUMENTS, ExtendedKeyUsageOID.CLIENT_AUTH]}, R.WRONG_USAGE),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), BAD, ids=str)
def test_a_certificate_that_is_not_of_our_kind_is_refused(change: dict[str, object], reason: Reason) -> None:
    issuer = root()
    _, certificate = leaf(issuer, **change)  # type: ignore[arg-type]  # the table holds all kinds of arguments

    assert refusal(believing([issuer], [certificate]), thumbprint(certificate)) is reason


def test_an_rsa_certificate_is_of_no_suite() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  this test alone knows RSA

    issuer = root()
    private = rsa.generate_private_key(65537, 2048)
    _, certificate = leaf(issuer, private=private)  # type: ignore[arg-type]  # the wrong kind of key is the point

    assert refusal(believing([issuer], [certificate]), thumbprint(certificate)) is R.BAD_CERTIFICATE


def test_a_chain_must_end_at_a_root_of_ours() -> None:
    ours, theirs = root(), root("made up")  # the same name, another key
    _, certificate = leaf(theirs)

    assert refusal(believing([ours], [certificate]), thumbprint(certificate)) is R.UNTRUSTED_CHAIN
    assert refusal(believing([ours], [theirs[1], certificate]), thumbprint(certificate)) is R.UNTRUSTED_CHAIN
    assert signer(believing([theirs], [certificate]), thumbprint(certificate), NOW).id == DOCTOR


def test_a_person_cannot_issue_certificates() -> None:
    issuer = root()
    doctor = leaf(issuer)
    _, forged = leaf(doctor)

    trust = believing([issuer], [doctor[1], forged])

    assert refusal(trust, thumbprint(forged)) is R.UNTRUSTED_CHAIN


def test_who_does_not_say_that_it_is_an_authority_is_none() -> None:
    issuer = root()
    silent = leaf(issuer, constraints=False)
    _, forged = leaf(silent)
    trust = believing([issuer], [silent[1], forged])

    assert signer(trust, thumbprint(silent[1]), NOW).id == DOCTOR
    assert refusal(trust, thumbprint(forged)) is R.UNTRUSTED_CHAIN


def between(issuer: Issuer, *, days: int = 3650) -> Issuer:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "between")])
    above = (issuer[0], issuer[1].subject)
    return private, authority_certificate(subject, private, above, begins=NOW - 5 * DAY, days=days, depth=0)


def test_an_authority_between_is_walked_through_and_its_end_is_the_end() -> None:
    top = root()
    middle = between(top, days=30)
    _, certificate = leaf(middle)
    trust = believing([top], [certificate], middle)

    assert signer(trust, thumbprint(certificate), NOW).id == DOCTOR
    with pytest.raises(Untrusted, match="certificate_expired"):
        signer(trust, thumbprint(certificate), NOW + 26 * DAY)
    assert refusal(trust, thumbprint(middle[1])) is R.UNKNOWN_SIGNER


def test_a_chain_is_walked_once_and_the_moment_judged_every_time() -> None:
    issuer = root()
    _, certificate = leaf(issuer)
    trust, print_ = believing([issuer], [certificate]), thumbprint(certificate)
    before = suites.tally["chain"]

    for _ in range(5):
        signer(trust, print_, NOW)
    for at in (NOW - 2 * DAY, NOW + 701 * DAY):
        with pytest.raises(Untrusted, match="certificate_"):
            signer(trust, print_, at)

    assert suites.tally["chain"] == before + 1


def packages(issuer: Issuer, *, begins: int, ends: int, code: str = HOSPITAL, at: str = HOSPITAL) -> x509.Certificate:
    subject = {NameOID.SERIAL_NUMBER: code, NameOID.ORGANIZATION_IDENTIFIER: at}
    return leaf(
        issuer,
        purpose=Purpose.PACKAGE,
        begins=NOW + begins * DAY,
        ends=NOW + ends * DAY,
        subject=subject,  # type: ignore[arg-type]  # a dict of text is a dict of text or nothing
    )[1]


def test_the_newest_key_that_is_valid_is_written_to() -> None:
    issuer = root()
    old, new = packages(issuer, begins=-9, ends=5), packages(issuer, begins=-1, ends=50)
    trust = believing([issuer], [old, new])

    assert trust.reader(HOSPITAL, NOW).kid == thumbprint(new)
    assert trust.reader(HOSPITAL, NOW - 3 * DAY).kid == thumbprint(old)
    with pytest.raises(Untrusted, match="certificate_expired"):
        trust.reader(HOSPITAL, NOW + 51 * DAY)
    with pytest.raises(Untrusted, match="certificate_not_yet_valid"):
        trust.reader(HOSPITAL, NOW - 10 * DAY)


def test_a_stray_certificate_in_an_institutions_name_is_passed_over() -> None:
    ours, theirs = root(), root("stranger")
    good = packages(ours, begins=-2, ends=50)
    stray = packages(theirs, begins=-1, ends=50)
    employee = packages(ours, begins=-1, ends=50, code=HOSPITAL, at=PHARMACY)

    trust = believing([ours], [stray, employee, good])

    assert trust.reader(HOSPITAL, NOW).kid == thumbprint(good)


def test_development_is_marked_on_every_certificate(house: House, tmp_path: Path) -> None:
    paths = [
        house.folder / "root.pem",
        *(path for at in ("authorities", "public") for path in (house.folder / at).glob("*.pem")),
    ]
    assert len(paths) == 1 + 2 + 4 * 3 + 2
    for path in paths:
        assert profile.is_development(x509.load_pem_x509_certificate(path.read_bytes()))
    assert house.trust.is_development

    issuer = root()
    _, certificate = leaf(issuer)
    (tmp_path / "public").mkdir()
    (tmp_path / "root.pem").write_bytes(issuer[1].public_bytes(Encoding.PEM))
    (tmp_path / "public" / "doctor.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "root.crl").write_bytes(listed(issuer))
    trust = Trust.load(tmp_path)
    assert not trust.is_development
    assert signer(trust, thumbprint(certificate), NOW).id == DOCTOR


def test_a_policy_of_somebody_elses_is_not_the_mark_of_development() -> None:
    issuer = root()
    private = ec.generate_private_key(ec.SECP256R1())
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(issuer[1].subject)
        .issuer_name(issuer[1].subject)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.CertificatePolicies([policy]), critical=False)
        .sign(issuer[0], hashes.SHA256())
    )

    assert not profile.is_development(certificate)


def test_a_folder_without_a_root_is_no_trust(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"root\.pem"):
        Trust.load(tmp_path)
    (tmp_path / "root.pem").write_text("not a certificate")
    with pytest.raises(ValueError, match="PEM"):
        Trust.load(tmp_path)
    with pytest.raises(ValueError, match="empty"):
        Trust([], [])

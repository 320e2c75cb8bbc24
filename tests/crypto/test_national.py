"""
Certificates, lists, answers, documents and packages of the national algorithms: ours for OpenSSL, and OpenSSL's for us.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus
from forge import DOCTOR, HOSPITAL, NOW, PHARMACY, PLATFORM, RX, House, b64, flipped, refusal, written
from test_sm import IDENTITY, openssl

from rx_flow.crypto.compact import decode, encode
from rx_flow.crypto.documents import digest_of, issue, verify_document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.packages import add_recipient, open_package, seal
from rx_flow.crypto.pki import der, foreign, renewal, responders, signatures
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.ocsp import Responder
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose, describe, thumbprint
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.suites import sm

LATER = NOW + timedelta(hours=1)
STAMP = str(int(LATER.timestamp()))
LINKS = {
    "root": ["authorities/persons-1", "authorities/institutions-1"],
    "authorities/persons-1": [f"public/{DOCTOR}"],
    "authorities/institutions-1": [f"public/{HOSPITAL}.{name}" for name in ("seal", "open", "token")],
}


@pytest.fixture
def own(national: House, tmp_path: Path) -> House:
    """A house of its own, for what changes it."""
    folder = shutil.copytree(national.folder, tmp_path / "keys")
    return replace(national, folder=folder, trust=Trust.load(folder))


def pem(there: House, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((there.folder / f"{name}.pem").read_bytes())


def told(there: House, above: str, below: str, *options: str) -> str:
    """OpenSSL's word on one link of a chain; of three at once 3.0 forgets the identity."""
    ran = subprocess.run(  # noqa: S603  our own files
        ["/usr/bin/openssl", "verify", "-x509_strict", "-partial_chain", "-attime", STAMP,
         "-trusted", f"{above}.pem", *options, f"{below}.pem"],
        cwd=there.folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return "OK" if ran.returncode == 0 else ran.stderr


def test_openssl_believes_every_link_of_our_chains(national: House, tmp_path: Path) -> None:
    for above, belows in LINKS.items():
        for below in belows:
            assert told(national, above, below, "-vfyopt", IDENTITY) == "OK"
            assert "signature failure" in told(national, above, below)  # by no identity at all
    root = pem(national, "root")
    verified_by_openssl(tmp_path, root, root.tbs_certificate_bytes, root.signature)
    assert told(national, "authorities/institutions-1", f"public/{DOCTOR}", "-vfyopt", IDENTITY) != "OK"


def test_openssl_reads_our_certificates_as_of_the_national_algorithms(national: House) -> None:
    text = openssl(national.folder, "x509", "-in", f"public/{DOCTOR}.pem", "-noout", "-text").decode()

    assert text.count("Signature Algorithm: SM2-with-SM3") == 2
    assert "ASN1 OID: SM2" in text
    assert DOCTOR in text


def verified_by_openssl(folder: Path, certificate: x509.Certificate, data: bytes, signature: bytes) -> None:
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "data").write_bytes(data)
    (folder / "signature").write_bytes(signature)
    said = openssl(
        folder, "pkeyutl", "-verify", "-certin", "-inkey", "certificate.pem", "-rawin", "-digest", "sm3",
        "-in", "data", "-sigfile", "signature", "-pkeyopt", IDENTITY,
    )  # fmt: skip
    assert b"Verified Successfully" in said


def test_openssl_verifies_a_document_with_its_certificate(national: House, tmp_path: Path) -> None:
    """What a stranger does: cut the text at its last dot, decode what stands behind, and ask `pkeyutl`."""
    signed, _, signature = written(national.doctor).rpartition(".")

    verified_by_openssl(tmp_path, pem(national, f"public/{DOCTOR}"), signed.encode(), decode(signature.encode()))


def test_openssl_verifies_our_lists_and_answers(own: House, tmp_path: Path) -> None:
    """Its `crl` and `ocsp` commands take no identity, so its `pkeyutl` does, over the same signed bytes."""
    renewal.revoke(own.folder, DOCTOR, Why.KEY_COMPROMISE, now=LATER, passphrase=own.passphrase)
    raw = (own.folder / "lists/persons-1.crl").read_bytes()
    listed = x509.load_der_x509_crl(raw)
    issuer, doctor = pem(own, "authorities/persons-1"), pem(own, f"public/{DOCTOR}")

    verified_by_openssl(tmp_path, issuer, listed.tbs_certlist_bytes, listed.signature)
    assert listed.get_revoked_certificate_by_serial_number(doctor.serial_number) is not None

    pairs = responders.load(own.folder / PLATFORM, own.passphrase).values()
    responder = Responder(Trust.load(own.folder), pairs)
    for algorithm in (hashes.SHA1(), hashes.SHA256()):  # noqa: S303  names of the issuer, as clients ask
        asked = ocsp.OCSPRequestBuilder().add_certificate(doctor, issuer, algorithm).build()
        answer = ocsp.load_der_ocsp_response(responder.answer(asked.public_bytes(Encoding.DER), now=LATER))
        assert answer.certificate_status is OCSPCertStatus.REVOKED
        verified_by_openssl(tmp_path, answer.certificates[0], answer.tbs_response_bytes, answer.signature)
        assert answer.signature_algorithm_oid.dotted_string == sm.SIGNATURE
    (tmp_path / "asked").write_bytes(asked.public_bytes(Encoding.DER))
    (tmp_path / "answer").write_bytes(answer.public_bytes(Encoding.DER))
    assert b"Cert Status: revoked" in openssl(tmp_path, "ocsp", "-respin", "answer", "-noverify", "-text")


PROFILE = f"""
[root]
basicConstraints=critical,CA:TRUE,pathlen:1
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[between]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,nonRepudiation
extendedKeyUsage=1.3.6.1.5.5.7.3.36
authorityKeyIdentifier=keyid
[ca]
default_ca=authority
[authority]
database=index
crlnumber=number
default_md=sm3
default_crl_days=30
crl_extensions=list
[list]
authorityKeyIdentifier=keyid
[req]
distinguished_name=name
[name]
# {DOCTOR}
"""
SUBJECT = f"/C=CN/2.5.4.97={HOSPITAL}/title=prescriber/serialNumber={DOCTOR}/CN=D"
USUAL = ("-sigopt", IDENTITY)


def theirs(folder: Path, *, identity: tuple[str, ...] = USUAL) -> Trust:
    """A root, an authority, a doctor's certificate and lists, all of OpenSSL's making, valid from now on."""
    (folder / "profile").write_text(PROFILE, "utf-8")
    for name in ("root", "between", "leaf"):
        openssl(folder, "genpkey", "-algorithm", "SM2", "-out", f"{name}.key")
    self_signed = ("-x509", "-days", "90", "-subj", "/CN=theirs", "-config", "profile", "-extensions", "root")
    openssl(folder, "req", "-new", "-key", "root.key", "-sm3", *USUAL, *self_signed, "-out", "root.pem")
    for name, above, subject in (("between", "root", "/CN=between"), ("leaf", "between", SUBJECT)):
        asked = ("-subj", subject, "-config", "profile", "-out", f"{name}.csr")
        openssl(folder, "req", "-new", "-key", f"{name}.key", "-sm3", *USUAL, *asked)
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-vfyopt", IDENTITY, "-CA", f"{above}.pem",
            "-CAkey", f"{above}.key", "-sm3", *(identity if name == "leaf" else USUAL), "-days", "80",
            "-extfile", "profile", "-extensions", name, "-out", f"{name}.pem",
        )  # fmt: skip
    lists = []
    for name in ("root", "between"):
        (folder / "index").write_text("", "utf-8")
        (folder / "number").write_text("01\n", "utf-8")
        signer = ("-keyfile", f"{name}.key", "-cert", f"{name}.pem")
        openssl(folder, "ca", "-gencrl", "-config", "profile", *signer, *USUAL, "-out", f"{name}.crl")
        lists.append((folder / f"{name}.crl").read_bytes())
    root, *others = (
        x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()) for name in ("root", "between", "leaf")
    )
    return Trust([root], others, lists)


def test_we_believe_a_chain_and_lists_of_openssls_making(tmp_path: Path) -> None:
    trust = theirs(tmp_path)
    (print_,) = trust.certificates
    now = trust.certificates[print_].not_valid_before_utc + timedelta(minutes=1)

    found = trust.certified(print_, Purpose.DOCUMENT, now, now=now)

    assert (found.signer.id, found.signer.institution) == (DOCTOR, HOSPITAL)
    assert trust.status(print_, now=now).revoked is None
    assert len(trust.lists) == 2


def test_a_certificate_signed_by_another_identity_is_not_believed(tmp_path: Path) -> None:
    trust = theirs(tmp_path, identity=("-sigopt", "distid:somebody else"))
    (print_,) = trust.certificates
    now = trust.certificates[print_].not_valid_before_utc + timedelta(minutes=1)

    with pytest.raises(Untrusted, match="untrusted_chain"):
        trust.certified(print_, Purpose.DOCUMENT, now, now=now)


def test_a_revoked_national_certificate_does_not_count(own: House) -> None:
    raw = written(own.doctor, at=LATER)
    verify_document(raw, own.trust, Seen(LATER))

    renewal.revoke(own.folder, DOCTOR, Why.KEY_COMPROMISE, now=LATER, passphrase=own.passphrase, since=NOW)
    with pytest.raises(Untrusted, match="certificate_revoked"):
        verify_document(raw, Trust.load(own.folder), Seen(LATER))


def broken(found: x509.Certificate, place: int) -> x509.Certificate:
    """The same certificate with one bit of its signed part, or of its signature, changed."""
    raw = bytearray(found.public_bytes(Encoding.DER))
    raw[place] ^= 1
    return x509.load_der_x509_certificate(bytes(raw))


def test_no_changed_bit_of_a_certificate_or_list_is_believed(national: House) -> None:
    issuer, leaf = pem(national, "authorities/persons-1"), pem(national, f"public/{DOCTOR}")
    size = len(leaf.public_bytes(Encoding.DER))
    signatures.check_certificate(leaf, issuer)
    seen = 0
    for place in range(0, size, 3):
        try:
            other = broken(leaf, place)
        except (ValueError, x509.InvalidVersion):
            continue  # not a certificate any more
        with pytest.raises(Untrusted):
            signatures.check_certificate(other, issuer)
        seen += 1
    assert seen > size // 6
    raw = (national.folder / "lists/persons-1.crl").read_bytes()
    with pytest.raises(Untrusted, match="bad_list"):
        national.trust.take(raw[:-1] + bytes((raw[-1] ^ 1,)))


def test_another_algorithm_than_the_issuers_is_not_looked_at(national: House) -> None:
    """Neither outside nor inside of what is signed: whoever could choose would choose the weaker one."""
    issuer, leaf = pem(national, "authorities/persons-1"), pem(national, f"public/{DOCTOR}")
    tbs, algorithm, signature = der.parts(leaf.public_bytes(Encoding.DER))
    other = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    inside = der.parts(tbs)
    changed = der.sequence(*inside[:2], other, *inside[3:])
    public = signatures.public_key(issuer)

    foreign.check(der.sequence(tbs, algorithm, signature), tbs, public)
    for whole, part in (
        (der.sequence(tbs, other, signature), tbs),
        (der.sequence(changed, algorithm, signature), changed),
        (der.sequence(changed, other, signature), changed),
    ):
        with pytest.raises(Untrusted, match="wrong_algorithm"):
            foreign.check(whole, part, public)


def test_a_dossier_is_chained_by_sm3_and_verified_as_any(national: House) -> None:
    documents = []
    for seq in range(1, 9):
        prev = documents[-1].digest if documents else ""
        documents.append(
            issue(national.doctor, doc="prescription", rx=RX, seq=seq, prev=prev, at=NOW, body={"action": "submit"})
        )
    raws = [document.raw for document in documents]

    assert verify_dossier(raws, national.trust, Seen(NOW), rx=RX, head=documents[-1].digest) == tuple(documents)
    for document in documents:
        assert document.digest == sm.digest(document.raw.encode()) == digest_of(document.raw)


def test_one_bit_of_any_byte_of_a_document_is_noticed(national: House) -> None:
    raw = written(national.doctor)
    for part, text in enumerate(raw.split(".")):
        for byte in range(0, len(decode(text.encode())), 1 if part == 2 else 5):
            reason = refusal(flipped(raw, part=part, byte=byte), national.trust)
            assert part < 2 or reason in {Reason.BAD_SIGNATURE, Reason.SIGNATURE_RANGE}


def test_a_package_of_the_national_suite_is_read_by_its_readers_alone(national: House) -> None:
    documents = ("e30.e30.x", "文书")
    to, more = (national.trust.reader(code, NOW) for code in (PLATFORM, PHARMACY))
    package = seal(documents, to, rx=RX)
    both = add_recipient(package, national.platform.opening, more, rx=RX)

    assert sm.SM.content in decode(package.split('"protected":"')[1].split('"')[0].encode()).decode()
    for key in (national.platform.opening, national.pharmacy.opening):
        assert open_package(both, key, rx=RX) == documents
    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(both, national.hospital.opening, rx=RX)
    mine = describe(pem(national, f"public/{PHARMACY}.open")).signer.thumbprint
    assert f'"header":{{"kid":"{mine}"}}' in both  # nothing else: the ephemeral point stands in the wrapped key


def test_openssl_opens_the_content_key_of_a_package(national: House, tmp_path: Path) -> None:
    package = seal(["document"], national.trust.reader(PLATFORM, NOW), rx=RX)
    wrapped = package.split('"encrypted_key":"')[1].split('"')[0]
    key = national.platform.opening
    (tmp_path / "key").write_bytes(sm.dump_private(key._private))
    (tmp_path / "wrapped").write_bytes(decode(wrapped.encode()))

    cek = openssl(tmp_path, "pkeyutl", "-decrypt", "-inkey", "key", "-keyform", "DER", "-in", "wrapped")

    parts = {name: package.split(f'"{name}":"')[1].split('"')[0].encode() for name in ("protected", "iv", "tag")}
    ciphertext = decode(package.split('"ciphertext":"')[1].split('"')[0].encode())
    plain = sm.open_(cek, decode(parts["iv"]), (ciphertext, decode(parts["tag"])), parts["protected"])
    assert plain == b'["document"]'


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("tag", b64(bytes(12)), Reason.TAG_LENGTH),
        ("iv", b64(bytes(8)), Reason.MALFORMED),
        ("encrypted_key", b64(bytes(24)), Reason.MALFORMED),
        ("encrypted_key", b64(bytes(200)), Reason.MALFORMED),
        ("ciphertext", encode(b"x").decode(), Reason.BAD_PACKAGE),
    ],
)
def test_a_hostile_national_package_is_refused_for_its_own_reason(
    national: House, name: str, value: str, reason: Reason
) -> None:
    package = seal(["document"], national.trust.reader(PLATFORM, NOW), rx=RX)
    before, rest = package.split(f'"{name}":"')
    changed = f'{before}"{name}":"{value}"{rest.partition(chr(34))[2]}'

    with pytest.raises(Untrusted) as refused:
        open_package(changed, national.platform.opening, rx=RX)
    assert refused.value.reason is reason


def test_thumbprints_stay_sha_256_whatever_the_suite(national: House) -> None:
    """`x5t#S256` is what RFC 7515 calls it, and how certificates are looked up."""
    assert thumbprint(pem(national, f"public/{DOCTOR}")) == national.doctor.thumbprint
    assert set(national.trust.certificates) == {
        thumbprint(x509.load_pem_x509_certificate(path.read_bytes()))
        for path in (national.folder / "public").glob("*.pem")
    }

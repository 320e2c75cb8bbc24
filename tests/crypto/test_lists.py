"""
Revocation lists: what is written is read back, by OpenSSL too; what is of another kind or another's is not believed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from forge import DAY, NOW, leaf, listed, root

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import lists
from rx_flow.crypto.pki.lists import Revoked, Why

AT = NOW.replace(microsecond=0)
Builder = x509.CertificateRevocationListBuilder
ISSUER = root()


def entries() -> list[Revoked]:
    plain = [Revoked(n, AT - n * DAY, why.value) for n, why in enumerate(Why, 1)]
    return [*plain, Revoked(99, AT, Why.KEY_COMPROMISE.value, AT - timedelta(days=3, hours=1))]


def refused(raw: bytes) -> str:
    with pytest.raises(Untrusted) as untrusted:
        lists.read(lists.parse(raw), ISSUER[1])
    assert untrusted.value.reason is Reason.BAD_LIST
    return untrusted.value.detail


def built(change: Callable[[Builder], Builder], *, number: bool = True) -> bytes:
    """A list by ISSUER with something in it that ours do not have."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(ISSUER[1].subject)
    builder = builder.last_update(AT).next_update(AT + DAY)
    if number:
        builder = builder.add_extension(x509.CRLNumber(7), critical=False)
    return change(builder).sign(ISSUER[0], hashes.SHA256()).public_bytes(Encoding.DER)


def pieces(der: bytes) -> list[bytes]:
    """The elements of a DER SEQUENCE; lengths of one or of two further bytes, as lists have them."""

    def size(at: int) -> tuple[int, int]:
        short = der[at + 1]
        more = short & 0x7F if short & 0x80 else 0
        return 2 + more, int.from_bytes(der[at + 2 : at + 2 + more], "big") if more else short

    at, found = size(0)[0], []
    while at < len(der):
        head, length = size(at)
        found.append(der[at : at + head + length])
        at += head + length
    return found


def sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    length = (
        bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    )
    return b"\x30" + length + body


def without_end() -> bytes:
    """A list that does not say when the next one comes: RFC 5280 forbids it, and the library does not write it."""
    version, algorithm, issuer, this, _, *rest = pieces(x509.load_der_x509_crl(listed(ISSUER)).tbs_certlist_bytes)
    told = sequence(version, algorithm, issuer, this, *rest)
    signature = ISSUER[0].sign(told, ec.ECDSA(hashes.SHA256()))
    return sequence(told, algorithm, b"\x03" + bytes([len(signature) + 1]) + b"\x00" + signature)


def entry(*extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(AT)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.build()


def test_what_is_written_is_read_back() -> None:
    raw = listed(ISSUER, entries(), number=12)
    found = lists.read(lists.parse(raw), ISSUER[1])

    assert (found.number, found.this_update, found.next_update) == (12, AT - 20 * DAY, AT + 80 * DAY)
    assert found.revoked == {one.serial: one for one in entries()}
    assert found.raw == raw
    assert found.keeps_expired == ISSUER[1].not_valid_before_utc


def test_a_list_in_pem_is_the_same_list() -> None:
    raw = listed(ISSUER, entries())
    pem = x509.load_der_x509_crl(raw).public_bytes(Encoding.PEM)

    assert lists.read(lists.parse(pem), ISSUER[1]) == lists.read(lists.parse(raw), ISSUER[1])


def test_openssl_reads_reason_time_and_invalidity_date(tmp_path: Path) -> None:
    (tmp_path / "list.crl").write_bytes(listed(ISSUER, entries(), number=255))
    ran = subprocess.run(  # noqa: S603  our own file
        ["/usr/bin/openssl", "crl", "-inform", "DER", "-in", str(tmp_path / "list.crl"), "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert "X509v3 CRL Number: \n                255" in ran
    for words in ("Key Compromise", "CA Compromise", "Superseded", "Cessation Of Operation", "Privilege Withdrawn"):
        assert words in ran
    assert "Invalidity Date: \n                Nov 20 07:30:00 2026 GMT" in ran


def test_a_key_counts_for_nothing_since_it_may_be_another_s() -> None:
    assert Revoked(1, AT, Why.SUPERSEDED.value).since == AT
    assert Revoked(1, AT, Why.KEY_COMPROMISE.value, AT - DAY).since == AT - DAY
    assert Revoked(1, AT, Why.KEY_COMPROMISE.value, AT + DAY).since == AT


@pytest.mark.parametrize(
    "raw", [b"", b"-----BEGIN X509 CRL-----", b"0\x03\x02\x01\x01", ISSUER[1].public_bytes(Encoding.DER)]
)
def test_what_is_no_list_is_none(raw: bytes) -> None:
    with pytest.raises(Untrusted, match="bad_list"):
        lists.parse(raw)


def test_a_list_that_would_fill_the_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = listed(ISSUER)
    monkeypatch.setattr(lists, "LIST_MAX", len(raw) - 1)
    with pytest.raises(Untrusted, match="too large"):
        lists.parse(raw)
    monkeypatch.setattr(lists, "LIST_MAX", len(raw))
    lists.parse(raw)


def test_another_authority_s_list_is_not_this_one_s() -> None:
    assert refused(listed(root("somebody else"))) == "of another issuer"
    assert refused(listed(root())) == "not signed by its issuer"


def test_every_byte_of_a_list_matters() -> None:
    raw = listed(ISSUER, entries())
    for place in range(len(raw)):
        spoiled = bytearray(raw)
        spoiled[place] ^= 1
        with pytest.raises(Untrusted):
            lists.read(lists.parse(bytes(spoiled)), ISSUER[1])


def test_a_list_has_one_spelling() -> None:
    """A last bit that is declared unused, and is nought, would make other bytes of the same list."""
    raw = listed(ISSUER)
    while raw[-1] & 1:
        raw = listed(ISSUER)
    size = len(x509.load_der_x509_crl(raw).signature)
    spoiled = raw[: -size - 1] + b"\x01" + raw[-size:]

    assert lists.parse(raw).signature == raw[-size:]
    with pytest.raises(Untrusted, match="not whole octets"):
        lists.parse(spoiled)


def test_a_person_s_key_signs_no_list() -> None:
    doctor = leaf(ISSUER)
    with pytest.raises(Untrusted, match="of another issuer"):
        lists.read(lists.parse(listed(ISSUER)), doctor[1])


POINT = x509.IssuingDistributionPoint(
    full_name=None, relative_name=None, only_contains_user_certs=True, only_contains_ca_certs=False,
    only_some_reasons=None, indirect_crl=False, only_contains_attribute_certs=False,
)  # fmt: skip
ASIDE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
ANOTHER_S = x509.CertificateIssuer([x509.DNSName("a")])
OTHERS: list[tuple[str, Callable[[Builder], Builder], str]] = [
    ("delta", lambda b: b.add_extension(x509.DeltaCRLIndicator(1), critical=True), "not a whole list"),
    ("part", lambda b: b.add_extension(POINT, critical=True), "not a whole list"),
    ("unknown", lambda b: b.add_extension(ASIDE, critical=True),
     "not a whole list"),
    ("indirect", lambda b: b.add_revoked_certificate(entry((ANOTHER_S, True))),
     "its extensions"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "detail"), [one[1:] for one in OTHERS], ids=[one[0] for one in OTHERS])
def test_a_list_of_another_kind_is_not_believed(change: Callable[[Builder], Builder], detail: str) -> None:
    assert detail in refused(built(change))


def test_a_list_says_its_number_and_until_when_it_holds() -> None:
    assert refused(built(lambda b: b, number=False)) == "its extensions"
    assert refused(without_end()) == "it does not say until when it holds"


def test_what_others_add_to_an_entry_is_passed_over() -> None:
    raw = built(lambda b: b.add_revoked_certificate(entry((ASIDE, False))))

    assert lists.read(lists.parse(raw), ISSUER[1]).revoked == {5: Revoked(5, AT, Why.UNSPECIFIED.value)}


@pytest.mark.parametrize("value", [b"\x17\x0d261123083000Z", b"\x18\x0f2026112308300XZ", b"\x18\x0f\xff\xff"])
def test_a_promise_to_keep_the_ended_that_cannot_be_read_is_none(value: bytes) -> None:
    promise = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.60"), value)
    raw = built(lambda b: b.add_extension(ASIDE, critical=False).add_extension(promise, critical=False))
    found = lists.read(lists.parse(raw), ISSUER[1])

    assert found.keeps_expired is None
    assert found.tells_of(AT)
    assert not found.tells_of(AT - timedelta(seconds=1))


def test_a_list_that_keeps_the_ended_tells_of_them() -> None:
    promise = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.60"), b"\x18\x0f20260101000000Z")
    found = lists.read(lists.parse(built(lambda b: b.add_extension(promise, critical=False))), ISSUER[1])

    assert found.tells_of(datetime(2026, 1, 1, tzinfo=UTC))
    assert not found.tells_of(datetime(2025, 12, 31, tzinfo=UTC))

"""
The form of certificates: what RFC 5280 asks of each, a path's mathematics notwithstanding.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from forge import DAY, NOW, believing, leaf, root

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import form, lists
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Certified, Purpose, Signer, is_authority, is_development, thumbprint

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key()
OWN = x509.SubjectKeyIdentifier.from_public_key(PUBLIC)
ABOVE = x509.AuthorityKeyIdentifier.from_issuer_public_key(PUBLIC)
LIMITS = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.com")], excluded_subtrees=None)
ACCESS = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("https://example.com/above.cer")
        )
    ]
)
Stated = list[tuple[x509.ExtensionType, bool]]
LEAF: Stated = [(ABOVE, False)]
AUTHORITY: Stated = [(OWN, False), (ABOVE, False)]
ROOT: Stated = [(OWN, False)]


def made(
    stated: Stated, *, subject: str = "one", issuer: str = "other", serial: int = 7, names: int = 1
) -> x509.Certificate:
    """A certificate that says this and no more."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] * names))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(PUBLIC)
        .serial_number(serial)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for value, critical in stated:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(KEY, hashes.SHA256())


def chain(
    leaf: x509.Certificate | None = None, between: x509.Certificate | None = None, root: x509.Certificate | None = None
) -> list[x509.Certificate]:
    """Leaf, authority and root; right in everything that is not given."""
    return [
        leaf or made(LEAF),
        between or made(AUTHORITY, subject="between"),
        root or made(ROOT, subject="root", issuer="root"),
    ]


def unreadable() -> x509.Certificate:
    """A certificate with the same extension twice."""
    raw = made([(ABOVE, False), (OWN, False)]).public_bytes(Encoding.DER)
    return x509.load_der_x509_certificate(raw.replace(b"\x55\x1d\x0e", b"\x55\x1d\x23"))  # the identifiers' names


def foreign_root(digest: bytes) -> x509.Certificate:
    above = x509.AuthorityKeyIdentifier(digest, None, None)
    return made([(OWN, False), (above, False)], subject="root", issuer="root")


def test_what_our_authorities_issue_has_the_right_form() -> None:
    form.check(chain())
    form.check(chain(root=foreign_root(OWN.digest)))
    form.check(chain(root=made(AUTHORITY, subject="root", issuer="another root")))
    form.check([made(LEAF), made(ROOT, subject="root", issuer="root", serial=1)])
    form.check(chain(leaf=made([*LEAF, (ACCESS, False)], serial=(1 << 159) - 1, names=form.NAMES_MAX)))
    form.check(chain(between=made([*AUTHORITY, (LIMITS, True)], subject="between")))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (chain(leaf=made([])), "its issuer's key"),
        (chain(leaf=made([(x509.AuthorityKeyIdentifier(None, None, None), False)])), "its issuer's key"),
        (chain(leaf=made([(ABOVE, True)])), "critical"),
        (chain(leaf=made([*LEAF, (OWN, True)])), "critical"),
        (chain(leaf=made([*LEAF, (ACCESS, True)])), "critical"),
        (chain(leaf=made([*LEAF, (LIMITS, True)])), "may issue nothing"),
        (chain(leaf=made([*LEAF, (x509.PolicyConstraints(0, None), True)])), "may issue nothing"),
        (chain(leaf=made(LEAF, names=form.NAMES_MAX + 1)), "subject"),
        (chain(between=made([(ABOVE, False)], subject="between")), "the name of its key"),
        (chain(between=made([(OWN, False)], subject="between")), "its issuer's key"),
        (chain(between=made([*AUTHORITY, (LIMITS, False)], subject="between")), "critical"),
        (chain(between=made([*AUTHORITY, (x509.PolicyConstraints(0, None), False)], subject="between")), "critical"),
        (chain(root=made([], subject="root", issuer="root")), "the name of its key"),
        (chain(root=made([(OWN, False)], subject="root", issuer="another root")), "its issuer's key"),
        (chain(root=foreign_root(b"\0" * 20)), "under another key"),
        (
            chain(
                root=made(
                    [*ROOT, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)],
                    subject="root",
                    issuer="root",
                )
            ),
            "single purposes",
        ),
        (chain(leaf=unreadable()), "extensions"),
    ],
)
def test_every_other_form_is_refused(wrong: list[x509.Certificate], says: str) -> None:
    with pytest.raises(Untrusted, match=says):
        form.check(wrong)


@pytest.mark.parametrize("place", ["leaf", "between"])
def test_a_number_that_no_list_could_name_is_refused(place: str) -> None:
    one = made(AUTHORITY, subject=place)
    too_long = type("Numbered", (), {"serial_number": 1 << form.SERIAL_BITS})()

    with pytest.raises(Untrusted, match="serial number"):
        form.check([too_long, one] if place == "leaf" else [one, too_long, one])


def test_what_cannot_be_read_is_no_authority_and_believed_by_nobody() -> None:
    one = unreadable()

    assert not is_authority(one)
    assert not is_development(one)
    above = root()
    trust = Trust([above[1]], [one])
    with pytest.raises(Untrusted):
        trust.certified(thumbprint(one), Purpose.DOCUMENT, NOW, now=NOW)


def authority_usage(*, lists: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=lists, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def test_the_form_is_asked_of_every_chain() -> None:
    basics: Stated = [(x509.BasicConstraints(ca=True, path_length=None), True), (authority_usage(lists=True), True)]
    for more, reason in ((ROOT, None), ([], Reason.UNTRUSTED_CHAIN)):
        above = KEY, made([*basics, *more], subject="root", issuer="root")
        _, certificate = leaf(above)
        trust = believing([above], [certificate])
        if reason is None:
            assert trust.certified(thumbprint(certificate), Purpose.DOCUMENT, NOW, now=NOW)
        else:
            with pytest.raises(Untrusted) as refused:
                trust.certified(thumbprint(certificate), Purpose.DOCUMENT, NOW, now=NOW)
            assert refused.value.reason is reason


def test_a_certificate_holds_to_the_end_of_its_last_second() -> None:
    signer = Signer("D350100000001", "prescriber", "H35010000001", "", "")
    certified = Certified(signer, PUBLIC, Purpose.DOCUMENT, begins=NOW - DAY, ends=NOW.replace(microsecond=0))

    certified.at(NOW.replace(microsecond=999_999))
    with pytest.raises(Untrusted, match="expired"):
        certified.at(NOW.replace(microsecond=0) + timedelta(seconds=1))


def test_who_may_not_sign_lists_cannot_revoke() -> None:
    issuer = made([*ROOT, (authority_usage(lists=False), True)], subject="root", issuer="root")
    raw = lists.write(issuer, KEY, (), number=1, this_update=NOW, next_update=NOW + DAY)

    with pytest.raises(Untrusted) as refused:
        lists.read(lists.parse(raw), issuer)
    assert refused.value.reason is Reason.BAD_LIST
    silent = made(ROOT, subject="root", issuer="root")
    assert not lists.read(lists.parse(raw), silent).revoked

"""
Certificates and lists that travel with signatures: with the root they are enough, and nothing of them can be exchanged.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from forge import NOW, House, leaf, listed, root

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.offline import Enclosed, believe, enclose
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose, thumbprint
from rx_flow.crypto.pki.status import Answer


@pytest.fixture(scope="module")
def enclosed(house: House) -> Enclosed:
    """What two signers of two authorities need."""
    return enclose(house.trust, [house.doctor.thumbprint, house.platform.seal.thumbprint, house.doctor.thumbprint])


@pytest.fixture(scope="module")
def pem(house: House) -> bytes:
    return (house.folder / "root.pem").read_bytes()


def reason(pem: bytes, enclosed: Enclosed) -> Reason:
    with pytest.raises(Untrusted) as untrusted:
        believe(pem, enclosed)
    return untrusted.value.reason


def armoured(der: bytes, label: str = "CERTIFICATE") -> bytes:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def test_with_the_root_what_is_enclosed_is_enough(house: House, enclosed: Enclosed, pem: bytes) -> None:
    trust = believe(pem, enclosed)

    for print_ in (house.doctor.thumbprint, house.platform.seal.thumbprint):
        assert trust.certified(print_, Purpose.DOCUMENT, NOW, now=NOW) == house.trust.certified(
            print_, Purpose.DOCUMENT, NOW, now=NOW
        )
        assert trust.status(print_, now=NOW).answer is Answer.VALID
        assert trust.chain(print_) == house.trust.chain(print_)


def test_nothing_more_than_needed_is_enclosed_and_never_the_root(house: House, enclosed: Enclosed, pem: bytes) -> None:
    only = enclose(house.trust, [house.doctor.thumbprint])

    assert (len(enclosed.leaves), len(enclosed.authorities), len(enclosed.lists)) == (2, 2, 3)
    assert (len(only.leaves), len(only.authorities), len(only.lists)) == (1, 1, 2)
    assert pem not in {*enclosed.leaves.values(), *enclosed.authorities.values()}


def test_without_a_list_nothing_is_enclosed() -> None:
    issuer = root()
    _, certificate = leaf(issuer)
    trust = Trust([issuer[1]], [certificate])

    with pytest.raises(Untrusted, match="status_undeterminable"):
        enclose(trust, [thumbprint(certificate)])
    trust.take(listed(issuer))
    assert enclose(trust, [thumbprint(certificate)]).leaves.keys() == {thumbprint(certificate)}


def test_several_roots_may_be_trusted(enclosed: Enclosed, pem: bytes) -> None:
    other = root("another")[1].public_bytes(Encoding.PEM)

    assert believe(other + pem, enclosed).certificates.keys() == enclosed.leaves.keys()
    assert reason(other, enclosed) is Reason.UNTRUSTED_CHAIN


def first(found: dict[str, bytes]) -> str:
    return min(found)


Change = Callable[[Enclosed, bytes], Enclosed]


def leaves(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Change:
    return lambda enclosed, _: replace(enclosed, leaves=change(dict(enclosed.leaves)))


def lists(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Change:
    return lambda enclosed, _: replace(enclosed, lists=change(dict(enclosed.lists)))


def rooted(enclosed: Enclosed, pem: bytes) -> Enclosed:
    print_ = thumbprint(x509.load_pem_x509_certificate(pem))
    return replace(enclosed, authorities={**enclosed.authorities, print_: pem})


def misplaced(enclosed: Enclosed, _: bytes) -> Enclosed:
    name = first(dict(enclosed.authorities))
    others = {each: body for each, body in enclosed.authorities.items() if each != name}
    return Enclosed({**enclosed.leaves, name: enclosed.authorities[name]}, others, enclosed.lists)


def unneeded(enclosed: Enclosed, _: bytes) -> Enclosed:
    other = root("another")[1]
    return replace(enclosed, authorities={**enclosed.authorities, thumbprint(other): other.public_bytes(Encoding.PEM)})


SPOILED: dict[str, tuple[Change, Reason]] = {
    "no certificate": (leaves(lambda found: {**found, first(found): b"none"}), Reason.BAD_CERTIFICATE),
    "two in one file": (leaves(lambda found: {**found, first(found): 2 * found[first(found)]}), Reason.BAD_CERTIFICATE),
    "another name": (leaves(lambda found: {"x": found[first(found)]}), Reason.BAD_CERTIFICATE),
    "another spelling": (
        leaves(lambda found: {**found, first(found): found[first(found)] + b"\n"}),
        Reason.BAD_CERTIFICATE,
    ),
    "the certificate of another": (
        leaves(lambda found: dict(zip(found, reversed(found.values()), strict=True))),
        Reason.BAD_CERTIFICATE,
    ),
    "an authority among the signers": (misplaced, Reason.BAD_CERTIFICATE),
    "the root among the authorities": (rooted, Reason.UNTRUSTED_CHAIN),
    "an authority too many": (unneeded, Reason.UNTRUSTED_CHAIN),
    "no authorities": (lambda enclosed, _: replace(enclosed, authorities={}), Reason.UNTRUSTED_CHAIN),
    "no lists": (lambda enclosed, _: replace(enclosed, lists={}), Reason.STATUS_UNDETERMINABLE),
    "a list too few": (
        lists(lambda found: {name: body for name, body in found.items() if name != first(found)}),
        Reason.STATUS_UNDETERMINABLE,
    ),
    "no list": (lists(lambda found: {**found, first(found): b"none"}), Reason.BAD_LIST),
    "the list of another": (
        lists(lambda found: dict(zip(found, reversed(found.values()), strict=True))),
        Reason.BAD_LIST,
    ),
    "a list in another spelling": (
        lists(lambda found: {**found, first(found): found[first(found)] + b"\n"}),
        Reason.BAD_LIST,
    ),
}


@pytest.mark.parametrize(("change", "expected"), SPOILED.values(), ids=SPOILED.keys())
def test_what_is_not_what_its_name_says_is_refused(
    enclosed: Enclosed, pem: bytes, change: Change, expected: Reason
) -> None:
    assert reason(pem, change(enclosed, pem)) is expected


def test_a_root_that_is_none_is_refused(enclosed: Enclosed) -> None:
    assert reason(b"none", enclosed) is Reason.BAD_CERTIFICATE


def test_a_byte_of_a_certificate_or_list_is_refused_for_a_reason_and_never_by_accident(
    enclosed: Enclosed, pem: bytes
) -> None:
    # Also where whoever changed it called it by its new thumbprint: it is the signature that has to tell.
    rng = random.Random(1)  # noqa: S311  A sample, not a secret.
    name = first(dict(enclosed.leaves))
    der = x509.load_pem_x509_certificate(enclosed.leaves[name]).public_bytes(Encoding.DER)
    for at in range(len(der)):
        changed = armoured(der[:at] + bytes([der[at] ^ rng.randrange(1, 256)]) + der[at + 1 :])
        try:
            print_ = thumbprint(x509.load_pem_x509_certificate(changed))
        except (ValueError, x509.InvalidVersion):
            print_ = name
        others = {each: body for each, body in enclosed.leaves.items() if each != name}
        reason(pem, replace(enclosed, leaves={**others, print_: changed}))
    issuer = first(dict(enclosed.lists))
    der = x509.load_pem_x509_crl(enclosed.lists[issuer]).public_bytes(Encoding.DER)
    for at in range(len(der)):
        changed = armoured(der[:at] + bytes([der[at] ^ rng.randrange(1, 256)]) + der[at + 1 :], "X509 CRL")
        assert reason(pem, replace(enclosed, lists={**enclosed.lists, issuer: changed})) is Reason.BAD_LIST


def test_a_list_that_is_over_determines_nothing(house: House, enclosed: Enclosed, pem: bytes) -> None:
    trust = believe(pem, enclosed)

    assert trust.status(house.doctor.thumbprint, now=NOW + timedelta(days=400)).answer is Answer.UNDETERMINABLE

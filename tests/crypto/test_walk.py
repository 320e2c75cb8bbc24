"""
Chains that the library cannot verify: what must not be believed, one fault at a time, and the right one is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import permutations
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from forge import DAY, NOW

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import signatures, walk
from rx_flow.crypto.pki.profile import KEY_USAGE_BITS
from rx_flow.crypto.suites import p256, sm

SIGNS = frozenset({"key_cert_sign", "crl_sign"})
LIMITS = x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=[x509.DNSName("example.com")])


@dataclass(frozen=True)
class Spec:
    """What a certificate is to say."""

    subject: str
    issuer: str
    authority: bool = True
    depth: int | None = None
    bits: frozenset[str] | None = SIGNS
    begins: datetime = NOW - DAY
    ends: datetime = NOW + DAY
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    names: bool = True
    constraints: bool = True


ROOT = Spec("root", "root", depth=1)
BETWEEN = Spec("between", "root", depth=0)
LEAF = Spec("leaf", "between", authority=False, bits=frozenset({"digital_signature"}))


def certificate(spec: Spec, key: suites.PrivateKey, issuer: suites.PrivateKey) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(spec.subject))
        .issuer_name(named(spec.issuer))
        .serial_number(x509.random_serial_number())
        .not_valid_before(spec.begins)
        .not_valid_after(spec.ends)
    )
    if spec.constraints:
        constraints = x509.BasicConstraints(ca=spec.authority, path_length=spec.depth if spec.authority else None)
        builder = builder.add_extension(constraints, critical=True)
    if spec.bits is not None:
        usage = {bit: bit in spec.bits for bit in KEY_USAGE_BITS}
        builder = builder.add_extension(x509.KeyUsage(**usage, encipher_only=False, decipher_only=False), critical=True)
    if spec.names:
        builder = builder.add_extension(signatures.key_name(key.public_key()), critical=False)
        builder = builder.add_extension(signatures.issuer_name(issuer.public_key()), critical=False)
    for value, critical in spec.extra:
        builder = builder.add_extension(value, critical=critical)
    return signatures.certify(builder, key.public_key(), issuer)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


KEYS = [sm.generate() for _ in range(4)]


def chain(*specs: Spec, keys: Iterable[suites.PrivateKey] = KEYS) -> list[x509.Certificate]:
    """Root, authorities and leaf, each signed by the one before."""
    made, above = [], None
    for spec, key in zip(specs, keys, strict=False):
        made.append(certificate(spec, key, above or key))
        above = key
    return made


def found(made: list[x509.Certificate], at: datetime = NOW) -> list[x509.Certificate]:
    root, *between, leaf = made
    return walk.chain(leaf, between, [root], at=at)


def test_the_right_chain_is_found_whatever_stands_around_it() -> None:
    root, between, leaf = chain(ROOT, BETWEEN, LEAF)
    other = chain(ROOT, BETWEEN, LEAF, keys=KEYS[1:])
    for around in permutations([between, other[1], chain(replace(ROOT, subject="x", issuer="x"))[0]]):
        assert walk.chain(leaf, around, [other[0], root], at=NOW) == [leaf, between, root]
    short = certificate(replace(LEAF, issuer="root"), KEYS[2], KEYS[0])
    assert walk.chain(short, [between], [root], at=NOW) == [short, root]


@pytest.mark.parametrize(
    ("specs", "at"),
    [
        ((ROOT, BETWEEN, LEAF), NOW + 2 * DAY),
        ((ROOT, BETWEEN, LEAF), NOW - 2 * DAY),
        ((replace(ROOT, ends=NOW - DAY / 2), BETWEEN, LEAF), NOW),
        ((ROOT, replace(BETWEEN, begins=NOW + DAY / 2), LEAF), NOW),
        ((ROOT, BETWEEN, replace(LEAF, ends=NOW - DAY / 2)), NOW),
        ((replace(ROOT, depth=0), BETWEEN, LEAF), NOW),
        ((replace(ROOT, authority=False), BETWEEN, LEAF), NOW),
        ((ROOT, replace(BETWEEN, authority=False), LEAF), NOW),
        ((ROOT, replace(BETWEEN, constraints=False), LEAF), NOW),
        ((ROOT, replace(BETWEEN, bits=None), LEAF), NOW),
        ((ROOT, replace(BETWEEN, bits=frozenset({"crl_sign"})), LEAF), NOW),
        ((ROOT, replace(BETWEEN, extra=((LIMITS, True),)), LEAF), NOW),
        ((ROOT, BETWEEN, replace(LEAF, extra=((LIMITS, True),))), NOW),
        ((replace(ROOT, extra=((LIMITS, True),)), BETWEEN, LEAF), NOW),
        ((ROOT, BETWEEN, replace(LEAF, issuer="nobody")), NOW),
        ((ROOT, replace(BETWEEN, issuer="nobody"), LEAF), NOW),
        ((ROOT, BETWEEN, replace(BETWEEN, subject="further", issuer="between"), replace(LEAF, issuer="further")), NOW),
    ],
)  # fmt: skip
def test_a_chain_with_one_fault_is_not_believed(specs: tuple[Spec, ...], at: datetime) -> None:
    with pytest.raises(Untrusted, match="untrusted_chain"):
        found(chain(*specs), at)


def test_a_chain_signed_by_another_key_of_the_same_name_is_not_believed() -> None:
    for names in (True, False):  # where no key is named, the signature still tells
        root, between, _ = chain(ROOT, replace(BETWEEN, names=names), LEAF)
        leaf = certificate(replace(LEAF, names=names), KEYS[2], KEYS[3])
        with pytest.raises(Untrusted, match="untrusted_chain"):
            walk.chain(leaf, [between], [root], at=NOW)
        stranger = certificate(replace(BETWEEN, names=names), KEYS[1], KEYS[3])
        with pytest.raises(Untrusted, match="untrusted_chain"):
            walk.chain(certificate(LEAF, KEYS[2], KEYS[1]), [stranger], [root], at=NOW)


def test_authorities_that_certify_each_other_lead_nowhere() -> None:
    root = chain(ROOT)[0]
    one = certificate(replace(BETWEEN, subject="one", issuer="two", depth=None), KEYS[1], KEYS[2])
    two = certificate(replace(BETWEEN, subject="two", issuer="one", depth=None), KEYS[2], KEYS[1])
    leaf = certificate(replace(LEAF, issuer="one"), KEYS[3], KEYS[1])

    with pytest.raises(Untrusted, match="untrusted_chain"):
        walk.chain(leaf, [one, two], [root], at=NOW)


def test_a_chain_is_no_longer_than_it_may_be() -> None:
    specs = [replace(ROOT, depth=None)]
    for number in range(walk.DEPTH_MAX - 2):
        specs.append(replace(BETWEEN, subject=str(number), issuer=specs[-1].subject, depth=None))
    keys = [sm.generate() for _ in range(walk.DEPTH_MAX + 1)]
    longest = chain(*specs, replace(LEAF, issuer=specs[-1].subject), keys=keys)
    assert len(found(longest)) == walk.DEPTH_MAX

    specs.append(replace(BETWEEN, subject="one more", issuer=specs[-1].subject, depth=None))
    with pytest.raises(Untrusted, match="untrusted_chain"):
        found(chain(*specs, replace(LEAF, issuer="one more"), keys=keys))


def test_many_authorities_of_one_name_do_not_keep_us_busy() -> None:
    root, _, leaf = chain(ROOT, BETWEEN, LEAF)
    crowd = [certificate(replace(BETWEEN, names=False), KEYS[3], KEYS[0]) for _ in range(40)]
    nameless = certificate(replace(LEAF, names=False), KEYS[2], KEYS[1])
    before = suites.tally["verify"]

    with pytest.raises(Untrusted, match="untrusted_chain"):
        walk.chain(nameless, crowd, [root], at=NOW)
    assert suites.tally["verify"] == before + 16
    assert leaf.subject == nameless.subject


@pytest.mark.parametrize("kinds", [(p256, sm, sm), (sm, p256, sm), (p256, p256, sm), (sm, sm, p256), (sm, p256, p256)])
def test_a_chain_may_change_over_to_another_suite(kinds: tuple[ModuleType, ...]) -> None:
    """As when an authority of a new suite is certified by the root of old; whether that is accepted, `Trust` says."""
    keys = [kind.generate() for kind in kinds]
    root, between, leaf = chain(ROOT, BETWEEN, LEAF, keys=keys)
    stranger = certificate(LEAF, keys[2], kinds[1].generate())

    assert walk.chain(leaf, [between], [root], at=NOW) == [leaf, between, root]
    assert signatures.is_foreign(leaf) == (sm in kinds[1:])
    with pytest.raises(Untrusted, match="untrusted_chain"):
        walk.chain(stranger, [between], [root], at=NOW)


def test_a_critical_extension_that_nobody_knows_is_not_passed_over() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")
    root, between, _ = chain(ROOT, BETWEEN, LEAF)
    leaf = certificate(replace(LEAF, extra=((unknown, True),)), KEYS[2], KEYS[1])

    with pytest.raises(Untrusted) as refused:
        walk.chain(leaf, [between], [root], at=NOW)
    assert refused.value.reason is Reason.UNTRUSTED_CHAIN

"""
x509-limbo against our path check, twice.

As they are, its chains name nobody of ours and must all be refused; grafted (see `grafting`), the path alone decides.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from scripts.rig.conformance.grafting import Chain, Graft, graft, load
from scripts.rig.conformance.ours import Ours, Purpose, believing
from scripts.rig.conformance.reading import Members
from scripts.rig.conformance.reading import load as read
from scripts.rig.conformance.verdicts import Case, Said, Why

_NOW = datetime(2026, 7, 1, tzinfo=UTC)  # where a case says no time; its certificates run to the year 2969
_SAID = {"SUCCESS": Said.VALID, "FAILURE": Said.INVALID}
# Cases in which the leaf's usages are what it is about, or whose leaf is no leaf of ours: it keeps them.
_USAGES = (
    "rfc5280::eku::", "webpki::eku::ee", "rfc5280::leaf-ku-keycertsign", "rfc5280::no-keyusage", "webpki::ee-basic",
    "rfc5280::ca-as-leaf", "webpki::ca-as-leaf",
)  # fmt: skip
_LEAF_KEYS = (
    "webpki::forbidden-p192-leaf", "webpki::forbidden-dsa-leaf", "webpki::forbidden-weak-rsa-in-leaf",
    "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf",
)  # fmt: skip
_ROOT_KEYS = (
    "webpki::forbidden-p192-root", "webpki::forbidden-dsa-root", "webpki::forbidden-weak-rsa-key-in-root",
    "webpki::forbidden-rsa-not-divisible-by-8-in-root", "webpki::explicit-curve",
)  # fmt: skip
# Where we ask for more than the authors of a case do.
_STRICTER = {
    "crl::issuer-no-keyusage-extension": Why.WEAK,  # an authority says that it may sign
    "cve::cve-2024-0567": Why.WEAK,  # a root under another key, which it does not name
    "webpki::nc::permitted-dns-match-noncritical": Why.WEAK,  # the same as rfc5280::nc:: of that name, which must fail
    "pathlen::validation-ignores-pathlen-in-leaf": Why.LEAF_USAGE,  # the leaf may issue
    "pathlen::self-issued-certs-pathlen": Why.DEPTH,  # an authority under itself counts as one more
    "rfc5280::nc::permitted-dn-match": Why.FORM,  # limits to directory names are not understood, so nothing passes them
}
_NAMES = ("webpki::san::", "webpki::cn::", "rfc5280::san::underscore-dns", "rfc5280::san::ip-in-dns")


def as_they_are(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield every chain of x509-limbo untouched: no leaf names a person, role and institution, so none is believed."""
    for case in _cases(folder):

        def ask(case: Members = case) -> None:
            _ask(ours, _chain(case), _at(case))

        yield Case(case["id"], _SAID[case["expected_result"]], ask, outside=Why.SUBJECT)


def grafted(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield every chain of x509-limbo with a leaf that we can read."""
    for case in _cases(folder):

        def ask(case: Members = case) -> None:
            _ask(ours, graft(_chain(case), _how(case["id"]), _at(case)), _at(case))

        said = _SAID[case["expected_result"]]
        yield Case(case["id"], said, ask, outside=_outside(case), absent=_absent(case, said))


def _ask(ours: Ours, chain: Chain, at: datetime) -> None:
    roots, between = [load(one) for one in chain.roots], [load(one) for one in chain.between]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # odd certificates are what this is about
        leaf = load(chain.leaf)
        trust = believing(roots, [*between, leaf], chain.lists)
        ours.certified(trust, leaf, purpose=Purpose.DOCUMENT, at=at)


def _how(name: str) -> Graft:
    return Graft(
        usages=name.startswith(_USAGES),
        key=name.startswith(_LEAF_KEYS),
        algorithm=name == "rfc5280::mismatching-signature-algorithm",
        authorities=name.startswith("crl::"),
        purposes="::eku::" in name,
    )


def _outside(case: Members) -> Why | None:
    return Why.LEAF_USAGE if case["id"].startswith(_USAGES) else _STRICTER.get(case["id"])


def _absent(case: Members, said: Said) -> Why | None:
    if case["id"].startswith(_ROOT_KEYS):
        return Why.KEY_KIND
    if case["id"] == "rfc5280::san::noncritical-with-empty-subject":
        return Why.NO_FORM
    if said is Said.INVALID and case["id"].startswith(_NAMES):
        return Why.SERVER_NAME
    if said is Said.INVALID and "max-chain-depth" in case["features"]:
        return Why.CHAIN_LIMIT
    return None


def _cases(folder: Path) -> Sequence[Members]:
    found: list[Members] = read(folder / "x509_limbo" / "limbo.json")["testcases"]
    return found


def _at(case: Members) -> datetime:
    stated = case["validation_time"]
    return datetime.fromisoformat(stated) if stated else _NOW


def _chain(case: Members) -> Chain:
    return Chain(
        [_der(one) for one in case["trusted_certs"]],
        [_der(one) for one in case["untrusted_intermediates"]],
        _der(case["peer_certificate"]),
        [x509.load_pem_x509_crl(one.encode()).public_bytes(Encoding.DER) for one in case["crls"] or ()],
    )


def _der(pem: str) -> bytes:
    lines = [line for line in pem.strip().splitlines() if "-----" not in line]
    return base64.b64decode("".join(lines))

"""
The table of attacks on what is signed and sealed: each is refused for a reason of its own, before any work is done.

Everything is truly signed or sealed where the attacker could do so, so that the attack itself is what is refused. Two
witnesses see to the work: our own tally, and a profiler that notices every call into somebody else's library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forge import NOW, PLATFORM, RX, House, b64, decode, header, other_s, payload, signed, written
from witness import Witness

from rx_flow.crypto import canonical, suites
from rx_flow.crypto.documents import Document, issue, verify_document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.packages import PACKAGE_MAX, open_package, seal
from rx_flow.crypto.pki.profile import Purpose
from rx_flow.crypto.pki.status import Seen

Proof = Callable[[], object]
SEEN = Seen(NOW)
OTHER_RX = "350100-BBBBBBBBBBBBBBBB"
R = Reason


@dataclass(frozen=True)
class Attack:
    """What is presented, why it is refused, and the only foreign function that may have run before that, if any."""

    name: str
    presented: Callable[[House], Proof]
    reason: Reason
    work: frozenset[str] = frozenset()


def document(raw: str, house: House) -> Proof:
    return lambda: verify_document(raw, house.trust, SEEN)


def headed(**change: object) -> Callable[[House], Proof]:
    """A document truly signed with a header that is not ours."""
    return lambda house: document(signed(house.doctor._private, header(house, **change), payload()), house)


def spelled(change: Callable[[str], str]) -> Callable[[House], Proof]:
    """A right document, written in another way."""
    return lambda house: document(change(written(house.doctor)), house)


def keyed_with_the_public_key(house: House) -> Proof:
    public = house.doctor._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{b64(header(house, alg='HS256'))}.{b64(payload())}"
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(head.encode())
    return document(f"{head}.{b64(mac.finalize())}", house)


def duplicate_in_the_header(house: House) -> Proof:
    text = canonical.dumps(header(house)).decode().replace('"alg"', '"alg":"none","alg"')
    return document(signed(house.doctor._private, text.encode(), payload()), house)


def duplicate_in_the_payload(house: House) -> Proof:
    text = canonical.dumps(payload()).decode().replace('"rx"', f'"rx":"{OTHER_RX}","rx"')
    return document(signed(house.doctor._private, header(house), text.encode()), house)


def signed_by_two(raw: str) -> str:
    """The general JSON form of RFC 7515 §7.2.1, with a second signature that would not verify."""
    head, content, signature = raw.split(".")
    two = [{"protected": head, "signature": signature}, {"protected": b64({"alg": "none"}), "signature": ""}]
    return canonical.dumps({"payload": content, "signatures": two}).decode()


def by_the_token_key(house: House) -> Proof:
    key = house.hospital.token
    return document(signed(key._private, header(house, **{"x5t#S256": key.thumbprint}), payload(by=key.id)), house)


def by_the_package_key(house: House) -> Proof:
    key = house.hospital.opening
    return document(signed(key._private, header(house, **{"x5t#S256": key.public.kid}), payload()), house)


def package(change: Callable[[dict[str, Any]], dict[str, Any]], *, rx: str = RX) -> Callable[[House], Proof]:
    """A package truly sealed for the platform, then changed."""

    def presented(house: House) -> Proof:
        found: Any = canonical.read(seal(["a", "b"], house.trust.reader(PLATFORM, NOW), rx=RX).encode())
        text = canonical.dumps(change(found)).decode()
        return lambda: open_package(text, house.platform.opening, rx=rx)

    return presented


def protected(**change: object) -> Callable[[House], Proof]:
    members = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "rx": RX, "typ": "rx-package+jwe", **change}
    return package(lambda found: {**found, "protected": b64(members)})


def first_reader(**change: object) -> Callable[[House], Proof]:
    """Another header in the entry of the first reader."""

    def changed(found: dict[str, Any]) -> dict[str, Any]:
        entry = found["recipients"][0]
        return {**found, "recipients": [{**entry, "header": {**entry["header"], **change}}]}

    return package(changed)


def beside_the_curve(found: dict[str, Any]) -> dict[str, Any]:
    entry = found["recipients"][0]
    epk = entry["header"]["epk"]
    y = bytearray(decode(epk["y"]))
    y[-1] ^= 1
    return {
        **found,
        "recipients": [{**entry, "header": {**entry["header"], "epk": {**epk, "y": b64(bytes(y))}}}],
    }


def larger_than_allowed(house: House) -> Proof:
    text = canonical.dumps({"protected": "A" * PACKAGE_MAX}).decode()
    return lambda: open_package(text, house.platform.opening, rx=RX)


def story(house: House, *, rx: str = RX, what: str = "") -> list[Document]:
    found: list[Document] = []
    for seq in range(1, 5):
        prev = found[-1].digest if found else ""
        body = {"action": "submit", "what": what}
        found.append(issue(house.doctor, doc="prescription", rx=rx, seq=seq, prev=prev, at=NOW, body=body))
    return found


def dossier(*order: int, head: bool = False, rx: str = RX) -> Callable[[House], Proof]:
    """The four documents of a prescription: those named, as they are named. A negative one is another patient's."""

    def presented(house: House) -> Proof:
        own, foreign = story(house), story(house, rx=OTHER_RX)
        raws = [own[n - 1].raw if n > 0 else foreign[-n - 1].raw for n in order]
        return lambda: verify_dossier(raws, house.trust, SEEN, rx=rx, head=own[-1].digest if head else None)

    return presented


def of_another_story(house: House) -> Proof:
    own, other = story(house), story(house, what="another")
    raws = [own[0].raw, own[1].raw, other[2].raw, other[3].raw]
    return lambda: verify_dossier(raws, house.trust, SEEN, rx=RX)


POINT = frozenset({"ec.from_public_bytes"})  # the library that looks whether it is one
SM3 = frozenset(f"cryptography.hazmat.bindings._rust.openssl.hashes.{step}" for step in ("update", "finalize"))
ATTACKS = (
    Attack("alg none", headed(alg="none"), R.UNSIGNED),
    Attack("alg none, spelled otherwise", headed(alg="nOnE"), R.UNSIGNED),
    Attack("alg swapped for one that nobody here uses", headed(alg="RS256"), R.WRONG_ALGORITHM),
    Attack("alg swapped for another hash on the same curve", headed(alg="ES384"), R.WRONG_ALGORITHM),
    Attack("alg swapped for that of the national suite", headed(alg=suites.SM.signature), R.WRONG_ALGORITHM, SM3),
    Attack("alg swapped for that of two signatures", headed(alg=suites.PQ.signature), R.WRONG_ALGORITHM),
    Attack("the other form of the signature, n-s", spelled(other_s), R.SIGNATURE_MALLEABLE),
    Attack("HMAC with the public key", keyed_with_the_public_key, R.SHARED_SECRET),
    Attack("kid that is a path", headed(kid="../../etc/passwd"), R.KEY_NAME),
    Attack("kid that is SQL", headed(kid="' OR 1=1 --"), R.KEY_NAME),
    Attack("jku to the own machine", headed(jku="http://127.0.0.1/"), R.KEY_ADDRESS),
    Attack("x5u to the machine's metadata", headed(x5u="http://169.254.169.254/"), R.KEY_ADDRESS),
    Attack("the attacker's own key in jwk", headed(jwk={"kty": "EC"}), R.FOREIGN_KEY),
    Attack("the attacker's own certificate in x5c", headed(x5c=["MIIB"]), R.FOREIGN_KEY),
    Attack("crit that nobody knows", headed(crit=["exp"]), R.UNKNOWN_CRITICAL),
    Attack("b64 false", headed(b64=False, crit=["b64"]), R.UNENCODED_PAYLOAD),
    Attack("one name twice in the header", duplicate_in_the_header, R.DUPLICATE_MEMBER),
    Attack("one name twice in the payload", duplicate_in_the_payload, R.DUPLICATE_MEMBER),
    Attack("two signatures", spelled(signed_by_two), R.SECOND_SIGNATURE),
    Attack("a second signature behind the first", spelled(lambda raw: raw + ".AAAA"), R.SECOND_SIGNATURE),
    Attack("a document that says it is compressed", headed(zip="DEF"), R.COMPRESSED),
    Attack("a document's giant header", headed(kid="k" * 5_000), R.HEADER_TOO_LARGE),
    Attack("the key for tokens under a document", by_the_token_key, R.WRONG_USAGE),
    Attack("the key for packages under a document", by_the_package_key, R.WRONG_USAGE),
    Attack(
        "truncated tag, 96 bits", package(lambda found: {**found, "tag": b64(decode(found["tag"])[:12])}), R.TAG_LENGTH
    ),
    Attack(
        "truncated tag, 32 bits", package(lambda found: {**found, "tag": b64(decode(found["tag"])[:4])}), R.TAG_LENGTH
    ),
    Attack("a point beside the curve", package(beside_the_curve), R.BAD_POINT, POINT),
    Attack("PBES2", protected(alg="PBES2-HS256+A128KW", p2c=2**31 - 1, p2s="AA"), R.PASSWORD_BASED),
    Attack("PBES2's count alone", protected(p2c=10**9), R.PASSWORD_BASED),
    Attack("PBES2's count for one reader", first_reader(p2c=2**31 - 1), R.PASSWORD_BASED),
    Attack("compressed bomb", protected(zip="DEF"), R.COMPRESSED),
    Attack("a package with alg none", protected(alg="none"), R.UNSIGNED),
    Attack("a package of another key management", protected(alg="ECDH-ES"), R.UNKNOWN_SUITE),
    Attack(
        "a package that says it is of the national suite",
        protected(alg=suites.SM.key_management, enc=suites.SM.content),
        R.UNKNOWN_HEADER,
    ),
    Attack(
        "a package that says it is of the suite of pairs", protected(alg=suites.PQ.key_management), R.UNKNOWN_HEADER
    ),
    Attack("a package of a weaker cipher", protected(enc="A128CBC-HS256"), R.UNKNOWN_SUITE),
    Attack("a package's jku", protected(jku="http://127.0.0.1/"), R.KEY_ADDRESS),
    Attack("a package's crit", protected(crit=["exp"]), R.UNKNOWN_CRITICAL),
    Attack("a package's giant header", protected(n="n" * 5_000), R.HEADER_TOO_LARGE),
    Attack("a package larger than any", larger_than_allowed, R.TOO_LARGE),
    Attack("a package under another prescription", package(lambda found: found, rx=OTHER_RX), R.WRONG_PRESCRIPTION),
    Attack("a dossier under another prescription", dossier(1, 2, 3, 4, rx=OTHER_RX), R.FOREIGN_DOSSIER),
    Attack("a document cut from the chain", dossier(1, 2, 4), R.DOCUMENT_MISSING),
    Attack("the first document cut off", dossier(2, 3, 4), R.DOCUMENT_MISSING),
    Attack("the last document cut off", dossier(1, 2, 3, head=True), R.CUT_SHORT),
    Attack("the chain's order changed", dossier(1, 3, 2, 4), R.OUT_OF_ORDER),
    Attack("a document replayed in its own chain", dossier(1, 2, 2, 3), R.DOCUMENT_TWICE),
    Attack("a document of another patient's spliced in", dossier(1, 2, -3, 4), R.FOREIGN_DOCUMENT),
    Attack("a document of another story of the same prescription", of_another_story, R.BROKEN_CHAIN),
    Attack("no documents at all", dossier(), R.NO_DOCUMENTS),
)
# The items of the list that this table answers, and the reason that is each one's own.
ITEMS = {
    "alg none": R.UNSIGNED,
    "algorithm swapped": R.WRONG_ALGORITHM,
    "the other valid form of an ECDSA signature": R.SIGNATURE_MALLEABLE,
    "HMAC with a public key": R.SHARED_SECRET,
    "kid injection": R.KEY_NAME,
    "jku and x5u injection": R.KEY_ADDRESS,
    "unknown crit": R.UNKNOWN_CRITICAL,
    "b64=false": R.UNENCODED_PAYLOAD,
    "duplicate JSON keys": R.DUPLICATE_MEMBER,
    "two signatures": R.SECOND_SIGNATURE,
    "truncated tag": R.TAG_LENGTH,
    "invalid curve point": R.BAD_POINT,
    "PBES2 count": R.PASSWORD_BASED,
    "compressed bomb": R.COMPRESSED,
    "giant header": R.HEADER_TOO_LARGE,
    "key used for another purpose": R.WRONG_USAGE,
    "replay under another prescription": R.WRONG_PRESCRIPTION,
    "replay of a whole dossier under another prescription": R.FOREIGN_DOSSIER,
    "a valid document cut from the chain": R.DOCUMENT_MISSING,
    "the chain's order changed": R.OUT_OF_ORDER,
    "a document of another patient's prescription spliced in": R.FOREIGN_DOCUMENT,
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_is_refused_with_its_reason_and_before_any_work(house: House, attack: Attack) -> None:
    proof = attack.presented(house)
    warm(house)
    before = dict(suites.tally)

    with Witness() as witness, pytest.raises(Untrusted) as refused:
        proof()

    assert refused.value.reason is attack.reason
    assert suites.tally == before
    assert witness.seen <= attack.work


def warm(house: House) -> None:
    """Certificates are believed once, not once per attack: the walk of a chain is not what is looked for here."""
    for print_, purpose in (
        (house.doctor.thumbprint, Purpose.DOCUMENT),
        (house.hospital.token.thumbprint, Purpose.TOKEN),
        (house.hospital.opening.public.kid, Purpose.PACKAGE),
    ):
        house.trust.certified(print_, purpose, NOW, now=NOW)


def test_every_item_of_the_list_has_a_reason_that_is_no_others() -> None:
    assert len({*ITEMS.values()}) == len(ITEMS)
    assert {*ITEMS.values()} <= {attack.reason for attack in ATTACKS}


def test_the_witnesses_see_what_is_work(house: House) -> None:
    """A right document is verified, a right package opened: both witnesses must have something to tell."""
    raw, sealed = written(house.doctor), seal(["a"], house.trust.reader(PLATFORM, NOW), rx=RX)
    warm(house)
    before = dict(suites.tally)

    with Witness() as verified:
        verify_document(raw, house.trust, SEEN)
    with Witness() as opened:
        open_package(sealed, house.platform.opening, rx=RX)

    assert {name for name in suites.tally if suites.tally[name] != before[name]} == {"verify", "ecdh"}
    assert any(name.endswith(".verify") for name in verified.seen)
    assert {name.rpartition(".")[2] for name in opened.seen} >= {"exchange", "derive", "from_public_bytes"}


def test_a_signature_with_another_algorithms_name_over_it_is_still_refused(house: House) -> None:
    """The algorithm is under the signature: it cannot be exchanged afterwards, whatever it is exchanged for."""
    raw = written(house.doctor)
    _, content, signature = raw.split(".")
    for name in ("none", "HS256", "ES384", "EdDSA"):
        with pytest.raises(Untrusted):
            verify_document(f"{b64(header(house, alg=name))}.{content}.{signature}", house.trust, SEEN)

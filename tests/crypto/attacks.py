"""
The table of attacks on what is signed and sealed: what is presented, by whom it could be, and why it is refused.

Everything is truly signed or sealed where the attacker could do so, so that the attack itself is what is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from forge import HOSPITAL, NOW, PLATFORM, RX, House, b64, decode, payload, signed, written
from forge import header as right_header
from hostile import HEADERS, Hostile

from rx_flow.crypto import canonical, suites
from rx_flow.crypto.documents import Document, issue, verify_document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason
from rx_flow.crypto.packages import PACKAGE_MAX, open_package, seal
from rx_flow.crypto.pki import der
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.suites import Suite, p256
from rx_flow.crypto.suites.pair import ReadingPrivate
from rx_flow.crypto.tokens import ASSERTION_TYPE, verify_assertion

Proof = Callable[[], object]
Presented = Callable[[House], Proof]
SEEN = Seen(NOW)
OTHER_RX = "350100-BBBBBBBBBBBBBBBB"
EVERYWHERE = ("p256", "sm", "pq")
R = Reason


@dataclass(frozen=True)
class Attack:
    """
    What is presented and why it is refused, with nothing computed before that; `of` names the suites that have it.

    Nothing is hashed, but where the names of documents are what is looked at (`hashes`); no foreign function runs but
    those in `work`; our own tally counts nothing but `tallied`.
    """

    name: str
    presented: Presented
    reason: Reason
    hashes: bool = False
    work: frozenset[str] = frozenset()
    tallied: frozenset[str] = frozenset()
    of: tuple[str, ...] = EVERYWHERE


def suite_of(house: House) -> Suite:
    return house.doctor.suite


def others(house: House) -> list[Suite]:
    return [suite for suite in suites.SUITES if suite is not suite_of(house)]


# Documents and assertions: both are compact JWS.


def document(raw: str, house: House) -> Proof:
    return lambda: verify_document(raw, house.trust, SEEN)


def header(house: House, **change: object) -> dict[str, object]:
    return right_header(house, **{"alg": suite_of(house).signature, **change})


def headed(**change: object) -> Presented:
    """A document truly signed with a header that is not ours."""
    return lambda house: document(signed(house.doctor._private, header(house, **change), payload()), house)


def asserted(**change: object) -> Presented:
    """The same of an assertion: the hospital asks the platform for a token."""

    def presented(house: House) -> Proof:
        key, at = house.hospital.token, int(NOW.timestamp())
        members = {"alg": key.suite.signature, "typ": ASSERTION_TYPE, "x5t#S256": key.thumbprint, **change}
        claims = {"iss": HOSPITAL, "sub": HOSPITAL, "aud": PLATFORM, "iat": at, "exp": at + 60, "jti": "once"}
        jwt = signed(key._private, members, claims)
        return lambda: verify_assertion(jwt, house.trust, PLATFORM, now=NOW)

    return presented


def of_another_suite(n: int) -> Presented:
    """Truly signed by the key of the certificate, under the name of another suite's algorithm."""
    return lambda house: headed(alg=others(house)[n].signature)(house)


def asserted_of_another_suite(n: int) -> Presented:
    return lambda house: asserted(alg=others(house)[n].signature)(house)


def spelled(change: Callable[[str], str]) -> Presented:
    """A right document, written in another way."""
    return lambda house: document(change(written(house.doctor)), house)


def other_form(raw: str) -> str:
    """The same signature in its other form, (r, n-s); of two signatures, the first."""
    head, _, tail = raw.rpartition(".")
    value = decode(tail)
    s = p256.ORDER - int.from_bytes(value[32:64], "big")
    return f"{head}.{b64(value[:32] + s.to_bytes(32, 'big') + value[64:])}"


def keyed_with_the_public_key(house: House) -> Proof:
    public = suites.dump_public(house.doctor._private.public_key())
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
    """A pair of keys for packages cannot sign at all: there the doctor's does, under the other certificate's name."""
    key, private = house.hospital.opening, house.hospital.opening._private
    signer = house.doctor._private if isinstance(private, ReadingPrivate) else private
    return document(signed(signer, header(house, **{"x5t#S256": key.public.kid}), payload()), house)


# Packages.


def package(change: Callable[[dict[str, Any]], dict[str, Any]], *, rx: str = RX) -> Presented:
    """A package truly sealed for the platform, then changed."""

    def presented(house: House) -> Proof:
        found: Any = canonical.read(seal(["a", "b"], house.trust.reader(PLATFORM, NOW), rx=RX).encode())
        text = canonical.dumps(change(found)).decode()
        return lambda: open_package(text, house.platform.opening, rx=rx)

    return presented


def protected(**change: object) -> Presented:
    """Another protected header, for which a truly sealed package is made to fit in all else."""

    def presented(house: House) -> Proof:
        suite = suite_of(house)
        members = {"alg": suite.key_management, "enc": suite.content, "rx": RX, "typ": "rx-package+jwe", **change}
        return package(lambda found: {**found, "protected": b64(members)})(house)

    return presented


def named_as_another_suite(n: int) -> Presented:
    return lambda house: protected(alg=others(house)[n].key_management, enc=others(house)[n].content)(house)


def written_over(old: str, new: str) -> Presented:
    """A truly sealed package whose text is changed, so that it need not be canonical any more."""

    def presented(house: House) -> Proof:
        text = seal(["a", "b"], house.trust.reader(PLATFORM, NOW), rx=RX).replace(old, new, 1)
        return lambda: open_package(text, house.platform.opening, rx=RX)

    return presented


def duplicate_in_the_protected_header(house: House) -> Proof:
    def changed(found: dict[str, Any]) -> dict[str, Any]:
        text = decode(found["protected"]).decode().replace('"rx"', f'"rx":"{OTHER_RX}","rx"')
        return {**found, "protected": b64(text)}

    return package(changed)(house)


def first_reader(**change: object) -> Presented:
    """Another header in the entry of the first reader."""

    def changed(found: dict[str, Any]) -> dict[str, Any]:
        entry = found["recipients"][0]
        return {**found, "recipients": [{**entry, "header": {**entry["header"], **change}}]}

    return package(changed)


def for_a_signing_key(house: House) -> Proof:
    """The entry names the certificate by which the platform signs."""
    return first_reader(kid=house.platform.seal.thumbprint)(house)


def beside_the_curve(found: dict[str, Any]) -> dict[str, Any]:
    """An ephemeral key of which one coordinate is off by a bit."""
    entry = found["recipients"][0]
    if "epk" in entry["header"]:
        epk = entry["header"]["epk"]
        y = bytearray(decode(epk["y"]))
        y[-1] ^= 1
        changed = {**entry, "header": {**entry["header"], "epk": {**epk, "y": b64(bytes(y))}}}
    else:
        x, y_der, hashed, cipher = der.parts(decode(entry["encrypted_key"]))
        beside = y_der[:-1] + bytes([y_der[-1] ^ 1])
        changed = {**entry, "encrypted_key": b64(der.sequence(x, beside, hashed, cipher))}
    return {**found, "recipients": [changed]}


def shorter_tag(size: int) -> Presented:
    return package(lambda found: {**found, "tag": b64(decode(found["tag"])[:size])})


def larger_than_allowed(house: House) -> Proof:
    text = canonical.dumps({"protected": "A" * PACKAGE_MAX}).decode()
    return lambda: open_package(text, house.platform.opening, rx=RX)


# Dossiers.


def story(house: House, *, rx: str = RX, what: str = "") -> list[Document]:
    found: list[Document] = []
    for seq in range(1, 5):
        prev = found[-1].digest if found else ""
        body = {"action": "submit", "what": what}
        found.append(issue(house.doctor, doc="prescription", rx=rx, seq=seq, prev=prev, at=NOW, body=body))
    return found


def dossier(*order: int, head: bool = False, rx: str = RX) -> Presented:
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


def in_a_package(one: Hostile) -> tuple[Attack, Attack]:
    """A hostile member in the header of all readers, and in that of one."""
    reason = R.UNKNOWN_SUITE if one.reason is R.WRONG_ALGORITHM else one.reason
    in_one = R.UNKNOWN_HEADER if "alg" in one.members else R.NOT_FOR_US if "kid" in one.members else one.reason
    return (
        Attack(f"a package: {one.name}", protected(**one.members), reason),
        Attack(f"a reader's entry: {one.name}", first_reader(**one.members), in_one),
    )


POINT = frozenset({"ec.from_public_bytes"})  # the library that looks whether it is one
CURVE = frozenset(f"libcrypto.{name}" for name in ("library", "decrypt", "_once", "_must", "load_public", "_key"))
CURVE |= {"_rust.declarative_asn1.decode_der", "sys.audit"}  # reading the form; `ctypes` telling who listens
ATTACKS = (
    *(Attack(f"a document: {one.name}", headed(**one.members), one.reason) for one in HEADERS),
    *(Attack(f"an assertion: {one.name}", asserted(**one.members), one.reason) for one in HEADERS),
    *(attack for one in HEADERS for attack in in_a_package(one)),
    *(Attack(f"alg of another suite, {n}", of_another_suite(n), R.WRONG_ALGORITHM, hashes=True) for n in (0, 1)),
    *(Attack(f"an assertion's alg, {n}", asserted_of_another_suite(n), R.WRONG_ALGORITHM) for n in (0, 1)),
    Attack(
        "the other form of the signature, n-s", spelled(other_form), R.SIGNATURE_MALLEABLE, hashes=True,
        of=("p256", "pq"),  # an SM2 signature has no other form
    ),
    Attack("HMAC with the public key", keyed_with_the_public_key, R.SHARED_SECRET),
    Attack("one name twice in the header", duplicate_in_the_header, R.DUPLICATE_MEMBER),
    Attack("one name twice in the payload", duplicate_in_the_payload, R.DUPLICATE_MEMBER),
    Attack("two signatures", spelled(signed_by_two), R.SECOND_SIGNATURE),
    Attack("a second signature behind the first", spelled(lambda raw: raw + ".AAAA"), R.SECOND_SIGNATURE),
    Attack("the key for tokens under a document", by_the_token_key, R.WRONG_USAGE, hashes=True),
    Attack("the key for packages under a document", by_the_package_key, R.WRONG_USAGE, hashes=True),
    Attack("truncated tag, 96 bits", shorter_tag(12), R.TAG_LENGTH),
    Attack("truncated tag, 32 bits", shorter_tag(4), R.TAG_LENGTH),
    Attack("no tag", shorter_tag(0), R.TAG_LENGTH),
    Attack("a point beside the curve", package(beside_the_curve), R.BAD_POINT, work=POINT, of=("p256",)),
    # What is entered here turns back before it multiplies; of the third suite, every 32 bytes are a point.
    Attack(
        "a point beside the national curve", package(beside_the_curve), R.BAD_POINT,
        work=CURVE, tallied=frozenset({"ecdh"}), of=("sm",),
    ),
    Attack("a package of another key management", protected(alg="ECDH-ES"), R.UNKNOWN_SUITE),
    *(Attack(f"a package named as of another suite, {n}", named_as_another_suite(n), R.UNKNOWN_HEADER) for n in (0, 1)),
    Attack("a package of a weaker cipher", protected(enc="A128CBC-HS256"), R.UNKNOWN_SUITE),
    Attack("a package larger than any", larger_than_allowed, R.TOO_LARGE),
    Attack("one name twice in a package", written_over('"iv"', '"iv":"AAAA","iv"'), R.DUPLICATE_MEMBER),
    Attack("one name twice in a reader's entry", written_over('"kid"', '"kid":"","kid"'), R.DUPLICATE_MEMBER),
    Attack("one name twice in a protected header", duplicate_in_the_protected_header, R.DUPLICATE_MEMBER),
    Attack("a package for the key that signs", for_a_signing_key, R.NOT_FOR_US),
    Attack("a package under another prescription", package(lambda found: found, rx=OTHER_RX), R.WRONG_PRESCRIPTION),
    Attack("a dossier under another prescription", dossier(1, 2, 3, 4, rx=OTHER_RX), R.FOREIGN_DOSSIER, hashes=True),
    Attack("a document cut from the chain", dossier(1, 2, 4), R.DOCUMENT_MISSING, hashes=True),
    Attack("the first document cut off", dossier(2, 3, 4), R.DOCUMENT_MISSING, hashes=True),
    Attack("the last document cut off", dossier(1, 2, 3, head=True), R.CUT_SHORT, hashes=True),
    Attack("the chain's order changed", dossier(1, 3, 2, 4), R.OUT_OF_ORDER, hashes=True),
    Attack("a document replayed in its own chain", dossier(1, 2, 2, 3), R.DOCUMENT_TWICE, hashes=True),
    Attack("a document of another patient's spliced in", dossier(1, 2, -3, 4), R.FOREIGN_DOCUMENT, hashes=True),
    Attack("a document of another story of the same prescription", of_another_story, R.BROKEN_CHAIN, hashes=True),
    Attack("no documents at all", dossier(), R.NO_DOCUMENTS),
)  # fmt: skip
# The items of the list that this table answers, and the reason that is each one's own.
ITEMS = {
    "alg none": R.UNSIGNED,
    "algorithm swapped": R.WRONG_ALGORITHM,
    "a package's algorithm swapped": R.UNKNOWN_SUITE,
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

"""
Documents: the signed steps of a prescription, as compact JWS. The only place that signs or verifies one.

Header {alg, sigT, typ, x5t#S256}, payload {doc, rx, seq, prev, at, by, body}, both canonical JSON: a document has one
spelling, and its digest, by the hash of its suite, is its name. Signing and verifying cost little more than the bare
operation. Personal values of the body are signed as commitments; their disclosures travel behind the JWS, outside of
its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rx_flow.crypto import canonical, compact, disclosures, suites
from rx_flow.crypto.canonical import JSON
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Certified, Purpose, Signer
from rx_flow.crypto.pki.status import Seen, plausible

TYPE = "rx-document+jws"
DOCUMENT_MAX = 64 * 1024  # characters; a prescription of five lines has about 3,000
_HEADER = frozenset({"alg", "sigT", "typ", "x5t#S256"})
_PAYLOAD = frozenset({"doc", "rx", "seq", "prev", "at", "by", "body"})
_HEADER_FORMS = {
    suite.name: canonical.dumps({"alg": suite.signature, "sigT": "%s", "typ": TYPE, "x5t#S256": "%s"})
    for suite in suites.SUITES
}
# How the header of each suite begins, as base64url has it: far enough that no two are alike.
_BEGINNINGS = {
    suite.name: compact.encode(form[: form.index(b"%s") // 3 * 3]).decode()
    for suite, form in zip(suites.SUITES, _HEADER_FORMS.values(), strict=True)
}
_HEX = "0123456789abcdef"
_MOMENT = 27  # characters of a time
_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Document:
    """
    A document that has been verified, or just been signed here. `raw` is the truth; the rest is read from it.

    `digest` is the hash (hex, `digest_of`) of `raw` without its disclosures; `withheld` counts the values of the body
    that are not disclosed. `seq` counts from 1 in one prescription; `prev` is the previous document's
    digest ("" for the first); `at` is the signing time, aware, UTC; `by` is the signer's national code. The content,
    which may be personal, does not show in the repr.
    """

    raw: str = field(repr=False)
    digest: str
    doc: str
    rx: str
    seq: int
    prev: str
    at: datetime
    by: str
    body: dict[str, JSON] = field(repr=False)
    signer: Signer
    withheld: int = 0


def issue(
    key: SigningKey,
    *,
    doc: str,
    rx: str,
    seq: int,
    prev: str,
    at: datetime,
    body: Mapping[str, object],
    personal: Collection[disclosures.Path] = (),
) -> Document:
    """
    Sign a document and return it as `verify_document` would: what one's own key has signed need not be verified again.

    Promise and errors as `sign_document`; `Untrusted` for a body that has commitments already.
    """
    hidden, opened = disclosures.hide(body, personal)
    raw, payload = _sign(key, {"doc": doc, "rx": rx, "seq": seq, "prev": prev, "body": hidden}, at, opened)
    members: Any = canonical.own(payload)  # `_sign` wrote it
    jws, disclosed = disclosures.part(raw)
    withheld = disclosures.reveal(members["body"], disclosed, payload=payload)
    digest = key.suite.digest(jws.encode())
    m, utc = members, at.astimezone(UTC)
    return Document(raw, digest, m["doc"], m["rx"], m["seq"], m["prev"], utc, m["by"], m["body"], key.signer, withheld)


def sign_document(
    key: SigningKey,
    *,
    doc: str,
    rx: str,
    seq: int,
    prev: str,
    at: datetime,
    body: Mapping[str, object],
    personal: Collection[disclosures.Path] = (),
) -> str:
    """
    Return a new document: a compact JWS, and the disclosures of the values at `personal` paths. `at` is aware.

    `ValueError` for a body that is not canonical JSON (`canonical.dumps`), a place in the dossier that cannot be, or a
    document too large; `Untrusted` for a key of another purpose, or outside its certificate's validity.
    """
    hidden, opened = disclosures.hide(body, personal)
    return _sign(key, {"doc": doc, "rx": rx, "seq": seq, "prev": prev, "body": hidden}, at, opened)[0]


class Claimed(NamedTuple):
    """
    What a document claims, of the right form and complete; neither signer nor content is believed yet.
    """

    raw: str
    digest: str
    thumbprint: str
    suite: suites.Suite
    parts: compact.Parts
    members: dict[str, Any]
    at: datetime
    withheld: int

    def __repr__(self) -> str:
        return f"<Claimed {self.digest}>"  # the content may be personal


def verify_document(raw: str, trust: Trust, seen: Seen, *, withheld: bool = False) -> Document:
    """
    Return what a document says and who says so; raise `Untrusted` with the first reason not to believe it.

    `seen` says at what moment it is judged, and since when it is known to exist: a certificate revoked later counts.
    A document that does not disclose all of its values is read only where `withheld` says that this will do.
    """
    return believe(take_apart(raw, withheld=withheld), trust, seen)


def take_apart(raw: str, *, withheld: bool = False) -> Claimed:
    """
    Return what a document claims; raise `Untrusted` for all that its form alone condemns, before any key is used.
    """
    # 1. The form: three parts of canonical base64url, a header of canonical JSON with our members and no other.
    if len(raw) > DOCUMENT_MAX:
        raise Untrusted(Reason.TOO_LARGE)
    jws, opened = disclosures.part(raw)
    parts = compact.split(jws, limit=DOCUMENT_MAX)
    compact.expect(parts.header, TYPE, _HEADER)
    # 2. The algorithm comes from the table of suites.
    suite = suites.of_signature(parts.header["alg"])
    # 3. The certificate's name, and the time of signing: the same in header and payload.
    stated, print_ = parts.header["sigT"], parts.header["x5t#S256"]
    if not isinstance(print_, str):
        raise Untrusted(Reason.MALFORMED, "x5t#S256")
    at = moment(stated)
    # 4. The content: canonical, complete, its commitments opened or said to be withheld.
    members: dict[str, Any] = _payload(parts.payload)
    if members["at"] != stated:
        raise Untrusted(Reason.TIME_MISMATCH)
    hidden = disclosures.reveal(members["body"], opened, payload=parts.payload)
    if hidden and not withheld:
        raise Untrusted(Reason.WITHHELD)
    return Claimed(raw, suite.digest(parts.whole), print_, suite, parts, members, at, hidden)


def believe(claimed: Claimed, trust: Trust, seen: Seen) -> Document:
    """
    Return the document if the signature is that of whom it names, certified at the time of signing; else `Untrusted`.

    That time can be stated by whoever has the key: it must fit since when the document is known to exist.
    """
    since = seen.since(claimed.digest)
    if since is not None:
        plausible(claimed.at, since)
    certified = trust.certified(claimed.thumbprint, Purpose.DOCUMENT, claimed.at, now=seen.now, since=since)
    return _by(claimed, certified)


def weigh(claimed: Claimed, trust: Trust, seen: Seen) -> tuple[Document, Untrusted | None]:
    """
    Return the document as `believe` does, and None; or, where nothing but a revocation is in the way, that refusal.

    For whoever tells others what was signed and why it does not count: what comes with a refusal is not to be acted on.
    `Untrusted` for whatever else is wrong, also of what a revoked certificate has signed.
    """
    try:
        return believe(claimed, trust, seen), None
    except Untrusted as untrusted:
        if untrusted.reason is not Reason.CERTIFICATE_REVOKED:
            raise
        return _by(claimed, trust.named(claimed.thumbprint, Purpose.DOCUMENT, claimed.at)), untrusted


def digest_of(raw: str) -> str:
    """
    Return the digest (hex) by which a document is known: of what is signed, whatever of it is disclosed.

    The hash is that of the suite which the document names: where suites meet in one dossier, every document names the
    one before it by the other's hash, not its own. `Untrusted(WRONG_ALGORITHM)` for what names no suite.
    """
    for suite in suites.SUITES:
        if raw.startswith(_BEGINNINGS[suite.name]):
            return suite.digest(disclosures.signed_part(raw).encode())
    raise Untrusted(Reason.WRONG_ALGORITHM)


def rfc3339(at: datetime) -> str:
    """
    Return an aware time as documents state it: UTC, microseconds, `Z`; `ValueError` for a naive one.
    """
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # without its "+00:00"


def moment(stated: JSON) -> datetime:
    """
    Return the aware UTC time of what `rfc3339` writes; `Untrusted` for every other spelling.
    """
    # What stands between the numbers leaves `fromisoformat`, which reads more, one way to read them.
    if type(stated) is str and len(stated) == _MOMENT and stated[4:20:3] + stated[26] == "--T::.Z":
        with suppress(ValueError):
            return datetime.fromisoformat(stated)
    raise Untrusted(Reason.MALFORMED, "time")


def _by(claimed: Claimed, certified: Certified) -> Document:
    """The document, if the signature is that of a certificate's holder; else `Untrusted`."""
    if not claimed.suite.owns(certified.public):
        raise Untrusted(Reason.WRONG_ALGORITHM, "not that of the certificate's key")
    claimed.suite.verify(certified.public, claimed.parts.signed, claimed.parts.signature)
    if claimed.members["by"] != certified.signer.id:
        raise Untrusted(Reason.SIGNER_MISMATCH)
    return _document(claimed, certified.signer)


def _sign(key: SigningKey, members: dict[str, object], at: datetime, opened: list[str]) -> tuple[str, bytes]:
    """The document, and its payload's bytes."""
    stated = rfc3339(at)
    members |= {"at": stated, "by": key.id}
    if not _sound(members):
        raise ValueError("not a document: doc, rx, seq, prev or body")
    payload = canonical.dumps(members)
    signed = compact.join(_header(key.suite, stated, key.thumbprint), payload)
    signature = key.sign(signed, purpose=Purpose.DOCUMENT, at=at)
    raw = disclosures.join((signed + b"." + compact.encode(signature)).decode(), opened)
    if len(raw) > DOCUMENT_MAX:
        raise ValueError("not a document: too large")
    return raw, payload


def _header(suite: suites.Suite, stated: str, thumbprint: str) -> bytes:
    """The canonical JSON of the header; none of its values needs an escape."""
    return _HEADER_FORMS[suite.name] % (stated.encode(), thumbprint.encode())


def _payload(payload: bytes) -> dict[str, JSON]:
    members = canonical.read(payload)
    if not isinstance(members, dict) or not _sound(members):
        raise Untrusted(Reason.MALFORMED, "payload")
    return members


def _sound(members: Mapping[str, object]) -> bool:
    """
    Whether the members are the ones of a document, of their types, in a place of the dossier that can be.
    """
    if members.keys() != _PAYLOAD:
        return False
    doc, rx, seq, prev = members["doc"], members["rx"], members["seq"], members["prev"]
    return (
        isinstance(doc, str)
        and isinstance(rx, str)
        and doc != ""
        and rx != ""
        and type(seq) is int
        and seq >= 1
        and isinstance(prev, str)
        and (prev == "" if seq == 1 else len(prev) == _DIGEST_LENGTH and not prev.strip(_HEX))
        and isinstance(members["body"], dict)
    )


def _document(claimed: Claimed, signer: Signer) -> Document:
    """By place: by name it costs as much again."""
    raw, digest, _, _, _, m, at, withheld = claimed
    return Document(raw, digest, m["doc"], m["rx"], m["seq"], m["prev"], at, m["by"], m["body"], signer, withheld)

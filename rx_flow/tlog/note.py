"""
Signed notes (c2sp.org/signed-note): text, an empty line, signature lines. Verifier keys and what each kind signs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, Protocol

from rx_flow.crypto import ed25519
from rx_flow.crypto.errors import Untrusted
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.spelling import base64, unbase64

# The specification asks for 16 signatures at least; post-quantum ones have nearly 5 kB each.
SIGNATURES_MAX: Final = 64
NOTE_BYTES_MAX: Final = 512 * 1024
TIME_MAX: Final = 2**63 - 1
_DASH: Final = "— "
_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8


class Kind(IntEnum):
    """
    The signature types that we make and verify; lines of other types are those of unknown keys.
    """

    LOG = 0x01  # Ed25519 over the text
    COSIGNATURE = 0x04  # Ed25519 over a time and the text: c2sp.org/tlog-cosignature


class Signer(Protocol):
    """
    A private Ed25519 key: `LogKey` of the key ring, or a `Seed`.
    """

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64-byte signature over `data`."""
        ...


def is_name(name: str) -> bool:
    """Whether a key may be called so: not empty, no space of any alphabet, no plus sign, no control character."""
    return bool(name) and not any(char.isspace() or char == "+" or char < " " for char in name)


@dataclass(frozen=True, slots=True)
class Key:
    """
    A verifier key: a name, a kind and 32 bytes. Its text form is the note format's vkey.
    """

    name: str
    kind: Kind
    public: bytes

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise Broken(Fault.MALFORMED_KEY, "a name has no spaces and no plus sign")
        try:
            ed25519.check_public(self.public)
        except Untrusted as no:
            raise Broken(Fault.MALFORMED_KEY, no.detail) from None

    @property
    def id(self) -> bytes:
        """The four bytes that, with the name, say which key made a signature."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64(bytes([self.kind]) + self.public)}"


def key(vkey: str) -> Key:
    """
    Return the verifier key of a vkey; `Broken`: `MALFORMED_KEY`, or `UNKNOWN_KEY_TYPE` for what we cannot verify.
    """
    parts = vkey.split("+", 2)  # base64 may contain further plus signs
    if len(parts) != 3:  # noqa: PLR2004  name, id, key
        raise Broken(Fault.MALFORMED_KEY, "not name+id+base64")
    name, said, encoded = parts
    data = unbase64(encoded, Fault.MALFORMED_KEY)
    if not data or data[0] not in tuple(Kind):
        raise Broken(Fault.UNKNOWN_KEY_TYPE, "neither Ed25519 nor an Ed25519 cosignature")
    found = Key(name, Kind(data[0]), data[1:])
    if found.id.hex() != said:
        raise Broken(Fault.MALFORMED_KEY, "the id is not this key's")
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """
    One signature line: the key's name and id, and what follows them, not yet verified.
    """

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64(self.id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """
    A note as read: nothing of it is to be believed before `verify`.
    """

    text: str
    lines: tuple[Line, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.lines))).encode()


def line(text: str) -> Line:
    """Return one signature line without its line feed; `Broken(MALFORMED_SIGNATURE_LINE)`."""
    if not text.startswith(_DASH):
        raise Broken(Fault.MALFORMED_SIGNATURE_LINE, "no em dash and space at its beginning")
    name, space, encoded = text.removeprefix(_DASH).partition(" ")
    data = unbase64(encoded, Fault.MALFORMED_SIGNATURE_LINE)
    if not space or not is_name(name) or len(data) <= _ID_BYTES:
        raise Broken(Fault.MALFORMED_SIGNATURE_LINE, "not a name and a signature")
    return Line(name, data[:_ID_BYTES], data[_ID_BYTES:])


def plain(data: bytes) -> str:
    """Return text without control characters but line feeds; `Broken`: `TOO_LARGE`, `NOT_UTF8`, `CONTROL_CHARACTER`."""
    if len(data) > NOTE_BYTES_MAX:
        raise Broken(Fault.TOO_LARGE, f"more than {NOTE_BYTES_MAX} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Broken(Fault.NOT_UTF8) from None
    if any(char < " " for char in set(text) - {"\n"}):
        raise Broken(Fault.CONTROL_CHARACTER, "only line feeds are allowed; CRLF is not a line feed")
    return text


def read(data: bytes) -> Note:
    """
    Return a note, split at its last empty line; `Broken` for every deviation from the format.
    """
    whole = plain(data)
    body, empty, signed = whole.rpartition("\n\n")
    if not empty or not signed.endswith("\n"):
        raise Broken(Fault.MALFORMED_NOTE, "no empty line and signatures at its end")
    lines = signed[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise Broken(Fault.TOO_MANY_SIGNATURES, f"{len(lines)} signatures")
    return Note(body + "\n", tuple(line(each) for each in lines))


def _message(kind: Kind, text: str, time: int) -> bytes:
    """Return what a key of this kind signs: the text, or the time and the text."""
    return (text if kind is Kind.LOG else f"cosignature/v1\ntime {time}\n{text}").encode()


def sign(text: str, name: str, signer: Signer) -> Line:
    """Return the log's own signature line over a note's text, which ends in a line feed."""
    made = Key(name, Kind.LOG, signer.public)
    return Line(name, made.id, signer.sign(_message(Kind.LOG, text, 0)))


def cosign(text: str, name: str, signer: Signer, *, time: int) -> Line:
    """Return a cosignature/v1 line over a checkpoint's text; `time` is in POSIX seconds."""
    made = Key(name, Kind.COSIGNATURE, signer.public)
    return Line(name, made.id, time.to_bytes(_TIME_BYTES, "big") + signer.sign(_message(Kind.COSIGNATURE, text, time)))


def check(text: str, signature: Line, by: Key) -> int | None:
    """
    Pass if `by` made this signature over the text, and return its time if its kind has one; `Broken` otherwise.

    `BAD_SIGNATURE` of a log, `BAD_COSIGNATURE` of a witness.
    """
    fault, data, time = Fault.BAD_SIGNATURE, signature.signature, 0
    if by.kind is Kind.COSIGNATURE:
        fault, time, data = Fault.BAD_COSIGNATURE, int.from_bytes(data[:_TIME_BYTES], "big"), data[_TIME_BYTES:]
    try:
        ed25519.verify(by.public, data, _message(by.kind, text, time))
    except Untrusted:
        raise Broken(fault, f"of {by.name}") from None
    if time > TIME_MAX:
        raise Broken(fault, f"of {by.name}: a time beyond 2^63")
    return time if by.kind is Kind.COSIGNATURE else None


def verify(note: Note, keys: Iterable[Key]) -> dict[Key, int | None]:
    """
    Return which of `keys` signed, each with the newest time that it gave; lines of other keys are ignored.

    `Broken`: a signature of a known key that fails rejects the whole note; `NO_KNOWN_SIGNATURE` for none at all.
    """
    known = {(each.name, each.id): each for each in keys}
    found: dict[Key, int | None] = {}
    for each in note.lines:
        by = known.get((each.name, each.id))
        if by is not None:
            time = check(note.text, each, by)
            found[by] = time if time is None else max(time, found.get(by) or 0)
    if not found:
        raise Broken(Fault.NO_KNOWN_SIGNATURE, "signed by none of the known keys")
    return found

"""
Checkpoints (c2sp.org/tlog-checkpoint): what a log says of itself at one size, signed by it and cosigned by witnesses.

Extension lines are neither written nor accepted: no monitor can audit them, and not all cosignatures cover them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rx_flow.tlog import note
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import HASH_BYTES, SIZE_MAX
from rx_flow.tlog.note import Key, Kind, Line, Note, Signer
from rx_flow.tlog.spelling import base64, hash_of, number

MEDIA_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    A log's origin, its size and the root of its tree. The origin is also the name of the log's key.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not note.is_name(self.origin):
            raise Broken(Fault.MALFORMED_CHECKPOINT, "an origin is not empty and has no spaces and no plus sign")
        if not 0 <= self.size <= SIZE_MAX:
            raise Broken(Fault.MALFORMED_SIZE, "not from 0 to 2^63 - 1")
        if len(self.root) != HASH_BYTES:
            raise Broken(Fault.MALFORMED_CHECKPOINT, "a root has 32 bytes")

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Signed:
    """
    A checkpoint that has been verified: who signed it, and when which witness cosigned it (POSIX seconds).
    """

    checkpoint: Checkpoint
    note: Note
    logs: frozenset[Key]
    cosigned: dict[Key, int]


def parse(text: str) -> Checkpoint:
    """
    Return the checkpoint of a note's text; `Broken`: `MALFORMED_CHECKPOINT`, `MALFORMED_SIZE`, `EXTENSION_LINES`.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:  # noqa: PLR2004  origin, size, root, and nothing after the last line feed
        raise Broken(Fault.MALFORMED_CHECKPOINT, "not three lines")
    if len(lines) > 4:  # noqa: PLR2004  as above
        raise Broken(Fault.EXTENSION_LINES, f"{len(lines) - 4} lines after the root")
    origin, size, root = lines[:3]
    return Checkpoint(origin, number(size, Fault.MALFORMED_SIZE), hash_of(root, Fault.MALFORMED_CHECKPOINT))


def sign(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the signed note of a checkpoint. To sign two that are not consistent is the caller's gravest error."""
    text = str(checkpoint)
    return bytes(Note(text, (note.sign(text, checkpoint.origin, signer),)))


def add(signed: bytes, lines: Iterable[Line]) -> bytes:
    """Return the note with further signature lines, say cosignatures; a line of the same key is replaced."""
    old = note.read(signed)
    new = {(line.name, line.id): line for line in (*old.lines, *lines)}
    return bytes(Note(old.text, tuple(new.values())))


def verify(signed: bytes, logs: Iterable[Key], *, witnesses: Iterable[Key] = (), origin: str | None = None) -> Signed:
    """
    Return the checkpoint of a note signed by one of `logs`, whose key has the checkpoint's origin for its name.

    `Broken`: the note's and the text's faults; `WRONG_ORIGIN` if it is not `origin`, or if a log's key signed for
    another origin; `LOG_SIGNATURE_MISSING`; any bad signature of a known log or witness.
    """
    read = note.read(signed)
    found = parse(read.text)
    if origin is not None and found.origin != origin:
        raise Broken(Fault.WRONG_ORIGIN, f"of {found.origin} in place of {origin}")
    logs, witnesses = [each for each in logs if each.kind is Kind.LOG], list(witnesses)
    try:
        by = note.verify(read, [*logs, *witnesses])
    except Broken as no:
        if no.fault is not Fault.NO_KNOWN_SIGNATURE:
            raise
        by = {}
    signers = frozenset(each for each in by if each.kind is Kind.LOG)
    if not signers:
        raise Broken(Fault.LOG_SIGNATURE_MISSING, f"of {found.origin}")
    if all(each.name != found.origin for each in signers):
        raise Broken(Fault.WRONG_ORIGIN, f"of {found.origin}, signed by the key of another log")
    cosigned = {each: time for each, time in by.items() if time is not None}
    return Signed(found, read, frozenset(each for each in signers if each.name == found.origin), cosigned)

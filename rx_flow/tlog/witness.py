"""
The witness protocol (c2sp.org/tlog-witness v1.1.0) without its transport: a witness's decision, and both ends' bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rx_flow.tlog import checkpoint, merkle, note
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import EMPTY_ROOT
from rx_flow.tlog.note import Key, Kind, Line, Signer
from rx_flow.tlog.proof import hashes
from rx_flow.tlog.spelling import base64, number

PATH: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
OK, BAD_REQUEST, FORBIDDEN, UNKNOWN, STALE, REFUSED = 200, 400, 403, 404, 409, 422


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a log asks: from which size, the consistency proof from there, and the signed checkpoint.
    """

    old: int
    proof: tuple[bytes, ...]
    signed: bytes

    def __bytes__(self) -> bytes:
        return "\n".join([f"old {self.old}", *map(base64, self.proof), "", ""]).encode() + self.signed


@dataclass(frozen=True, slots=True)
class Known:
    """
    What a witness holds of a log: the keys that it believes, and size and root of what it cosigned last.
    """

    keys: tuple[Key, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a witness answers. If `accepted`, it must be stored for its origin before the answer leaves.
    """

    status: int
    body: bytes = b""
    media_type: str = TEXT_TYPE
    accepted: Checkpoint | None = None


def read(body: bytes) -> Request:
    """Return the request; `Broken`: `MALFORMED_REQUEST` and what `note.plain` raises. Its checkpoint is not read."""
    head, empty, signed = note.plain(body).partition("\n\n")
    first, *lines = head.split("\n")
    if not empty or not first.startswith("old "):
        raise Broken(Fault.MALFORMED_REQUEST, "no old size, or no empty line")
    old = number(first.removeprefix("old "), Fault.MALFORMED_REQUEST)
    return Request(old, hashes(lines, Fault.MALFORMED_REQUEST), signed.encode())


def answer(body: bytes, known: Callable[[str], Known | None], *, name: str, signer: Signer, now: int) -> Answer:
    """
    Return what a witness answers to the body of an add-checkpoint request; never raises for what the body says.

    `known` looks an origin up. The caller holds the origin's record from that look-up until `accepted` is stored, in
    one transaction: between a check and its storing, another answer could roll the witness back. `now`: POSIX seconds.
    200: cosigned. 400: not a request, or the old size beyond the new. 403: no known key of that log signed it.
    404: not a log of ours. 409: the old size is not what we hold; the body is what we hold. 422: not consistent.
    """
    try:
        request = read(body)
        asked = checkpoint.parse(note.read(request.signed).text)
    except Broken as no:
        return Answer(BAD_REQUEST, f"{no.fault}\n".encode())
    held = known(asked.origin)
    if held is None:
        return Answer(UNKNOWN)
    refusal = _refusal(request, asked, held)
    if refusal is not None:
        return refusal
    line = note.cosign(str(asked), name, signer, time=now)
    return Answer(OK, str(line).encode(), accepted=asked)


def _refusal(request: Request, asked: Checkpoint, held: Known) -> Answer | None:
    """Return why a log's checkpoint is not cosigned, in the order of the specification; None if nothing is wrong."""
    try:
        checkpoint.verify(request.signed, held.keys, origin=asked.origin)
    except Broken as no:
        return Answer(FORBIDDEN, f"{no.fault}\n".encode())
    if request.old > asked.size:
        return Answer(BAD_REQUEST, f"{Fault.OUT_OF_RANGE}\n".encode())
    if request.old != held.size:
        return Answer(STALE, f"{held.size}\n".encode(), SIZE_TYPE)
    try:
        merkle.verify_consistency((held.size, held.root), (asked.size, asked.root), request.proof)
    except Broken as no:
        return Answer(REFUSED, f"{no.fault}\n".encode())
    return None


def cosignatures(status: int, body: bytes, *, signed: bytes, witnesses: Sequence[Key]) -> list[Line]:
    """
    Return the lines of a witness's answer that verify over the checkpoint, for `checkpoint.add`; unknown ones dropped.

    `Broken`: `WITNESS_REFUSED` for another status than 200; `MALFORMED_ANSWER`; `BAD_COSIGNATURE` of a known witness;
    `NO_KNOWN_SIGNATURE`. For 409 see `held_size`.
    """
    if status != OK:
        raise Broken(Fault.WITNESS_REFUSED, f"HTTP {status}")
    text = note.plain(body)
    if not text.endswith("\n"):
        raise Broken(Fault.MALFORMED_ANSWER, "no line feed at its end")
    rows = text[:-1].split("\n")
    if len(rows) > note.SIGNATURES_MAX:
        raise Broken(Fault.TOO_MANY_SIGNATURES, f"{len(rows)} signatures")
    lines = [note.line(row) for row in rows]
    known = {(key.name, key.id): key for key in _witnesses(witnesses)}
    ours = [line for line in lines if (line.name, line.id) in known]
    if not ours:
        raise Broken(Fault.NO_KNOWN_SIGNATURE, "cosigned by none of the known witnesses")
    over = note.read(signed).text
    for line in ours:
        note.check(over, line, known[line.name, line.id])
    return ours


def _witnesses(keys: Iterable[Key]) -> list[Key]:
    return [key for key in keys if key.kind is Kind.COSIGNATURE]


def held_size(status: int, media_type: str, body: bytes) -> int | None:
    """Return the size that a witness holds, from its 409; None for any other answer; `Broken(MALFORMED_ANSWER)`."""
    if status != STALE or media_type.partition(";")[0].strip() != SIZE_TYPE:
        return None
    text = note.plain(body)
    if not text.endswith("\n"):
        raise Broken(Fault.MALFORMED_ANSWER, "no line feed at its end")
    return number(text[:-1], Fault.MALFORMED_ANSWER)

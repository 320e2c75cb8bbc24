"""
The witness protocol from both ends: every status of the specification, and a rewritten history that gets no signature.
"""

from __future__ import annotations

from base64 import b64encode

import pytest
from made import (
    LEAF,
    LOG,
    LOG_KEY,
    NOW,
    ORIGIN,
    OTHER,
    WITNESS_KEYS,
    WITNESSES,
    entry,
    fault_of,
    mth,
    signed,
    subproof,
)

from rx_flow.crypto.ed25519 import Seed
from rx_flow.tlog import checkpoint, note, witness
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Fault
from rx_flow.tlog.note import Line
from rx_flow.tlog.witness import SIZE_TYPE, Answer, Known, Request

LEAVES = [LEAF(entry(number)) for number in range(1000)]
KEY, SEED = WITNESS_KEYS["hospital"], WITNESSES["hospital"]


def head(size: int, leaves: list[bytes] = LEAVES, *, by: Seed = LOG, origin: str = ORIGIN) -> bytes:
    return signed(size, mth(leaves[:size]), by=by, origin=origin)


def held(size: int) -> Known:
    return Known((LOG_KEY,), size, mth(LEAVES[:size]))


def proof(old: int, new: int) -> tuple[bytes, ...]:
    return tuple(subproof(old, LEAVES[:new])) if old else ()


def ask(known: Known | None, body: bytes) -> Answer:
    logs = {ORIGIN: known}
    return witness.answer(body, logs.get, name=KEY.name, signer=SEED, now=NOW)


def test_a_log_is_witnessed_as_it_grows() -> None:
    """First contact, growth, and the same size again: each answer is a cosignature that the log can add."""
    known = Known((LOG_KEY,))
    for size in (255, 1000, 1000):
        asked = Request(known.size, proof(known.size, size), head(size))
        assert witness.read(bytes(asked)) == asked
        answer = ask(known, bytes(asked))
        assert answer.status == 200
        assert answer.accepted == Checkpoint(ORIGIN, size, mth(LEAVES[:size]))
        lines = witness.cosignatures(answer.status, answer.body, signed=asked.signed, witnesses=[KEY])
        found = checkpoint.verify(checkpoint.add(asked.signed, lines), [LOG_KEY], witnesses=[KEY])
        assert found.cosigned == {KEY: NOW}
        known = Known((LOG_KEY,), answer.accepted.size, answer.accepted.root)


def test_an_empty_log_is_witnessed() -> None:
    assert ask(Known((LOG_KEY,)), bytes(Request(0, (), head(0)))).status == 200


ANOTHER = [LEAF(b"another history"), *LEAVES[1:]]


@pytest.mark.parametrize(
    ("known", "asked", "status", "body"),
    [
        (None, Request(0, (), head(5)), 404, b""),
        (held(0), Request(0, (), head(5, origin="audit.example/110000")), 404, b""),
        (held(0), Request(0, (), head(5, by=OTHER)), 403, b"log_signature_missing\n"),
        (held(0), Request(0, (), head(5).replace(b"\n5\n", b"\n6\n")), 403, b"bad_signature\n"),
        (held(5), Request(6, (), head(5)), 400, b"out_of_range\n"),
        (held(5), Request(4, proof(4, 9), head(9)), 409, b"5\n"),
        (held(5), Request(0, (), head(9)), 409, b"5\n"),
        (held(5), Request(7, proof(7, 9), head(9)), 409, b"5\n"),  # a size that we never cosigned
        (held(9), Request(5, (), head(5)), 409, b"9\n"),  # a log cut short
        (held(5), Request(5, (), head(5, ANOTHER)), 422, b"not_consistent\n"),
        (held(5), Request(5, proof(5, 9), head(9, ANOTHER)), 422, b"not_consistent\n"),
        (held(5), Request(5, tuple(subproof(5, ANOTHER[:9])), head(9, ANOTHER)), 422, b"not_consistent\n"),
        (held(5), Request(5, proof(5, 9)[1:], head(9)), 422, b"proof_length\n"),
        (held(0), Request(0, (LEAVES[0],), head(9)), 422, b"proof_length\n"),
        (held(0), Request(0, (), signed(0, bytes(32))), 422, b"not_consistent\n"),
    ],
)
def test_what_a_witness_does_not_sign(known: Known | None, asked: Request, status: int, body: bytes) -> None:
    answer = ask(known, bytes(asked))

    assert (answer.status, answer.body, answer.accepted) == (status, body, None)
    assert (answer.media_type == SIZE_TYPE) is (status == 409)


HASH = b64encode(bytes(32))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"\n\n" + head(5),
        b"old\n\n" + head(5),
        b"old -1\n\n" + head(5),
        b"old 00\n\n" + head(5),
        b"new 0\n\n" + head(5),
        b"old 0\nshort\n\n" + head(5),
        b"old 0\n" + (HASH + b"\n") * 64 + b"\n" + head(5),
        b"old 0\r\n\r\n" + head(5),
        b"old 0\n\n",
        b"old 0\n\nnot a note\n",
        b"old 0\n\n" + head(5).replace(b"\n5\n", b"\n05\n"),
        b"old 0\n\n" + head(5).replace(b"\n\n", b"\nextension\n\n"),
        b"\xff",
        b"a" * 600_000,
    ],
)
def test_what_is_not_a_request(body: bytes) -> None:
    answer = ask(held(0), body)

    assert (answer.status, answer.accepted) == (400, None)
    assert answer.body.decode().strip() in set(Fault)


def test_a_key_that_takes_over_is_believed_beside_the_old_one() -> None:
    by_new = note.Key(ORIGIN, note.Kind.LOG, OTHER.public)
    rotating = Known((LOG_KEY, by_new))

    assert [ask(rotating, bytes(Request(0, (), head(5, by=seed)))).status for seed in (LOG, OTHER)] == [200, 200]


# The log's end.

TEXT = note.read(head(5)).text
LINE = note.cosign(TEXT, KEY.name, SEED, time=NOW)
STRANGER = note.cosign(TEXT, "stranger.example", OTHER, time=NOW)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, f"{LINE}", None),
        (200, f"{STRANGER}{LINE}", None),
        (200, f"{STRANGER}", Fault.NO_KNOWN_SIGNATURE),
        (200, f"{Line(LINE.name, LINE.id, STRANGER.signature)}", Fault.BAD_COSIGNATURE),
        (200, "", Fault.MALFORMED_ANSWER),
        (200, f"{LINE}"[:-1], Fault.MALFORMED_ANSWER),
        (200, "no line\n", Fault.MALFORMED_SIGNATURE_LINE),
        (200, f"{LINE}" * 65, Fault.TOO_MANY_SIGNATURES),
        (200, f"{LINE}\r\n", Fault.CONTROL_CHARACTER),
        (503, f"{LINE}", Fault.WITNESS_REFUSED),
        (409, "5\n", Fault.WITNESS_REFUSED),
    ],
)
def test_the_log_reads_the_answer(status: int, body: str, fault: Fault | None) -> None:
    def read() -> list[Line]:
        return witness.cosignatures(status, body.encode(), signed=head(5), witnesses=[KEY, LOG_KEY])

    assert fault_of(read) is fault
    if fault is None:
        assert read() == [LINE]


def test_the_log_learns_what_the_witness_holds() -> None:
    assert witness.held_size(409, SIZE_TYPE, b"5\n") == 5
    assert witness.held_size(409, f"{SIZE_TYPE}; charset=utf-8", b"0\n") == 0
    assert witness.held_size(409, "text/plain", b"5\n") is None
    assert witness.held_size(200, SIZE_TYPE, b"5\n") is None
    for body in (b"5", b"", b"05\n", b"5\n\n", b"-5\n"):
        assert fault_of(lambda body=body: witness.held_size(409, SIZE_TYPE, body)) is Fault.MALFORMED_ANSWER

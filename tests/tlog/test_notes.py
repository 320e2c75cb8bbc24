"""
Signed notes, verifier keys and checkpoints: the published examples, and every way to be almost a note.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from made import LOG, LOG_KEY, NOW, ORIGIN, OTHER, OTHER_KEY, WITNESS_KEYS, WITNESSES, fault_of, log, signed

from rx_flow.crypto.ed25519 import Seed
from rx_flow.crypto.errors import Reason
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Key, Kind, Line, Note
from rx_flow.tlog.spelling import base64, hash_of, number

# The example of golang.org/x/mod/sumdb/note, with its private seed: who can read it can check us.
EXAMPLE_SEED = bytes.fromhex("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173")
EXAMPLE_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
GO_SUM_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"  # with plus signs in its base64
TEXT = "some text\n"


def lines(*made: Line) -> bytes:
    return bytes(Note(TEXT, made))


def test_the_published_example() -> None:
    key = note.key(EXAMPLE_VKEY)
    read = note.read(EXAMPLE)

    assert str(key) == EXAMPLE_VKEY
    assert note.verify(read, [key]) == {key: None}
    assert bytes(read) == EXAMPLE
    assert read.lines[0].id.hex() == "c74f20a3"
    assert str(note.sign(read.text, "PeterNeumann", Seed(EXAMPLE_SEED))) == str(read.lines[0])


def test_a_key_whose_base64_has_plus_signs() -> None:
    assert str(note.key(GO_SUM_VKEY)) == GO_SUM_VKEY


def test_what_is_signed_is_verified() -> None:
    ours, theirs = note.sign(TEXT, ORIGIN, LOG), note.sign(TEXT, ORIGIN, OTHER)

    assert note.verify(note.read(lines(ours)), [LOG_KEY]) == {LOG_KEY: None}
    assert note.verify(note.read(lines(theirs, ours)), [LOG_KEY]) == {LOG_KEY: None}  # unknown keys are ignored
    assert note.verify(note.read(lines(theirs, ours)), [LOG_KEY, OTHER_KEY]) == {LOG_KEY: None, OTHER_KEY: None}


def test_the_text_may_have_empty_lines() -> None:
    text = "one\n\ntwo\n"
    read = note.read(bytes(Note(text, (note.sign(text, ORIGIN, LOG),))))

    assert read.text == text
    assert note.verify(read, [LOG_KEY])


def test_the_newest_of_a_witness_s_times_counts() -> None:
    key = WITNESS_KEYS["hospital"]
    made = [note.cosign(TEXT, key.name, WITNESSES["hospital"], time=NOW + step) for step in (0, 7, 3)]

    assert note.verify(note.read(lines(*made)), [key]) == {key: NOW + 7}


def test_a_known_key_that_fails_rejects_the_note() -> None:
    good, bad = note.sign(TEXT, ORIGIN, LOG), note.sign("other\n", ORIGIN, LOG)
    other = note.sign(TEXT, ORIGIN, OTHER)

    assert fault_of(lambda: note.verify(note.read(lines(good, bad)), [LOG_KEY])) is Fault.BAD_SIGNATURE
    assert fault_of(lambda: note.verify(note.read(lines(other, bad)), [LOG_KEY, OTHER_KEY])) is Fault.BAD_SIGNATURE
    assert fault_of(lambda: note.verify(note.read(lines(bad)), [OTHER_KEY])) is Fault.NO_KNOWN_SIGNATURE
    assert fault_of(lambda: note.verify(note.read(lines(good)), [])) is Fault.NO_KNOWN_SIGNATURE


def test_a_key_is_its_name_and_its_id() -> None:
    """The same key under another name, or for another kind of signature, is another key."""
    good = note.sign(TEXT, ORIGIN, LOG)

    for other in (Key("another.example", Kind.LOG, LOG.public), Key(ORIGIN, Kind.COSIGNATURE, LOG.public)):
        assert fault_of(lambda other=other: note.verify(note.read(lines(good)), [other])) is Fault.NO_KNOWN_SIGNATURE
    colliding = Line(ORIGIN, LOG_KEY.id, note.sign(TEXT, ORIGIN, OTHER).signature)
    assert fault_of(lambda: note.verify(note.read(lines(colliding)), [LOG_KEY])) is Fault.BAD_SIGNATURE


def test_a_cosignature_covers_time_and_text() -> None:
    key = WITNESS_KEYS["hospital"]
    line = note.cosign(TEXT, key.name, WITNESSES["hospital"], time=NOW)
    moved = Line(line.name, line.id, (NOW + 1).to_bytes(8, "big") + line.signature[8:])
    far = note.cosign(TEXT, key.name, WITNESSES["hospital"], time=2**63)

    assert note.check(TEXT, line, key) == NOW
    for text, bad in ((TEXT, moved), ("other\n", line), (TEXT, Line(line.name, line.id, b"short")), (TEXT, far)):
        assert fault_of(lambda text=text, bad=bad: note.check(text, bad, key)) is Fault.BAD_COSIGNATURE


def good_line() -> str:
    return str(note.sign(TEXT, ORIGIN, LOG))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.MALFORMED_NOTE),
        (TEXT.encode(), Fault.MALFORMED_NOTE),
        (TEXT.encode() + good_line().encode(), Fault.MALFORMED_NOTE),  # no empty line
        (f"{TEXT}\n{good_line()[:-1]}".encode(), Fault.MALFORMED_NOTE),  # no last line feed
        (f"{TEXT}\n".encode(), Fault.MALFORMED_NOTE),  # no signature
        (f"{TEXT}\n{good_line()}\n".encode(), Fault.MALFORMED_NOTE),  # ends in an empty line
        (f"{TEXT}\n{good_line()}".replace("\n", "\r\n").encode(), Fault.CONTROL_CHARACTER),
        (f"a\tb\n\n{good_line()}".encode(), Fault.CONTROL_CHARACTER),
        (f"a\0b\n\n{good_line()}".encode(), Fault.CONTROL_CHARACTER),
        (b"\xff\n\n" + good_line().encode(), Fault.NOT_UTF8),
        (b"a" * note.NOTE_BYTES_MAX + b"\n\n" + good_line().encode(), Fault.TOO_LARGE),
        (f"{TEXT}\n{good_line() * (note.SIGNATURES_MAX + 1)}".encode(), Fault.TOO_MANY_SIGNATURES),
        (f"{TEXT}\nno dash\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
        (f"{TEXT}\n— name\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
        (f"{TEXT}\n—  AAAAAAAA\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
        (f"{TEXT}\n— a+b AAAAAAAA\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
        (f"{TEXT}\n— name AAAAAA==\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),  # an id, and nothing after it
        (f"{TEXT}\n— name AAAAAAB=\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),  # unused bits
        (f"{TEXT}\n— name AAAA!AAA\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
        (f"{TEXT}\n— name AAAAAAA é\n".encode(), Fault.MALFORMED_SIGNATURE_LINE),
    ],
)
def test_almost_a_note(data: bytes, fault: Fault) -> None:
    assert fault_of(lambda: note.read(data)) is fault


def test_sixteen_signatures_and_more_are_read() -> None:
    many = [note.sign(TEXT, f"other.example/{number}", OTHER) for number in range(note.SIGNATURES_MAX - 1)]

    assert len(many) >= 16
    assert note.verify(note.read(lines(*many, note.sign(TEXT, ORIGIN, LOG))), [LOG_KEY]) == {LOG_KEY: None}


def of(name: str, kind: int, public: bytes) -> str:
    data = bytes([kind]) + public
    key_id = sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    return f"{name}+{key_id}+{b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("vkey", "fault"),
    [
        ("name", Fault.MALFORMED_KEY),
        ("name+00000000", Fault.MALFORMED_KEY),
        (EXAMPLE_VKEY.replace("c74f20a3", "c74f20a4"), Fault.MALFORMED_KEY),
        (EXAMPLE_VKEY.replace("c74f20a3", "C74F20A3"), Fault.MALFORMED_KEY),
        (EXAMPLE_VKEY.replace("Peter", "Paul"), Fault.MALFORMED_KEY),
        ("name+00000000+", Fault.UNKNOWN_KEY_TYPE),
        (of("name", 0x06, bytes(1312)), Fault.UNKNOWN_KEY_TYPE),
        (of("name", 0x01, LOG.public[:-1]), Fault.MALFORMED_KEY),
        (of("name", 0x01, LOG.public + b"\0"), Fault.MALFORMED_KEY),
        (of("name", 0x01, bytes(32)), Fault.MALFORMED_KEY),  # a point of order 4
        (of("na me", 0x01, LOG.public), Fault.MALFORMED_KEY),
        (of("", 0x01, LOG.public), Fault.MALFORMED_KEY),
        ("name+00000000+not base64", Fault.MALFORMED_KEY),
    ],
)
def test_almost_a_verifier_key(vkey: str, fault: Fault) -> None:
    assert fault_of(lambda: note.key(vkey)) is fault


@pytest.mark.parametrize("text", ["", "-1", "+1", "01", "00", "1_0", "1 ", "１", "0x1", str(2**63), "9" * 30])
def test_numbers_have_one_spelling(text: str) -> None:
    assert fault_of(lambda: number(text, Fault.MALFORMED_SIZE)) is Fault.MALFORMED_SIZE


def test_numbers_and_hashes() -> None:
    assert [number(text, Fault.MALFORMED_SIZE) for text in ("0", "7", str(2**63 - 1))] == [0, 7, 2**63 - 1]
    assert hash_of(base64(bytes(32)), Fault.MALFORMED_PROOF) == bytes(32)
    assert fault_of(lambda: hash_of(base64(bytes(31)), Fault.MALFORMED_PROOF)) is Fault.MALFORMED_PROOF


# Checkpoints.

ROOT = b64encode(bytes(32)).decode()


def test_a_checkpoint_is_written_and_read() -> None:
    made = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
    found = checkpoint.verify(checkpoint.sign(made, LOG), [LOG_KEY], origin=ORIGIN)

    assert str(made) == f"{ORIGIN}\n20852163\n{base64(bytes(range(32)))}\n"
    assert (found.checkpoint, found.logs, found.cosigned) == (made, {LOG_KEY}, {})
    assert checkpoint.parse(str(made)) == made


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.MALFORMED_CHECKPOINT),
        (f"{ORIGIN}\n5\n", Fault.MALFORMED_CHECKPOINT),
        (f"{ORIGIN}\n5\n{ROOT}", Fault.MALFORMED_CHECKPOINT),
        (f"\n5\n{ROOT}\n", Fault.MALFORMED_CHECKPOINT),
        (f"an origin\n5\n{ROOT}\n", Fault.MALFORMED_CHECKPOINT),
        (f"a+b\n5\n{ROOT}\n", Fault.MALFORMED_CHECKPOINT),
        (f"{ORIGIN}\n05\n{ROOT}\n", Fault.MALFORMED_SIZE),
        (f"{ORIGIN}\n-5\n{ROOT}\n", Fault.MALFORMED_SIZE),
        (f"{ORIGIN}\n\n{ROOT}\n", Fault.MALFORMED_SIZE),
        (f"{ORIGIN}\n{2**63}\n{ROOT}\n", Fault.MALFORMED_SIZE),
        (f"{ORIGIN}\n5\n{ROOT[:-1]}\n", Fault.MALFORMED_CHECKPOINT),
        (f"{ORIGIN}\n5\n{b64encode(bytes(31)).decode()}\n", Fault.MALFORMED_CHECKPOINT),
        (f"{ORIGIN}\n5\n{ROOT}\nextension\n", Fault.EXTENSION_LINES),
    ],
)
def test_almost_a_checkpoint(text: str, fault: Fault) -> None:
    assert fault_of(lambda: checkpoint.parse(text)) is fault


@pytest.mark.parametrize(
    ("size", "root", "fault"),
    [
        (-1, bytes(32), Fault.MALFORMED_SIZE),
        (2**63, bytes(32), Fault.MALFORMED_SIZE),
        (1, b"", Fault.MALFORMED_CHECKPOINT),
    ],
)
def test_a_checkpoint_that_nobody_can_write(size: int, root: bytes, fault: Fault) -> None:
    assert fault_of(lambda: Checkpoint(ORIGIN, size, root)) is fault


def test_the_log_s_own_signature_is_asked_for() -> None:
    made = log(3)
    text = note.read(made.files["checkpoint"]).text
    key = WITNESS_KEYS["hospital"]
    only_cosigned = bytes(Note(text, (note.cosign(text, key.name, WITNESSES["hospital"], time=NOW),)))
    elsewhere = Key("audit.example/110000", Kind.LOG, LOG.public)
    by_another_log = bytes(Note(text, (note.sign(text, elsewhere.name, LOG),)))

    def fault(data: bytes, *keys: Key, origin: str | None = None) -> Fault | None:
        return fault_of(lambda: checkpoint.verify(data, keys, witnesses=[key], origin=origin))

    assert fault(made.files["checkpoint"], LOG_KEY) is None
    assert fault(made.files["checkpoint"], OTHER_KEY) is Fault.LOG_SIGNATURE_MISSING
    assert fault(only_cosigned, LOG_KEY) is Fault.LOG_SIGNATURE_MISSING
    assert fault(only_cosigned, LOG_KEY, key) is Fault.LOG_SIGNATURE_MISSING  # a witness's key is no log's
    assert fault(by_another_log, elsewhere) is Fault.WRONG_ORIGIN
    assert fault(made.files["checkpoint"], LOG_KEY, origin="audit.example/110000") is Fault.WRONG_ORIGIN
    assert fault(signed(3, made.root, by=Seed(b"\7" * 32)), OTHER_KEY) is Fault.LOG_SIGNATURE_MISSING


def test_a_bad_signature_is_not_a_missing_one() -> None:
    good = checkpoint.sign(Checkpoint(ORIGIN, 3, bytes(32)), LOG)
    forged = good.replace(b"\n3\n", b"\n4\n")

    assert fault_of(lambda: checkpoint.verify(forged, [LOG_KEY])) is Fault.BAD_SIGNATURE


def test_cosignatures_are_added_and_replaced() -> None:
    made = checkpoint.sign(Checkpoint(ORIGIN, 3, bytes(32)), LOG)
    key = WITNESS_KEYS["hospital"]
    text = note.read(made).text
    for time in (NOW, NOW + 5):
        made = checkpoint.add(made, [note.cosign(text, key.name, WITNESSES["hospital"], time=time)])
    found = checkpoint.verify(made, [LOG_KEY], witnesses=[key])

    assert found.cosigned == {key: NOW + 5}
    assert len(found.note.lines) == 2


def test_a_fault_is_a_reason_for_distrust() -> None:
    with pytest.raises(Broken, match=r"bad_log: malformed_note: no empty line") as no:
        note.read(b"")

    assert (no.value.reason, no.value.fault) == (Reason.BAD_LOG, Fault.MALFORMED_NOTE)
    assert str(Broken(Fault.NOT_UTF8)) == "bad_log: not_utf8"

"""
The mutation battery: each way to spoil a log, the check that must catch it, and what catches it alone.

A log of 600 entries with two of three witnesses. The auditor holds the policy, and checkpoints of sizes 100 and 500.
What only the saved checkpoints catch is marked HISTORY: a log that is consistent with itself proves nothing of its
past. What only the application can know is marked EACH: the log takes the same entry twice without complaint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import pytest
from made import LEAF, LOG, NOW, OTHER, TWO_OF_THREE, WITNESS_KEYS, WITNESSES, Log, digest, log, signed

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.tlog import note, tiles
from rx_flow.tlog.faults import Fault
from rx_flow.tlog.report import NotVerified
from rx_flow.tlog.verify import Ask, verify

SIZE = 600
TIMES = {"hospital": NOW, "insurer": NOW}


class By(Enum):
    """What an auditor must have for a mutation to be caught."""

    LOG = auto()  # the log and its keys
    POLICY = auto()  # the witnesses' keys and a quorum
    HISTORY = auto()  # checkpoints saved earlier
    EACH = auto()  # knowledge of what an entry says


def entry_flipped(made: Log) -> None:
    made.flip("tile/entries/001", 7)


def bundle_truncated(made: Log) -> None:
    made.files["tile/entries/001"] = made.files["tile/entries/001"][:-1]


def bundle_missing(made: Log) -> None:
    del made.files["tile/entries/001"]


def last_entry_left_out(made: Log) -> None:
    made.files["tile/entries/002.p/88"] = tiles.bundle(made.entries[512:599])


def tile_missing(made: Log) -> None:
    del made.files["tile/0/001"]


def tile_short(made: Log) -> None:
    made.files["tile/0/001"] = made.files["tile/0/001"][:-32]


def leaf_tile_flipped(made: Log) -> None:
    made.flip("tile/0/000", 100)


def upper_tile_flipped(made: Log) -> None:
    made.flip("tile/1/000.p/2", 40)


def entry_257(made: Log) -> None:
    made.files["tile/entries/000"] += tiles.bundle([b"one more"])


def entry_257_in_a_partial_bundle(made: Log) -> None:
    made.files["tile/entries/002.p/88"] += tiles.bundle([b"one more"])


def root_altered(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE, bytes(32), times=TIMES)


def size_altered(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE - 1, made.root, times=TIMES)


def text(made: Log, old: bytes, new: bytes) -> None:
    """Another text under the old signatures."""
    assert old in made.files["checkpoint"]
    made.files["checkpoint"] = made.files["checkpoint"].replace(old, new)


def resigned(made: Log, old: str, new: str) -> None:
    """Another text, signed by the log and its witnesses as if it were good."""
    body = note.read(made.files["checkpoint"]).text.replace(old, new)
    lines = [note.sign(body, made_origin(), LOG)]
    lines += [note.cosign(body, WITNESS_KEYS[name].name, WITNESSES[name], time=NOW) for name in TIMES]
    made.files["checkpoint"] = bytes(note.Note(body, tuple(lines)))


def made_origin() -> str:
    return TWO_OF_THREE.logs[0].name


def leading_zero(made: Log) -> None:
    resigned(made, "\n600\n", "\n0600\n")


def extension_line(made: Log) -> None:
    body = note.read(made.files["checkpoint"]).text
    resigned(made, body, body + "extension\n")


def crlf(made: Log) -> None:
    text(made, b"\n", b"\r\n")


def wrong_origin(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE, made.root, origin="audit.example/110000", times=TIMES)


def other_key(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE, made.root, by=OTHER, times=TIMES)


def log_signature_missing(made: Log) -> None:
    first = str(note.read(made.files["checkpoint"]).lines[0])
    text(made, first.encode(), b"")


def log_signature_bad(made: Log) -> None:
    bad = note.sign("another text\n", made_origin(), LOG)
    text(made, str(note.read(made.files["checkpoint"]).lines[0]).encode(), str(bad).encode())


def cosignature_missing(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE, made.root, times={"hospital": NOW})


def cosignature_twice(made: Log) -> None:
    """Two cosignatures of one witness are not two witnesses."""
    made.files["checkpoint"] = signed(SIZE, made.root, times={"hospital": NOW})
    body = note.read(made.files["checkpoint"]).text
    again = note.cosign(body, WITNESS_KEYS["hospital"].name, WITNESSES["hospital"], time=NOW - 1)
    made.files["checkpoint"] += str(again).encode()


def cosignature_bad(made: Log) -> None:
    lines = note.read(made.files["checkpoint"]).lines
    bad = note.cosign("another text\n", lines[1].name, WITNESSES["hospital"], time=NOW)
    text(made, str(lines[1]).encode(), str(bad).encode())


def cosignature_of_another_time(made: Log) -> None:
    line = note.read(made.files["checkpoint"]).lines[1]
    bad = note.Line(line.name, line.id, (NOW + 1).to_bytes(8, "big") + line.signature[8:])
    text(made, str(line).encode(), str(bad).encode())


def cosignature_from_the_future(made: Log) -> None:
    made.files["checkpoint"] = signed(SIZE, made.root, times={"hospital": NOW, "insurer": NOW + 3600})


def become(made: Log, other: Log) -> None:
    made.files = other.files


def leaf_without_its_prefix(made: Log) -> None:
    become(made, Log(made.entries, leaf=lambda entry: digest(b"", entry)))


def node_without_its_prefix(made: Log) -> None:
    become(made, Log(made.entries, node=lambda pair: digest(b"", pair)))


def leaf_over_the_length_prefix(made: Log) -> None:
    become(made, Log(made.entries, leaf=lambda entry: LEAF(len(entry).to_bytes(2, "big") + entry)))


def little_endian(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(2, "little") + each for each in entries)


def little_endian_length(made: Log) -> None:
    become(made, Log(made.entries, pack=little_endian))


def odd_node_doubled(made: Log) -> None:
    """A last node without a neighbour is hashed with itself, as in Bitcoin's trees."""

    def doubled(row: list[bytes]) -> bytes:
        while len(row) > 1:
            row = [digest(b"\1", row[at] + row[min(at + 1, len(row) - 1)]) for at in range(0, len(row), 2)]
        return row[0]

    made.files["checkpoint"] = signed(SIZE, doubled([made.leaf(each) for each in made.entries]), times=TIMES)


def cut_short_and_signed_again(made: Log) -> None:
    become(made, Log(made.entries[:400], times=TIMES))


def rewritten_and_signed_again(made: Log) -> None:
    become(made, Log([*made.entries[:50], b"another", *made.entries[51:]], times=TIMES))


def inserted(made: Log) -> None:
    become(made, Log([*made.entries[:10], b"inserted", *made.entries[10:]], times=TIMES))


def removed(made: Log) -> None:
    become(made, Log([*made.entries[:10], *made.entries[11:]], times=TIMES))


def two_entries_change_places(made: Log) -> None:
    moved = list(made.entries)
    moved[20], moved[21] = moved[21], moved[20]
    become(made, Log(moved, times=TIMES))


def last_entry_twice(made: Log) -> None:
    become(made, Log([*made.entries, made.entries[-1]], times=TIMES))


@dataclass(frozen=True, slots=True)
class Row:
    """A mutation, the fault that names it, and what its detection needs."""

    spoil: Callable[[Log], None]
    fault: Fault
    by: By = By.LOG


BATTERY = (
    # The files.
    Row(entry_flipped, Fault.ENTRY_MISMATCH),
    Row(bundle_truncated, Fault.BUNDLE_TRUNCATED),
    Row(bundle_missing, Fault.BUNDLE_MISSING),
    Row(last_entry_left_out, Fault.BUNDLE_TRUNCATED),
    Row(entry_257, Fault.BUNDLE_OVERFULL),
    Row(entry_257_in_a_partial_bundle, Fault.BUNDLE_OVERFULL),
    Row(tile_missing, Fault.TILE_MISSING),
    Row(tile_short, Fault.TILE_LENGTH),
    Row(leaf_tile_flipped, Fault.LEAF_TILE_MISMATCH),
    Row(upper_tile_flipped, Fault.NODE_TILE_MISMATCH),
    # The checkpoint.
    Row(root_altered, Fault.ROOT_MISMATCH),
    Row(size_altered, Fault.BUNDLE_MISSING),
    Row(leading_zero, Fault.MALFORMED_SIZE),
    Row(extension_line, Fault.EXTENSION_LINES),
    Row(crlf, Fault.CONTROL_CHARACTER),
    Row(wrong_origin, Fault.WRONG_ORIGIN),
    Row(other_key, Fault.LOG_SIGNATURE_MISSING),
    Row(log_signature_missing, Fault.LOG_SIGNATURE_MISSING),
    Row(log_signature_bad, Fault.BAD_SIGNATURE),
    Row(cosignature_missing, Fault.QUORUM_NOT_MET, By.POLICY),
    Row(cosignature_twice, Fault.QUORUM_NOT_MET, By.POLICY),
    Row(cosignature_bad, Fault.BAD_COSIGNATURE, By.POLICY),
    Row(cosignature_of_another_time, Fault.BAD_COSIGNATURE, By.POLICY),
    Row(cosignature_from_the_future, Fault.COSIGNATURE_FROM_THE_FUTURE, By.POLICY),
    # Another tree than the RFC's, throughout.
    Row(leaf_without_its_prefix, Fault.ENTRY_MISMATCH),
    Row(leaf_over_the_length_prefix, Fault.ENTRY_MISMATCH),
    Row(node_without_its_prefix, Fault.NODE_TILE_MISMATCH),
    Row(odd_node_doubled, Fault.ROOT_MISMATCH),
    Row(little_endian_length, Fault.BUNDLE_TRUNCATED),
    # Another history, consistent with itself, signed and cosigned.
    Row(cut_short_and_signed_again, Fault.LOG_SHRANK, By.HISTORY),
    Row(rewritten_and_signed_again, Fault.HISTORY_REWRITTEN, By.HISTORY),
    Row(inserted, Fault.HISTORY_REWRITTEN, By.HISTORY),
    Row(removed, Fault.HISTORY_REWRITTEN, By.HISTORY),
    Row(two_entries_change_places, Fault.HISTORY_REWRITTEN, By.HISTORY),
    # What the tree cannot know.
    Row(last_entry_twice, Fault.ENTRY_REFUSED, By.EACH),
)


def unique() -> Callable[[int, bytes], None]:
    """The application's check, here that no entry comes twice."""
    seen: set[bytes] = set()

    def check(_: int, entry: bytes) -> None:
        if entry in seen:
            raise Untrusted(Reason.MALFORMED, "an entry that was there before")
        seen.add(entry)

    return check


def findings(made: Log, *, without: By | None = None) -> list[Fault]:
    good = log(SIZE, TIMES)
    policy = type(TWO_OF_THREE)(TWO_OF_THREE.logs) if without is By.POLICY else TWO_OF_THREE
    ask = Ask(
        origin=made_origin(),
        saved=() if without is By.HISTORY else (good.checkpoint(100), good.checkpoint(500)),
        each=None if without is By.EACH else unique(),
        now=NOW,
    )
    try:
        verify(made.files.get, policy, ask)
    except NotVerified as no:
        return [finding.fault for finding in no.report.findings]
    return []


def test_the_log_before_any_mutation_holds() -> None:
    assert findings(log(SIZE, TIMES)) == []


@pytest.mark.parametrize("row", BATTERY, ids=lambda row: row.spoil.__name__)
def test_each_mutation_is_caught_by_its_check(row: Row) -> None:
    made = log(SIZE, TIMES)
    row.spoil(made)
    assert made.files != log(SIZE, TIMES).files

    found = findings(made)

    assert row.fault in found
    if row.by is By.LOG:
        assert found[0] is row.fault
    else:
        assert findings(made, without=row.by) == []  # nothing else sees it


def test_the_battery_has_each_mutation_once() -> None:
    names = [row.spoil.__name__ for row in BATTERY]

    assert len(set(names)) == len(names)

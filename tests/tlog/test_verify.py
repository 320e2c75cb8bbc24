"""
The verifier of whole logs: what it checks, what it says it did not check, and which of two things it blames.
"""

from __future__ import annotations

import resource
import sys

import pytest
from made import ALONE, NOW, ORIGIN, TWO_OF_THREE, Log, entry, log, mth, signed

from rx_flow.tlog import tiles
from rx_flow.tlog.faults import Fault
from rx_flow.tlog.report import FINDINGS_MAX, Check, Finding, NotVerified, Report, Why
from rx_flow.tlog.verify import Ask, verify

SIZE = 600  # two full bundles and one of 88; their hashes in one tile of level 1


def report_of(made: Log, ask: Ask | None = None) -> Report:
    with pytest.raises(NotVerified) as no:
        verify(made.files.get, TWO_OF_THREE, ask)
    assert no.value.fault is no.value.report.findings[0].fault
    return no.value.report


def findings(made: Log, ask: Ask | None = None) -> list[tuple[Fault, str]]:
    return [(finding.fault, finding.where) for finding in report_of(made, ask).findings]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, SIZE])
def test_a_log_that_holds(size: int) -> None:
    made, seen, entries = log(size), [], {}
    saved = tuple(made.checkpoint(old) for old in sorted({0, 1, size // 2, size}) if old <= size)
    ask = Ask(
        ORIGIN, saved, each=entries.__setitem__, progress=lambda *done: seen.append(done), now=NOW, seconds_max=60
    )

    report = verify(made.files.get, TWO_OF_THREE, ask)

    counted = {Check.ENTRIES: size, Check.EACH_ENTRY: size, Check.HASH_TILES: len(made.files) - 1 - -(-size // 256)}
    assert report.checked == {
        Check.LOG_SIGNATURE: 1,
        Check.QUORUM: 2,
        Check.COSIGNATURE_TIMES: 2,
        Check.FRESHNESS: 1,
        Check.ROOT: 1,
        Check.SAVED_CHECKPOINTS: len(saved),
        **{check: count for check, count in counted.items() if size},
    }
    assert set(report.not_checked) == (set() if size else {Check.ENTRIES, Check.EACH_ENTRY, Check.HASH_TILES})
    assert entries == dict(enumerate(made.entries))
    assert seen == [(min(size, at + 256), size) for at in range(0, size, 256)]
    assert report.signed is not None
    assert report.checkpoint == report.signed.checkpoint


def test_what_was_not_checked_is_said() -> None:
    report = verify(log(3).files.get, ALONE, Ask(entries=False, each=lambda *_: None))

    assert report.checked == {Check.LOG_SIGNATURE: 1, Check.HASH_TILES: 1, Check.ROOT: 1}
    assert report.not_checked == {
        Check.QUORUM: Why.NO_QUORUM,
        Check.COSIGNATURE_TIMES: Why.NOT_ASKED,
        Check.FRESHNESS: Why.NOT_ASKED,
        Check.ENTRIES: Why.NOT_ASKED,
        Check.EACH_ENTRY: Why.NOT_ASKED,
        Check.SAVED_CHECKPOINTS: Why.NONE_SAVED,
    }


def test_every_altered_entry_is_named() -> None:
    made = log(SIZE)
    for number in (3, 300, 599):
        made.entries[number] = b"altered"
    for index, width in ((0, 256), (1, 256), (2, 88)):
        tile = tiles.Tile(tiles.ENTRIES, index, width)
        made.files[tile.path] = tiles.bundle(made.entries[index * 256 : index * 256 + width])

    assert findings(made) == [(Fault.ENTRY_MISMATCH, f"entry {number}") for number in (3, 300, 599)]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/0/002.p/88"])
def test_a_tile_is_blamed_if_the_entries_give_the_root(path: str) -> None:
    made = log(SIZE)
    made.flip(path)

    assert findings(made) == [(Fault.LEAF_TILE_MISMATCH, path)]


def test_without_the_tile_above_the_entry_is_blamed() -> None:
    made = log(SIZE)
    made.flip("tile/0/001")
    del made.files["tile/1/000.p/2"]

    assert findings(made)[0] == (Fault.ENTRY_MISMATCH, "entry 256")
    assert (Fault.TILE_MISSING, "tile/1/000.p/2") in findings(made)


def test_a_missing_or_broken_part_does_not_hide_the_rest() -> None:
    made = log(SIZE)
    del made.files["tile/entries/000"]
    made.files["tile/0/001"] = made.files["tile/0/001"][:-1]
    made.files["tile/entries/002.p/88"] = made.files["tile/entries/002.p/88"][:-1]

    assert findings(made) == [
        (Fault.BUNDLE_MISSING, "tile/entries/000"),
        (Fault.TILE_LENGTH, "tile/0/001"),
        (Fault.BUNDLE_TRUNCATED, "tile/entries/002.p/88 ends inside entry 87 of 88"),
    ]


def test_without_entries_and_hashes_nothing_further_is_checked() -> None:
    made = log(SIZE)
    del made.files["tile/entries/001"], made.files["tile/0/001"]
    report = report_of(made)

    assert [finding.fault for finding in report.findings] == [Fault.BUNDLE_MISSING, Fault.TILE_MISSING]
    assert report.not_checked[Check.ROOT] is Why.NOT_REACHED
    assert report.checked[Check.ENTRIES] == 256


def test_partial_tiles_may_give_way_to_full_ones() -> None:
    """An older checkpoint of a log that has grown: its partial tiles are gone, the full ones begin with them."""
    now, old = log(1024), log(SIZE)
    now.files["checkpoint"] = old.files["checkpoint"]
    now.files["tile/1/000.p/2"] = old.files["tile/1/000.p/2"]  # not yet full in the larger log
    assert verify(now.files.get, TWO_OF_THREE).checked[Check.ENTRIES] == SIZE

    now.files["tile/0/002"] = now.files["tile/0/002"][:-32]
    now.files["tile/entries/002"] = now.files["tile/entries/002"][:-1]
    assert [fault for fault, _ in findings(now)] == [Fault.BUNDLE_TRUNCATED, Fault.TILE_MISSING]


def test_a_checkpoint_that_is_not_believed_is_compared_all_the_same() -> None:
    made = log(SIZE, {"hospital": NOW})
    report = report_of(made)

    assert report.findings == [
        Finding(Fault.QUORUM_NOT_MET, "checkpoint cosigned by 1 of 3 witnesses; enough is not satisfied")
    ]
    assert report.signed is None
    assert report.not_checked[Check.LOG_SIGNATURE] is Why.NOT_REACHED
    assert report.checked[Check.ROOT] == 1
    made.entries[0] = b"altered"
    made.files["tile/entries/000"] = tiles.bundle(made.entries[:256])
    assert [fault for fault, _ in findings(made)] == [Fault.QUORUM_NOT_MET, Fault.ENTRY_MISMATCH]


def test_an_old_checkpoint_shown_as_the_newest() -> None:
    made = log(SIZE)

    assert findings(made, Ask(now=NOW + 61, seconds_max=60)) == [(Fault.STALE, "checkpoint")]
    with pytest.raises(NotVerified) as no:  # without any witness nobody can say how old it is
        verify(signed_alone().get, ALONE, Ask(now=NOW, seconds_max=60))
    assert no.value.fault is Fault.STALE


def signed_alone() -> dict[str, bytes]:
    return {"checkpoint": signed(0, mth([]))}


def test_no_checkpoint_no_log() -> None:
    made = log(3)
    del made.files["checkpoint"]
    report = report_of(made)

    assert report.findings == [Finding(Fault.CHECKPOINT_MISSING, "checkpoint")]
    assert (report.checkpoint, report.checked) == (None, {})


def test_a_claim_of_a_giant_log_ends_at_once() -> None:
    made = log(3)
    made.files["checkpoint"] = signed(2**62, bytes(32))

    assert Fault.BUNDLE_MISSING in [fault for fault, _ in findings(made)]


def test_the_caller_s_check_of_each_entry() -> None:
    made = log(SIZE)
    seen: set[bytes] = set()

    def unique(_: int, data: bytes) -> None:
        if data in seen:
            raise NotVerified(Report(findings=[Finding(Fault.ENTRY_REFUSED, "twice")]))
        seen.add(data)

    made.entries[599] = made.entries[598]
    made = Log(made.entries)

    assert findings(made, Ask(each=unique)) == [(Fault.ENTRY_REFUSED, "entry 599: bad_log: entry_refused: twice")]


def test_findings_are_counted_beyond_what_is_kept() -> None:
    made = log(SIZE)
    made.files["tile/entries/000"] = tiles.bundle([b"nothing"] * 256)
    report = report_of(made)

    assert (len(report.findings), report.found) == (FINDINGS_MAX, 256)


def test_saved_checkpoints_that_say_nothing_true() -> None:
    made = log(SIZE)
    ask = Ask(
        saved=(
            signed(5, mth([b"x" * 32] * 5)),
            signed(5, mth([made.leaf(each) for each in made.entries[:5]])),
            signed(0, bytes(32)),
            made.checkpoint(100).replace(b"\n100\n", b"\n101\n"),
            signed(7, bytes(32), origin="audit.example/110000"),
            b"no note",
        )
    )  # fmt: skip  one saved checkpoint a line

    assert [fault for fault, _ in findings(made, ask)] == [
        Fault.HISTORY_REWRITTEN,
        Fault.BAD_SIGNATURE,
        Fault.WRONG_ORIGIN,
        Fault.MALFORMED_NOTE,
        Fault.HISTORY_REWRITTEN,
    ]
    assert report_of(made, ask).checked[Check.SAVED_CHECKPOINTS] == 3


def large(size: int) -> dict[str, bytes]:
    files = {tile.path: data for tile, data in tiles.rebuild(entry(number) for number in range(size))}
    partial = {tile.level: files[tile.path] for tile in tiles.edge_of(size, entries=False)}
    edge = tiles.Edge(size, tuple(partial.get(level, b"") for level in range(3)))
    return {**files, "checkpoint": signed(size, edge.root(), times={"hospital": NOW, "insurer": NOW})}


def test_a_log_whose_upper_tile_is_just_full() -> None:
    assert verify(large(65_536).get, TWO_OF_THREE).checked[Check.HASH_TILES] == 256 + 1 + 1


def test_a_larger_log_in_constant_memory() -> None:
    """70,000 entries: a full tile of level 1 and one of level 2, and a flipped bit in each is named."""
    size = 70_000
    files = large(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert verify(files.get, TWO_OF_THREE).checked[Check.ENTRIES] == size
    if sys.platform == "linux":  # in KiB there
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
    for path in ("tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"):
        flipped = {**files, path: bytes([files[path][0] ^ 1]) + files[path][1:]}
        with pytest.raises(NotVerified) as no:
            verify(flipped.get, TWO_OF_THREE)
        assert no.value.report.findings == [Finding(Fault.NODE_TILE_MISMATCH, path)]

"""
Tiles, bundles, growth and proofs out of tiles, against logs that are made by the definitions.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import LEAF, entry, fault_of, groups, log, mth, path, subproof

from rx_flow.tlog import merkle, tiles
from rx_flow.tlog.faults import Fault
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.tiles import ENTRIES, Edge, Tile

LEAVES = [LEAF(entry(number)) for number in range(700)]
ROOTS = [mth(LEAVES[:size]) for size in range(701)]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(63, 999, 1), "tile/63/999.p/1"),
        (Tile(ENTRIES, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_paths_both_ways(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.parse(path) == tile


@given(st.integers(0, 2**55), st.integers(1, 256), st.integers(-1, 63))
def test_every_path_is_read_back(index: int, width: int, level: int) -> None:
    tile = Tile(level, index, width)

    assert tiles.parse(tile.path) == tile
    assert groups(index) in tile.path


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/999",
        "tile/data/000",
        "tile/8/0/000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/00٣",
        "checkpoint",
        "",
        "tile/entries/../000",
    ],
)  # fmt: skip  a table of words reads best packed
def test_other_paths_are_no_tiles(path: str) -> None:
    assert fault_of(lambda: tiles.parse(path)) is Fault.MALFORMED_PATH


def test_the_example_of_the_specification() -> None:
    made = list(tiles.tiles_of(70_000))
    counts = {level: sum(tile.level == level and tile.width == 256 for tile in made) for level in (ENTRIES, 0, 1, 2)}

    assert counts == {ENTRIES: 273, 0: 273, 1: 1, 2: 0}
    assert tiles.edge_of(70_000) == [Tile(ENTRIES, 273, 112), Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile.path for tile in tiles.tiles_of(256, entries=False)] == ["tile/0/000", "tile/1/000.p/1"]
    assert tiles.edge_of(256) == [Tile(1, 0, 1)]
    assert (list(tiles.tiles_of(0)), tiles.edge_of(0)) == ([], [])


def test_full_levels_have_no_edge() -> None:
    assert tiles.edge_of(2**63 - 1, entries=False)[-1] == Tile(7, 0, 127)
    assert list(tiles.tiles_of(65_536, since=65_536)) == []


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 700])
def test_which_tiles_exist(size: int) -> None:
    assert {tile.path for tile in tiles.tiles_of(size)} == set(log(size).files) - {"checkpoint"}


@given(st.integers(0, 700), st.integers(0, 700))
def test_which_tiles_are_new(one: int, other: int) -> None:
    old, new = sorted((one, other))
    before = set(tiles.tiles_of(old))

    assert set(tiles.tiles_of(new, since=old)) == set(tiles.tiles_of(new)) - before


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_are_read_back(entries: list[bytes]) -> None:
    data = tiles.bundle(entries)

    assert tiles.entries(data, len(entries)) == entries
    assert tiles.leaves(data, len(entries)) == b"".join(map(LEAF, entries))


def test_an_entry_has_at_most_65535_bytes() -> None:
    longest = bytes(65_535)

    assert tiles.entries(tiles.bundle([longest]), 1) == [longest]
    assert fault_of(lambda: tiles.bundle([longest + b"\0"])) is Fault.ENTRY_TOO_LONG


@pytest.mark.parametrize(
    ("data", "width", "fault"),
    [
        (b"", 1, Fault.BUNDLE_TRUNCATED),
        (b"\0", 1, Fault.BUNDLE_TRUNCATED),
        (b"\0\1", 1, Fault.BUNDLE_TRUNCATED),
        (b"\0\1a", 2, Fault.BUNDLE_TRUNCATED),
        (b"\1\0a", 1, Fault.BUNDLE_TRUNCATED),  # a length with its bytes in the other order
        (b"\0\1a\0\1b", 1, Fault.BUNDLE_OVERFULL),
        (tiles.bundle([b"a"] * 257), 256, Fault.BUNDLE_OVERFULL),
    ],
)
def test_almost_a_bundle(data: bytes, width: int, fault: Fault) -> None:
    assert fault_of(lambda: tiles.entries(data, width)) is fault
    assert fault_of(lambda: tiles.leaves(data, width)) is fault


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 100, 255, 256, 257, 300]), max_size=8))
def test_a_log_grows_as_if_made_at_once(steps: list[int]) -> None:
    edge, files = Edge(), {}
    for step in steps:
        old, (edge, made) = edge.size, edge.grow(b"".join(LEAVES[edge.size : edge.size + step]))
        assert {tile for tile, _ in made} == set(tiles.tiles_of(edge.size, since=old, entries=False))
        files.update({tile.path: data for tile, data in made})
        assert edge.root() == ROOTS[edge.size]
    wanted = {
        path: data for path, data in log(edge.size).files.items() if path.split("/")[1:2] not in ([], ["entries"])
    }

    assert wanted.items() <= files.items()


def test_an_edge_is_whole() -> None:
    edge, _ = Edge().grow(b"".join(LEAVES[:300]))

    assert Edge(300, edge.levels) == edge
    for size, levels in ((301, edge.levels), (300, edge.levels[:1]), (300, ()), (0, (b"short",))):
        assert fault_of(lambda size=size, levels=levels: Edge(size, levels)) is Fault.TILE_LENGTH


@pytest.mark.parametrize("size", [0, 1, 256, 600])
def test_a_log_is_rebuilt_from_its_entries(size: int) -> None:
    made = log(size)
    files = {tile.path: data for tile, data in tiles.rebuild(iter(made.entries))}

    assert files == {path: data for path, data in made.files.items() if path != "checkpoint"}


def test_a_log_with_a_full_upper_tile_is_rebuilt() -> None:
    """65,536 entries fill a tile of level 1; its hash begins level 2."""
    size = 65_537
    made = log(size)
    files = {tile.path: data for tile, data in tiles.rebuild(iter(made.entries))}

    assert files == {path: data for path, data in made.files.items() if path != "checkpoint"}
    assert {"tile/1/000", "tile/2/000.p/1", "tile/0/256.p/1"} <= set(files)


def prover(size: int, made: dict[str, bytes] | None = None) -> Prover:
    files = log(size).files if made is None else made
    return Prover(size, lambda level, index, width: files[Tile(level, index, width).path])


@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 513, 700])
def test_proofs_out_of_tiles(size: int) -> None:
    made = prover(size)

    assert made.root() == ROOTS[size]
    for index in range(0, size, 13):
        assert made.leaf(index) == LEAVES[index]
        assert made.inclusion(index) == path(index, LEAVES[:size])
        assert made.root(index) == ROOTS[index]
    for old in range(1, size + 1, 17):
        assert made.consistency(old) == subproof(old, LEAVES[:size])
    assert made.consistency(0) == made.consistency(size) == []


def test_proofs_in_a_larger_tree() -> None:
    size = 70_001
    files = {tile.path: data for tile, data in tiles.rebuild(entry(number) for number in range(size))}
    made = prover(size, files)
    for index in (0, 65_535, 65_536, 69_999, 70_000):
        proof, root = made.inclusion(index), made.root()
        merkle.verify_inclusion(index, size, LEAF(entry(index)), proof=proof, root=root)
    for old in (1, 65_535, 65_536, 65_537, 69_888, 70_000):
        merkle.verify_consistency((old, made.root(old)), (size, made.root()), made.consistency(old))


def test_few_tiles_are_read_and_kept() -> None:
    size, asked = 70_001, []
    files = {tile.path: data for tile, data in tiles.rebuild(entry(number) for number in range(size))}

    def read(level: int, index: int, width: int) -> bytes:
        asked.append(Tile(level, index, width))
        return files[Tile(level, index, width).path]

    made = Prover(size, read)
    made.inclusion(1000)
    made.inclusion(1001)
    assert len(asked) <= 6
    for index in range(0, size, 256):
        made.leaf(index)
    asked.clear()
    made.leaf(size - 1)
    made.leaf(0)  # long forgotten
    assert asked == [Tile(0, 0)]


def test_proofs_that_cannot_be_made() -> None:
    made, empty = prover(5), prover(0)
    short = Prover(5, lambda *_: bytes(32))

    assert empty.root() == merkle.EMPTY_ROOT
    for call in (
        lambda: made.inclusion(5),
        lambda: made.inclusion(-1),
        lambda: made.leaf(5),
        lambda: made.consistency(6),
        lambda: made.consistency(-1),
        lambda: made.root(6),
        lambda: empty.inclusion(0),
    ):
        assert fault_of(call) is Fault.OUT_OF_RANGE
    assert fault_of(short.root) is Fault.TILE_LENGTH

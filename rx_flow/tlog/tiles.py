"""
Tiles and entry bundles (c2sp.org/tlog-tiles): their paths, which exist at a size, their bytes, and their growth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import HASH_BYTES, fold, peaks, perfect
from rx_flow.tlog.spelling import number

WIDTH: Final = 256
TILE_BYTES: Final = WIDTH * HASH_BYTES
ENTRY_BYTES_MAX: Final = 65_535
ENTRIES: Final = -1  # the level of entry bundles, which have the widths of level 0
LEVEL_MAX: Final = 63
MEDIA_TYPE: Final = "application/octet-stream"
CHECKPOINT: Final = "checkpoint"
_PATH: Final = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """
    Which tile: its level (`ENTRIES` for a bundle), its index within the level, and how many hashes or entries it has.
    """

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix; 1234067 is `x001/x234/067`, and a partial tile ends in `.p/` and width."""
        digits = str(self.index)
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        level = "entries" if self.level == ENTRIES else str(self.level)
        return "/".join(["tile", level, *(f"x{group}" for group in groups[:-1]), groups[-1]]) + (
            f".p/{self.width}" if self.width < WIDTH else ""
        )


def parse(path: str) -> Tile:
    """
    Return which tile a path names; `Broken(MALFORMED_PATH)` for every path that `Tile.path` would not have written.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise Broken(Fault.MALFORMED_PATH)
    level, groups, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else number(level, Fault.MALFORMED_PATH),
        int(groups.replace("x", "").replace("/", "")),
        WIDTH if width is None else number(width, Fault.MALFORMED_PATH),
    )
    if tile.level > LEVEL_MAX or not 0 < tile.width <= WIDTH or tile.path != path:
        raise Broken(Fault.MALFORMED_PATH)
    return tile


def width_at(level: int, index: int, size: int) -> int:
    """Return the width that a tile has in a log of `size`; 0 if it does not exist there."""
    return max(0, min(WIDTH, (size >> 8 * max(level, 0)) - index * WIDTH))


def _levels(size: int, *, entries: bool) -> range:
    """Return the levels that a size has, that of the bundles first if asked for."""
    return range(ENTRIES if entries and size else 0, (size.bit_length() + 7) // 8)


def edge_of(size: int, *, entries: bool = True) -> list[Tile]:
    """Return the partial tiles of a size, bundle first: what a log serves for each size that it has signed."""
    found: list[Tile] = []
    for level in _levels(size, entries=entries):
        at = size >> 8 * max(level, 0)
        if at % WIDTH:
            found.append(Tile(level, at // WIDTH, at % WIDTH))
    return found


def tiles_of(size: int, *, since: int = 0, entries: bool = True) -> Iterator[Tile]:
    """Yield every tile of a log of `size`, level by level, bundles first; with `since`, those that differ there."""
    for level in _levels(size, entries=entries):
        shift = 8 * max(level, 0)
        for index in range((since >> shift) // WIDTH, -(-(size >> shift) // WIDTH)):
            width = width_at(level, index, size)
            if width != width_at(level, index, since):
                yield Tile(level, index, width)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each entry after its length as two bytes, big-endian. `Broken(ENTRY_TOO_LONG)`."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise Broken(Fault.ENTRY_TOO_LONG, f"{len(entry)} bytes")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def _bounds(data: bytes, width: int) -> list[tuple[int, int]]:
    """Return where each of `width` entries begins and ends."""
    found: list[tuple[int, int]] = []
    begin, length = 0, len(data)
    for _ in range(width):
        begin += 2
        if begin > length:
            raise Broken(Fault.BUNDLE_TRUNCATED, f"{len(found)} entries of {width}")
        end = begin + (data[begin - 2] << 8 | data[begin - 1])
        if end > length:
            raise Broken(Fault.BUNDLE_TRUNCATED, f"ends inside entry {len(found)} of {width}")
        found.append((begin, end))
        begin = end
    if begin != length:
        raise Broken(Fault.BUNDLE_OVERFULL, f"{length - begin} bytes after the last of {width} entries")
    return found


def entries(data: bytes, width: int = WIDTH) -> list[bytes]:
    """Return the `width` entries of a bundle; `Broken`: `BUNDLE_TRUNCATED`, `BUNDLE_OVERFULL`."""
    return [data[begin:end] for begin, end in _bounds(data, width)]


def leaves(data: bytes, width: int = WIDTH) -> bytes:
    """Return the leaf hashes of a bundle's `width` entries, concatenated: its level-0 tile. Raises as `entries`."""
    return b"".join([sha256(b"\0" + data[begin:end]).digest() for begin, end in _bounds(data, width)])


@dataclass(frozen=True, slots=True)
class Edge:
    """
    The partial tiles of a size, level by level: what a log needs to grow. A value: rolling back is forgetting.
    """

    size: int = 0
    levels: tuple[bytes, ...] = ()  # the partial tile of each level, empty where the size has none

    def __post_init__(self) -> None:
        widths = [len(each) for each in self.levels]
        due = [(self.size >> 8 * level) % WIDTH * HASH_BYTES for level in range(len(widths))]
        if widths != due or self.size >> 8 * len(widths):
            raise Broken(Fault.TILE_LENGTH, f"the partial tiles are not those of size {self.size}")

    def root(self) -> bytes:
        """Return the root of the tree of this size: at most 255 hashes for each level."""
        return fold([peak for level in reversed(self.levels) for peak in peaks(level)])

    def grow(self, hashes: bytes) -> tuple[Edge, list[tuple[Tile, bytes]]]:
        """
        Return the edge after further leaf hashes, given concatenated, and every tile that is new or wider by them.
        """
        made: list[tuple[Tile, bytes]] = []
        edge: list[bytes] = []
        added, level = hashes, 0
        while added or level < len(self.levels):
            have = self.levels[level] if level < len(self.levels) else b""
            row, index = have + added, (self.size >> 8 * level) // WIDTH
            above: list[bytes] = []
            for at in range(0, len(row), TILE_BYTES):
                tile = row[at : at + TILE_BYTES]
                if added:
                    made.append((Tile(level, index + at // TILE_BYTES, len(tile) // HASH_BYTES), tile))
                if len(tile) == TILE_BYTES:
                    above.append(perfect(tile))
            edge.append(row[len(above) * TILE_BYTES :])
            added, level = b"".join(above), level + 1
        return Edge(self.size + len(hashes) // HASH_BYTES, tuple(edge)), made


def rebuild(stream: Iterable[bytes]) -> Iterator[tuple[Tile, bytes]]:
    """
    Yield all tiles and bundles of a log made of these entries: full ones as they fill, the partial ones last.
    """
    edge, waiting = Edge(), []
    for entry in stream:
        waiting.append(entry)
        if len(waiting) == WIDTH:
            data = bundle(waiting)
            yield Tile(ENTRIES, edge.size // WIDTH), data
            edge, made = edge.grow(leaves(data))
            yield from ((tile, each) for tile, each in made if tile.width == WIDTH)
            waiting.clear()
    if waiting:
        data = bundle(waiting)
        yield Tile(ENTRIES, edge.size // WIDTH, len(waiting)), data
        edge, _ = edge.grow(leaves(data, len(waiting)))
    for tile in edge_of(edge.size, entries=False):
        yield tile, edge.levels[tile.level]

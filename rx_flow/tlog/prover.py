"""
Proofs out of tiles: roots, inclusion and consistency for any size, from the few tiles that hold the hashes needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias

from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import HASH_BYTES, fold, halve
from rx_flow.tlog.tiles import WIDTH, Tile, width_at

Read: TypeAlias = Callable[[int, int, int], bytes]  # (level, index, width) -> the bytes of that hash tile
_KEPT: Final = 256  # tiles, with the rows above them 16 KiB each


class Prover:
    """
    Proofs in the tree of one size. The tiles are taken as they are: a false one gives a proof that does not verify.

    Keeps the tiles that it read last; one Prover for many proofs of one size costs a tile or two for each.
    """

    __slots__ = ("_read", "_tiles", "size")

    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self._read = read
        self._tiles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def _rows(self, level: int, index: int) -> list[bytes]:
        """Return a tile's row of hashes and the eight rows above it, as far as they are complete."""
        rows = self._tiles.get((level, index))
        if rows is not None:
            self._tiles.move_to_end((level, index))
            return rows
        width = width_at(level, index, self.size)
        row = self._read(level, index, width)
        if len(row) != width * HASH_BYTES:
            raise Broken(Fault.TILE_LENGTH, Tile(level, index, width).path)
        rows = [row]
        while len(rows[-1]) > HASH_BYTES:
            rows.append(halve(rows[-1]))
        self._tiles[level, index] = rows
        if len(self._tiles) > _KEPT:
            self._tiles.popitem(last=False)
        return rows

    def _perfect(self, height: int, index: int) -> bytes:
        """Return the root of the perfect subtree of 2^height leaves that is the `index`th of its height."""
        level, within = divmod(height, 8)
        tile, at = divmod(index, WIDTH >> within)
        return self._rows(level, tile)[within][at * HASH_BYTES : (at + 1) * HASH_BYTES]

    def _span(self, begin: int, end: int) -> bytes:
        """Return the root over leaves `begin` to `end`, where `begin` is a multiple of a power of two not below."""
        found: list[bytes] = []
        while begin < end:
            height = (end - begin).bit_length() - 1
            found.append(self._perfect(height, begin >> height))
            begin += 1 << height
        return fold(found)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the whole tree, or as it was at a smaller `size`."""
        size = self.size if size is None else size
        self._within(0, size)
        return self._span(0, size)

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at `index`."""
        self._within(index, self.size - 1)
        return self._perfect(0, index)

    def inclusion(self, index: int) -> list[bytes]:
        """Return the inclusion proof of the leaf at `index`, from the leaf upwards; `Broken(OUT_OF_RANGE)`."""
        self._within(index, self.size - 1)
        begin, end, found = 0, self.size, []
        while end - begin > 1:
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            if index < middle:
                found.append(self._span(middle, end))
                end = middle
            else:
                found.append(self._span(begin, middle))
                begin = middle
        found.reverse()
        return found

    def consistency(self, old: int) -> list[bytes]:
        """Return the consistency proof from size `old`, empty from 0 and from this size; `Broken(OUT_OF_RANGE)`."""
        self._within(old, self.size)
        if old == 0:
            return []
        begin, end, whole = 0, self.size, True
        found: list[bytes] = []
        while old != end:
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            if old <= middle:
                found.append(self._span(middle, end))
                end = middle
            else:
                found.append(self._span(begin, middle))
                begin, whole = middle, False
        if not whole:
            found.append(self._span(begin, end))
        found.reverse()
        return found

    def _within(self, number: int, last: int) -> None:
        if not 0 <= number <= last <= self.size:
            raise Broken(Fault.OUT_OF_RANGE, f"{number} in a log of {self.size}")

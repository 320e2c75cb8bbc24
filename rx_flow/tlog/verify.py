"""
The verifier of a whole log, as a stream over its tiles and bundles: every leaf, tile, root, signature, and its past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from rx_flow.crypto.errors import Untrusted
from rx_flow.tlog import checkpoint, note, tiles
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import EMPTY_ROOT, HASH_BYTES, fold, peaks, perfect
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.report import Check, NotVerified, Report, Why
from rx_flow.tlog.tiles import CHECKPOINT, ENTRIES, TILE_BYTES, WIDTH, Tile, width_at

Fetch: TypeAlias = Callable[[str], bytes | None]  # a path below the log's prefix -> its bytes, None if it has none


@dataclass(frozen=True, slots=True)
class Ask:
    """
    What to check beyond signatures, tiles and root, and whom to tell of the progress.
    """

    origin: str | None = None
    saved: tuple[bytes, ...] = ()  # signed checkpoints that the auditor kept, of any size
    entries: bool = True  # False for a reader without the right to the entries: the tree is checked from its leaf tiles
    each: Callable[[int, bytes], None] | None = None  # the application's check of (index, entry); raises `Untrusted`
    progress: Callable[[int, int], None] | None = None  # (entries done, all entries), after each bundle
    now: int | None = None  # POSIX seconds: no cosignature may be from later
    seconds_max: int | None = None  # with `now`: how old the newest cosignature may be, against a tail that is cut off


class _Unreadable(Exception):  # noqa: N818  ends the walk through the tree; never leaves this module
    """Neither the entries nor the hashes of a tile are there: nothing beyond can be checked."""


@dataclass(slots=True)
class _Walk:
    """
    The tree of one checkpoint, re-made from left to right. Holds one unfinished tile for each level.
    """

    fetch: Fetch
    ask: Ask
    report: Report
    claimed: Checkpoint
    history: dict[int, list[bytes]]  # size -> roots that the log had there, by the saved checkpoints
    levels: list[bytearray] = field(default_factory=list)  # [0] is level 1
    counts: list[int] = field(default_factory=list)  # how many tiles of that level are finished

    def run(self) -> None:
        """Walk through all bundles and tiles; findings go to the report."""
        size = self.claimed.size
        row = b""
        for index in range(-(-size // WIDTH)):
            row = self._row(index, width_at(0, index, size))
            self._compare_history(index * WIDTH, row)
            if len(row) == TILE_BYTES:
                self._push(1, perfect(row))
                row = b""
            if self.ask.progress:
                self.ask.progress(min(size, (index + 1) * WIDTH), size)
        for level, unfinished in enumerate(self.levels, 1):
            if unfinished:
                self._compare_tile(level, bytes(unfinished))
        self.report.done(Check.ROOT)
        if self._root_with(row) != self.claimed.root:
            self.report.note(Fault.ROOT_MISMATCH, f"size {size}")

    def _root_with(self, row: bytes) -> bytes:
        """Return the root of the tree so far, with a last row of leaves."""
        return fold([peak for level in (*reversed(self.levels), row) for peak in peaks(bytes(level))])

    def _push(self, level: int, grown: bytes) -> None:
        """Append a hash to the unfinished tile of a level; compare and pass on what it completes."""
        if len(self.levels) < level:
            self.levels.append(bytearray())
            self.counts.append(0)
        unfinished = self.levels[level - 1]
        unfinished += grown
        if len(unfinished) == TILE_BYTES:
            full = bytes(unfinished)
            self._compare_tile(level, full)
            unfinished.clear()
            self.counts[level - 1] += 1
            self._push(level + 1, perfect(full))

    def _compare_tile(self, level: int, made: bytes) -> None:
        tile = Tile(level, self.counts[level - 1], len(made) // HASH_BYTES)
        there = self._hashes(tile)
        if there is not None and there != made:
            self.report.note(Fault.NODE_TILE_MISMATCH, tile.path)

    def _hashes(self, tile: Tile) -> bytes | None:
        """Return a hash tile of the right length; None, and a finding, otherwise."""
        data = self.fetch(tile.path)
        if data is None and tile.width < WIDTH:  # it may have been deleted once the log had grown and filled it
            full = self.fetch(Tile(tile.level, tile.index).path)
            data = None if full is None or len(full) != TILE_BYTES else full[: tile.width * HASH_BYTES]
        if data is None:
            self.report.note(Fault.TILE_MISSING, tile.path)
            return None
        self.report.done(Check.HASH_TILES)
        if len(data) != tile.width * HASH_BYTES:
            self.report.note(Fault.TILE_LENGTH, tile.path)
            return None
        return data

    def _bundle(self, tile: Tile) -> bytes:
        """Return a bundle's bytes, or the first part of the full one that has taken its place."""
        data = self.fetch(tile.path)
        if data is None and tile.width < WIDTH:
            full = self.fetch(Tile(ENTRIES, tile.index).path)
            data = None if full is None else tiles.bundle(tiles.entries(full)[: tile.width])
        if data is None:
            raise Broken(Fault.BUNDLE_MISSING)
        return data

    def _leaves(self, tile: Tile) -> bytes | None:
        """Return the hashes of a bundle's entries; None, and a finding, if it cannot be read."""
        try:
            data = self._bundle(tile)
            made = tiles.leaves(data, tile.width)
        except Broken as no:
            self.report.note(no.fault, f"{tile.path} {no.where}".strip())
            return None
        self.report.done(Check.ENTRIES, tile.width)
        if self.ask.each:
            self._ask_each(tile, data)
        return made

    def _ask_each(self, tile: Tile, data: bytes) -> None:
        for index, entry in enumerate(tiles.entries(data, tile.width), tile.index * WIDTH):
            try:
                self.ask.each(index, entry)  # type: ignore[misc]  # asked only if given
            except Untrusted as no:
                self.report.note(Fault.ENTRY_REFUSED, f"entry {index}: {no}")
        self.report.done(Check.EACH_ENTRY, tile.width)

    def _row(self, index: int, width: int) -> bytes:
        """Return the leaf hashes of one bundle, from its entries and from its tile, which must say the same."""
        made = self._leaves(Tile(ENTRIES, index, width)) if self.ask.entries else None
        said = self._hashes(Tile(0, index, width))
        if made is not None and said is not None:
            return made if made == said else self._settle(index, made, said)
        row = said if made is None else made
        if row is None:
            raise _Unreadable
        return row

    def _settle(self, index: int, made: bytes, said: bytes) -> bytes:
        """Return whichever of two rows the rest of the tree commits to, and note the other as the one at fault."""
        width = len(made) // HASH_BYTES
        if width == WIDTH:
            parent = Tile(1, index // WIDTH, width_at(1, index // WIDTH, self.claimed.size))
            above = self.fetch(parent.path) or b""
            at = index % WIDTH * HASH_BYTES
            right, of_made = above[at : at + HASH_BYTES], perfect(made)
        else:
            right, of_made = self.claimed.root, self._root_with(made)
        if of_made == right:
            self.report.note(Fault.LEAF_TILE_MISMATCH, Tile(0, index, width).path)
            return made
        for at in range(width):
            place = slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)
            if made[place] != said[place]:
                self.report.note(Fault.ENTRY_MISMATCH, f"entry {index * WIDTH + at}")
        return said

    def _compare_history(self, begin: int, row: bytes) -> None:
        """Compare the roots that saved checkpoints have at the sizes within this row of leaves."""
        if not self.history:
            return
        for size in range(begin + 1, begin + len(row) // HASH_BYTES + 1):
            for root in self.history.get(size, ()):
                self.report.done(Check.SAVED_CHECKPOINTS)
                if self._root_with(row[: (size - begin) * HASH_BYTES]) != root:
                    self.report.note(Fault.HISTORY_REWRITTEN, f"size {size}")


def _checkpoint(fetch: Fetch, policy: Policy, ask: Ask, report: Report) -> Checkpoint | None:
    """Return the checkpoint that the log shows, believed or not, for the tree to be compared with it."""
    data = fetch(CHECKPOINT)
    if data is None:
        report.note(Fault.CHECKPOINT_MISSING, CHECKPOINT)
        return None
    try:
        report.signed = policy.verify(data, origin=ask.origin, now=ask.now)
    except Broken as no:
        report.note(no.fault, f"{CHECKPOINT} {no.where}".strip())
    else:
        report.done(Check.LOG_SIGNATURE, len(report.signed.logs))
        if policy.quorum != NONE:
            report.done(Check.QUORUM, len(report.signed.cosigned))
        if ask.now is not None:
            report.done(Check.COSIGNATURE_TIMES, len(report.signed.cosigned))
        if ask.now is not None and ask.seconds_max is not None:
            report.done(Check.FRESHNESS)
            newest = max(report.signed.cosigned.values(), default=0)
            if ask.now - newest > ask.seconds_max:
                report.note(Fault.STALE, CHECKPOINT)
        return report.signed.checkpoint
    try:
        return checkpoint.parse(note.read(data).text)
    except Broken:
        return None  # what is wrong with it has been said


def vouched(
    saved: Iterable[bytes], policy: Policy, origin: str, tell: Callable[[Fault, str], None]
) -> Iterator[Checkpoint]:
    """
    Yield which of the checkpoints that somebody has kept a log's key signed; what is wrong with another is told.
    """
    for number, signed in enumerate(saved, 1):
        try:
            old = checkpoint.verify(signed, policy.logs, origin=origin).checkpoint
        except Broken as no:
            tell(no.fault, f"saved checkpoint {number}: {no.where}")
        else:
            yield old


def _history(claimed: Checkpoint, policy: Policy, saved: Iterable[bytes], report: Report) -> dict[int, list[bytes]]:
    """Return the roots by size that the saved checkpoints give, those that a log's key signed."""
    found: dict[int, list[bytes]] = {}
    for old in vouched(saved, policy, claimed.origin, report.note):
        if old.size > claimed.size:
            report.done(Check.SAVED_CHECKPOINTS)
            report.note(Fault.LOG_SHRANK, f"from size {old.size} to {claimed.size}")
        elif old.size == 0:
            report.done(Check.SAVED_CHECKPOINTS)
            if old.root != EMPTY_ROOT:
                report.note(Fault.HISTORY_REWRITTEN, "size 0")
        else:
            found.setdefault(old.size, []).append(old.root)
    return found


def verify(fetch: Fetch, policy: Policy, ask: Ask | None = None) -> Report:
    """
    Return the report on a log that holds in everything that was asked; `NotVerified`, with the report, otherwise.

    Goes on after a finding as far as anything is left to compare, so that all altered entries are named. Memory is
    that of a bundle and of one tile for each level, whatever the size. What `fetch` raises is not caught.
    """
    ask, report = ask or Ask(), Report()
    if policy.quorum == NONE:
        report.skip(Check.QUORUM, Why.NO_QUORUM)
    if not ask.entries:
        report.skip(Check.ENTRIES, Why.NOT_ASKED)
    if ask.each is None or not ask.entries:
        report.skip(Check.EACH_ENTRY, Why.NOT_ASKED)
    if ask.now is None:
        report.skip(Check.COSIGNATURE_TIMES, Why.NOT_ASKED)
    if ask.now is None or ask.seconds_max is None:
        report.skip(Check.FRESHNESS, Why.NOT_ASKED)
    if not ask.saved:
        report.skip(Check.SAVED_CHECKPOINTS, Why.NONE_SAVED)
    claimed = _checkpoint(fetch, policy, ask, report)
    if claimed is not None:
        report.checkpoint = claimed
        history = _history(claimed, policy, ask.saved, report)
        with suppress(_Unreadable):  # what is missing has been noted, and the root is not among what was checked
            _Walk(fetch, ask, report, claimed, history).run()
    if report.findings:
        raise NotVerified(report)
    return report

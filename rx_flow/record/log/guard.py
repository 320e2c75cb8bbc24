"""
The memory outside the database of what was signed: a file that only grows, one line for each checkpoint.

A database that was restored, or rewritten, cannot know what its log has already said to the world. This file does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.spelling import base64, unbase64

LINE_BYTES_MAX = 512


class RolledBack(Exception):  # noqa: N818  It says what is the case; the text says what to do.
    """
    The database's log is not a continuation of what has been signed: nothing further may be signed under this origin.
    """


@dataclass(frozen=True, slots=True)
class Guard:
    """
    The file of one origin. Whoever signs for it, on whatever machine, must see the same file.
    """

    path: Path

    def last(self) -> Checkpoint | None:
        """Return the last checkpoint written down whole; None where nothing has been signed."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * LINE_BYTES_MAX))
                tail = file.read()
        except FileNotFoundError:
            return None
        lines = tail.split(b"\n")[:-1]  # what a crash left without its end was never signed
        if not lines and tail:
            raise RolledBack("the record of what was signed cannot be read")
        return _checkpoint(lines[-1].decode("utf-8", "replace")) if lines else None

    def admit(self, now: Checkpoint, prover: Prover) -> bool:
        """
        Write a checkpoint down, durably, before it is signed; False if it is the last one already.

        `RolledBack` where the log has fewer entries than were signed for, or others.
        """
        before = self.check(now.origin, now.size, prover)
        if before is not None and now.size == before.size:
            return False
        self._append(now)
        return True

    def check(self, origin: str, size: int, prover: Prover) -> Checkpoint | None:
        """
        Return the last checkpoint written down if the log continues it, None before the first; `RolledBack` otherwise.
        """
        before = self.last()
        if before is None:
            return None
        if before.origin != origin:
            raise RolledBack(f"the record of what was signed is of another origin: {before.origin}")
        if size < before.size:
            raise RolledBack(f"{size} entries, but a checkpoint over {before.size} was signed")
        try:
            root = prover.root(before.size)
        except Broken as fault:
            raise RolledBack(f"the tiles do not give the root of size {before.size}: {fault}") from None
        if root != before.root:
            raise RolledBack(f"the first {before.size} entries are not those that a checkpoint was signed over")
        return before

    def alarm(self, why: str) -> bool:
        """Say beside the record why nothing is signed, for all processes and people; False if it says so already."""
        if self.alarmed() == why:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._alarm.write_text(why, "utf-8")
        return True

    def alarmed(self) -> str:
        """Return why nothing is signed; "" while all is well."""
        try:
            return self._alarm.read_text("utf-8")
        except FileNotFoundError:
            return ""

    @property
    def _alarm(self) -> Path:
        return self.path.with_suffix(".alarm")

    def _append(self, now: Checkpoint) -> None:
        fresh = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - LINE_BYTES_MAX))
            tail = file.read()
            file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)  # the beginning of a line that a crash left
            file.write(f"{now.size} {base64(now.root)} {now.origin}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def guard_of(folder: Path, name: str, epoch: int) -> Guard:
    """
    Return the record of what was signed under the origin of a log's epoch.
    """
    return Guard(folder / f"{name}.{epoch}.signed")


def alarms(folder: Path) -> dict[str, str]:
    """
    Return why nothing is signed, by log: for whoever is not the process that signs.
    """
    return {path.name.partition(".")[0]: path.read_text("utf-8") for path in sorted(folder.glob("*.alarm"))}


def relieve(folder: Path, name: str) -> None:
    """
    Take the alarms of a log back: what was signed is in it again, or there is a new origin.
    """
    for path in folder.glob(f"{name}.*.alarm"):
        path.unlink(missing_ok=True)


def _checkpoint(line: str) -> Checkpoint:
    try:
        size, root, origin = line.split(" ")
        return Checkpoint(origin, int(size), unbase64(root, Fault.MALFORMED_CHECKPOINT))
    except (ValueError, Broken):
        raise RolledBack("the record of what was signed cannot be read") from None

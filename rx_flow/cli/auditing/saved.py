"""
The checkpoints that an auditor has kept: a folder of files, one checkpoint each, of any logs and of any epochs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.faults import Broken


@dataclass(frozen=True, slots=True)
class Saved:
    """
    Saved checkpoints by the origin that they name, with the names of their files. Nothing of them is verified yet.
    """

    by_origin: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def of(self, origin: str) -> tuple[bytes, ...]:
        """Return those of one log."""
        return tuple(self.by_origin.get(origin, {}).values())

    def besides(self, *origins: str) -> dict[str, list[str]]:
        """Return the files of every other log, by its origin."""
        return {origin: list(files) for origin, files in self.by_origin.items() if origin not in origins}


def read(folder: Path | None) -> Saved:
    """
    Return what a folder holds; nothing where none is named. `Trouble`: no such folder, or a file that is no checkpoint.
    """
    found: dict[str, dict[str, bytes]] = {}
    if folder is None:
        return Saved(found)
    if not folder.is_dir():
        raise Trouble("not_found", tr("没有这个目录", "no such folder"), str(folder))
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            continue
        data = path.read_bytes()
        try:
            origin = checkpoint.parse(note.read(data).text).origin
        except Broken as broken:
            title = tr("保存的文件不是检查点", "a saved file is no checkpoint")
            raise Trouble("malformed", title, f"{path}: {broken.fault}") from None
        found.setdefault(origin, {})[path.name] = data
    return Saved(found)

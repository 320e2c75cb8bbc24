"""
What a site goes by stands in its log, and so does every change of it that an operator brings in.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from log_world import HOSPITAL, PLATFORM, own

from rx_flow.app import embedded
from rx_flow.auth.log import parties
from rx_flow.auth.telling.sentences import tell
from rx_flow.config import Directory
from rx_flow.record.audit import entries

INSURER = "I35990000001"
KINDS = {
    HOSPITAL: {"directory", "rules", "suites"},
    PLATFORM: {"directory", "rules", "suites", "witnesses"},
    INSURER: {"directory", "rules", "suites", "policies"},
}


async def adopted(data: Path, keys: Path, code: str) -> list[str]:
    """What a site has recorded of it, after another start; the oldest first."""
    all_of_them = embedded(data, keys, only=[code])
    async with all_of_them.running():
        found = all_of_them.sites[code].db.look(lambda tx: entries(tx, action="adopt", limit=100))
    directory = Directory.load(keys)
    for one in found:
        assert one.content["actor"]["id"] == code
        assert "“" not in tell(one.content, directory, "zh").sentence
    return [one.content["purpose"] for one in reversed(found)]


@pytest.mark.parametrize("code", KINDS)
async def test_the_first_start_records_everything_and_the_next_nothing(keys: Path, tmp_path: Path, code: str) -> None:
    if Directory.load(keys).institution(code) is None:
        pytest.skip("not in this directory")
    first = await adopted(tmp_path, keys, code)
    assert {one.partition(": ")[0] for one in first} == KINDS[code]
    assert len(first) == len(KINDS[code])
    assert await adopted(tmp_path, keys, code) == first


async def test_another_directory_and_another_policy_are_an_entry_each(keys: Path, tmp_path: Path) -> None:
    folder, data = own(keys, tmp_path), tmp_path / "data"
    data.mkdir()
    first = await adopted(data, folder, PLATFORM)
    known = Directory.load(folder)
    witness = parties.witnesses(folder, known)[0]
    (folder / parties.POLICY_FILE).write_text(f"witness w {witness.key}\nquorum w\n")
    (more,) = (await adopted(data, folder, PLATFORM))[len(first) :]
    assert more.startswith("witnesses: ")
    file = folder / "directory.json"
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    (yet_another,) = (await adopted(data, folder, PLATFORM))[len(first) + 1 :]
    assert yet_another.startswith("directory: ")
    assert yet_another not in first
    (folder / parties.POLICY_FILE).unlink()
    back = (await adopted(data, folder, PLATFORM))[-1]
    assert back in first, "what counted before counts again, and that is recorded too"

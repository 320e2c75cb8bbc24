"""
An auditor who is given a bundle, and has kept checkpoints of the log: what they tell is compared, the rest is said.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from signed_log import AREA, PLATFORM, RX, append, made, opened, turn
from test_commands import run

from rx_flow.config import log_domain
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.authority import development_passphrase
from rx_flow.record.log import checkpoints
from rx_flow.tlog import checkpoint
from rx_flow.tlog.checkpoint import Checkpoint

ORIGIN = f"{log_domain(PLATFORM)}/{AREA}"
OLD, NEW = 308, 309  # sizes of the log when it was signed


def newest(house: Path, name: str = AREA) -> bytes:
    with opened(house) as db:
        found = db.look(checkpoints.last, name, 1)
    assert found is not None
    return found.note


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that was signed twice; `old` is its first checkpoint."""
    folder = made(tmp_path_factory.mktemp("house"))
    (folder / "old").write_bytes(newest(folder))
    append(folder, "later")
    turn(folder)
    (folder / "policy").write_text(run("audit", "vkey", "--policy", "--data", str(folder)).stdout, "utf-8")
    text = (folder / "policy").read_text("utf-8").splitlines()
    (folder / "policy").write_text("\n".join([*(one for one in text if one.startswith("log ")), "quorum none", ""]))
    return folder


def bundle(house: Path, out: Path, *more: str) -> Path:
    done = run("audit", "bundle", "--rx", RX, "--out", str(out), "--data", str(house), *more)
    assert done.returncode == 0, done.stderr
    return out


def verified(house: Path, file: Path, kept: Path | None) -> tuple[int, dict[str, Any]]:
    more = () if kept is None else ("--saved", str(kept))
    done = run("audit", "verify", "--bundle", str(file), "--policy", str(house / "policy"), "--json", *more)
    (log,) = json.loads(done.stdout)["logs"]
    return done.returncode, log


def folder(at: Path, **files: bytes) -> Path:
    at.mkdir()
    for name, data in files.items():
        (at / name).write_bytes(data)
    return at


def forged(house: Path, size: int) -> bytes:
    """A second history, which the log itself has signed."""
    ring = Keyring.load(house / "keys" / PLATFORM, development_passphrase(house / "keys"))
    return checkpoint.sign(Checkpoint(ORIGIN, size, b"\x5e" * 32), ring.log_key(AREA))


def test_a_checkpoint_of_the_same_size_is_compared(house: Path, tmp_path: Path) -> None:
    status, log = verified(house, bundle(house, tmp_path / "rx.zip"), folder(tmp_path / "kept", one=newest(house)))

    assert (status, log["findings"]) == (0, [])
    assert log["checked"]["saved_checkpoints"] == 1
    assert "saved_without_proof" not in log["not_checked"]


def test_an_earlier_one_is_compared_where_the_bundle_proves_it_and_counted_where_not(
    house: Path, tmp_path: Path
) -> None:
    kept = folder(tmp_path / "kept", old=(house / "old").read_bytes(), new=newest(house))
    status, log = verified(house, bundle(house, tmp_path / "without.zip"), kept)
    assert (status, log["checked"]["saved_checkpoints"], log["saved_without_proof"]) == (0, 1, 1)
    assert log["not_checked"]["saved_without_proof"] == "no_proof"

    proven = bundle(house, tmp_path / "with.zip", "--have", str(house / "old"))
    status, log = verified(house, proven, kept)
    assert (status, log["checked"]["saved_checkpoints"], log["saved_without_proof"]) == (0, 2, 0)


@pytest.mark.parametrize("size", [OLD, NEW])
def test_another_history_of_the_same_log_is_a_finding(house: Path, tmp_path: Path, size: int) -> None:
    file = bundle(house, tmp_path / "rx.zip", "--have", str(house / "old"))
    status, log = verified(house, file, folder(tmp_path / "kept", one=forged(house, size)))

    assert status == 1
    assert log["findings"] == [{"fault": "history_rewritten", "where": f"size {size}"}]


def test_a_saved_checkpoint_that_the_log_did_not_sign_is_a_finding(house: Path, tmp_path: Path) -> None:
    spoiled = newest(house).replace(f"\n{NEW}\n".encode(), b"\n310\n")
    status, log = verified(house, bundle(house, tmp_path / "rx.zip"), folder(tmp_path / "kept", one=spoiled))

    assert status == 1
    assert [one["fault"] for one in log["findings"]] == ["bad_signature"]


def test_those_of_other_logs_are_counted_and_none_at_all_is_said(house: Path, tmp_path: Path) -> None:
    file = bundle(house, tmp_path / "rx.zip")
    status, log = verified(house, file, folder(tmp_path / "kept", one=newest(house, "checkpoints")))
    assert (status, log["saved_of_others"], log["not_checked"]["saved_of_others"]) == (0, 1, "other_log")
    assert log["not_checked"]["saved_checkpoints"] == "none_saved"
    assert verified(house, file, None)[1]["not_checked"]["saved_checkpoints"] == "none_saved"


def test_what_was_not_compared_is_told_to_people(house: Path, tmp_path: Path) -> None:
    file = bundle(house, tmp_path / "rx.zip")
    kept = folder(tmp_path / "kept", old=(house / "old").read_bytes())
    done = run("audit", "verify", "--bundle", str(file), "--policy", str(house / "policy"), "--saved", str(kept))

    assert done.returncode == 0
    assert "made with --have" in " ".join(done.stdout.split())


def test_a_tree_and_a_bundle_are_not_verified_at_once(house: Path, tmp_path: Path) -> None:
    file = bundle(house, tmp_path / "rx.zip")
    done = run(
        *("audit", "verify", "--bundle", str(file), "--tree", str(tmp_path), "--policy", str(house / "policy")),
        "--json",
    )

    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "malformed"

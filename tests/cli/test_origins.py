"""
An auditor who brings a policy and keeps checkpoints of all logs, through new origins and witnesses that are behind.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from signed_log import AREA, PLATFORM, append, cosign, faults, log_of, made, opened, sql, told, turn
from test_commands import run

from rx_flow.config import log_domain
from rx_flow.record.log import checkpoints, store
from rx_flow.tlog import note

FIRST, SECOND = f"{log_domain(PLATFORM)}/{AREA}", f"{log_domain(PLATFORM)}/{AREA}/2"


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs that have been signed, and witnessed."""
    folder = made(tmp_path_factory.mktemp("before"))
    cosign(folder)
    return folder


@pytest.fixture
def house(before: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(before, tmp_path / "data")


@pytest.fixture
def policy(house: Path, tmp_path: Path) -> Path:
    """The file as `audit vkey --policy` prints it now."""
    return print_policy(house, tmp_path / "policy.txt")


def print_policy(house: Path, file: Path) -> Path:
    done = run("audit", "vkey", "--policy", "--data", str(house))
    assert done.returncode == 0, done.stderr
    file.write_text(done.stdout, "utf-8")
    return file


def keep(house: Path, folder: Path) -> Path:
    """Keep the newest checkpoint of every epoch of every log."""
    folder.mkdir(exist_ok=True)
    with opened(house) as db:
        for name in db.look(store.names):
            for epoch in db.look(store.epochs, name):
                if newest := db.look(checkpoints.last, name, epoch):
                    (folder / f"{name}-{epoch}-{newest.size}").write_bytes(newest.note)
    return folder


def new_origin(house: Path) -> None:
    done = run("audit", "new-origin", AREA, "--force", "--data", str(house))
    assert done.returncode == 0, done.stderr


def test_checkpoints_of_all_logs_and_origins_may_lie_in_one_folder(house: Path, tmp_path: Path) -> None:
    kept = keep(house, tmp_path / "kept")
    append(house, "later")
    turn(house)
    assert len(list(keep(house, kept).iterdir())) >= 3
    new_origin(house)
    turn(house)
    keep(house, kept)

    assert {name.name for name in kept.iterdir()} >= {f"{AREA}-1-308", f"{AREA}-1-309", f"{AREA}-2-1"}
    status, found = told(house, "--saved", str(kept))
    assert (status, faults(found)) == (0, set())
    assert log_of(found, FIRST)["checked"]["saved_checkpoints"] >= 4
    assert log_of(found, SECOND)["checked"]["saved_checkpoints"] >= 2


def test_a_kept_checkpoint_of_a_log_that_is_gone_is_a_finding(house: Path, tmp_path: Path) -> None:
    kept = keep(house, tmp_path / "kept")
    sql(house, "DELETE FROM log WHERE log = 'checkpoints'", "DELETE FROM log_checkpoint WHERE log = 'checkpoints'")
    assert told(house)[0] == 0

    status, found = told(house, "--saved", str(kept))
    assert (status, faults(found)) == (1, {"log_gone"})
    (finding,) = log_of(found, "/checkpoints")["findings"]
    assert finding["where"].startswith("checkpoints-1-")


def test_of_one_exported_log_only_its_own_checkpoints_are_compared(house: Path, policy: Path, tmp_path: Path) -> None:
    kept = keep(house, tmp_path / "kept")
    assert run("audit", "export", str(tmp_path / "out"), "--data", str(house)).returncode == 0
    offline = ("audit", "verify", "--tree", str(tmp_path / "out" / AREA), "--policy", str(policy))
    done = run(*offline, "--saved", str(kept), "--json")
    (log,) = json.loads(done.stdout)["logs"]

    assert (done.returncode, log["findings"]) == (0, [])
    assert log["checked"]["saved_checkpoints"] == 1
    assert log["saved_of_others"] == len(list(kept.iterdir())) - 1 > 0
    assert log["not_checked"]["saved_of_others"] == "other_log"


@pytest.mark.parametrize("data", [b"no checkpoint", b"", b"\x00\xff", b"origin\n1\nAAAA\n\n\xe2\x80\x94 x AAAAAAAA\n"])
def test_a_saved_file_that_is_no_checkpoint_is_said(house: Path, tmp_path: Path, data: bytes) -> None:
    kept = keep(house, tmp_path / "kept")
    (kept / "zz-stranger").write_bytes(data)
    for folder, code in ((kept, "malformed"), (tmp_path / "nowhere", "not_found")):
        done = run("audit", "verify", "--data", str(house), "--saved", str(folder), "--json")
        assert done.returncode == 1
        assert json.loads(done.stderr)["code"] == code
    done = run("audit", "verify", "--data", str(house), "--saved", str(kept))
    assert "zz-stranger" in done.stderr


def test_witnesses_that_are_behind_are_nothing_wrong(house: Path, policy: Path) -> None:
    append(house, "later")
    turn(house)
    status, found = told(house, "--policy", str(policy))
    log = log_of(found, FIRST)

    assert (status, faults(found)) == (0, set())
    assert (log["size"], log["witnessed"], log["checked"]["quorum"]) == (309, 308, 2)


def test_a_quorum_that_was_never_met_is_a_finding_under_a_policy_that_asks_for_one(house: Path, policy: Path) -> None:
    sql(house, "DELETE FROM log_cosignature WHERE log = '350100' AND witness LIKE 'h%'")
    status, found = told(house, "--policy", str(policy))

    assert (status, faults(found)) == (1, {"quorum_not_met"})
    assert [one["fault"] for one in log_of(found, FIRST)["findings"]] == ["quorum_not_met"]
    assert log_of(found, FIRST)["not_checked"]["quorum"] == "never_witnessed"
    assert told(house)[0] == 0
    none = policy.with_name("none")
    none.write_text("\n".join([*_logs(policy), "quorum none"]) + "\n", "utf-8")
    status, found = told(house, "--policy", str(none))
    assert (status, log_of(found, FIRST)["not_checked"]["quorum"]) == (0, "no_quorum")


def _logs(policy: Path) -> list[str]:
    return [line for line in policy.read_text("utf-8").splitlines() if line.startswith("log ")]


def test_one_policy_is_good_for_every_origin(house: Path, policy: Path, tmp_path: Path) -> None:
    append(house, "never witnessed under the old origin")
    turn(house)
    sql(house, "DELETE FROM log_cosignature WHERE log = '350100'")
    new_origin(house)
    turn(house)
    cosign(house)
    newer = print_policy(house, tmp_path / "newer.txt")
    assert _logs(newer) != _logs(policy)
    for file in (policy, newer):
        status, found = told(house, "--policy", str(file))
        assert (status, faults(found)) == (0, set())
        assert log_of(found, SECOND)["checked"]["quorum"] == 2


def test_an_old_origin_may_have_ended_unwitnessed(house: Path, policy: Path) -> None:
    new_origin(house)
    turn(house)
    cosign(house)
    sql(house, "DELETE FROM log_cosignature WHERE log = '350100' AND epoch = 1")
    status, found = told(house, "--policy", str(policy))

    assert (status, faults(found)) == (0, set())
    assert log_of(found, FIRST)["not_checked"]["quorum"] == "never_witnessed"
    sql(house, "DELETE FROM log_cosignature WHERE log = '350100' AND epoch = 2")
    assert faults(told(house, "--policy", str(policy))[1]) == {"quorum_not_met"}


@pytest.mark.parametrize("name", ["", "example.org/350100", f"{FIRST}/x", f"{FIRST}0"])
def test_a_log_that_the_policy_does_not_name_is_not_believed(house: Path, policy: Path, name: str) -> None:
    """Its key may stand there, but for something else."""
    lines = policy.read_text("utf-8").splitlines()
    (mine,) = (line for line in lines if line.startswith(f"log {FIRST}+"))
    lines.remove(mine)
    if name:
        lines.insert(0, f"log {note.Key(name, note.Kind.LOG, note.key(mine.split()[1]).public)}")
    policy.write_text("\n".join(lines) + "\n", "utf-8")
    status, found = told(house, "--policy", str(policy))

    assert status == 1
    assert log_of(found, FIRST)["findings"][0]["fault"] == "log_signature_missing"
    assert log_of(found, "/checkpoints")["findings"] == []


def test_every_origin_has_its_key_printed(house: Path) -> None:
    new_origin(house)
    printed = run("audit", "vkey", "--data", str(house)).stdout.splitlines()
    logs = [note.key(line) for line in printed]
    names = [key.name for key in logs if key.kind is note.Kind.LOG]
    assert [name for name in names if f"/{AREA}" in name] == [FIRST, SECOND]
    whole = run("audit", "vkey", "--policy", "--data", str(house)).stdout
    assert f"log {SECOND}+" in whole
    assert f"# log {FIRST}+" in whole
    (house / f"{PLATFORM}.db").unlink()
    without = run("audit", "vkey", "--data", str(house))
    assert without.returncode == 0
    assert SECOND not in without.stdout
    assert "no database" in without.stderr


def test_a_new_origin_that_waits_for_its_first_signature_is_nothing_wrong(house: Path, policy: Path) -> None:
    new_origin(house)
    for more in ((), ("--policy", str(policy))):
        status, found = told(house, *more)
        log = log_of(found, SECOND)
        assert (status, faults(found)) == (0, set())
        assert (log["size"], log["not_checked"]["log_signature"]) == (1, "not_signed_yet")
    new_origin(house)
    turn(house)
    assert told(house)[0] == 0


def test_a_checkpoint_that_was_taken_away_is_missed(house: Path, tmp_path: Path) -> None:
    new_origin(house)
    turn(house)
    kept = keep(house, tmp_path / "kept")
    sql(house, "DELETE FROM log_checkpoint WHERE log = '350100' AND epoch = 2")
    assert faults(told(house)[1]) == {"checkpoint_missing"}  # what was signed is written down beside the database
    shutil.rmtree(house / "guards")
    assert told(house)[0] == 0
    assert "checkpoint_missing" in faults(told(house, "--saved", str(kept))[1])
    sql(house, "DELETE FROM log_checkpoint WHERE log = '350100'")
    assert "checkpoint_missing" in faults(told(house)[1])


def test_a_bundle_says_whether_the_quorum_was_checked(house: Path, policy: Path, tmp_path: Path) -> None:
    for name, pure in (("quorum", False), ("none", True)):
        file = policy
        if pure:
            file = tmp_path / "none"
            file.write_text("\n".join([*_logs(policy), "quorum none"]) + "\n", "utf-8")
        out = tmp_path / f"{name}.zip"
        assert run("audit", "bundle", "--entry", f"{AREA}/17", "--out", str(out), "--data", str(house)).returncode == 0
        done = run("audit", "verify", "--bundle", str(out), "--policy", str(file), "--json")
        (log,) = json.loads(done.stdout)["logs"]
        assert (done.returncode, log["findings"]) == (0, [])
        assert log["checked"].get("quorum") == (None if pure else 2)
        assert log["not_checked"].get("quorum") == ("no_quorum" if pure else None)

"""
A doctor's key turns out to have been in other hands before it signed: what auditor and court are told of each document.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from commanded import rx_flow

RESTS = {"found": "verified", "why": "rests_on_failed"}
GOOD = {"found": "verified", "why": ""}


@pytest.fixture(scope="module")
def case(prescriptions: list[dict[str, Any]]) -> dict[str, Any]:
    """A prescription that went all the way and back."""
    return next(one for one in prescriptions if one["outcome"] == "returned")


@pytest.fixture(scope="module")
def stolen(case: dict[str, Any], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sites of the demonstration, after its doctor's key was revoked with effect from before it."""
    folder = shutil.copytree(data, tmp_path_factory.mktemp("stolen") / "data")
    revoke(folder, case["steps"][0]["by"])
    return folder


def revoke(folder: Path, who: str) -> None:
    how = ("--reason", "key_compromise", "--since", "2020-01-01")
    done = rx_flow("keys", "revoke", who, *how, "--data", str(folder))
    assert done.returncode == 0, done.stderr


def marks(folder: Path, rx: str) -> tuple[int, dict[str, dict[str, str]]]:
    told = rx_flow("audit", "timeline", rx, "--signatures", "--data", str(folder), "--json")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    return told.returncode, {one["action"]: one["signature"] for one in found if one["document"]}


def exports(folder: Path, rx: str) -> int:
    return len(
        rx_flow("audit", "list", "--rx", rx, "--action", "export", "--data", str(folder), "--json").stdout.split()
    )


def test_the_timeline_tells_of_each_document_by_itself(case: dict[str, Any], stolen: Path) -> None:
    status, found = marks(stolen, case["rx"])

    assert status == 1
    assert found.pop("submit") == {"found": "failed", "why": "certificate_revoked"}
    assert found.keys() == {"approve", "release", "claim", "accept", "settle", "dispense", "take_back"}
    assert all(mark == RESTS for mark in found.values())
    shown = rx_flow("audit", "timeline", case["rx"], "--signatures", "--data", str(stolen), "--lang", "zh").stdout
    assert shown.count("签名: 核验不通过：证书已吊销") == 1
    assert shown.count("签名: 已核验：所依据的在前文书不成立") == len(found)


def test_what_came_before_and_what_came_with_another_is_told(case: dict[str, Any], data: Path, tmp_path: Path) -> None:
    """The insurer's reversal came with the pharmacist's document: the step does not hold without it."""
    folder = shutil.copytree(data, tmp_path / "data")
    insurer = next(step["by"] for step in case["steps"] if step["action"] == "settle")
    revoke(folder, insurer)

    status, found = marks(folder, case["rx"])

    failed = {"found": "failed", "why": "certificate_revoked"}
    assert status == 1
    assert [found[action] for action in ("submit", "approve", "release", "claim", "accept")] == [GOOD] * 5
    assert [found[action] for action in ("settle", "dispense", "take_back")] == [failed, RESTS, failed]


@pytest.mark.parametrize("withheld", [[], ["--withhold-patient"]], ids=["complete", "withheld"])
def test_a_court_is_given_it_and_told_which_document_does_not_count(
    case: dict[str, Any], stolen: Path, tmp_path: Path, withheld: list[str]
) -> None:
    out, root, before = tmp_path / "rx.zip", str(stolen / "keys" / "root.pem"), exports(stolen, case["rx"])
    given = rx_flow("evidence", case["rx"], "--data", str(stolen), "--out", str(out), *withheld)

    assert given.returncode == 3, given.stderr
    assert "NOTE: it was written, but the evidence does not hold" in given.stderr
    assert "[certificate_revoked] documents/0001-prescription.jws\n" in given.stderr
    assert given.stderr.count("DOES NOT COUNT") == 1
    assert out.stat().st_mode & 0o777 == 0o600
    assert exports(stolen, case["rx"]) > before

    judged = rx_flow("verify", str(out), "--root", root, "--json")
    report = json.loads(judged.stdout)
    due = {"step": "documents", "code": "certificate_revoked", "detail": "documents/0001-prescription.jws"}
    assert (judged.returncode, report["holds"], report["failed"]) == (1, False, due)
    ended = {step["step"]: step["outcome"] for step in report["steps"] if step["outcome"] != "passed"}
    assert ended == {"documents": "failed"} | ({"packages": "unchecked"} if withheld else {})
    first, *others = next(step["facts"] for step in report["steps"] if step["step"] == "documents")
    assert "its certificate is revoked since 2020-01-01 00:00:00 (key_compromise)" in first
    assert len(others) == 8
    assert all("its own signature holds" in other for other in others)
    said = rx_flow("verify", str(out), "--root", root, "--lang", "zh")
    assert (said.returncode, said.stdout.count("不计：签名无误"), "证据不成立" in said.stdout) == (1, 1, True)


def test_a_prescription_of_another_doctor_is_given_out_as_ever(
    case: dict[str, Any], prescriptions: list[dict[str, Any]], stolen: Path, tmp_path: Path
) -> None:
    doctor = case["steps"][0]["by"]
    other = next(
        one["rx"] for one in prescriptions if one["outcome"] == "dispensed" and one["steps"][0]["by"] != doctor
    )
    given = rx_flow("evidence", other, "--data", str(stolen), "--out", str(tmp_path / "rx.zip"))

    assert (given.returncode, given.stderr) == (0, "")


def test_what_is_not_even_what_was_recorded_is_not_given_out(
    case: dict[str, Any], stolen: Path, tmp_path: Path
) -> None:
    """A revocation excuses nothing else."""
    folder, out = shutil.copytree(stolen, tmp_path / "data"), tmp_path / "rx.zip"
    (database,) = folder.glob("C*.db")
    with sqlite3.connect(database) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'package'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM package WHERE rx = ? AND first_seq > 3", (case["rx"],))
    db.close()
    before = exports(folder, case["rx"])

    refused = rx_flow("evidence", case["rx"], "--data", str(folder), "--out", str(out))

    assert (refused.returncode, "error bad_document" in refused.stderr) == (1, True)
    assert not out.exists()
    assert exports(folder, case["rx"]) == before

"""
An auditor's evening: verify, export, hand on a bundle, verify it elsewhere; and every tampering is named.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from signed_log import AREA, NOW, RX, append, faults, log_of, made, sql, told, turn
from test_commands import run

from rx_flow.evidence import container


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the platform has recorded and signed."""
    return made(tmp_path_factory.mktemp("house"))


@pytest.fixture
def copy(house: Path, tmp_path: Path) -> Path:
    shutil.copytree(house, tmp_path / "data")
    return tmp_path / "data"


def test_a_log_as_it_was_written_is_verified_and_says_what_was_not_checked(house: Path) -> None:
    status, found = told(house)
    assert (status, found["verified"], faults(found)) == (0, True, set())
    log = log_of(found, AREA)
    assert (log["size"], log["checked"]["entries"], log["checked"]["chains"]) == (308, 308, 2)
    assert log["not_checked"]["quorum"] == "never_witnessed"
    shown = run("audit", "verify", "--data", str(house))
    assert shown.returncode == 0
    assert "not checked" in shown.stdout
    assert "核验通过" in run("audit", "verify", "--data", str(house), language="zh_CN.UTF-8").stdout


@pytest.mark.parametrize(
    ("statement", "due"),
    [
        ("UPDATE audit_entry SET body = replace(body, 'open', 'opem') WHERE idx = 20", "entry_altered"),
        ("DELETE FROM audit_entry WHERE idx = 20", "bundle_missing"),
        ("UPDATE audit_entry SET actor = 'x' WHERE idx = 20", "entry_column"),
        ("UPDATE prescription SET state = 'dispensed'", "state_unlogged"),
        ("UPDATE log_tile SET data = zeroblob(8192)", "leaf_tile_mismatch"),
        ("UPDATE log_checkpoint SET note = replace(note, '308', '307')", "bad_signature"),
    ],
)
def test_tampering_is_named(copy: Path, statement: str, due: str) -> None:
    sql(copy, statement)
    status, found = told(copy)
    assert (status, found["verified"]) == (1, False)
    assert due in faults(found) or any(due.split("_", maxsplit=1)[0] in one for one in faults(found)), faults(found)


def test_a_history_that_was_rewritten_whole_is_seen_by_who_kept_a_checkpoint(
    house: Path, copy: Path, tmp_path: Path
) -> None:
    assert run("audit", "export", str(tmp_path / "kept"), "--data", str(house)).returncode == 0
    kept = tmp_path / "saved"
    kept.mkdir()
    (kept / "then").write_bytes((tmp_path / "kept" / AREA / "checkpoint").read_bytes())
    sql(
        copy,
        "UPDATE audit_entry SET idx = NULL",
        "DELETE FROM log",
        "DELETE FROM log_tile",
        "DELETE FROM log_checkpoint",
        "DELETE FROM log_leaf",
    )
    shutil.rmtree(copy / "guards")
    append(copy, "early", NOW - timedelta(days=1))
    turn(copy, AREA)
    assert told(copy)[0] == 0
    status, found = told(copy, "--saved", str(kept))
    assert status == 1
    assert faults(found) & {"history_rewritten", "log_shrank"}


def test_a_log_as_files_is_verified_without_any_database(house: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("audit", "export", str(tmp_path / "out"), "--data", str(house)).returncode == 0
    tree = tmp_path / "out" / AREA
    offline = ("audit", "verify", "--tree", str(tree), "--policy", str(tree / "policy.txt"))
    assert run(*offline).returncode == 0
    bundle = tree / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"HYPERLINK", b"HYPERLIMK"))
    done = run(*offline)
    assert done.returncode == 1
    assert "NOT verified" in done.stdout
    assert run("audit", "verify", "--tree", str(tree)).returncode == 1


@pytest.fixture
def bundle(house: Path, tmp_path: Path) -> Path:
    run("audit", "export", str(tmp_path / "out"), "--data", str(house))
    out = tmp_path / "rx.zip"
    done = run(
        *("audit", "bundle", "--rx", RX, "--out", str(out), "--data", str(house), "--disclose", "patient"),
        *("--have", str(tmp_path / "out" / AREA / "checkpoint")),
        *("--format", "csv", "--format", "ndjson", "--format", "parquet"),
    )
    assert done.returncode == 0, done.stderr
    return out


def _typed(lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a stranger's shell makes of the instructions."""
    return subprocess.run(  # noqa: S603  the bundle's own instructions
        ["bash", "-c", lines],  # noqa: S607  whichever bash a stranger has
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bundle_is_verified_here_and_by_its_own_instructions_elsewhere(bundle: Path, tmp_path: Path) -> None:
    members = container.unpack(bundle.read_bytes())
    folder = tmp_path / "elsewhere"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    guide = members["VERIFY.md"].decode()
    plain = guide.partition("```sh plain\n")[2].partition("```")[0]
    done = _typed(plain, folder)
    assert done.returncode == 0, done.stderr
    assert "304 entries stand in" in done.stdout
    ours = guide.partition("```sh rx-flow\n")[2].partition("```")[0].split()
    assert ours[:3] == ["rx-flow", "audit", "verify"]
    done = run(*ours[1:4], str(bundle), "--policy", str(folder / "policy.txt"), "--json")
    (log,) = json.loads(done.stdout)["logs"]
    assert done.returncode == 0
    assert log["checked"] == {"checkpoint": 1, "entries": 304, "consistency": 1, "disclosures": 2}
    first = min((folder / "entries").iterdir())
    first.write_bytes(first.read_bytes().replace(b"open", b"opem"))
    assert _typed(plain, folder).returncode != 0


def test_tables_of_a_bundle_hold_the_entries_and_no_formula(bundle: Path) -> None:
    members = container.unpack(bundle.read_bytes())
    rows = list(csv.DictReader(io.StringIO(members["tables/entries.csv"].decode("utf-8-sig"))))
    assert len(rows) == 304
    assert [row["purpose"] for row in rows if "HYPERLINK" in row["purpose"]] == ["'=HYPERLINK(1)"]
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "-", "@"))]
    plain = [json.loads(line) for line in members["tables/entries.ndjson"].splitlines()]
    assert [one["purpose"] for one in plain if "HYPERLINK" in one["purpose"]] == ["=HYPERLINK(1)"]
    file = bundle.with_suffix(".parquet")
    file.write_bytes(members["tables/entries.parquet"])
    with duckdb.connect() as db:
        assert db.execute(f"SELECT count(*), max(index) FROM '{file}'").fetchone() == (304, 307)  # noqa: S608  the file is this test's own.


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("entries/000000000.json", b"open", b"opem"),
        ("proofs/000000000.tlog-proof", b"index 0", b"index 1"),
        ("checkpoint", b"308", b"309"),
        ("policy.txt", b"log", b"lag"),
        ("disclosures.ndjson", b"index", b"indey"),
        ("manifest.json", b'"v":1', b'"v":2'),
    ],
)
def test_a_bundle_that_was_altered_is_refused(
    bundle: Path, tmp_path: Path, name: str, old: bytes, *, new: bytes
) -> None:
    members = container.unpack(bundle.read_bytes())
    assert old in members[name]
    spoiled = tmp_path / "spoiled.zip"
    spoiled.write_bytes(container.pack({**members, name: members[name].replace(old, new, 1)}))
    policy = tmp_path / "out" / AREA / "policy.txt"
    done = run("audit", "verify", "--bundle", str(spoiled), "--policy", str(policy), "--json")
    if name == "manifest.json":  # the manifest's own version is no claim about the log
        assert done.returncode == 0
        return
    assert done.returncode == 1
    assert json.loads(done.stdout)["logs"][0]["findings"]


def test_what_cannot_be_bundled_is_said(house: Path, tmp_path: Path) -> None:
    base = ("audit", "bundle", "--out", str(tmp_path / "x.zip"), "--data", str(house))
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"no checkpoint")
    for more, code in (
        ((), "malformed"),
        (("--rx", RX, "--entry", "350100/1"), "malformed"),
        (("--entry", "350100/x"), "malformed"),
        (("--entry", "350100/999999"), "not_found"),
        (("--rx", RX, "--format", "xls"), "malformed"),
        (
            (
                "--rx",
                "359999-0000000000000000",
            ),
            "not_found",
        ),
        (("--rx", RX, "--have", str(stranger)), "malformed"),
    ):
        done = run(*base, *more)
        assert done.returncode == 1, more
        assert code in done.stderr, (more, done.stderr)
    assert not (tmp_path / "x.zip").exists()
    done = run(*base, "--area", AREA, "--since", "2026-11-23", "--until", "2026-11-24")
    assert done.returncode == 0, done.stderr
    assert run(*base, "--entry", "350100/17").returncode == 0


def test_every_export_is_an_entry(house: Path, tmp_path: Path) -> None:
    def exports() -> int:
        listed = run("audit", "list", "--data", str(house), "--action", "audit_export", "--json").stdout
        return len(listed.splitlines())

    before = exports()
    run("audit", "bundle", "--out", str(tmp_path / "x.zip"), "--data", str(house), "--entry", "350100/17")
    assert exports() == before + 1


def test_rows_that_were_changed_are_named_by_reconcile(copy: Path) -> None:
    assert run("audit", "reconcile", "--data", str(copy)).returncode == 0
    sql(copy, "UPDATE prescription SET claimant = 'P350100000009'")
    done = run("audit", "reconcile", "--data", str(copy), "--json")
    assert done.returncode == 1
    assert faults(json.loads(done.stdout)) == {"state_unlogged"}

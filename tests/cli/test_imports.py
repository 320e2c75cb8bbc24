"""
A command imports what it needs: it does not wait for the others' parts, and what verifies leans on no site.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rx_flow.cli.answers import answer

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from rx_flow.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
DATABASE = {"sqlalchemy", "psycopg"}
WEB = {"fastapi", "starlette", "uvicorn", "httpx2"}
SITES = {f"rx_flow.{site}" for site in ("hospital", "platform", "pharmacy", "settlement")}
ABOVE_EVIDENCE = {"rx_flow.app", "rx_flow.auth", "rx_flow.config", "rx_flow.opening", "rx_flow.record"}
MIGRATION = {"alembic", "mako"}


def imported(*arguments: str, cwd: Path = ROOT, code: int = 0) -> set[str]:
    """What `rx-flow` has imported when it ends: every module, and every package above it."""
    ran = subprocess.run(  # noqa: S603  Our own script.
        [sys.executable, "-P", "-c", SCRIPT, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    assert ran.returncode == code, ran.stderr  # a command that is not there any more imports nothing either
    names: list[str] = json.loads(ran.stderr.splitlines()[-1])
    assert "rx_flow.cli" in names
    return set(names)


@pytest.mark.parametrize("arguments", [("--help",), ("keys", "--help"), ("audit", "--help"), ("nothing",)])
def test_what_lists_commands_imports_none_of_them(arguments: tuple[str, ...]) -> None:
    found = imported(*arguments, code=2 if arguments == ("nothing",) else 0)

    assert {name for name in found if name.startswith("rx_flow.") and not name.startswith("rx_flow.cli")} == set()
    assert found & (DATABASE | WEB | MIGRATION | {"cryptography", "rich.console"}) == set()


@pytest.mark.parametrize("kind", ["bundle", "sheet", "help"])
def test_what_verifies_evidence_imports_nothing_of_the_sites_nor_a_database(tmp_path: Path, kind: str) -> None:
    file, root = tmp_path / "file", tmp_path / "root.pem"
    file.write_bytes(b"%PDF-1.7" if kind == "sheet" else b"PK")
    root.write_bytes(b"")
    more, code = (("--help",), 0) if kind == "help" else ((), 1)
    found = imported("verify", str(file), "--root", str(root), *more, code=code)

    assert "rx_flow.evidence.verify" in found
    assert ("rx_flow.evidence.sheet.sealed" in found) == (kind == "sheet")
    assert found & (SITES | ABOVE_EVIDENCE | DATABASE | WEB | MIGRATION) == set()


@pytest.mark.parametrize(
    ("command", "also"),
    [
        (("audit", "vkey"), set()),
        (("audit", "status"), set()),
        (("audit", "show"), set()),
        (("audit", "timeline"), set()),
        (("audit", "verify"), set()),
        (("audit", "export"), set()),
        (("audit", "new-origin"), set()),
        (("keys", "renew"), SITES),
        (("keys", "rotate"), SITES),
        (("keys", "init"), SITES | DATABASE),
        (("keys", "list"), SITES | DATABASE),
        (("staff", "unlock"), SITES),
        (("insured", "enrol"), SITES - {"rx_flow.settlement"}),
        (("expire",), SITES - {"rx_flow.platform"}),
        (("evidence",), set()),
        (("law", "table"), SITES | ABOVE_EVIDENCE | DATABASE),
    ],
)
def test_a_command_that_serves_nobody_imports_no_web_framework(command: tuple[str, ...], also: set[str]) -> None:
    assert imported(*command, "--help") & (WEB | MIGRATION | also) == set()


def test_a_database_is_opened_without_what_migrates_it(tmp_path: Path) -> None:
    assert imported("keys", "init", cwd=tmp_path) & MIGRATION == set()
    assert imported("migrate", cwd=tmp_path) >= MIGRATION
    listed = imported("audit", "list", cwd=tmp_path)
    assert listed >= DATABASE
    assert listed & (MIGRATION | WEB) == set()
    assert imported("audit", "vkey", cwd=tmp_path) & (MIGRATION | WEB) == set()


def test_a_mistake_of_the_program_is_no_expected_no() -> None:
    assert answer(ValueError("a mistake")) is None

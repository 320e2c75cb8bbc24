"""
A data folder in which a platform has recorded, numbered and signed; and the witnesses' hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert
from test_commands import run
from typer.testing import CliRunner
from walking import PHARMACY, available, rx_of, step

from rx_flow.auth.log.parties import witness_name
from rx_flow.cli import app
from rx_flow.config import Directory, Kind, log_domain
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.authority import development_passphrase
from rx_flow.platform.tables import line, routing
from rx_flow.record import audit, dossier
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.leader import Alone
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.tlog import note

ROOT = Path(__file__).resolve().parents[2]
PLATFORM, AREA = "C35990000001", "350100"
RX = rx_of(1)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PATIENT = "5e" * 32


def _walk(tx: Connection) -> None:
    """Two prescriptions, one of them a known patient's, and what nobody wants in a spreadsheet."""
    for n in (1, 2):
        rx = rx_of(n)
        available(tx, rx)
        claimed = step(tx, rx, "claim", PHARMACY)
        key = {"area": AREA, "rx": rx}
        tx.execute(insert(routing).values(**key, pickup=f"{n:064}", patient=PATIENT, received_at=NOW))
        tx.execute(insert(line).values(**key, n=1, drug="XL01EXA000A000000000000", quantity=1, unit="盒"))
        for first in (1, claimed.seq):
            dossier.put_package(tx, rx, dossier.Package(first, "sealed"))
    origin = Origin(PLATFORM, "ab" * 16, personal=((audit.PATIENT, PATIENT),))
    for n in range(300):
        purpose = "=HYPERLINK(1)" if n == 0 else "read"
        entry = Entry(
            NOW + timedelta(minutes=n), origin if n < 2 else Origin(PLATFORM, ""), PHARMACY, "open", RX, purpose=purpose
        )
        audit.append(tx, entry)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Database]:
    """The platform's database."""
    db = Database.open(f"sqlite:///{folder / PLATFORM}.db")
    try:
        yield db
    finally:
        db.close()


def made(folder: Path) -> Path:
    """Fill a folder: keys, databases, 308 entries, and a checkpoint over them."""
    people = str(ROOT / "scripts/rig/participants.toml")
    assert run("keys", "init", "--keys", str(folder / "keys"), "--participants", people).returncode == 0
    assert run("migrate", "--data", str(folder), "--keys", str(folder / "keys")).returncode == 0
    with opened(folder) as db:
        db.run(_walk)
    turn(folder)
    return folder


def turn(folder: Path, *names: str) -> None:
    """What the platform's sequencer does when it is awake: for all its logs, or for those named."""
    keyring = Keyring.load(folder / "keys" / PLATFORM, development_passphrase(folder / "keys"))
    signers = {name: keyring.log_key(name) for name in names or keyring.log_names}
    with opened(folder) as db:
        guards = folder / "guards" / PLATFORM
        asyncio.run(Sequencer(db, signers, log_domain(PLATFORM), guards, lambda: NOW, leader=Alone()).turn())


def append(folder: Path, action: str, at: datetime = NOW) -> None:
    """Write an entry of the area, which waits for its number."""
    with opened(folder) as db:
        db.run(lambda tx: audit.append(tx, Entry(at, Origin(PLATFORM, ""), PHARMACY, action, rx_of(7))))


def cosign(folder: Path) -> None:
    """Let a hospital and a pharmacy, which are a quorum, cosign the newest checkpoint of every epoch of every log."""
    directory, secret = Directory.load(folder / "keys"), development_passphrase(folder / "keys")
    sites = [directory.of_kind(kind)[0].code for kind in (Kind.HOSPITAL, Kind.PHARMACY)]
    rings = {code: Keyring.load(folder / "keys" / code, secret) for code in sites}

    def all_of_them(tx: Connection) -> None:
        for name in store.names(tx):
            for epoch in store.epochs(tx, name):
                newest = checkpoints.last(tx, name, epoch)
                if newest is None:
                    continue
                text = note.read(newest.note).text
                lines = [
                    note.cosign(text, witness_name(code), ring.log_key("witness"), time=int(NOW.timestamp()))
                    for code, ring in rings.items()
                ]
                checkpoints.cosign(tx, name, epoch=epoch, size=newest.size, lines=lines)

    with opened(folder) as db:
        db.run(all_of_them)


def told(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """What `audit verify --data` says: its exit code, and its JSON."""
    done = CliRunner().invoke(app, ["audit", "verify", "--data", str(folder), "--json", *more])
    assert done.stdout, done.exception
    return done.exit_code, json.loads(done.stdout)


def faults(found: dict[str, Any]) -> set[str]:
    """The words of all findings."""
    return {one["fault"] for log in found["logs"] for one in log["findings"]}


def log_of(found: dict[str, Any], ending: str) -> dict[str, Any]:
    """The verdict on the one log whose origin ends so."""
    (one,) = (log for log in found["logs"] if log["log"].endswith(ending))
    return one


def sql(folder: Path, *statements: str) -> None:
    """Change the platform's database as somebody with the file and a shell would."""
    with contextlib.closing(sqlite3.connect(folder / f"{PLATFORM}.db")) as db:
        for name in ("audit_entry_not_changed", "audit_entry_not_removed", "document_not_changed"):
            db.execute(f"DROP TRIGGER IF EXISTS {name}")
        for one in statements:
            db.execute(one)
        db.commit()

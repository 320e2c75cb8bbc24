"""
A small province for batteries: keys, insured patients, and a database for each of its four institutions.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rx_flow.cli.keys import development
from rx_flow.config import Directory, Kind
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.authority import development_passphrase, development_pins
from rx_flow.crypto.suites import DEFAULT, named
from rx_flow.opening import components
from rx_flow.record.database import Database
from rx_flow.record.schema import upgrade
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.insured import Insured, enrol, pseudonym
from tests.postgres import Cluster, cluster

HERE = Path(__file__).parent
HOSPITAL, PHARMACY, PLATFORM, INSURER = "H35010000001", "P35010000001", "C35990000001", "I35990000001"
CODES = {Kind.PLATFORM: PLATFORM, Kind.SETTLEMENT: INSURER, Kind.HOSPITAL: HOSPITAL, Kind.PHARMACY: PHARMACY}
DOCTOR, REVIEWER = "D350100000001", "HY350100000001"
CHECKER, PICKER = "HY350100000101", "HY350100000102"
CLERK = "HY359900000901"
AREA = "350100"


def id_number(serial: int) -> str:
    """Return the identity number of an invented patient: of a region that does not exist."""
    return f"99000019600101{serial:04d}"


@dataclass(frozen=True, slots=True)
class World:
    """
    Where everything lies: the folder, the database of each institution, and everybody's secrets.
    """

    folder: Path
    databases: dict[str, str]  # by code
    passwords: dict[str, str]
    pins: dict[str, str]
    cluster: Cluster | None

    @property
    def keys(self) -> Path:
        """The folder of keys."""
        return self.folder / "keys"


def ports(count: int) -> list[int]:
    """Return free ports; they stay free for as long as nobody else asks."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    found = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return found


@contextmanager
def world(kind: str, *, patients: int, suite: str = DEFAULT.name) -> Iterator[World]:
    """
    Make a world on `sqlite` or `postgresql` with so many insured patients and keys of a suite; it is gone afterwards.
    """
    folder = Path(tempfile.mkdtemp(prefix="rx-rig-"))
    try:
        with cluster() if kind == "postgresql" else nullcontext() as running:
            directory = development.read_participants(HERE / "participants.toml")
            development.make(folder / "keys", directory, now=datetime.now(UTC), suite=named(suite))
            databases = {}
            for site, code in CODES.items():
                url = running.create(code.lower()) if running else f"sqlite:///{folder / code}.db"
                upgrade(url, components(site))
                databases[code] = url
            (folder / "databases.json").write_text(json.dumps(databases), "utf-8")
            _insure(folder / "keys", databases[INSURER], patients)
            keys = folder / "keys"
            yield World(folder, databases, development.passwords(keys), pins=development_pins(keys), cluster=running)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _insure(keys: Path, url: str, patients: int) -> None:
    keyring = Keyring.load(keys / INSURER, development_passphrase(keys))
    db = Database.open(url)
    for serial in range(patients):
        person = Insured(pseudonym(keyring, "01", id_number(serial)), AREA, Scheme.EMPLOYEE, Category.ACTIVE)
        db.run(enrol, person, datetime.now(UTC))
    db.close()


def directory(keys: Path) -> Directory:
    """Return who takes part in a world."""
    return Directory.load(keys)

"""
A PostgreSQL cluster to throw away: made on demand, reached over a socket in its own folder, gone afterwards.

Its durability settings are PostgreSQL's own, so that what is tested is what runs.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

ACCOUNTS = ("postgres", "nobody")  # PostgreSQL refuses to run as root
START_SECONDS = 30


def binaries() -> Path | None:
    """
    Return the folder of `initdb` and `postgres`: of $RX_FLOW_POSTGRES_BIN, the newest installed one, or of the PATH.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("postgres")
    given = os.environ.get("RX_FLOW_POSTGRES_BIN")
    for folder in (
        *([Path(given)] if given else []),
        *reversed(installed),
        *([Path(on_path).parent] if on_path else []),
    ):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    A running cluster: its folder, which also holds the socket, and its process.
    """

    folder: Path
    binaries: Path
    process: subprocess.Popen[bytes]

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction, on the maintenance database."""
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database as a copy of another one, and return its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def dump(self, name: str) -> str:
        """Return the statements that make a database what it is."""
        command = [self.binaries / "pg_dump", "--host", self.folder, "--username", "postgres", "--inserts", name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  Our own arguments.

    def create_schema(self, name: str, dumped: str) -> str:
        """
        Make a dumped database anew as a schema of the database `postgres`, and return a URL that sees only it.

        Twenty times as fast as CREATE DATABASE, which copies a thousand files.
        """
        # psql's own commands stand at the beginning of a line; the dump is otherwise plain SQL.
        statements = "\n".join(line for line in dumped.splitlines() if not line.startswith("\\"))
        self.execute(f"BEGIN; CREATE SCHEMA {name}; {statements.replace('public.', name + '.')}; COMMIT")
        return f"{self.url('postgres')}&options=-csearch_path%3D{name}"

    def drop_schema(self, name: str) -> None:
        """Remove a schema."""
        self.execute(f"DROP SCHEMA {name} CASCADE")


def _account() -> dict[str, object]:
    """Choose who runs it: ourselves, unless we are root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(known[name] for name in ACCOUNTS if name in known)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    """Ask the kernel to stop the server when the tests are killed: nobody else would (PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@contextmanager
def cluster(folder: Path | None = None) -> Iterator[Cluster]:
    """
    Make a cluster, start it, and remove it at the end. Raises `RuntimeError` where PostgreSQL is not installed.
    """
    bin_folder = binaries()
    if bin_folder is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql, or set RX_FLOW_POSTGRES_BIN")
    # A socket's path may have 107 bytes at most, so the folder is a short one.
    home = folder or Path(tempfile.mkdtemp(prefix="rxpg-", dir="/tmp"))
    account = _account()
    if account:
        os.chown(home, account["user"], account["group"])  # type: ignore[arg-type]  # They are numbers.
    data = home / "data"
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    subprocess.run(  # noqa: S603  Our own arguments.
        [bin_folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=home,
        env=environment,
        **account,  # type: ignore[call-overload]  # user, group, extra_groups
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  Our own arguments.
            [bin_folder / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "max_connections=200"],
            stdout=log,
            stderr=log,
            cwd=home,
            env=environment,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  No thread runs yet.
            **account,  # type: ignore[call-overload]  # user, group, extra_groups
        )
    running = Cluster(home, bin_folder, process)
    try:
        _await(running)
        yield running
    finally:
        process.send_signal(signal.SIGQUIT)  # immediate: nothing in it is worth a checkpoint
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _await(running: Cluster) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            running.execute("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > deadline or running.process.poll() is not None:
                raise RuntimeError((running.folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return

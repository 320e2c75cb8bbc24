"""
Programs by others that `scripts/foreign` installs into .venv/foreign; a test skips, and says so, where one is missing.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rx_flow.tlog import note
from rx_flow.tlog.note import Key

FOREIGN = Path(__file__).resolve().parents[1] / ".venv" / "foreign"
SCRIPTS = Path(__file__).resolve().parent / "tlog" / "foreign"


def program(name: str) -> str:
    path = FOREIGN / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: scripts/foreign installs it")
    return str(path)


def ran(*command: str) -> tuple[bool, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  our own folder
    good = done.returncode == 0
    return good, done.stdout.strip() if good else f"{done.stdout}{done.stderr}".strip()


@contextmanager
def aics_witness(folder: Path, *logs: Key) -> Iterator[tuple[int, Key]]:
    """aics-witness, serving these logs of ours: its port and its key."""
    command, config = program("bin/aics-witness"), str(folder / "witness.json")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done, said = ran(command, "init", "-c", config, "--name", "witness.example/w1", "--listen", f"127.0.0.1:{port}")
    assert done, said
    found = re.search(r"witness\.example/w1\+[0-9a-f]{8}\+\S+", said)
    assert found, said
    for key in logs:
        done, said = ran(command, "add-log", "-c", config, "--origin", key.name, "--vkey", str(key))
        assert done, said
    with (folder / "witness.log").open("wb") as out:
        running = subprocess.Popen([command, "serve", "-c", config], stdout=out, stderr=out)  # noqa: S603  as above
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port, note.key(found.group())
        finally:
            running.terminate()
            running.wait(20)

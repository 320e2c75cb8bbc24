"""
The services as they are started by hand: all in one process, each alone, and stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
START_SECONDS = 60
CODES = {
    "platform": "C35990000001",
    "settlement": "I35990000001",
    "hospital": "H35010000001",
    "pharmacy": "P35010000001",
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "rx_flow", *arguments]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    subprocess.run(command("keys", "init"), cwd=folder, check=True, env=ENVIRONMENT, capture_output=True)  # noqa: S603  Our own command.
    return folder


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, *arguments: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """Start a service and wait until it answers; whoever uses it stops it."""
    process = subprocess.Popen(  # noqa: S603  Our own command.
        command("serve", *arguments, "--port", str(port)),
        cwd=folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + START_SECONDS
    try:
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
                break
            except httpx2.TransportError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def healthz(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{url}/healthz", timeout=10).json()
    return found


def test_everybody_runs_in_one_process_until_interrupted(house: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served(house, "--data", "together", port=port) as process:
        sites = healthz(url)["sites"]
        pages = [httpx2.get(f"{url}{site['at']}/openapi.json", timeout=30).status_code for site in sites]
        code, said = stop(process)

    assert {site["kind"] for site in sites} == set(CODES)
    assert set(pages) == {200}
    assert f"{url}/platform/docs" in said
    assert (code, "Traceback" in said) == (0, False)


@pytest.mark.parametrize("kind", list(CODES))
def test_each_kind_runs_alone(house: Path, kind: str) -> None:
    port = free_port()
    peers = house / f"{kind}.json"
    peers.write_text(json.dumps({code: f"http://127.0.0.1:{free_port()}" for code in CODES.values()}))
    arguments = (kind, CODES[kind], "--data", f"alone-{kind}", "--peers", str(peers))
    with served(house, *arguments, port=port) as process:
        told = healthz(f"http://127.0.0.1:{port}")
        code, said = stop(process)

    assert told == {"status": "ok", "code": CODES[kind]}
    assert f"{CODES[kind]}  http://127.0.0.1:{port}/docs" in said
    assert (code, "Traceback" in said) == (0, False)


def test_a_port_that_is_taken_is_said(house: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = subprocess.run(  # noqa: S603  Our own command.
            command("serve", "platform", CODES["platform"], "--data", "taken", "--port", port),
            cwd=house,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert ran.returncode == 1
    assert "error cannot_start:" in ran.stderr
    assert "Traceback" not in ran.stderr

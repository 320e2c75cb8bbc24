"""
Services as processes: started on ports of their own, killed, and started again at the same place.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from rx_flow.config import Kind
from scripts.rig.world import CODES, World, ports

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Service:
    """
    One process, how to start it, and where it answers.
    """

    name: str
    command: Sequence[str]
    url: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it does not answer yet."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=out, stderr=out)  # noqa: S603  Our own command.

    def ready(self) -> None:
        """Wait until it answers; `RuntimeError` with its log if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                if httpx2.get(f"{self.url}/healthz", trust_env=False, timeout=2).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not answer:\n{self.log.read_text('utf-8')[-4000:]}")

    def kill(self) -> None:
        """End it at once with SIGKILL, whatever it is doing."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used, user and system."""
        assert self.process is not None  # noqa: S101  It is asked only while it runs.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def tally(self, folder: Path) -> dict[str, int]:
        """Return how many crypto operations it has done (only services run by `host`)."""
        path = folder / f"tally-{self.name}.json"
        path.unlink(missing_ok=True)
        assert self.process is not None  # noqa: S101  It is asked only while it runs.
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 5
        while not path.exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} wrote no tally")
            time.sleep(0.01)
        found: dict[str, int] = json.loads(path.read_text("utf-8"))
        return found


def together(world: World) -> dict[str, Service]:
    """Return one process that holds every institution."""
    (port,) = ports(1)
    peers = world.folder / "peers.json"
    peers.write_text("{}", "utf-8")
    command = [sys.executable, "-P", "-m", "scripts.rig.host", str(world.folder), "all", str(port), str(peers)]
    return {"all": Service("all", command, f"http://127.0.0.1:{port}", world.folder / "all.log")}


def apart(world: World, *, shipped: bool = False) -> dict[str, Service]:
    """
    Return a process for each institution, by code; `shipped` runs them by `rx-flow serve` instead of the rig's host.
    """
    found = dict(zip(CODES.items(), ports(len(CODES)), strict=True))
    peers = world.folder / "peers.json"
    peers.write_text(json.dumps({code: f"http://127.0.0.1:{port}" for (_, code), port in found.items()}), "utf-8")
    services = {}
    for (kind, code), port in found.items():
        command = [sys.executable, "-P", "-m", "scripts.rig.host", str(world.folder), code, str(port), str(peers)]
        if shipped:
            command = _shipped(world, kind, code, port=port, peers=peers)
        services[code] = Service(code, command, f"http://127.0.0.1:{port}", world.folder / f"{code}.log")
    return services


def _shipped(world: World, kind: Kind, code: str, *, port: int, peers: Path) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "rx_flow", "serve", kind.value, code),
        *("--data", str(world.folder), "--keys", str(world.keys), "--peers", str(peers)),
        *("--database-url", world.databases[code], "--port", str(port)),
    ]


@contextmanager
def running(services: dict[str, Service]) -> Iterator[dict[str, Service]]:
    """Start services, wait until they answer, and stop them at the end."""
    try:
        for one in services.values():
            one.start()
        for one in services.values():
            one.ready()
        yield services
    finally:
        for one in services.values():
            one.stop()

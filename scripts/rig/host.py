"""
Runs one institution of a world, or all of them in one process, and writes the tally of crypto operations when asked.

`python -m scripts.rig.host FOLDER CODE|all PORT PEERS.json`; SIGUSR1 writes FOLDER/tally-CODE.json.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from rx_flow.app import build, embedded
from rx_flow.config import Settings
from rx_flow.crypto.suites import tally


def application(folder: Path, code: str, peers: Path) -> ASGIApp:
    """Return the app of `code`, or of everybody."""
    databases = json.loads((folder / "databases.json").read_text("utf-8"))
    if code == "all":
        return embedded(folder, folder / "keys", databases=databases)
    urls = tuple(json.loads(peers.read_text("utf-8")).items())
    return build(Settings(code, databases[code], folder / "keys", urls=urls))


def main(folder: Path, code: str, port: int, peers: Path) -> None:
    """Serve until SIGTERM."""

    def write(*_: object) -> None:
        unfinished = folder / f"tally-{code}.new"
        unfinished.write_text(json.dumps(tally), "utf-8")
        unfinished.rename(folder / f"tally-{code}.json")

    signal.signal(signal.SIGUSR1, write)
    # uvicorn raises the signal again when it has shut down; the profile is still to be written then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    if profile := os.environ.get("RIG_PROFILE"):
        import cProfile  # noqa: PLC0415  Only where a profile is asked for.

        profiler = cProfile.Profile()
        profiler.enable()
        _serve(application(folder, code, peers), port)
        profiler.disable()
        profiler.dump_stats(f"{profile}-{code}.prof")
        return
    _serve(application(folder, code, peers), port)


def _serve(app: ASGIApp, port: int) -> None:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False
    )
    gc.collect()
    gc.freeze()  # as `rx-flow serve` does
    uvicorn.Server(config).run()  # on uvloop, as `rx-flow serve` does


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))

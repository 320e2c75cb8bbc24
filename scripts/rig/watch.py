"""
Somebody outside who watches the platform's logs: keeps every checkpoint ever served, and asks for all of it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
from sqlalchemy import Connection

from rx_flow.config import log_domain
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.chains import Chains
from rx_flow.record.log.files import fetching
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.report import NotVerified
from rx_flow.tlog.verify import Ask, verify
from scripts.rig.judge import Verdict
from scripts.rig.world import AREA, PLATFORM, World

SECONDS = 0.05  # between two looks at the checkpoint
PUBLISHED_SECONDS = 30.0


class Watch:
    """
    Watches the log of one pooling area.
    """

    def __init__(self, place: World, url: str) -> None:
        self._url, self._database = f"{url}/audit/{AREA}/checkpoint", place.databases[PLATFORM]
        public = (place.keys / "public" / f"{PLATFORM}.{AREA}.log.pub").read_text("utf-8").split()
        origin = f"{log_domain(PLATFORM)}/{AREA}"
        self._policy = Policy(logs=tuple(Key(origin, Kind.LOG, bytes.fromhex(one)) for one in public))
        self._seen: dict[bytes, bytes] = {}  # the signed text -> the note as it was served
        self._over = threading.Event()
        self._faults: list[str] = []
        self._looks = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what is served, as quickly as it changes, until the end."""
        thread = threading.Thread(target=self._poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def look(self) -> None:
        """Verify the whole log as the dead left it, against every checkpoint that was served."""
        self._looks += 1
        db = Database.open(self._database)
        try:
            self._faults += db.look(self._verify)
        finally:
            db.close()

    def wait_until_published(self) -> None:
        """Wait until a checkpoint covers everything that was recorded."""
        deadline = time.monotonic() + PUBLISHED_SECONDS
        db = Database.open(self._database)
        try:
            while not db.look(_all_published):
                if time.monotonic() > deadline:
                    self._faults.append("something recorded was never published")
                    return
                time.sleep(0.2)
        finally:
            db.close()

    def judge(self, verdict: Verdict) -> None:
        """Say what was seen, and every fault."""
        self.look()
        verdict.note |= {"checkpoints served and kept": len(self._seen), "verifications of the whole log": self._looks}
        verdict.faults += list(dict.fromkeys(self._faults))

    def _poll(self) -> None:
        with httpx2.Client(trust_env=False, timeout=2) as client:
            while not self._over.wait(SECONDS):
                try:
                    answer = client.get(self._url)
                except httpx2.HTTPError:
                    continue
                if answer.status_code == httpx2.codes.OK:
                    self._seen.setdefault(answer.content.partition(b"\n\n")[0], answer.content)

    def _verify(self, tx: Connection) -> list[str]:
        log = store.load(tx, AREA)
        if log is None:
            return [] if not self._seen else ["there is no log, and checkpoints were served"]
        chains = Chains(AREA)
        ask = Ask(saved=tuple(self._seen.values()), each=chains.take)
        if checkpoints.last(tx, AREA, log.epoch) is None:
            return [] if not self._seen else ["there is no checkpoint, and some were served"]
        faults: list[str] = []
        try:
            verify(_as_committed(tx, log), self._policy, ask)
        except NotVerified as broken:
            faults += [f"log: {one.fault} {one.where}" for one in broken.report.findings]
        return faults + [f"log: {what} at {index} in {chain}" for what, index, chain in chains.findings]


def _as_committed(tx: Connection, log: store.Log) -> Callable[[str], bytes | None]:
    return fetching(tx, log)


def _all_published(tx: Connection) -> bool:
    log = store.load(tx, AREA)
    if log is None or AREA in store.waiting(tx):
        return False
    newest = checkpoints.last(tx, AREA, log.epoch)
    return newest is not None and newest.size == log.size

"""
Read from its entries alone, a log tells whether each chain in it is whole; and its files are those that others expect.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection
from walking import NOW

from rx_flow.crypto import canonical
from rx_flow.crypto.ed25519 import Seed
from rx_flow.record import audit
from rx_flow.record.audit import Entry
from rx_flow.record.database import Database
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.chains import FINDINGS_MAX, Break, Chains
from rx_flow.record.log.files import fetching, file, paths
from rx_flow.tlog import checkpoint
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.verify import Ask, verify

AREA = "350100"


def entry(chain: str, seq: object, prev: object, *, area: str = AREA, mark: str = "") -> bytes:
    return canonical.dumps({"area": area, "chain": chain, "seq": seq, "prev": prev, "mark": mark})


def linked(chain: str, count: int) -> list[bytes]:
    found: list[bytes] = []
    for seq in range(1, count + 1):
        found.append(entry(chain, seq, canonical.digest(found[-1]) if found else ""))
    return found


def read(entries: list[bytes]) -> Chains:
    chains = Chains(AREA)
    for index, one in enumerate(entries):
        chains.take(index, one)
    chains.finish()
    return chains


def test_whole_chains_in_any_mixture_are_in_order() -> None:
    a, b = linked("a", 4), linked("b", 2)
    chains = read([a[0], b[0], a[1], a[2], b[1], a[3]])
    assert (chains.findings, chains.count, chains.entries, chains.found) == ([], 2, 6, 0)


def test_an_entry_may_stand_before_its_predecessor_within_a_turn() -> None:
    a = linked("a", 4)
    assert read([a[0], a[2], a[3], a[1]]).findings == []
    assert read([a[3], a[2], a[1], a[0]]).findings == []


a4 = linked("a", 4)


@pytest.mark.parametrize(
    ("entries", "due"),
    [
        ([a4[0], a4[2]], [(Break.GAP, 1, "a")]),
        ([a4[0], a4[2], a4[3]], [(Break.GAP, 1, "a"), (Break.GAP, 2, "a")]),
        ([a4[1]], [(Break.GAP, 0, "a")]),
        ([a4[0], a4[0]], [(Break.REPEATED, 1, "a")]),
        ([a4[0], a4[2], a4[2], a4[1]], [(Break.REPEATED, 2, "a")]),
        ([a4[0], entry("a", 2, "ab" * 32)], [(Break.WRONG_PREV, 1, "a")]),
        ([a4[0], entry("a", 2, "")], [(Break.WRONG_PREV, 1, "a")]),
        ([a4[0], entry("a", 2, "not hex")], [(Break.WRONG_PREV, 1, "a")]),
        ([entry("a", 1, "ab" * 32)], [(Break.WRONG_PREV, 0, "a")]),
        ([entry("a", 1, "", area="350200")], [(Break.WRONG_AREA, 0, "a")]),
        ([b"{"], [(Break.UNREADABLE, 0, "")]),
        ([b"[]"], [(Break.UNREADABLE, 0, "")]),
        ([b"{}"], [(Break.UNREADABLE, 0, "")]),
        ([entry("a", "1", "")], [(Break.UNREADABLE, 0, "")]),
        ([entry("a", 0, "")], [(Break.UNREADABLE, 0, "")]),
        ([entry("a", 1, None)], [(Break.UNREADABLE, 0, "")]),
        ([a4[0], entry("a", 2, canonical.digest(a4[0]), mark="other"), a4[2]], [(Break.WRONG_PREV, 2, "a")]),
    ],
)
def test_what_is_wrong_with_a_chain_is_named(entries: list[bytes], due: list[tuple[Break, int, str]]) -> None:
    assert read(entries).findings == due


def test_very_many_findings_are_counted_and_some_shown() -> None:
    chains = read([b"{"] * (FINDINGS_MAX + 5))
    assert (len(chains.findings), chains.found) == (FINDINGS_MAX, FINDINGS_MAX + 5)


def test_the_files_of_a_log_are_all_that_a_verifier_wants(db: Database, tmp_path: Path) -> None:
    signer = Seed(bytes(range(32)))

    def record(tx: Connection, since: int) -> None:
        for n in range(since, since + 300):
            origin = audit.Origin("C35010000001", f"t{n}")
            audit.append(tx, Entry(at=NOW, origin=origin, actor=None, action="look"))
        log = store.sequence(tx, AREA, "example/log", now=NOW).log
        signed = checkpoint.sign(Checkpoint(log.origin, log.size, log.edge.root()), signer)
        checkpoints.put(tx, AREA, epoch=1, size=log.size, signed=signed, now=NOW)

    def look(tx: Connection) -> None:
        log = store.load(tx, AREA)
        assert log is not None
        for path in paths(tx, log):
            data = file(tx, log, path)
            assert data is not None
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        assert file(tx, log, "tile/0/002.p/89") is None
        assert file(tx, log, "tile/8/0/000") is None
        assert file(tx, log, "../secret") is None
        chains = Chains(AREA)
        policy = Policy(logs=(Key("example/log", Kind.LOG, signer.public),))
        for fetch in (fetching(tx, log), lambda path: (tmp_path / path).read_bytes()):
            chains = Chains(AREA)
            assert verify(fetch, policy, Ask(each=chains.take)).checkpoint is not None
            chains.finish()
            assert (chains.found, chains.entries) == (0, 600)

    db.run(record, 0)
    db.run(record, 300)
    db.look(look)
    assert db.look(store.names) == (AREA,)


def test_a_log_without_a_checkpoint_has_no_files(db: Database) -> None:
    def work(tx: Connection) -> None:
        log = store.begin(tx, AREA, "example/log", epoch=1, now=NOW)
        assert list(paths(tx, log)) == []
        assert file(tx, log, "checkpoint") is None

    db.run(work)

"""
A bundle of log entries: exactly those asked for, each with what proves it, judged here by the verifier alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from rx_flow.crypto import canonical
from rx_flow.crypto.ed25519 import Seed
from rx_flow.evidence import logged
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import bundles, store
from rx_flow.record.log.bundles import TooMany, Wanted, gather, sealed
from rx_flow.record.log.leader import Alone
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy, parse

AREA, SITE = "350100", "C35010000001"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SEED = Seed(bytes(range(32)))
ORIGIN = f"log.example/{AREA}"
KEY = Key(ORIGIN, Kind.LOG, SEED.public)
POLICY = Policy(logs=(KEY,))


def record(tx: Connection, count: int, *, since: int) -> None:
    """Entries of one chain, the third of each ten about somebody."""
    for n in range(since, since + count):
        personal = ((audit.PATIENT, f"person-{n}"), ("other", "x")) if n % 10 == 3 else ()
        origin = Origin(SITE, "", personal=personal)
        audit.append(tx, Entry(NOW + timedelta(seconds=n), origin, None, "look", purpose=str(n)))


async def signed(db: Database, guards: Path, *counts: int) -> list[bytes]:
    """Entries in batches, a checkpoint after each; the checkpoints."""
    sequencer = Sequencer(db, {AREA: SEED}, "log.example", guards, lambda: NOW, Alone())
    found: list[bytes] = []
    sequencer.on_published = lambda _, note: found.append(note)
    since = 0
    for count in counts:
        await db.transact(record, count, since=since)
        await sequencer.turn()
        since += count
    return found


def bundle(db: Database, wanted: Wanted, *, witnesses: Policy | None = None) -> dict[str, bytes]:
    def look(tx: Connection) -> dict[str, bytes]:
        log = store.load(tx, AREA)
        assert log is not None
        return gather(tx, log, wanted, keys=[KEY], witnesses=witnesses)

    return db.look(look)


def numbers(members: dict[str, bytes]) -> list[int]:
    return sorted(int(name[8:17]) for name in members if name.startswith("entries/"))


SPAN = Wanted(since=NOW + timedelta(seconds=5), until=NOW + timedelta(seconds=8))


@pytest.mark.parametrize(
    ("wanted", "due"),
    [
        (Wanted(chain=f"site:{SITE}"), list(range(30))),
        (Wanted(index=0), [0]),
        (Wanted(index=29), [29]),
        (SPAN, [5, 6, 7]),
    ],
)
async def test_a_bundle_holds_what_was_asked_for_and_each_entry_is_proved(
    db: Database, tmp_path: Path, wanted: Wanted, due: list[int]
) -> None:
    await signed(db, tmp_path, 20, 10)
    members = bundle(db, wanted)
    assert numbers(members) == due
    assert [canonical.loads(line)["purpose"] for line in members[bundles.TABLE].splitlines()] == [  # type: ignore[index, call-overload]  JSON objects
        str(n) for n in due
    ]
    assert parse(members[bundles.POLICY]).logs == (KEY,)
    assert bundles.DISCLOSURES not in members
    whole = sealed(members, origin=ORIGIN, now=NOW, more=[("VERIFY.md", b"how")])
    judged = logged.judge(whole, POLICY)
    assert (judged.size, judged.checked["entries"]) == (30, len(due))
    manifest: Any = canonical.loads(whole[bundles.MANIFEST])
    assert (manifest["entries"], manifest["kind"], manifest["origin"]) == (len(due), bundles.KIND, ORIGIN)
    assert set(manifest["sums"]) == {*members, "VERIFY.md"}


async def test_only_the_values_that_were_asked_for_are_disclosed(db: Database, tmp_path: Path) -> None:
    await signed(db, tmp_path, 30)
    members = bundle(db, Wanted(chain=f"site:{SITE}", disclose=frozenset({audit.PATIENT})))
    judged = logged.judge(sealed(members, origin=ORIGIN, now=NOW), POLICY)
    assert judged.opened == {n: {audit.PATIENT: f"person-{n}"} for n in (3, 13, 23)}


async def test_what_no_checkpoint_covers_is_left_out(db: Database, tmp_path: Path) -> None:
    await signed(db, tmp_path, 10)
    await db.transact(record, 5, since=10)
    await db.transact(store.sequence, AREA, ORIGIN, now=NOW)  # numbered, and not signed
    assert numbers(bundle(db, Wanted(chain=f"site:{SITE}"))) == list(range(10))
    with pytest.raises(TooMany, match="no published"):
        bundle(db, Wanted(index=10))


async def test_a_log_that_was_never_signed_gives_no_bundle(db: Database) -> None:
    await db.transact(record, 3, since=0)
    await db.transact(store.sequence, AREA, ORIGIN, now=NOW)
    with pytest.raises(TooMany, match="no published"):
        bundle(db, Wanted(index=0))


async def test_too_many_entries_are_no_bundle(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await signed(db, tmp_path, 10)
    monkeypatch.setattr(bundles, "ENTRIES_MAX", 9)
    with pytest.raises(TooMany, match="more than 9"):
        bundle(db, Wanted(chain=f"site:{SITE}"))


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(since=NOW), Wanted(until=NOW)])
async def test_something_has_to_be_asked_for(db: Database, tmp_path: Path, wanted: Wanted) -> None:
    await signed(db, tmp_path, 3)
    with pytest.raises(ValueError, match="a chain, a time range or an index"):
        bundle(db, wanted)


async def test_what_the_receiver_holds_is_shown_to_be_the_beginning(db: Database, tmp_path: Path) -> None:
    held = await signed(db, tmp_path, 7, 5, 9)
    wanted = Wanted(index=3, held=tuple(held))
    judged = logged.judge(sealed(bundle(db, wanted), origin=ORIGIN, now=NOW), POLICY)
    assert judged.checked["consistency"] == 3


def forged(size: int, root: bytes, origin: str = ORIGIN) -> bytes:
    return checkpoint.sign(Checkpoint(origin, size, root), SEED)


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        (forged(21, bytes(32)), Fault.LOG_SHRANK),
        (forged(7, bytes(32)), Fault.HISTORY_REWRITTEN),
        (forged(7, bytes(32), "log.example/359900"), Fault.WRONG_ORIGIN),
    ],
)
async def test_a_checkpoint_of_another_history_is_a_finding(
    db: Database, tmp_path: Path, held: bytes, fault: Fault
) -> None:
    await signed(db, tmp_path, 7, 13)
    with pytest.raises(Broken) as broken:
        bundle(db, Wanted(index=3, held=(held,)))
    assert broken.value.fault is fault


async def test_the_policy_of_the_witnesses_goes_with_it(db: Database, tmp_path: Path) -> None:
    await signed(db, tmp_path, 3)
    other = replace(KEY, public=Seed(bytes(32)).public)
    members = bundle(db, Wanted(index=1), witnesses=Policy(logs=(KEY, other)))
    assert parse(members[bundles.POLICY]).logs == (KEY, other)
    assert note.read(members[bundles.CHECKPOINT]).text.startswith(ORIGIN)

"""
What auditors ask the platform over HTTP: answered to auditors alone, on the record, and without anything personal.
"""

# ruff: noqa: ANN401  JSON.
from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from platform_world import (
    AILMENT,
    CARD,
    DOCTOR,
    HOSPITAL,
    NAME,
    NOW,
    OTHER_DOCTOR,
    PHARMACY,
    PLATFORM,
    REVIEWER,
    Keys,
    World,
    problem,
    world,
)
from sqlalchemy import text

from rx_flow.auth.log import parties
from rx_flow.crypto.packages import open_package, seal
from rx_flow.crypto.pki import renewal
from rx_flow.crypto.pki.lists import Why
from rx_flow.law.prescription import Patient
from rx_flow.law.standing import State
from rx_flow.platform.log import readers
from rx_flow.record import audit, dossier
from rx_flow.record.log import checkpoints
from rx_flow.tlog import note

AREA = "350100"


@pytest.fixture
def auditor(w: World) -> dict[str, str]:
    return read_by(w)


def read_by(w: World) -> dict[str, str]:
    secret = w.site.keyring.access_token_secret
    token = readers.grant(secret, PLATFORM, "chen", now=NOW, lifetime=timedelta(days=2))
    return {"authorization": f"Bearer {token}"}


async def ask(w: World, auditor: dict[str, str], path: str, **asked: Any) -> Any:
    answer = await w.client.get(f"/audit/{path}", params=asked, headers=auditor)
    assert answer.status_code == 200, answer.text
    assert not any(word in answer.text for word in (NAME, CARD, AILMENT))
    return answer.json()


def actions(answer: Any) -> list[str]:
    return [one["entry"]["action"] for one in answer["entries"]]


async def read(w: World) -> list[tuple[str, str]]:
    """Which questions are on the record, and by whom."""
    found = [one for one in await w.entries() if one["action"] == readers.READ and one["outcome"] == "ok"]
    return [(one["actor"]["id"], one["purpose"]) for one in found]


async def test_any_question_is_answered_and_is_an_entry_itself(w: World, auditor: dict[str, str]) -> None:
    rx = await w.at(State.CLAIMED)
    found = await ask(w, auditor, "entries", rx=rx, person=DOCTOR, outcome="ok", action=["submit", "approve"])

    assert actions(found) == ["submit"]
    assert "提交处方（草稿 → 已签名）" in found["entries"][0]["text"]
    assert "patient" not in str(found["entries"][0]["entry"]["actor"])
    assert await read(w) == [("auditor-chen", f"entries: rx={rx} person={DOCTOR} actions=submit,approve outcome=ok")]
    again = await ask(w, auditor, "entries", person="auditor-chen", lang="en")
    reader = f"auditor-chen, auditor, Institution {PLATFORM} read the audit log"
    before = f"rx={rx} person={DOCTOR} actions=submit,approve outcome=ok"
    assert [one["text"][20:] for one in again["entries"]] == [
        f"{reader} (asked for person=auditor-chen).",
        f"{reader} (asked for {before}).",
    ]


async def test_pages_follow_one_another(w: World, auditor: dict[str, str]) -> None:
    await w.at(State.DISPENSED)
    whole = await ask(w, auditor, "entries", until=(NOW + timedelta(days=1)).isoformat(), limit=1000)
    found: list[Any] = []
    after: dict[str, str] = {}
    for _ in range(100):
        part = await ask(w, auditor, "entries", until=(NOW + timedelta(days=1)).isoformat(), limit=3, **after)
        found += part["entries"]
        if part["next"] is None:
            break
        after = {"after": part["next"]}

    places = [(one["chain"], one["seq"]) for one in found]
    assert len(places) == len(set(places))
    assert {(one["chain"], one["seq"]) for one in whole["entries"]} <= set(places)


@pytest.mark.parametrize(
    "path",
    ["entries", "denied", "report?day=2026-11-23", f"prescriptions/{AREA}-7M2K9Q4T1V8B3XHR/timeline",
     "gaps?since=2026-11-23T00:00:00%2B08:00&until=2026-11-24T00:00:00%2B08:00"],
)  # fmt: skip
async def test_nobody_else_reads_the_log(w: World, path: str) -> None:
    assert problem(await w.client.get(f"/audit/{path}")) == (401, "unauthenticated")
    for caller in (HOSPITAL, PHARMACY):
        assert problem(await w.get(caller, f"/audit/{path}")) == (403, "wrong_role")
    body = {"id_number": CARD}
    assert problem(await w.post(HOSPITAL, "/audit/patients/accesses", body)) == (403, "wrong_role")
    assert await w.denied() == [(readers.READ, "wrong_role")] * 3
    assert await read(w) == []


async def test_all_accesses_to_a_patient_are_found_by_the_identity_in_the_body(
    w: World, auditor: dict[str, str]
) -> None:
    rx = await w.at(State.ACCEPTED)
    somebody = Patient("某", "990000198001011236", "1", date(1980, 1, 1))
    await w.released("N2", p=w.prescription("N2", patient=somebody))
    await w.post(None, "/patient/view", {"code": w.code(rx)})
    answer = await w.client.post("/audit/patients/accesses", json={"id_number": CARD}, headers=auditor)
    found = answer.json()

    assert {one["chain"] for one in found["entries"]} == {rx}
    assert actions(found) == ["view", "open", "open"]
    assert CARD not in answer.text
    pseudonym = w.site.keyring.pseudonym("01", CARD)
    assert await read(w) == [
        ("auditor-chen", f"accesses: patient={pseudonym[:8]} actions=export,look,lookup,open,read_log,view")
    ]
    same = await w.client.post("/audit/patients/accesses", json={"pseudonym": pseudonym}, headers=auditor)
    assert same.json()["entries"] == found["entries"]
    other = await w.client.post("/audit/patients/accesses", json={"id_number": CARD, "id_type": "02"}, headers=auditor)
    assert other.json() == {"entries": [], "next": None}
    both = {"id_number": CARD, "pseudonym": pseudonym}
    for body in ({}, both):
        assert problem(await w.client.post("/audit/patients/accesses", json=body, headers=auditor)) == (
            422,
            "malformed",
        )
    assert all(CARD not in str(one) for one in await w.entries())


def marks(answer: Any) -> list[tuple[str, str, str, str]]:
    return [
        (one["entry"]["action"], one["signature"]["found"], one["inclusion"]["found"], one["witnessed"]["found"])
        for one in answer["entries"]
    ]


async def published(w: World, guards: Path) -> None:
    """One turn of the sequencer; what it signed is written down apart from other tests' logs."""
    assert w.site.logs is not None
    w.site.logs.sequencer.guards = guards
    await w.site.logs.sequencer.turn()


async def cosigned(w: World) -> None:
    """Two of the sites cosign the newest checkpoint of the area."""
    signed = await w.site.db.read(checkpoints.last, AREA, 1)
    assert signed is not None
    body, lines = note.read(signed.note).text, []
    for code in (HOSPITAL, PHARMACY):
        key = w.keys.ring(code).log_key(parties.WITNESS)
        lines.append(note.cosign(body, parties.witness_name(code), key, time=int(NOW.timestamp())))
    await w.site.db.transact(checkpoints.cosign, AREA, epoch=1, size=signed.size, lines=lines)


async def test_a_timeline_marks_each_entry_apart(w: World, auditor: dict[str, str], tmp_path: Path) -> None:
    rx = await w.at(State.CLAIMED)
    await w.claim(rx)  # refused: it is claimed
    told = await ask(w, auditor, f"prescriptions/{rx}/timeline")
    waits = ("undetermined", "undetermined")
    assert marks(told) == [
        ("submit", "verified", *waits), ("approve", "verified", *waits), ("release", "verified", *waits),
        ("claim", "verified", *waits), ("open", "none", *waits), ("claim", "undetermined", *waits),
        (readers.READ, "none", *waits),
    ]  # fmt: skip
    assert told["breaks"] == []
    assert told["entries"][0]["inclusion"]["text"] == "未能确定：该机构没有可验证日志"

    await published(w, tmp_path)
    told = await ask(w, auditor, f"prescriptions/{rx}/timeline", lang="en")
    assert marks(told)[0] == ("submit", "verified", "verified", "undetermined")
    assert told["entries"][0]["witnessed"]["text"] == "not determined: fewer than a quorum have cosigned"
    assert marks(told)[-1] == (readers.READ, "none", *waits)
    assert told["entries"][-1]["inclusion"]["why"] == "not_published"


async def test_a_timeline_names_what_was_altered(w: World, auditor: dict[str, str], tmp_path: Path) -> None:
    rx = await w.at(State.CLAIMED)
    await published(w, tmp_path)
    await cosigned(w)
    good = await ask(w, auditor, f"prescriptions/{rx}/timeline")
    assert marks(good)[3] == ("claim", "verified", "verified", "verified")
    assert good["entries"][3]["witnesses_of"] >= len(good["entries"][3]["witnesses"]) == 2

    def behind(tx: Any) -> None:
        if tx.dialect.name == "sqlite":
            tx.execute(text("DROP TRIGGER audit_entry_not_changed"))
        else:
            tx.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        (body,) = tx.execute(text("SELECT body FROM audit_entry WHERE chain = :rx AND seq = 1"), {"rx": rx}).one()
        forged = bytes(body).replace(DOCTOR.encode(), b"D350100000002")
        tx.execute(text("UPDATE audit_entry SET body = :b WHERE chain = :rx AND seq = 1"), {"b": forged, "rx": rx})
        tx.execute(text("DELETE FROM package WHERE first_seq = 4"))

    await w.site.db.transact(behind)
    told = await ask(w, auditor, f"prescriptions/{rx}/timeline")
    assert marks(told)[0] == ("submit", "failed", "failed", "undetermined")
    assert told["entries"][0]["signature"]["text"] == "核验不通过：签名人与记录不符"
    assert marks(told)[3] == ("claim", "failed", "verified", "verified")
    assert told["breaks"] == [1]


def signatures(answer: Any) -> dict[str, tuple[str, str]]:
    return {
        one["entry"]["action"]: (one["signature"]["found"], one["signature"]["why"])
        for one in answer["entries"]
        if one["entry"]["document"]
    }


GOOD, RESTS, MISSING = ("verified", ""), ("verified", "rests_on_failed"), ("failed", "missing")


async def test_a_signer_s_revocation_undoes_that_document_alone(
    keys: Keys, fresh_database: Callable[..., str], tmp_path: Path
) -> None:
    folder = shutil.copytree(keys.folder, tmp_path / "keys")
    async with world(Keys(folder), fresh_database("record", "auth", "platform")) as w:
        rx = await w.at(State.CLAIMED)
        w.wait(hours=1)
        renewal.revoke(
            folder, REVIEWER, Why.KEY_COMPROMISE, now=w.now, passphrase=w.keys.passphrase, since=NOW - timedelta(days=1)
        )
        w.site.trust.refresh(folder)
        told = await ask(w, read_by(w), f"prescriptions/{rx}/timeline")

    revoked = ("failed", "certificate_revoked")
    assert signatures(told) == {"submit": GOOD, "approve": revoked, "release": RESTS, "claim": RESTS}
    texts = [one["signature"]["text"] for one in told["entries"][:3]]
    assert texts == ["已核验", "核验不通过：证书已吊销", "已核验：所依据的在前文书不成立"]


async def test_a_document_put_into_a_package_in_place_of_another_leaves_the_others_standing(
    w: World, auditor: dict[str, str]
) -> None:
    rx = await w.at(State.CLAIMED)
    first = (await w.site.db.read(dossier.packages, rx))[0]
    _, *others = open_package(first.body, w.keys.ring(PLATFORM).opening, rx=rx)
    forged = w.sign(OTHER_DOCTOR, "prescription", rx, {"action": "submit"}, seq=1, prev="")
    body = seal([forged.raw, *others, "x"], w.keys.trust.reader(PLATFORM, w.now), rx=rx)

    await altered(w, "package", "UPDATE package SET body = :body WHERE rx = :rx AND first_seq = 1", rx=rx, body=body)
    told = signatures(await ask(w, auditor, f"prescriptions/{rx}/timeline"))
    assert told == {"submit": MISSING, "approve": RESTS, "release": RESTS, "claim": RESTS}

    await altered(w, "document", "UPDATE document SET seq = 7 WHERE rx = :rx AND seq = 3", rx=rx)
    told = signatures(await ask(w, auditor, f"prescriptions/{rx}/timeline"))
    moved = ("failed", "out_of_place")
    assert told == {"submit": MISSING, "approve": RESTS, "release": moved, "claim": moved}

    await altered(w, "package", "UPDATE package SET body = 'x' WHERE rx = :rx AND first_seq = 1", rx=rx)
    told = signatures(await ask(w, auditor, f"prescriptions/{rx}/timeline"))
    assert {told["submit"], told["approve"]} == {("failed", "bad_json")}

    await altered(w, "package", "DELETE FROM package WHERE rx = :rx", rx=rx)
    told = signatures(await ask(w, auditor, f"prescriptions/{rx}/timeline"))
    assert set(told.values()) == {MISSING}


async def altered(w: World, table: str, statement: str, **values: Any) -> None:
    """What somebody with the database's password does, behind the application's back."""

    def behind(tx: Any) -> None:
        if tx.dialect.name == "sqlite":
            wanted = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name")
            for name in tx.scalars(wanted, {"name": table}).all():
                tx.execute(text(f"DROP TRIGGER {name}"))
        else:
            tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        tx.execute(text(statement), values)

    await w.site.db.transact(behind)


async def test_asking_of_what_is_not_there_leaves_no_chain(w: World, auditor: dict[str, str]) -> None:
    answer = await w.client.get(f"/audit/prescriptions/{AREA}-7M2K9Q4T1V8B3XHR/timeline", headers=auditor)

    assert problem(answer) == (404, "not_found")
    assert [one["rx"] for one in await w.entries()] == [None]


async def test_the_day_is_reported(w: World, auditor: dict[str, str]) -> None:
    rx = await w.at(State.ACCEPTED)
    await w.claim(rx)
    told = await ask(w, auditor, "report", day="2026-11-23")
    assert (told["quiet"], told["gaps"], told["unfounded"]["count"], told["late"]["count"]) == (False, [], 0, 0)
    assert told["denied"] == [
        {"code": "wrong_state", "person": PHARMACY, "institution": PHARMACY, "action": "claim", "count": 1}
    ]
    assert {one["action"]: one["count"] for one in told["actions"]}["submit"] == 1
    assert (await ask(w, auditor, "report", day="2026-11-22"))["quiet"]
    denied = await ask(w, auditor, "denied")
    assert [(one["entry"]["code"], one["entry"]["actor"]["id"]) for one in denied["entries"]] == [
        ("wrong_state", PHARMACY)
    ]
    assert [purpose for _, purpose in await read(w)] == [
        "report: 2026-11-23",
        "report: 2026-11-22",
        "denied: outcome=denied",
    ]


async def test_gaps_are_told(w: World, auditor: dict[str, str]) -> None:
    late = w.story(w.prescription(valid_days=3), at=NOW)
    w.wait(hours=25)
    assert (await w.hand_over(*late)).status_code == 200
    span = {"since": NOW.isoformat(), "until": (NOW + timedelta(days=2)).isoformat()}
    told = await ask(w, auditor, "gaps", **span)
    assert [(one["kind"], one["seq"]) for one in told["gaps"]] == [("late", 1), ("late", 2), ("late", 3)]
    span["until"] = (NOW + timedelta(days=40)).isoformat()
    long = await w.client.get("/audit/gaps", params=span, headers=auditor)
    assert problem(long) == (422, "malformed")


async def test_a_long_reading_holds_nobody_up(w: World, auditor: dict[str, str]) -> None:
    """Twenty thousand entries are read of, and the loop that answers everybody never stands still meanwhile."""
    rx = await w.at(State.CLAIMED)
    await w.site.db.transact(_copied, rx, 20_000)
    span = {"since": (NOW - timedelta(days=1)).isoformat(), "until": (NOW + timedelta(days=30)).isoformat()}
    for path, asked in (("gaps", span), ("report", {"day": "2026-11-23"})):
        began, answered, longest = monotonic(), 0, 0.0
        reading = asyncio.create_task(w.client.get(f"/audit/{path}", params=asked, headers=auditor))
        while not reading.done():
            asking = monotonic()
            await asyncio.sleep(0)
            assert (await w.client.get("/pki/")).status_code == 200
            longest = max(longest, monotonic() - asking)
            answered += 1
        took = monotonic() - began
        assert (await reading).status_code == 200
        assert answered > 20, (path, answered, took)
        assert longest < took / 3, (path, longest, took)


def _copied(tx: Any, rx: str, count: int) -> None:
    """So many entries of that day, as if one prescription had been looked at again and again."""
    last = audit.entries(tx, rx=rx, limit=1)[0]
    columns = ("area", "chain", "rx", "prev", "body", "recorded_at", "action", "outcome")
    tx.execute(
        text(
            f"WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < :count) "  # noqa: S608  names of columns
            f"INSERT INTO audit_entry ({', '.join(columns)}, seq, digest) "
            f"SELECT {', '.join(columns)}, seq + k, prev FROM audit_entry, n WHERE chain = :rx AND seq = :seq"
        ),
        {"count": count, "rx": rx, "seq": last.seq},
    )

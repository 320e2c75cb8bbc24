"""
The prescription sheet of a hospital: made of its own verified documents, sealed by its own key, recorded as a reading.
"""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from counter_world import AILMENT, CARD, HOSPITAL, NAME, OTHER_HOSPITAL, PHARMACY, World
from sqlalchemy import text

from rx_flow.cli.proof import sheet
from rx_flow.cli.trouble import Trouble
from rx_flow.crypto.pickup import normalise
from rx_flow.evidence.sheet import sealed
from rx_flow.evidence.sheet.content import Sheet
from rx_flow.hospital.printing import printed
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.record.audit import Origin, entries

BY = Actor(HOSPITAL, Role.HOSPITAL, HOSPITAL)


async def said(w: World, rx: str) -> Sheet:
    site = w.sites[HOSPITAL]
    return await site.db.transact(
        printed,
        RxId(rx),
        BY,
        keyring=site.keyring,
        trust=site.trust,
        names={PHARMACY: "一店"},
        purpose="sheet, review",
        origin=Origin(HOSPITAL, ""),
        now=w.now,
    )


async def test_the_sheet_carries_the_code_of_the_slip_and_its_reading_is_recorded(w: World) -> None:
    rx, code = await w.released(nominated=PHARMACY)

    found = await said(w, rx)
    assert found.pickup is not None
    assert normalise(found.pickup.text) == normalise(code)
    assert (found.hospital, found.prescriber.name, found.reviewer.name) == ("甲医院", "王医生", "林药师")
    assert (found.name, found.nominated, found.notice != "") == (NAME, "一店", True)
    (last,) = await w.sites[HOSPITAL].db.read(entries, rx=rx, limit=1)
    assert (last.content["action"], last.content["purpose"]) == ("open", "sheet, review")


async def test_what_was_sent_back_once_is_printed_as_it_was_signed_last(w: World) -> None:
    rx = await w.signed()
    await w.send_back(rx)
    await w.submit(line={"quantity": 5, "days": 5})
    await w.approve(rx)
    await w.release(rx)

    assert [one.quantity.split()[0] for one in (await said(w, rx)).drugs] == ["5"]


async def test_what_has_not_left_the_house_has_no_sheet_and_leaves_no_trace_of_one(w: World) -> None:
    rx = await w.approved()

    with pytest.raises(Refused) as refused:
        await said(w, rx)
    assert refused.value.code is Code.WRONG_STATE
    assert [one[1] for one in await w.entries(HOSPITAL, rx=rx)].count("open") == 0


async def test_what_was_erased_has_no_sheet(w: World) -> None:
    rx, _ = await w.released()
    erase = text("update document set sealed = null where rx = :rx and seq = 1")
    await w.sites[HOSPITAL].db.transact(lambda tx: tx.execute(erase, {"rx": rx}))

    with pytest.raises(Refused) as refused:
        await said(w, rx)
    assert refused.value.code is Code.NOT_FOUND


def wanted(w: World, rx: str) -> sheet.Wanted:
    keys = w.keys.folder
    return sheet.Wanted(RxId(rx), data=keys, keys=keys, database_url=w.databases[HOSPITAL], purpose="review")


async def test_the_file_is_for_its_owner_alone_and_its_seal_holds(w: World, tmp_path: Path) -> None:
    rx, _ = await w.released()
    out = tmp_path / "sheet.pdf"
    out.write_bytes(b"old")
    out.chmod(0o644)

    size = await asyncio.to_thread(sheet.write, wanted(w, rx), out, now=w.now)
    pdf = out.read_bytes()
    found = sealed.check(pdf, (w.keys.folder / "root.pem").read_bytes())
    assert (len(pdf), found.signer.id, found.title) == (size, HOSPITAL, f"处方笺 {rx}")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for personal in (NAME, CARD, AILMENT):
        assert personal.encode() not in pdf
        assert personal.encode("utf-16-be") not in pdf


async def test_what_no_hospital_here_has_issued_is_not_found(w: World, tmp_path: Path) -> None:
    await w.released()
    out = tmp_path / "sheet.pdf"

    with pytest.raises(Trouble) as trouble:
        await asyncio.to_thread(sheet.write, wanted(w, "350100-0000000000000000"), out, now=w.now)
    assert trouble.value.code == "not_found"
    assert not out.exists()
    assert OTHER_HOSPITAL not in w.sites

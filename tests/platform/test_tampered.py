"""
Somebody with access to the platform's database changes a row: whoever opens it next is told, and so is the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from platform_world import HOSPITAL, INSURER, PHARMACY, World, problem
from sqlalchemy import Connection, delete, update

from rx_flow.law.standing import State
from rx_flow.record.tables import package


def one_byte(body: str) -> str:
    found = json.loads(body)
    text = found["ciphertext"]
    found["ciphertext"] = ("A" if text[0] != "A" else "B") + text[1:]
    return json.dumps(found, separators=(",", ":"), sort_keys=True)


def no_package(_: str) -> str:
    return "{}"


async def tamper(w: World, rx: str, change: Callable[[str], str]) -> None:
    def change_it(tx: Connection) -> None:
        c = package.c
        row = tx.execute(package.select().where(c.rx == rx, c.first_seq == 1)).one()
        tx.execute(update(package).where(c.rx == rx, c.first_seq == 1).values(body=change(row.body)))

    await w.site.db.transact(change_it)


@pytest.mark.parametrize("change", [one_byte, no_package])
async def test_a_changed_package_is_caught_before_the_claim(w: World, change: Callable[[str], str]) -> None:
    rx = await w.released()
    await tamper(w, rx, change)

    answer = await w.claim(rx)

    assert problem(answer) == (422, "bad_document")
    assert await w.state(rx) is State.AVAILABLE
    assert (await w.denied(), (await w.entries(rx=rx))[-1]["outcome"]) == ([("claim", "bad_document")], "denied")


async def test_a_changed_package_is_caught_at_every_later_opening(w: World) -> None:
    rx = await w.at(State.SETTLED)
    await tamper(w, rx, one_byte)

    for who in (PHARMACY, INSURER):
        assert problem(await w.get(who, f"/prescriptions/{rx}/dossier")) == (422, "bad_document")
    assert problem(await w.post(None, "/patient/view", {"code": w.code(rx)})) == (422, "bad_document")
    assert sorted(await w.denied()) == [("open", "bad_document"), ("open", "bad_document"), ("view", "bad_document")]


async def test_the_package_of_another_prescription_or_of_none_in_its_place(w: World) -> None:
    rx, other, gone = await w.released("N1"), await w.released("N2"), await w.released("N3")
    theirs = await w.site.db.read(lambda tx: tx.execute(package.select().where(package.c.rx == other)).one().body)
    await tamper(w, rx, lambda _: theirs)
    await w.site.db.transact(lambda tx: tx.execute(delete(package).where(package.c.rx == gone)) and None)

    assert problem(await w.claim(rx)) == (422, "bad_document")
    assert problem(await w.claim(gone)) == (422, "bad_document")


async def test_true_documents_that_were_never_recorded(w: World) -> None:
    """A package that verifies, with the hospital's signatures, but not the one that the record speaks of."""
    rx = await w.released()
    w.wait(minutes=1)
    other = w.sealed(rx, *w.story(w.prescription(department="心内科")))
    await tamper(w, rx, lambda _: other)

    assert problem(await w.claim(rx)) == (422, "bad_document")


async def test_the_second_review_notices_too(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    await tamper(w, rx, one_byte)

    assert problem(await w.accept(rx)) == (422, "bad_document")
    assert problem(await w.get(HOSPITAL, f"/prescriptions/{rx}/dossier")) == (403, "wrong_role")

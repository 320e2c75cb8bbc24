"""
Across the road: handing over to the platform, whether it answers or not, and calling a prescription back.
"""

from __future__ import annotations

import hashlib

import orjson
from counter_world import (
    AILMENT,
    CARD,
    DOCTOR,
    HOSPITAL,
    NAME,
    OTHER_HOSPITAL,
    PLATFORM,
    REVIEWER,
    World,
    problem,
    rx_of,
)
from sqlalchemy import Connection, update

from rx_flow.crypto.pickup import code_sha256, normalise
from rx_flow.law.standing import State
from rx_flow.record import dossier
from rx_flow.record.advance import load
from rx_flow.record.tables import document

DIGEST = hashlib.sha256(b"never signed").hexdigest()


async def at_platform(w: World, rx: str) -> State | None:
    standing = await w.sites[PLATFORM].db.read(load, rx)
    return None if standing is None else standing.state


async def here(w: World, rx: str) -> tuple[State, int]:
    standing = await w.sites[HOSPITAL].db.read(load, rx)
    assert standing is not None
    return standing.state, standing.seq


async def test_while_the_platform_is_down_a_release_waits_and_arrives_once(w: World) -> None:
    w.gates[PLATFORM].way = "down"
    rx = await w.approved()
    released = await w.release(rx)
    body = released.json()
    assert (released.status_code, body["state"], body["status"]) == (202, "available", "pending")
    became = await w.get(DOCTOR, f"/{rx}/documents/{body['document']}")
    assert (became.json()["status"], became.json()["state"]) == ("pending", "available")

    w.gates[PLATFORM].way = "open"
    await w.delivered(HOSPITAL, PLATFORM, rx)

    assert await at_platform(w, rx) is State.AVAILABLE
    assert w.gates[PLATFORM].passed.count("POST /prescriptions/receive") == 1
    became = await w.get(DOCTOR, f"/{rx}/documents/{body['document']}")
    assert became.json()["status"] == "delivered"


async def test_a_lost_answer_changes_nothing(w: World) -> None:
    w.gates[PLATFORM].way = "deaf"
    rx = await w.approved()
    assert (await w.release(rx)).status_code == 202
    assert await at_platform(w, rx) is State.AVAILABLE

    w.gates[PLATFORM].way = "open"
    await w.delivered(HOSPITAL, PLATFORM, rx)

    assert len(await w.sites[PLATFORM].db.read(dossier.documents, rx)) == 3
    assert (await w.get(DOCTOR, f"/{rx}")).json()["status"] == "delivered"


async def test_a_released_prescription_is_revoked_by_way_of_the_platform(w: World) -> None:
    rx, _ = await w.released()
    revoked = await w.revoke(rx)

    assert (revoked.status_code, revoked.json()["state"], revoked.json()["status"]) == (200, "revoked", "delivered")
    assert await at_platform(w, rx) is State.REVOKED
    assert await here(w, rx) == (State.REVOKED, 4)
    assert problem(await w.revoke(rx)) == (409, "wrong_state")
    assert [one[1:3] for one in await w.entries(HOSPITAL, rx=rx)][-2:] == [("revoke", "ok"), ("revoke", "denied")]


async def test_a_revocation_waits_and_a_second_one_is_not_begun(w: World) -> None:
    rx, _ = await w.released()
    w.gates[PLATFORM].way = "deaf"  # asked where it stands it answers; what is handed over gets lost
    revoked = await w.revoke(rx)
    assert (revoked.status_code, revoked.json()["state"], revoked.json()["status"]) == (202, "available", "pending")
    assert await here(w, rx) == (State.AVAILABLE, 3)

    second = problem(await w.revoke(rx))
    assert second in {(409, "conflict"), (409, "wrong_state")}  # the platform has it already, our answer is lost
    w.gates[PLATFORM].way = "open"
    await w.delivered(HOSPITAL, PLATFORM, rx)

    assert await here(w, rx) == (State.REVOKED, 4)
    became = await w.get(DOCTOR, f"/{rx}/documents/{revoked.json()['document']}")
    assert (became.json()["status"], became.json()["state"]) == ("delivered", "revoked")


async def test_what_is_still_on_its_way_can_be_revoked_behind_it(w: World) -> None:
    w.gates[PLATFORM].way = "down"
    rx = await w.approved()
    assert (await w.release(rx)).status_code == 202
    assert (await w.revoke(rx)).status_code == 202
    assert problem(await w.revoke(rx)) == (409, "conflict")

    w.gates[PLATFORM].way = "open"
    await w.delivered(HOSPITAL, PLATFORM, rx)

    assert await at_platform(w, rx) is State.REVOKED
    assert await here(w, rx) == (State.REVOKED, 4)


async def test_without_the_platform_nobody_knows_what_to_revoke(w: World) -> None:
    rx, _ = await w.released()
    w.gates[PLATFORM].way = "down"

    assert problem(await w.revoke(rx)) == (503, "peer_unreachable")
    assert await here(w, rx) == (State.AVAILABLE, 3)


async def test_what_the_platform_refuses_is_said_in_its_words_and_can_be_revoked_in_the_house(w: World) -> None:
    w.gates[PLATFORM].way = "down"
    rx = await w.approved()
    assert (await w.release(rx)).status_code == 202
    w.gates[PLATFORM].way = "open"
    w.wait(days=-1)  # the platform's clock is a day behind: signed in the future
    await w.delivered(HOSPITAL, PLATFORM, rx)
    w.wait(days=1)

    assert await at_platform(w, rx) is None
    opened = (await w.get(DOCTOR, f"/{rx}")).json()
    assert (opened["state"], opened["status"], opened["code"]) == ("available", "refused", "clock_skew")
    assert ("release", "clock_skew") in await w.denied(HOSPITAL)
    revoked = await w.revoke(rx)
    assert (revoked.status_code, revoked.json()["state"], revoked.json()["status"]) == (200, "revoked", "local")


async def test_the_slip_is_the_same_again_and_is_stored_nowhere(w: World, database_kind: str) -> None:
    rx, code = await w.released()
    again = await w.get(REVIEWER, f"/{rx}/pickup")

    assert (again.status_code, again.json()["pickup_code"]) == (200, code)
    assert ("open", "ok") in [one[1:3] for one in await w.entries(HOSPITAL, rx=rx)]
    if database_kind == "sqlite":
        plain = normalise(code)
        for site in (HOSPITAL, PLATFORM):
            found = w.stored(site)
            assert rx.encode() in found
            for secret in (code, plain, plain.lower(), code_sha256(plain)):
                assert secret.encode() not in found, site
                assert bytes.fromhex(code_sha256(plain)) not in found, site


async def test_there_is_no_slip_before_the_release_nor_after_the_revocation(w: World) -> None:
    rx = await w.approved()
    assert problem(await w.get(REVIEWER, f"/{rx}/pickup")) == (409, "wrong_state")
    await w.release(rx)
    await w.revoke(rx)
    assert problem(await w.get(REVIEWER, f"/{rx}/pickup")) == (409, "wrong_state")


async def test_no_personal_data_stands_in_clear_in_any_file(w: World, database_kind: str) -> None:
    rx = await w.signed()
    await w.send_back(rx, reason=f"{NAME}的剂量有误")
    await w.submit()
    await w.approve(rx, reason="审核理由甲乙丙")
    await w.release(rx)
    await w.revoke(rx, reason="撤销理由丁戊己")
    await w.get(DOCTOR, f"/{rx}")
    if database_kind != "sqlite":
        return
    for site in (HOSPITAL, PLATFORM):
        found = w.stored(site)
        for canary in (NAME, CARD, AILMENT, "审核理由甲乙丙", "撤销理由丁戊己"):
            for spelling in (canary.encode(), orjson.dumps(canary).strip(b'"'), canary.encode("utf-16-le")):
                assert spelling not in found, (site, canary)


async def test_a_strangers_prescription_answers_like_none_at_all(w: World) -> None:
    await w.signed()
    foreign, unknown = rx_of("N1", OTHER_HOSPITAL, "350200"), rx_of("never")
    texts = set()
    for rx in (foreign, unknown):
        answers = [
            await w.get(DOCTOR, f"/{rx}"),
            await w.get(DOCTOR, f"/{rx}/pickup"),
            await w.get(DOCTOR, f"/{rx}/documents/{DIGEST}"),
            await w.approve(rx),
            await w.send_back(rx),
            await w.release(rx),
            await w.revoke(rx),
        ]
        assert {problem(one) for one in answers} == {(404, "not_found")}
        texts.add(str([{**one.json(), "trace": ""} for one in answers]))
    assert len(texts) == 1


async def test_what_became_of_a_document_nobody_signed_is_not_found(w: World) -> None:
    rx = await w.signed()

    assert problem(await w.get(DOCTOR, f"/{rx}/documents/{DIGEST}")) == (404, "not_found")
    assert problem(await w.get(DOCTOR, f"/{rx}/documents/short")) == (422, "malformed")


async def test_an_erased_document_cannot_be_released(w: World) -> None:
    """What the database no longer holds is not handed over, and the refusal says no more than that."""

    def erase(tx: Connection, rx: str) -> None:
        tx.execute(update(document).where(document.c.area == rx[:6], document.c.rx == rx).values(sealed=None))

    rx = await w.approved()
    await w.sites[HOSPITAL].db.transact(erase, rx)

    assert problem(await w.release(rx)) == (404, "not_found")
    assert await here(w, rx) == (State.APPROVED, 2)

"""
Who can claim what, what a second pharmacist may say to it, and when the own copy opens.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import orjson
from counter_world import (
    AILMENT,
    CARD,
    HOSPITAL,
    NAME,
    OTHER_PHARMACIST,
    OTHER_PHARMACY,
    PHARMACIST,
    PHARMACY,
    PLATFORM,
    World,
    problem,
    rx_of,
)
from sqlalchemy import Connection, select, update

from rx_flow.crypto.pickup import code_sha256, normalise
from rx_flow.law.standing import State
from rx_flow.record import dossier
from rx_flow.record.advance import load
from rx_flow.record.tables import package

DIGEST = hashlib.sha256(b"never signed").hexdigest()


async def at_platform(w: World, rx: str) -> State:
    standing = await w.sites[PLATFORM].db.read(load, rx)
    assert standing is not None
    return standing.state


async def hand_back(w: World, rx: str, *, who: str = PHARMACIST) -> Any:  # noqa: ANN401  An HTTP response, as the world's others.
    return await w.post(who, f"/{rx}/hand_back", {"reason": "本店暂无库存"})


async def refuse(w: World, rx: str, *, reason: str = "用法有疑问") -> Any:  # noqa: ANN401  As above.
    return await w.post(PHARMACIST, f"/{rx}/refuse", {"pin": w.pin(PHARMACIST), "reason": reason})


async def copies(w: World, code: str, rx: str) -> int:
    return len(await w.sites[code].db.read(dossier.packages, rx))


async def test_handed_back_it_goes_elsewhere_and_the_copy_is_gone(w: World, database_kind: str) -> None:
    rx, code = await w.released()
    assert (await w.claim(code)).status_code == 200
    assert (await w.get(PHARMACIST, f"/{rx}")).json()["documents"][0]["body"]["patient"]["name"] == NAME
    assert problem(await w.claim(code, who=OTHER_PHARMACIST)) == (409, "wrong_state")

    back = await hand_back(w, rx)
    assert (back.status_code, back.json()["state"]) == (200, "available")
    assert problem(await w.get(PHARMACIST, f"/{rx}")) == (409, "wrong_state")
    assert await copies(w, PHARMACY, rx) == 0
    if database_kind == "sqlite":
        site = w.sites[PHARMACY]
        assert site.db.look(lambda tx: tx.scalars(select(package.c.body)).all()) == []
    assert problem(await w.accept(rx)) == (409, "wrong_state")

    there = await w.claim(code, who=OTHER_PHARMACIST)
    assert (there.status_code, there.json()["seq"]) == (200, 6), there.text
    opened = (await w.get(OTHER_PHARMACIST, f"/{rx}")).json()["documents"]
    assert [one["body"]["action"] for one in opened][3:] == ["claim", "hand_back", "claim"]
    assert (await hand_back(w, rx, who=OTHER_PHARMACIST)).status_code == 200
    again = await w.claim(code)
    assert (again.status_code, again.json()["seq"]) == (200, 8), again.text
    assert (await w.accept(rx)).json()["state"] == "accepted"


async def test_refused_it_ends_and_the_copy_is_gone(w: World) -> None:
    rx = await w.claimed()
    assert problem(await refuse(w, rx, reason=" ")) == (422, "reason_required")
    refused = await refuse(w, rx)

    assert (refused.status_code, refused.json()["state"]) == (200, "refused")
    assert await at_platform(w, rx) is State.REFUSED
    assert await copies(w, PHARMACY, rx) == 0
    assert problem(await w.get(PHARMACIST, f"/{rx}")) == (409, "wrong_state")


async def test_revoked_elsewhere_the_copy_does_not_open_any_more(w: World) -> None:
    rx = await w.claimed()
    assert (await w.revoke(rx)).status_code == 200

    assert problem(await w.get(PHARMACIST, f"/{rx}")) == (409, "wrong_state")
    assert await copies(w, PHARMACY, rx) == 0
    assert (await w.get(PHARMACIST, "?state=revoked")).json()["prescriptions"][0]["rx"] == rx
    standing = await w.sites[HOSPITAL].db.read(load, rx)
    assert standing is not None
    assert (standing.state, standing.seq) == (State.REVOKED, 5)


async def test_a_step_after_a_revocation_is_refused_in_the_platforms_words_and_ends_the_holding(w: World) -> None:
    rx = await w.claimed()
    await w.revoke(rx)

    assert problem(await w.accept(rx)) == (409, "wrong_state")
    assert await copies(w, PHARMACY, rx) == 0
    assert ("accept", "wrong_state") in await w.denied(PHARMACY)
    assert problem(await hand_back(w, rx)) == (409, "wrong_state")


async def test_out_of_date_it_neither_opens_nor_passes(w: World) -> None:
    rx = await w.claimed()
    w.gates[PLATFORM].way = "down"
    w.wait(hours=14)  # midnight in China

    assert problem(await w.get(PHARMACIST, f"/{rx}")) == (410, "out_of_date")
    assert problem(await w.accept(rx)) == (410, "out_of_date")


async def test_a_nomination_is_claimed_without_a_code_by_that_pharmacy_alone(w: World) -> None:
    rx, code = await w.released(nominated=PHARMACY)

    assert [one["rx"] for one in (await w.get(PHARMACIST, "/nominated")).json()["prescriptions"]] == [rx]
    assert (await w.get(OTHER_PHARMACIST, "/nominated")).json() == {"prescriptions": []}
    assert problem(await w.claim(code, who=OTHER_PHARMACIST)) == (403, "nominated_elsewhere")
    assert problem(await w.post(OTHER_PHARMACIST, "/claim", {"rx": rx})) == (404, "not_found")
    claimed = await w.post(PHARMACIST, "/claim", {"rx": rx})
    assert (claimed.status_code, claimed.json()["state"]) == (200, "claimed"), claimed.text


async def test_a_claim_names_one_thing_and_a_real_code(w: World) -> None:
    rx, code = await w.released()
    other = ("0" if code[-1] != "0" else "1").join((code[:-1], ""))

    assert problem(await w.post(PHARMACIST, "/claim", {})) == (422, "malformed")
    assert problem(await w.post(PHARMACIST, "/claim", {"rx": rx, "code": code})) == (422, "malformed")
    assert problem(await w.claim(other)) == (422, "malformed_code")
    assert problem(await w.claim("00000-00000-00000-00000")) == (404, "not_found")
    assert problem(await w.claim("x")) == (422, "malformed_code")
    assert problem(await w.post(PHARMACIST, "/claim", {"rx": rx})) == (404, "not_found")


async def test_second_clicks_change_nothing(w: World) -> None:
    rx, code = await w.released()
    await w.headers(PHARMACIST)
    answers = await asyncio.gather(*(w.claim(code) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409]
    assert problem(await w.claim(code)) == (409, "wrong_state")
    answers = await asyncio.gather(*(w.accept(rx) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409]
    assert problem(await w.accept(rx)) == (409, "wrong_state")

    assert len(await w.sites[PLATFORM].db.read(dossier.documents, rx)) == 5


async def test_a_serious_finding_wants_an_answer_here_too(w: World) -> None:
    submitted = await w.post("D350100000001", "/submit", w.risky())
    rx = submitted.json()["rx"]
    await w.approve(rx, reason="已与医师确认")
    code = (await w.release(rx)).json()["pickup_code"]
    await w.claim(code)

    w.gates[PLATFORM].way = "down"  # it is our own review that says so, before anything leaves
    assert problem(await w.accept(rx)) == (422, "finding_unanswered")
    w.gates[PLATFORM].way = "open"
    accepted = await w.accept(rx, reason="同意医院意见")
    assert accepted.status_code == 200
    assert "indication_outside_scope" in [one["check"] for one in accepted.json()["findings"]]


async def test_a_wrong_pin_signs_nothing(w: World) -> None:
    rx = await w.claimed()
    wrong = "".join(str((int(digit) + 1) % 10) for digit in w.pin(PHARMACIST))

    assert problem(await w.post(PHARMACIST, f"/{rx}/accept", {"pin": wrong})) == (401, "wrong_pin")
    assert await at_platform(w, rx) is State.CLAIMED


async def test_what_another_pharmacy_holds_is_like_what_does_not_exist(w: World) -> None:
    rx = await w.claimed()
    texts = set()
    for each in (rx, rx_of("never")):
        pin = {"pin": w.pin(OTHER_PHARMACIST), "reason": "x"}
        answers = [
            await w.get(OTHER_PHARMACIST, f"/{each}"),
            await w.get(OTHER_PHARMACIST, f"/{each}/documents/{DIGEST}"),
            await w.accept(each, who=OTHER_PHARMACIST),
            await w.post(OTHER_PHARMACIST, f"/{each}/refuse", pin),
            await hand_back(w, each, who=OTHER_PHARMACIST),
            await w.post(OTHER_PHARMACIST, f"/{each}/reverse", {"reason": "x"}),
            await w.post(OTHER_PHARMACIST, f"/{each}/settle", {"quote": DIGEST}),
            await w.post(OTHER_PHARMACIST, f"/{each}/take_back", pin),
            await w.post(OTHER_PHARMACIST, "/claim", {"rx": each}),
        ]
        assert {problem(one) for one in answers} == {(404, "not_found")}, [one.text for one in answers]
        texts.add(str([{**one.json(), "trace": ""} for one in answers]))
    assert len(texts) == 1
    assert (await w.get(OTHER_PHARMACIST)).json()["prescriptions"] == []


async def test_the_platform_down_means_pending_and_then_once(w: World) -> None:
    rx = await w.claimed()
    w.gates[PLATFORM].way = "down"
    pending = await w.accept(rx)
    body = pending.json()
    assert (pending.status_code, body["status"], body["state"]) == (202, "pending", None)
    assert problem(await w.accept(rx)) == (409, "conflict")
    assert problem(await hand_back(w, rx)) == (409, "conflict")
    assert (await w.get(PHARMACIST)).json()["prescriptions"][0]["pending"] == body["document"]

    w.gates[PLATFORM].way = "open"
    await w.delivered(PHARMACY, PLATFORM, rx)
    became = (await w.get(PHARMACIST, f"/{rx}/documents/{body['document']}")).json()
    assert (became["status"], became["state"], became["seq"]) == ("recorded", "accepted", 5)
    assert w.gates[PLATFORM].passed.count(f"POST /prescriptions/{rx}/accept") == 1
    assert [one[1:3] for one in await w.entries(PHARMACY, rx=rx)][-1] == ("accept", "ok")


async def test_a_claim_whose_answer_is_lost_is_completed_later(w: World, database_kind: str) -> None:
    rx, code = await w.released()
    w.gates[PLATFORM].way = "deaf"
    lookup_lost = await w.claim(code)
    assert problem(lookup_lost) == (503, "peer_unreachable")
    w.gates[PLATFORM].way = "open"
    assert (await w.claim(code)).status_code == 200
    assert (await w.get(PHARMACIST, f"/{rx}")).status_code == 200
    await hand_back(w, rx)

    site = w.sites[PHARMACY]
    peers_post = site.peers.post

    async def shut_after_lookup(to: str, path: str, body: Any) -> Any:  # noqa: ANN401  As the real one.
        answer = await peers_post(to, path, body)
        if path.endswith("/lookup"):
            w.gates[PLATFORM].way = "deaf"
        return answer

    site.peers.post = shut_after_lookup  # type: ignore[method-assign]  The line breaks at a chosen moment.
    pending = await w.claim(code)
    assert pending.status_code == 202, pending.text
    if database_kind == "sqlite":
        found = w.stored(PHARMACY)
        for secret in (code, normalise(code), code_sha256(code)):
            assert secret.encode() not in found
    site.peers.post = peers_post  # type: ignore[method-assign]  It holds again.
    w.gates[PLATFORM].way = "open"
    await w.delivered(PHARMACY, PLATFORM, rx)
    assert (await w.get(PHARMACIST, "?state=claimed")).json()["prescriptions"][0]["rx"] == rx
    assert (await w.accept(rx)).status_code == 200


async def test_what_was_tampered_with_on_its_way_can_only_be_handed_back(w: World) -> None:
    """The platform's vault would notice; here its answer is altered behind it."""
    _, code = await w.released()
    site = w.sites[PHARMACY]
    peers_post = site.peers.post

    async def tampered(to: str, path: str, body: Any) -> Any:  # noqa: ANN401  As the real one.
        answer = await peers_post(to, path, body)
        if not path.endswith("/claim"):
            return answer
        found = orjson.loads(answer.body)
        inner = orjson.loads(found["packages"][0]["body"])
        first = inner["ciphertext"][0]
        inner["ciphertext"] = ("A" if first != "A" else "B") + inner["ciphertext"][1:]
        found["packages"][0]["body"] = orjson.dumps(inner).decode()
        return type(answer)(answer.status, orjson.dumps(found))

    site.peers.post = tampered  # type: ignore[method-assign]  Somebody sits between the two.
    claimed = await w.claim(code)
    assert problem(claimed) == (422, "bad_document")
    rx = (await w.get(PHARMACIST)).json()["prescriptions"][0]["rx"]
    assert (await w.get(PHARMACIST)).json()["prescriptions"][0]["fault"] == "bad_document"
    assert problem(await w.accept(rx)) == (422, "bad_document")
    assert problem(await w.get(PHARMACIST, f"/{rx}")) == (422, "bad_document")
    assert (await hand_back(w, rx)).status_code == 200
    site.peers.post = peers_post  # type: ignore[method-assign]  Nobody does any more.
    assert (await w.claim(code)).status_code == 200


async def test_a_story_shorter_than_the_one_signed_for_is_not_believed(w: World) -> None:
    """A platform that leaves out what happened since the release is found out: the claim names what it follows."""
    rx, code = await w.released()
    await w.claim(code)
    await hand_back(w, rx)
    site = w.sites[PHARMACY]
    peers_post = site.peers.post

    async def shortened(to: str, path: str, body: Any) -> Any:  # noqa: ANN401  As the real one.
        answer = await peers_post(to, path, body)
        if not path.endswith("/claim"):
            return answer
        found = orjson.loads(answer.body)
        return type(answer)(answer.status, orjson.dumps({**found, "packages": found["packages"][:1]}))

    site.peers.post = shortened  # type: ignore[method-assign]  The platform lies.
    assert problem(await w.claim(code)) == (409, "document_out_of_order")
    assert await copies(w, PHARMACY, rx) == 0


async def test_the_own_database_is_not_believed(w: World) -> None:
    """Two copies exchanged: each opens with our key, and neither is what its prescription says."""
    first, second = await w.claimed("N1"), await w.claimed("N2")

    def exchange(tx: Connection) -> None:
        bodies = {row.rx: row.body for row in tx.execute(select(package.c.rx, package.c.body))}
        for rx, other in ((first, second), (second, first)):
            tx.execute(update(package).where(package.c.rx == rx).values(body=bodies[other]))

    await w.sites[PHARMACY].db.transact(exchange)
    assert problem(await w.get(PHARMACIST, f"/{first}")) == (422, "bad_document")
    assert problem(await w.accept(second)) == (422, "bad_document")
    assert await at_platform(w, second) is State.CLAIMED


async def test_nothing_personal_stands_in_clear_at_the_pharmacy(w: World, database_kind: str) -> None:
    rx, code = await w.released()
    await w.claim(code)
    await w.get(PHARMACIST, f"/{rx}")
    await w.accept(rx, reason="审核理由甲乙丙")
    await w.post(PHARMACIST, f"/{rx}/hand_back", {"reason": "退回理由丁戊己"})
    await w.claim(code)
    await refuse(w, rx, reason="拒绝理由庚辛壬")
    if database_kind != "sqlite":
        return
    for site in (PHARMACY, PLATFORM, OTHER_PHARMACY):
        found = w.stored(site)
        for canary in (
            NAME,
            CARD,
            AILMENT,
            "审核理由甲乙丙",
            "退回理由丁戊己",
            "拒绝理由庚辛壬",
            code,
            normalise(code),
        ):
            for spelling in (canary.encode(), orjson.dumps(canary).strip(b'"'), canary.encode("utf-16-le")):
                assert spelling not in found, (site, canary)


async def test_lists_page_and_every_opening_is_recorded(w: World) -> None:
    rxs = []
    for n in range(3):
        rxs.append(await w.claimed(f"N{n}"))
        w.wait(minutes=1)
    first = (await w.get(PHARMACIST, "?limit=2")).json()["prescriptions"]
    then = (await w.get(PHARMACIST, f"?limit=2&before={first[-1]['rx']}")).json()["prescriptions"]
    assert [one["rx"] for one in (*first, *then)] == rxs[::-1]
    assert first[0]["lines"] == [{"n": 1, "drug": "XA02BCA084B001010100453", "quantity": 7, "unit": "支"}]

    await w.get(PHARMACIST, f"/{rxs[0]}")
    await w.get(PHARMACIST, f"/{rxs[0]}")
    assert [one[1:3] for one in await w.entries(PHARMACY, rx=rxs[0])] == [
        ("claim", "ok"),
        ("open", "ok"),
        ("open", "ok"),
    ]

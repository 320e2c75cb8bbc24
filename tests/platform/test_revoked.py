"""
A stolen key at the platform: what was recorded before counts, what comes after does not; who cannot know says later.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from platform_world import DOCTOR, HOSPITAL, INSURER, PHARMACY, PLATFORM, Keys, World, problem, world

from rx_flow.auth.peer import ASSERTION_TYPE, GRANT
from rx_flow.crypto.pki import authority, renewal
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.path import LISTS
from rx_flow.crypto.tokens import client_assertion, nonce
from rx_flow.law.standing import State
from rx_flow.record import dossier

HOUR = timedelta(hours=1)


@pytest.fixture
async def here(keys: Keys, tmp_path: Path, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """A platform with a folder of keys of its own, for what changes it."""
    folder = shutil.copytree(keys.folder, tmp_path / "keys")
    async with world(Keys(folder), fresh_database("record", "auth", "platform")) as made:
        yield made


def revoke(w: World, what: str, *, since: datetime | None = None, why: Why = Why.KEY_COMPROMISE) -> None:
    """One command; the running site takes the list up as it does by itself."""
    renewal.revoke(w.keys.folder, what, why, now=w.now, passphrase=w.keys.passphrase, since=since)
    w.site.trust.refresh(w.keys.folder)


async def test_a_prescription_recorded_before_its_doctor_s_key_was_stolen_is_dispensed(here: World) -> None:
    rx = await here.released()
    digests = {one.digest for one in await here.site.db.read(dossier.documents, rx)}
    before = here.now
    here.wait(hours=1)
    revoke(here, DOCTOR, since=here.now - HOUR / 2)

    claimed = await here.claim(rx)
    assert claimed.status_code == 200, claimed.text
    told = claimed.json()["recorded"]
    assert told.keys() == digests
    assert {datetime.fromisoformat(at) for at in told.values()} == {before}
    for step in (here.accept, here.settle, here.dispense):
        answer = await step(rx)
        assert answer.status_code == 200, answer.text
    found = await here.get(PHARMACY, f"/prescriptions/{rx}/dossier")
    assert digests < found.json()["recorded"].keys()
    view = await here.client.post("/patient/view", json={"code": here.code(rx)})
    assert view.status_code == 200


async def test_nobody_is_told_when_nobody_s_key_is_in_question(here: World) -> None:
    rx = await here.released()

    assert (await here.claim(rx)).json()["recorded"] == {}


async def test_a_prescription_recorded_while_the_key_was_in_other_hands_is_held(here: World) -> None:
    rx = await here.released()
    here.wait(hours=1)
    revoke(here, DOCTOR, since=here.now - 2 * HOUR)

    assert problem(await here.claim(rx)) == (422, "certificate_revoked")
    assert await here.state(rx) is State.AVAILABLE
    assert ("claim", "certificate_revoked") in await here.denied()
    view = await here.client.post("/patient/view", json={"code": here.code(rx)})
    assert view.status_code == 200  # nothing is opened for it yet


async def test_who_has_stolen_a_key_cannot_date_a_prescription_back(here: World) -> None:
    """Signed, by what it says, an hour before the revocation; brought a minute after it."""
    story = here.story(here.prescription())
    here.wait(hours=1)
    revoke(here, DOCTOR)
    here.wait(minutes=1)

    assert problem(await here.hand_over(*story)) == (422, "certificate_revoked")
    assert await here.denied() == [("receive", "certificate_revoked")]


async def test_a_revoked_certificate_can_be_replaced_at_once(here: World) -> None:
    revoke(here, DOCTOR)
    pin = here.keys.pins[DOCTOR]
    renewal.renew(here.keys.folder, DOCTOR, now=here.now, passphrase=here.keys.passphrase, pin=pin)
    here.site.trust.refresh(here.keys.folder)
    fresh = World(Keys(here.keys.folder), here.site, here.client, here.time)

    rx = await fresh.released()
    assert await here.state(rx) is State.AVAILABLE


async def test_a_list_that_is_out_of_date_says_later_and_a_new_one_goes_on(here: World) -> None:
    rx = await here.released()
    here.wait(days=11)
    story = here.story(here.prescription("N2"))
    authority.freshen(here.keys.folder, here.now)
    here.keys.trust.refresh(here.keys.folder)  # the hospital has the new lists, the platform has not

    answer = await here.hand_over(*story)
    assert problem(answer) == (503, "certificate_status_unknown")
    assert int(answer.headers["retry-after"]) >= 1
    assert await here.denied() == [("receive", "certificate_status_unknown")]

    here.site.trust.refresh(here.keys.folder)
    assert (await here.hand_over(*story)).status_code == 200
    assert await here.state(rx) is State.AVAILABLE


async def test_stored_documents_of_whom_nobody_can_tell_are_not_handed_out(here: World) -> None:
    rx = await here.at(State.CLAIMED)
    here.site.trust._lists = {}

    assert problem(await here.get(PHARMACY, f"/prescriptions/{rx}/dossier")) == (503, "certificate_status_unknown")


async def asserted(w: World, code: str) -> httpx2.Response:
    assertion = client_assertion(w.keys.ring(code).token, code, PLATFORM, now=w.now, jti=nonce())
    form = {"grant_type": GRANT, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return await w.client.post("/oauth/token", data=form)


async def test_an_institution_whose_key_was_revoked_gets_no_token(here: World) -> None:
    assert (await asserted(here, HOSPITAL)).status_code == 200
    revoke(here, here.keys.ring(HOSPITAL).token.thumbprint, why=Why.SUPERSEDED)

    assert problem(await asserted(here, HOSPITAL)) == (401, "unauthenticated")
    assert (await asserted(here, INSURER)).status_code == 200


async def test_an_institution_of_which_nobody_can_tell_is_asked_to_come_again(here: World) -> None:
    here.site.trust._lists = {}

    assert problem(await asserted(here, HOSPITAL)) == (503, "certificate_status_unknown")


async def test_nothing_is_sealed_for_a_reader_whose_key_was_revoked(here: World) -> None:
    rx = await here.released()
    revoke(here, here.keys.ring(PHARMACY).opening.public.kid)

    assert problem(await here.claim(rx))[1] == "certificate_revoked"
    assert await here.state(rx) is State.AVAILABLE


async def test_the_doors_for_certificates_are_open(here: World) -> None:
    contents = (await here.client.get("/pki/")).json()
    assert [one["name"] for one in contents["authorities"]] == ["root", "institutions-1", "persons-1"]
    for name in ("root", "institutions-1", "persons-1"):
        authority_ = await here.client.get(f"/pki/authorities/{name}.cer")
        listed = await here.client.get(f"/pki/lists/{name}.crl")
        assert (authority_.status_code, authority_.headers["content-type"]) == (200, "application/pkix-cert")
        assert (listed.status_code, listed.headers["content-type"]) == (200, "application/pkix-crl")
        assert listed.content == (here.keys.folder / LISTS / f"{name}.crl").read_bytes()
    for path in ("/pki/authorities/persons-9.cer", "/pki/lists/persons-9.crl"):
        assert problem(await here.client.get(path)) == (404, "not_found")
    for path in ("/pki/lists/..%2Froot.crl", "/pki/lists/PERSONS-1.crl"):
        assert (await here.client.get(path)).status_code in {404, 422}


async def test_certificates_name_people_and_are_for_institutions(here: World) -> None:
    assert problem(await here.client.get("/pki/certificates")) == (401, "unauthenticated")
    answer = await here.get(PHARMACY, "/pki/certificates")
    assert answer.headers["content-type"] == "application/pem-certificate-chain"
    assert answer.text.count("BEGIN CERTIFICATE") == len(here.site.trust.certificates)


async def test_a_site_without_a_responder_s_key_answers_nothing(here: World) -> None:
    here.site.responder = None

    assert problem(await here.client.post("/pki/ocsp", content=b"x")) == (404, "not_found")
    assert problem(await here.client.get("/pki/ocsp/AAAA")) == (404, "not_found")


async def test_what_is_no_request_gets_an_answer_that_says_so(here: World) -> None:
    malformed = b"\x30\x03\x0a\x01\x01"
    answers = [
        await here.client.post("/pki/ocsp", content=b""),
        await here.client.post("/pki/ocsp", content=b"x" * 5000),
        await here.client.get("/pki/ocsp/AAAA"),
        await here.client.get("/pki/ocsp/%ff"),
    ]

    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ocsp-response")
        assert answer.content == malformed

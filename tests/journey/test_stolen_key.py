"""
A doctor's key is stolen, and revoked with one command: what every site makes of it, over HTTP, from end to end.
"""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta

import pytest
from people import Paper, People, done, problem
from province import CHECKER, CODES, DOCTOR, HOSPITAL, PHARMACY, REVIEWER, Keys, Province

from rx_flow.crypto.pki import renewal
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.path import Trust

pytestmark = pytest.mark.asyncio(loop_scope="module")
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def keys(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Keys of this province's own: others must not see what is revoked here."""
    folder = shutil.copytree(keys.folder, tmp_path_factory.mktemp("stolen") / "keys")
    return dataclasses.replace(keys, folder=folder, trust=Trust.load(folder), rings={}, people={})


def known_everywhere(running: Province) -> None:
    """Every site looks into its folder, as it does by itself before long."""
    for code in CODES:
        site = running.site(code)
        site.trust.refresh(site.settings.keys)


async def carried_through(people: People, paper: Paper) -> None:
    """The rest of a prescription's way, and everybody who opens it on that way."""
    done(await people.accept(paper))
    done(await people.quoted(paper))
    done(await people.settle(paper))
    done(await people.dispense(paper))
    for who in (REVIEWER, CHECKER):
        assert len(done(await people.get(who, f"/prescriptions/{paper.rx}"))["documents"]) >= 3
    assert (await people.view(paper))["text"] == "已发药"


async def test_what_was_recorded_before_counts_and_what_comes_after_does_not(people: People, running: Province) -> None:
    done(await people.insure())
    waiting = await people.reach("available")
    claimed = await people.reach("claimed")
    signed = await people.reach("signed")
    running.clock.ahead += 3 * MINUTE
    keys = running.keys

    renewal.revoke(
        keys.folder, DOCTOR, Why.KEY_COMPROMISE, now=running.now, passphrase=keys.passphrase, since=running.now - MINUTE
    )
    known_everywhere(running)

    # Who holds the key signs on; the hospital's own reviewer does not get to see it.
    stolen = people.paper()
    done(await people.submit(stolen))
    assert problem(await people.approve(stolen)) == (422, "certificate_revoked")
    # What was there before goes its way, wherever it was.
    done(await people.claim(waiting))
    for paper in (waiting, claimed):
        await carried_through(people, paper)
    # What only the hospital's own log knows the hospital may go on with; to the platform it was not there before.
    done(await people.approve(signed))
    assert problem(await people.release(signed)) == (422, "certificate_revoked")


async def test_with_a_new_key_the_doctor_goes_on(people: People, running: Province) -> None:
    keys = running.keys
    renewal.renew(keys.folder, DOCTOR, now=running.now, passphrase=keys.passphrase, pin=keys.pins[DOCTOR])
    known_everywhere(running)
    running.tokens.pop(DOCTOR, None)

    await carried_through(people, await people.reach("claimed"))


async def test_a_pharmacy_whose_lists_are_too_old_opens_nothing_until_it_has_new_ones(
    people: People, running: Province
) -> None:
    paper = await people.reach("claimed")
    trust = running.site(PHARMACY).trust
    kept = dict(trust.lists)
    trust._lists = {}

    assert problem(await people.accept(paper)) == (503, "certificate_status_unknown")
    assert problem(await people.get(CHECKER, f"/prescriptions/{paper.rx}")) == (503, "certificate_status_unknown")
    trust._lists = kept
    await carried_through(people, paper)


async def test_a_hospital_that_cannot_tell_shows_nothing(people: People, running: Province) -> None:
    paper = await people.reach("signed")
    trust = running.site(HOSPITAL).trust
    kept = dict(trust.lists)
    trust._lists = {}

    assert problem(await people.approve(paper)) == (503, "certificate_status_unknown")
    trust._lists = kept
    done(await people.approve(paper))

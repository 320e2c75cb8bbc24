"""
A stolen key in the house: what our log knew before the theft counts, whatever time a document states of itself.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from counter_world import AREA, DOCTOR, HOSPITAL, PLATFORM, REVIEWER, Keys, World, problem, world

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings import files
from rx_flow.crypto.pki import renewal
from rx_flow.crypto.pki.lists import Why
from rx_flow.hospital import actions
from rx_flow.hospital.printing import printed
from rx_flow.hospital.routes_models import Submit
from rx_flow.law.standing import Actor, Ask, Facts, Role, RxId
from rx_flow.record import papers
from rx_flow.record.advance import Evidence

HOUR = timedelta(hours=1)


@pytest.fixture
async def here(keys: Keys, tmp_path: Path, fresh_database: Callable[..., str]) -> AsyncIterator[World]:
    """A hospital and the platform with a folder of keys of their own, for what changes it."""
    folder = shutil.copytree(keys.folder, tmp_path / "keys")
    async with world(replace(keys, folder=folder), fresh_database, (HOSPITAL, PLATFORM)) as made:
        yield made


async def stolen(w: World, number: str) -> str:
    """Write down a prescription that states a time two hours before our log tells of it."""
    site = w.sites[HOSPITAL]
    p = Submit(**w.prescription(number)).prescription(HOSPITAL, AREA, DOCTOR, w.now - 2 * HOUR)
    ask = Ask("submit", Actor(DOCTOR, Role.PRESCRIBER, HOSPITAL), p.issued_at, facts=Facts(supply_ok=True))
    standing = await site.db.read(actions.may_submit, p, ask)
    key = files.unlock(w.keys.folder / HOSPITAL, DOCTOR, w.pin(DOCTOR))
    document = papers.sign(key, standing, ask, doc="prescription", body=p.to_body())
    evidence = Evidence(document, "submit", papers.seal(document, site.keyring.at_rest))
    await site.db.transact(actions.submit, p, ask, evidence=evidence, origin=replace(site.origin(), received_at=w.now))
    return str(p.rx)


def revoke(w: World, ago: timedelta) -> None:
    """The doctor's key counts no longer since a while ago; the running site takes the list up as it does by itself."""
    folder, passphrase = w.keys.folder, w.keys.passphrase
    renewal.revoke(folder, DOCTOR, Why.KEY_COMPROMISE, now=w.now, passphrase=passphrase, since=w.now - ago)
    w.sites[HOSPITAL].trust.refresh(folder)


async def sheet(w: World, rx: str) -> None:
    site = w.sites[HOSPITAL]
    by, names = Actor(HOSPITAL, Role.HOSPITAL, HOSPITAL), {HOSPITAL: "甲医院"}
    await site.db.transact(
        printed, RxId(rx), by, keyring=site.keyring, trust=site.trust, names=names, purpose="review",
        origin=site.origin(), now=w.now,
    )  # fmt: skip


async def test_what_was_recorded_after_the_theft_is_neither_reviewed_nor_shown_nor_printed(here: World) -> None:
    here.wait(hours=2)
    waiting, released = await stolen(here, "N1"), await stolen(here, "N2")
    for step in (here.approve, here.release):
        answer = await step(released)
        assert answer.status_code == 200, answer.text
    revoke(here, HOUR)

    for rx in (waiting, released):
        assert problem(await here.get(REVIEWER, f"/{rx}")) == (422, "certificate_revoked")
    assert problem(await here.approve(waiting)) == (422, "certificate_revoked")
    with pytest.raises(Untrusted) as untrusted:
        await sheet(here, released)
    assert untrusted.value.reason is Reason.CERTIFICATE_REVOKED


async def test_what_was_recorded_before_it_goes_on(here: World) -> None:
    rx, (released, _) = await here.signed("N1"), await here.released("N2")
    here.wait(hours=2)
    revoke(here, HOUR)

    assert (await here.get(REVIEWER, f"/{rx}")).status_code == 200
    assert (await here.approve(rx)).status_code == 200
    await sheet(here, released)

"""
A province that changes over to the national algorithms key by key: sites that accept both suites work with everybody,
and one that accepts the old one alone refuses the new for its own reason.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from people import People, done, problem
from province import (
    BEGIN,
    CHECKER,
    CODES,
    DOCTOR,
    FAR_DOCTOR,
    FAR_HOSPITAL,
    FAR_REVIEWER,
    HOSPITAL,
    PHARMACY,
    PICKER,
    PLATFORM,
    REVIEWER,
    Keys,
    Province,
    write_keys,
)
from snapshot import Watch

from rx_flow.crypto.pki import renewal
from rx_flow.crypto.pki.issuing import Kind
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.suites import Name, named

pytestmark = pytest.mark.asyncio(loop_scope="module")
RENEWED = (DOCTOR, FAR_DOCTOR, CHECKER, PICKER, PHARMACY)  # the hospital's pharmacist and seal are still of the old one


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Everybody's keys; some renewed by authorities of the new suite, which all sites but one accept."""
    made = write_keys(tmp_path_factory.mktemp("keys"))
    for kind in Kind:
        renewal.roll(made.folder, kind, now=BEGIN, passphrase=made.passphrase, suite=named(Name.SM))
    for who in RENEWED:
        renewal.renew(made.folder, who, now=BEGIN, passphrase=made.passphrase, pin=made.pins.get(who, ""))
    accepts = {code: (Name.P256.value, Name.SM.value) for code in CODES if code != FAR_HOSPITAL}
    return replace(made, trust=Trust.load(made.folder), accepts=accepts)


async def test_a_prescription_of_both_suites_goes_its_whole_way(
    people: People, watch: Watch, running: Province
) -> None:
    done(await people.insure())
    paper = await people.reach("dispensed")

    assert done(await people.take_back(paper))["state"] == "returned"
    rows = watch.rows(PLATFORM, "SELECT signer FROM document WHERE rx = :rx", rx=paper.rx)
    signers = {str(signer) for (signer,) in rows}
    assert {DOCTOR, REVIEWER, CHECKER, HOSPITAL} <= signers
    assert {running.keys.of(who).suite.name for who in signers & {*RENEWED}} == {"sm"}
    assert {running.keys.of(who).suite.name for who in signers - {*RENEWED}} == {"p256"}


async def test_a_site_that_accepts_the_old_suite_alone_says_so(people: People) -> None:
    paper = people.paper()
    done(await people.submit(paper, who=FAR_DOCTOR))

    assert problem(await people.approve(paper, who=FAR_REVIEWER)) == (422, "suite_not_accepted")

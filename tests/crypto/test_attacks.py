"""
Every attack on what is signed and sealed, in every suite: refused for a reason of its own, before any work is done.

Two witnesses see to the work: our own tally, and a profiler that notices every call into somebody else's library.
"""

from __future__ import annotations

import pytest
from attacks import ATTACKS, EVERYWHERE, ITEMS, SEEN, Attack, header
from forge import NOW, PLATFORM, RX, House, b64, written
from witness import Witness

from rx_flow.crypto import suites, tokens
from rx_flow.crypto.documents import verify_document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.packages import open_package, seal
from rx_flow.crypto.pki.profile import Purpose

WORK = {
    "p256": ({"verify"}, {"ecdh"}, "exchange"),
    "sm": ({"verify"}, {"ecdh"}, "decrypt"),
    "pq": ({"verify", "verify_quantum"}, {"decapsulate"}, "decrypt"),
}


@pytest.fixture(params=EVERYWHERE)
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def there(request: pytest.FixtureRequest, suite: str) -> House:
    """The house whose keys are of this suite."""
    found: House = request.getfixturevalue({"p256": "house", "sm": "national", "pq": "lasting"}[suite])
    return found


@pytest.mark.parametrize(
    ("attack", "suite"),
    [pytest.param(one, name, id=f"{name}: {one.name}") for name in EVERYWHERE for one in ATTACKS if name in one.of],
)
def test_every_attack_is_refused_with_its_reason_and_before_any_work(there: House, attack: Attack) -> None:
    proof = attack.presented(there)
    warm(there)
    before = dict(suites.tally)

    with Witness() as witness, pytest.raises(Untrusted) as refused:
        proof()

    assert refused.value.reason is attack.reason
    assert counted(before) == attack.tallied
    assert witness.seen <= attack.work
    assert attack.hashes or not witness.hashed


def counted(before: dict[str, int]) -> set[str]:
    return {name for name in suites.tally if suites.tally[name] != before[name]}


def warm(house: House) -> None:
    """Certificates are believed once, not once per attack: the walk of a chain is not what is looked for here."""
    for print_, purpose in (
        (house.doctor.thumbprint, Purpose.DOCUMENT),
        (house.hospital.token.thumbprint, Purpose.TOKEN),
        (house.hospital.opening.public.kid, Purpose.PACKAGE),
    ):
        house.trust.certified(print_, purpose, NOW, now=NOW)


def test_every_item_of_the_list_has_a_reason_that_is_no_others() -> None:
    assert len({*ITEMS.values()}) == len(ITEMS)
    assert {*ITEMS.values()} <= {attack.reason for attack in ATTACKS}


def test_every_item_of_the_list_is_tried_in_every_suite_that_has_it() -> None:
    tried = {name: {attack.reason for attack in ATTACKS if name in attack.of} for name in EVERYWHERE}

    assert set(ITEMS.values()) - tried["p256"] == set()
    assert set(ITEMS.values()) - tried["sm"] == {Reason.SIGNATURE_MALLEABLE}
    assert set(ITEMS.values()) - tried["pq"] == {Reason.BAD_POINT}


def test_the_witnesses_see_what_is_work(there: House, suite: str) -> None:
    """A right document is verified, a right package opened: both witnesses must have something to tell."""
    raw, sealed = written(there.doctor), seal(["a"], there.trust.reader(PLATFORM, NOW), rx=RX)
    key = there.hospital.token
    jwt = tokens.client_assertion(key, key.id, PLATFORM, now=NOW, jti="once")
    warm(there)
    verifying, opening, call = WORK[suite]

    for prove in (
        lambda: verify_document(raw, there.trust, SEEN),
        lambda: tokens.verify_assertion(jwt, there.trust, PLATFORM, now=NOW),
    ):
        before = dict(suites.tally)
        with Witness() as verified:
            prove()
        assert counted(before) == verifying
        assert any(name.endswith(".verify") for name in verified.seen)
    assert not verified.hashed  # an assertion has no name

    before = dict(suites.tally)
    with Witness() as opened:
        open_package(sealed, there.platform.opening, rx=RX)
    assert counted(before) == opening
    assert call in {name.rpartition(".")[2] for name in opened.seen}

    with Witness() as named:
        there.doctor.suite.digest(b"data")
    assert named.hashed


def test_a_signature_with_another_algorithms_name_over_it_is_still_refused(there: House) -> None:
    """The algorithm is under the signature: it cannot be exchanged afterwards, whatever it is exchanged for."""
    raw = written(there.doctor)
    _, content, signature = raw.split(".")
    for name in ("none", "HS256", "ES384", "EdDSA", *(one.signature for one in suites.SUITES)):
        if name != there.doctor.suite.signature:
            with pytest.raises(Untrusted):
                verify_document(f"{b64(header(there, alg=name))}.{content}.{signature}", there.trust, SEEN)

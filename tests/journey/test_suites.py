"""
A whole prescription in the suites that are not the default: services in a process of their own, from pen to money.
"""

from __future__ import annotations

import httpx2
import pytest

from rx_flow.crypto.suites import Name
from scripts.rig.hands import STEPS, Course, Hands, addresses, learn
from scripts.rig.servers import running, together
from scripts.rig.world import world

OF_PAIRS = ("sign_quantum", "verify_quantum", "encapsulate", "decapsulate")


@pytest.mark.parametrize("suite", [Name.SM, Name.PQ])
async def test_a_prescription_is_written_paid_and_handed_out(suite: Name) -> None:
    """Nothing but the keys is another: every step is taken, and every operation is one of the suite."""
    with world("sqlite", patients=1, suite=suite) as place, running(together(place)) as services:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            hands, course = Hands(place, addresses(services), client), Course("S00001", 0)
            for name in STEPS:
                answer = await hands.step(name, course)
                assert answer.status_code in {200, 201}, f"{name}: {answer.text}"
                learn(name, course, answer.json())
        done = services["all"].tally(place.folder)

    assert len(course.told) == len(STEPS)
    assert done["sign"] > len(STEPS) - 2  # every step but the quote, and the sign-ins
    if suite is Name.PQ:
        assert done["sign_quantum"] == done["sign"]
        # Who of the authorities issued a certificate is found by trying: where ES256 says no, ML-DSA is not asked.
        assert done["verify"] - done["verify_quantum"] in range(8)
        assert done["ecdh"] == 0  # no key is agreed on that a quantum computer could find
        assert min(done[name] for name in OF_PAIRS) > 0
    else:
        assert not any(done[name] for name in OF_PAIRS)
        assert done["ecdh"] > 0

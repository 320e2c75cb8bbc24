"""
The walk through everything that must not be: each is refused by its own code, and leaves nothing but its entry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import cases_identity
import cases_money
import cases_proof
import cases_relation
import cases_state
import pytest
import pytest_asyncio
from people import People
from snapshot import Watch
from walk import CASES, Case, Walk, check, prepare

from rx_flow.law.refusals import Code

ROOT = Path(__file__).resolve().parents[2]
TABLES = (cases_identity, cases_proof, cases_relation, cases_state, cases_money)

# Codes that no request to these services can bring about, or not one by itself; and where they are shown.
ELSEWHERE: dict[Code, str] = {
    # The directory puts everybody into one house, so that a stranger is not found before it is asked whose it is.
    Code.ANOTHER_INSTITUTION: "tests/law/test_decide.py",
    # The platform's own sweep asks for nothing that is still valid.
    Code.STILL_VALID: "tests/law/test_decide.py",
    Code.TOO_LARGE: "tests/journey/test_malformed.py",
    Code.BUSY: "tests/journey/test_together.py",
    Code.TOO_MANY_ATTEMPTS: "tests/auth/test_tries.py",
    Code.CERTIFICATE_REVOKED: "tests/platform/test_revoked.py",
    Code.CERTIFICATE_STATUS_UNKNOWN: "tests/platform/test_revoked.py",
    Code.SUITE_NOT_ACCEPTED: "tests/journey/test_changing_over.py",
    Code.NOT_CONSISTENT: "tests/tlog/test_witness.py",
    Code.UNRECONCILED: "tests/record/test_nightly.py",
    Code.CONFLICT: "tests/journey/test_neighbours.py",
    Code.PEER_UNREACHABLE: "tests/journey/test_neighbours.py",
}


@pytest.fixture(scope="module")
def sweeping() -> bool:
    """Nothing expires by itself here, however time is moved."""
    return False


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walk(people: People, watch: Watch) -> AsyncIterator[Walk]:
    yield await prepare(people, watch)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
async def test_it_is_refused_and_leaves_nothing_but_its_entry(walk: Walk, one: Case) -> None:
    await check(walk, one)


def test_every_code_is_walked_through_or_shown_elsewhere() -> None:
    walked = {one.code for one in CASES}

    assert walked | ELSEWHERE.keys() == set(Code)
    assert walked & ELSEWHERE.keys() == set()
    for code, path in ELSEWHERE.items():
        assert f"{code.name}" in (ROOT / path).read_text("utf-8") or code.value in (ROOT / path).read_text("utf-8")


def test_no_two_cases_have_one_name() -> None:
    assert len({one.name for one in CASES}) == len(CASES)
    assert all(one.act.__module__ in {table.__name__ for table in TABLES} for one in CASES)

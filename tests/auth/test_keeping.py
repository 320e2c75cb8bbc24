"""
What auth keeps: its table as migrated, its sessions for their time, and requests that rest sealed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from auth_bench import PHARMACY, Bench, Keys, Open

from rx_flow.app import SWEEP_SECONDS
from rx_flow.auth import resting
from rx_flow.auth.tables import pin_failure
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.record.schema import drift


def test_the_migrated_table_is_the_declared_one(fresh_database: Callable[..., str]) -> None:
    assert drift(fresh_database("auth"), [pin_failure]) == []


async def test_keys_of_forgotten_sessions_are_forgotten_without_a_call(
    open_quick: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rx_flow.app.SWEEP_SECONDS", 0.0)
    monkeypatch.setattr("rx_flow.app.REST_SECONDS", 0.0)
    async with open_quick() as bench:
        await bench.sign_in()
        assert len(bench.site.sessions._open) == 1
        bench.clock.forward(minutes=30)
        assert await _soon(bench, 0)
    assert SWEEP_SECONDS <= 60


async def _soon(bench: Bench, count: int) -> bool:
    """Within a moment, so many sessions are left."""
    for _ in range(100):
        await asyncio.sleep(0.001)
        if len(bench.site.sessions._open) == count:
            return True
    return False


def test_a_request_rests_sealed_and_leaves_as_it_was(keys: Keys) -> None:
    at_rest = Keyring.load(keys.folder / PHARMACY, keys.passphrase).at_rest
    sealed = resting.seal(at_rest, "/claim", b'{"code": "7M2K9"}')

    assert b"7M2K9" not in sealed
    assert resting.leave(at_rest, "/claim", sealed) == b'{"code": "7M2K9"}'
    assert resting.leave(at_rest, "/claim", b'{"package": "..."}') == b'{"package": "..."}'
    with pytest.raises(Untrusted):
        resting.leave(at_rest, "/hand_back", sealed)

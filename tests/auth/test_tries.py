"""
Guessing is slowed down and told nothing, opened keys go with their session, and nothing secret shows on the way.
"""

from __future__ import annotations

import copy
import gc
import logging
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from auth_bench import CLERK, DOCTOR, PHARMACIST, STRANGER, Bench, Said
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from rx_flow.auth import locks, problems
from rx_flow.auth.passwords import COST, hashed
from rx_flow.auth.staff import Credentials
from rx_flow.auth.throttle import FREE, LONGEST, PEOPLE_MAX, Throttle
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.law.refusals import Code, Refused
from rx_flow.record import audit

WRONG = "000000000"
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


async def sign(bench: Bench, headers: dict[str, str], pin: str) -> int:
    return int((await bench.client.post("/sign", json={"pin": pin}, headers=headers)).status_code)


async def try_password(bench: Bench, person: str, password: str) -> tuple[int, str]:
    answer = await bench.client.post("/staff/sign-in", json={"person": person, "password": password})
    return answer.status_code, answer.json().get("code", "")


def opened_keys() -> list[SigningKey]:
    """Every key of the person that is anywhere in this process."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, SigningKey) and one.id == PHARMACIST]


async def test_after_five_wrong_passwords_there_is_a_wait_that_doubles(bench: Bench) -> None:
    right = bench.keys.passwords[PHARMACIST]
    tries = [await try_password(bench, PHARMACIST, "wrong") for _ in range(FREE + 1)]

    assert tries == [(401, "unauthenticated")] * FREE + [(429, "too_many_attempts")]
    assert await try_password(bench, PHARMACIST, right) == (429, "too_many_attempts")
    for seconds in (1, 2, 4, 8):
        bench.clock.forward(seconds=seconds)
        assert await try_password(bench, PHARMACIST, "wrong") == (401, "unauthenticated")
        assert (await try_password(bench, PHARMACIST, "wrong"))[0] == 429
    bench.clock.forward(seconds=60)
    assert (await try_password(bench, PHARMACIST, right))[0] == 200
    assert (await try_password(bench, PHARMACIST, "wrong"))[0] == 401
    assert len(bench.entries(action="sign_in", outcome=audit.Outcome.DENIED)) == FREE + 4 + 1


async def test_a_wait_is_the_same_for_whom_nobody_knows_and_for_nobody_else(bench: Bench) -> None:
    for person in (STRANGER, CLERK, DOCTOR):
        answers = [await try_password(bench, person, "wrong") for _ in range(FREE + 1)]
        assert answers == [(401, "unauthenticated")] * FREE + [(429, "too_many_attempts")]

    answer = await bench.client.post("/staff/sign-in", json={"person": STRANGER, "password": "x"})
    assert answer.headers["retry-after"] == "60"
    assert (await try_password(bench, PHARMACIST, bench.keys.passwords[PHARMACIST]))[0] == 200


async def test_whoever_is_signed_in_stays_so(bench: Bench) -> None:
    headers = await bench.sign_in()
    for _ in range(FREE + 1):
        await try_password(bench, PHARMACIST, "wrong")

    assert await sign(bench, headers, bench.keys.pins[PHARMACIST]) == 200


def test_no_wait_is_longer_than_the_longest_and_nobody_fills_the_memory() -> None:
    throttle, now = Throttle(), NOW
    for _ in range(100):
        throttle.admit("one", now)
        now += LONGEST
    for number in range(PEOPLE_MAX + 10):
        throttle.admit(f"{number}", now)
    assert len(throttle._tries) == PEOPLE_MAX

    for _ in range(FREE - 1):
        throttle.admit("two", now)
    throttle.admit("two", now)
    with pytest.raises(Refused) as refused:
        throttle.admit("two", now + timedelta(milliseconds=999))
    assert refused.value.code is Code.TOO_MANY_ATTEMPTS
    throttle.admit("two", now + timedelta(seconds=1))
    throttle.forgive("nobody")


async def test_an_opened_key_goes_with_its_session(bench: Bench) -> None:
    pin = bench.keys.pins[PHARMACIST]
    before = len(opened_keys())
    headers = await bench.sign_in()
    assert await sign(bench, headers, pin) == 200
    assert len(opened_keys()) == before + 1
    await bench.client.post("/staff/sign-out", headers=headers)
    assert len(opened_keys()) == before

    assert await sign(bench, await bench.sign_in(), pin) == 200
    assert len(opened_keys()) == before + 1
    bench.clock.forward(minutes=30)
    bench.site.sessions.sweep(bench.clock())
    assert len(opened_keys()) == before


async def test_a_lock_takes_the_key_out_of_every_session(bench: Bench) -> None:
    pin = bench.keys.pins[PHARMACIST]
    before = len(opened_keys())
    first, second = await bench.sign_in(), await bench.sign_in()
    assert [await sign(bench, each, pin) for each in (first, second)] == [200, 200]
    assert len(opened_keys()) == before + 2

    for _ in range(locks.FAILURES_MAX):
        await sign(bench, first, WRONG)
    assert await sign(bench, first, pin) == 423

    assert len(opened_keys()) == before
    assert {session.pin for session in bench.site.sessions._open.values()} == {b""}


async def test_sessions_and_what_people_type_show_nothing_and_stay_where_they_are(bench: Bench) -> None:
    pin = bench.keys.pins[PHARMACIST]
    await sign(bench, await bench.sign_in(), pin)
    sessions = bench.site.sessions
    [session] = sessions._open.values()

    assert (repr(session), str(sessions), f"{session}") == (
        f"<Session {PHARMACIST}>",
        "<Sessions>",
        f"<Session {PHARMACIST}>",
    )
    for one in (session, sessions):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="stays where it is"):
                attempt(one)
    typed = (Said(pin="482915", reason="张三"), Credentials(person=PHARMACIST, password="correct-horse"))
    assert [f"{one!r}{one}" for one in typed] == ["Said()", "Credentials()"]
    assert repr(hashed("correct-horse", COST)) == "Hashed(cost=Cost(n=16384, r=8, p=5))"


async def test_a_failure_in_the_middle_of_a_secret_shows_none_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the answer nor in the log: no values, no locals, no message."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app)

    @app.get("/fail")
    async def fail() -> None:
        pin, secret = "4829" + "15", bytes(range(32))
        raise RuntimeError(f"{pin} does not open {secret!r}")

    transport = ASGITransport(app=app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://site.test") as client:
        with caplog.at_level(logging.DEBUG):
            answer = await client.get("/fail")

    assert answer.status_code == 500
    told = answer.text + "".join(str(record.__dict__) for record in caplog.records if record.name.startswith("rx_flow"))
    assert "RuntimeError in fail" in told
    assert not [each for each in ("482915", "x00", "x1f", "does not open") if each in told]

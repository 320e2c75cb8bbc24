"""
Staff sign in, sign with their PIN, and are locked out after five wrong ones, whatever they restart.
"""

from __future__ import annotations

import asyncio

import pytest
from auth_bench import CLERK, DOCTOR, PHARMACIST, PHARMACY, STRANGER, Bench, Open

from rx_flow.auth import locks
from rx_flow.crypto.suites import tally
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role
from rx_flow.record import audit

WRONG = "000000000"


async def sign(bench: Bench, headers: dict[str, str], pin: str) -> tuple[int, str]:
    answer = await bench.client.post("/sign", json={"pin": pin}, headers=headers)
    body = answer.json()
    return answer.status_code, body.get("code") or body["signer"]


async def test_the_right_pin_opens_the_persons_own_key(bench: Bench) -> None:
    headers = await bench.sign_in()
    pin = bench.keys.pins[PHARMACIST]

    assert await sign(bench, headers, pin) == (200, PHARMACIST)
    assert await sign(bench, headers, pin) == (200, PHARMACIST)
    assert await sign(bench, headers, WRONG) == (401, "wrong_pin")
    assert await sign(bench, headers, pin) == (200, PHARMACIST)


async def test_the_key_file_is_opened_once_in_a_session(bench: Bench) -> None:
    headers = await bench.sign_in()
    before = tally["unlock"]
    for _ in range(3):
        await sign(bench, headers, bench.keys.pins[PHARMACIST])

    assert tally["unlock"] == before + 1


async def test_five_wrong_pins_lock_across_sessions_and_restarts(open_bench: Open) -> None:
    async with open_bench() as bench:
        pin = bench.keys.pins[PHARMACIST]
        first, second = await bench.sign_in(), await bench.sign_in()
        assert await sign(bench, second, pin) == (200, PHARMACIST)
        assert [await sign(bench, first, WRONG) for _ in range(4)] == [(401, "wrong_pin")] * 4
    async with open_bench() as bench:
        first, second = await bench.sign_in(), await bench.sign_in()
        assert await sign(bench, second, WRONG) == (423, "pin_locked")
        assert await sign(bench, first, pin) == (423, "pin_locked")
        assert bench.entries(person=PHARMACIST, outcome=audit.Outcome.DENIED) == [
            *[(f"staff:{PHARMACIST}", "sign", "denied", "wrong_pin")] * 4,
            *[(f"staff:{PHARMACIST}", "sign", "denied", "pin_locked")] * 2,
        ]
    async with open_bench() as bench:
        assert await sign(bench, await bench.sign_in(), pin) == (423, "pin_locked")


async def test_a_right_pin_forgives_the_wrong_ones_before_it(bench: Bench) -> None:
    headers = await bench.sign_in()
    pin = bench.keys.pins[PHARMACIST]

    for _ in range(3):
        assert [await sign(bench, headers, WRONG) for _ in range(4)] == [(401, "wrong_pin")] * 4
        assert await sign(bench, headers, pin) == (200, PHARMACIST)


async def test_guesses_made_at_the_same_time_are_counted_one_by_one(bench: Bench) -> None:
    headers = await bench.sign_in()
    pins = [f"0000000{n:02}" for n in range(20)]

    answers = await asyncio.gather(*(sign(bench, headers, pin) for pin in [*pins, bench.keys.pins[PHARMACIST]]))

    assert answers == [(401, "wrong_pin")] * 4 + [(423, "pin_locked")] * 17


async def test_a_right_pin_does_not_lift_a_lock_that_fell_meanwhile(bench: Bench) -> None:
    site, actor = bench.site, Actor(PHARMACIST, Role.PHARMACIST, PHARMACY)
    now, origin = site.clock(), site.origin()
    codes = [site.db.run(locks.stumble, actor, site.area, origin=origin, now=now) for _ in range(locks.FAILURES_MAX)]

    site.db.run(locks.steady, actor, site.area)

    assert codes == [Code.WRONG_PIN] * 4 + [Code.PIN_LOCKED]
    assert site.db.look(locks.failures, site.area, PHARMACIST) == locks.FAILURES_MAX


async def test_an_open_session_is_locked_too(bench: Bench) -> None:
    headers = await bench.sign_in()
    pin = bench.keys.pins[PHARMACIST]
    await sign(bench, headers, pin)
    for _ in range(5):
        await sign(bench, headers, WRONG)

    assert await sign(bench, headers, pin) == (423, "pin_locked")


async def test_unlock_ends_the_lock_and_is_recorded(bench: Bench) -> None:
    headers = await bench.sign_in()
    for _ in range(5):
        await sign(bench, headers, WRONG)
    site = bench.site
    assert [who for who, _ in site.db.look(locks.locked, site.area)] == [PHARMACIST]

    site.db.run(locks.unlock, PHARMACIST, site.area, by=site.actor, origin=site.origin(), now=site.clock())

    assert site.db.look(locks.locked, site.area) == ()
    assert await sign(bench, headers, bench.keys.pins[PHARMACIST]) == (200, PHARMACIST)
    assert bench.entries(action="unlock") == [(f"institution:{PHARMACY}", "unlock", "ok", None)]


async def test_nobody_is_unlocked_who_is_not_locked(bench: Bench) -> None:
    site = bench.site
    with pytest.raises(Refused) as refused:
        site.db.run(locks.unlock, PHARMACIST, site.area, by=site.actor, origin=site.origin(), now=site.clock())
    assert refused.value.code is Code.NOT_FOUND


async def test_whoever_has_no_key_cannot_sign(bench: Bench) -> None:
    assert await sign(bench, await bench.sign_in(CLERK), WRONG) == (403, "wrong_role")


@pytest.mark.parametrize(
    ("person", "chain"),
    [
        (PHARMACIST, f"staff:{PHARMACIST}"),
        (DOCTOR, f"site:{PHARMACY}"),  # of another institution: unknown here
        (STRANGER, f"site:{PHARMACY}"),
    ],
)
async def test_a_wrong_password_and_an_unknown_person_answer_alike(bench: Bench, person: str, chain: str) -> None:
    answer = await bench.client.post("/staff/sign-in", json={"person": person, "password": "wrong"})
    problem = answer.json() | {"trace": ""}

    assert answer.status_code == 401
    assert problem == {
        "type": "urn:rx-flow:problem:unauthenticated",
        "title": "未通过身份认证",
        "title_en": "Not authenticated",
        "status": 401,
        "code": "unauthenticated",
        "detail": "person or password are wrong",
        "trace": "",
    }
    assert bench.entries() == [(chain, "sign_in", "denied", "unauthenticated")]


async def test_another_institutions_password_does_not_open_this_one(bench: Bench) -> None:
    answer = await bench.client.post(
        "/staff/sign-in", json={"person": DOCTOR, "password": bench.keys.passwords[DOCTOR]}
    )
    assert answer.status_code == 401


async def test_signing_in_is_recorded_and_signing_out_ends_the_session(bench: Bench) -> None:
    headers = await bench.sign_in()
    assert bench.entries() == [(f"staff:{PHARMACIST}", "sign_in", "ok", None)]

    assert (await bench.client.post("/staff/sign-out", headers=headers)).status_code == 204
    assert (await bench.client.post("/staff/sign-out", headers=headers)).status_code == 401


async def test_a_session_ends_when_idle_and_at_the_end_of_the_shift(bench: Bench) -> None:
    pin = bench.keys.pins[PHARMACIST]
    headers = await bench.sign_in()
    bench.clock.forward(minutes=29, seconds=59)
    assert (await sign(bench, headers, pin))[0] == 200
    bench.clock.forward(minutes=30)
    assert await sign(bench, headers, pin) == (401, "unauthenticated")
    assert bench.site.sessions._open == {}

    headers = await bench.sign_in()
    for _ in range(25):
        bench.clock.forward(minutes=28)
        assert (await sign(bench, headers, pin))[0] == 200
    bench.clock.forward(minutes=20)
    assert await sign(bench, headers, pin) == (401, "unauthenticated")


async def test_the_token_is_kept_nowhere_and_the_oldest_of_six_sessions_gives_way(bench: Bench) -> None:
    headers = [await bench.sign_in() for _ in range(6)]
    tokens = [each["authorization"].removeprefix("Bearer ") for each in headers]

    assert not any(token in repr(bench.site.sessions.__dict__) for token in tokens)
    found = [bench.site.sessions.find(token, bench.clock()) is not None for token in tokens]
    assert found == [False, True, True, True, True, True]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer abc", "bearer \u00e9"])
async def test_without_a_session_nothing_is_signed(bench: Bench, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode()}
    answer = await bench.client.post("/sign", json={"pin": "123456"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_too_many_sign_ins_at_once_are_told_to_come_back(bench: Bench) -> None:
    async def try_once(number: int) -> int:
        answer = await bench.client.post("/staff/sign-in", json={"person": f"D3501000001{number:02}", "password": "x"})
        return int(answer.status_code)

    answers = await asyncio.gather(*(try_once(number) for number in range(40)))

    assert sorted(set(answers)) == [401, 503]
    assert answers.count(401) == 32

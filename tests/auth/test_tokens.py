"""
An institution buys a short-lived token with an assertion that is its own, for this site, now, and used once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from auth_bench import HOSPITAL, NOW, PHARMACY, PLATFORM, RX, Bench, Keys, Open

from rx_flow.auth.peer import ASSERTION_TYPE, FORM, GRANT
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.tokens import access_token, client_assertion
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Standing, State
from rx_flow.record.advance import create

FIELDS = {"grant_type": GRANT, "client_assertion_type": ASSERTION_TYPE}


def keyring(keys: Keys, code: str) -> Keyring:
    return Keyring.load(keys.folder / code, keys.passphrase)


def assertion(
    keys: Keys,
    *,
    code: str = HOSPITAL,
    issuer: str = HOSPITAL,
    audience: str = PLATFORM,
    jti: str = "a",
    after: float = 0,
) -> str:
    return client_assertion(keyring(keys, code).token, issuer, audience, now=NOW + timedelta(seconds=after), jti=jti)


async def buy(bench: Bench, jwt: str) -> tuple[int, str]:
    form = urlencode(FIELDS | {"client_assertion": jwt})
    answer = await bench.client.post("/oauth/token", content=form, headers={"content-type": FORM})
    body = answer.json()
    return answer.status_code, body.get("code") or body["access_token"]


async def whoami(bench: Bench, token: str) -> tuple[int, object]:
    answer = await bench.client.get("/whoami", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.json() if answer.is_success else answer.json()["code"]


async def test_a_token_says_who_calls_until_it_ends(open_quick: Open) -> None:
    async with open_quick(PLATFORM) as bench:
        status, token = await buy(bench, assertion(bench.keys))
        assert status == 200
        for _ in range(2):
            assert await whoami(bench, token) == (200, {"id": HOSPITAL, "role": "hospital"})
        bench.clock.forward(seconds=299)
        assert (await whoami(bench, token))[0] == 200
        bench.clock.forward(seconds=1)
        assert await whoami(bench, token) == (401, "unauthenticated")


async def test_an_assertion_is_used_once_even_after_a_restart(open_bench: Open) -> None:
    async with open_bench(PLATFORM) as bench:
        jwt = assertion(bench.keys)
        assert (await buy(bench, jwt))[0] == 200
        assert await buy(bench, jwt) == (401, "replayed_assertion")
    async with open_bench(PLATFORM) as bench:
        assert await buy(bench, jwt) == (401, "replayed_assertion")
        assert (await buy(bench, assertion(bench.keys, jti="b")))[0] == 200
        pharmacy = assertion(bench.keys, code=PHARMACY, issuer=PHARMACY)  # whose "a" is another one
        assert (await buy(bench, pharmacy))[0] == 200
        assert (
            bench.entries(institution=HOSPITAL)
            == [(f"institution:{HOSPITAL}", "token", "denied", "replayed_assertion")] * 2
        )


async def test_what_cannot_be_replayed_any_more_is_forgotten(open_bench: Open) -> None:
    async with open_bench(PLATFORM) as bench:
        for n in range(4):
            assert (await buy(bench, assertion(bench.keys, jti=f"j{n}", after=n * 400)))[0] == 200
            bench.clock.forward(seconds=400)
        kept = bench.site.db.look(lambda tx: tx.exec_driver_sql("SELECT count(*) FROM nonce").scalar())
        assert kept == 1


@pytest.mark.parametrize(
    "changed",
    [{"audience": PHARMACY}, {"issuer": PHARMACY}, {"after": -91}, {"after": 86_400}],
    ids=["for another site", "in another's name", "over", "of tomorrow"],
)
async def test_an_assertion_must_be_ones_own_for_us_now(open_quick: Open, changed: dict[str, Any]) -> None:
    async with open_quick(PLATFORM) as bench:
        assert await buy(bench, assertion(bench.keys, **changed)) == (401, "unauthenticated")
        assert bench.entries(action="token") == [(f"site:{PLATFORM}", "token", "denied", "unauthenticated")]


async def test_a_clock_a_little_off_is_accepted(open_quick: Open) -> None:
    async with open_quick(PLATFORM) as bench:
        assert (await buy(bench, assertion(bench.keys, after=29)))[0] == 200
        assert (await buy(bench, assertion(bench.keys, after=-85, jti="b")))[0] == 200


async def test_an_altered_assertion_buys_nothing(open_quick: Open) -> None:
    async with open_quick(PLATFORM) as bench:
        jwt = assertion(bench.keys)
        head, claims, signature = jwt.split(".")
        for bad in (f"{head}.{claims}.", f"{head}.{claims}.{signature[:-4]}AAAA", f"{head}.{claims[:-2]}.{signature}"):
            assert await buy(bench, bad) == (401, "unauthenticated")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "form",
    [
        "",
        "grant_type=client_credentials",
        urlencode(FIELDS),
        urlencode(FIELDS | {"client_assertion": ""}),
        urlencode(FIELDS | {"client_assertion": "x", "scope": "all"}),
        urlencode(FIELDS | {"client_assertion": "x", "grant_type": "password"}),
        urlencode(FIELDS | {"client_assertion": "x", "client_assertion_type": "saml"}),
        urlencode(FIELDS | {"client_assertion": "x"}) + "&client_assertion=y",
        "&".join(f"f{n}=x" for n in range(50)),
        "client_assertion=%ff%fe",
        "处方",
        "%00",
    ],
)
async def test_a_form_is_taken_as_it_must_be_or_not_at_all(quick: Bench, form: str) -> None:
    answer = await quick.client.post("/oauth/token", content=form.encode(), headers={"content-type": FORM})

    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert quick.entries() == []


@pytest.mark.asyncio(loop_scope="module")
async def test_json_is_not_a_form(quick: Bench) -> None:
    answer = await quick.client.post("/oauth/token", json=FIELDS | {"client_assertion": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


async def test_no_other_token_opens_the_door(open_quick: Open) -> None:
    async with open_quick(PHARMACY) as bench:
        own = bench.site.keyring.access_token_secret
        good = access_token(own, HOSPITAL, PHARMACY, now=NOW, seconds=300)
        head, claims, signature = good.split(".")
        bad = {
            "another secret": access_token(bytes(32), HOSPITAL, PHARMACY, now=NOW, seconds=300),
            "another audience": access_token(own, HOSPITAL, PLATFORM, now=NOW, seconds=300),
            "unknown institution": access_token(own, "H35999999999", PHARMACY, now=NOW, seconds=300),
            "none": f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.",
            "truncated": f"{head}.{claims}.{signature[:-1]}",
            "not a token": "x" * 5000,
            "session": (await bench.sign_in())["authorization"].removeprefix("Bearer "),
        }

        answers = {name: await whoami(bench, token) for name, token in bad.items()}

        assert answers == dict.fromkeys(bad, (401, "unauthenticated"))
        assert (await whoami(bench, good))[0] == 200


async def test_an_access_token_is_no_session(bench: Bench) -> None:
    token = access_token(bench.site.keyring.access_token_secret, HOSPITAL, PHARMACY, now=NOW, seconds=300)
    answer = await bench.client.post("/sign", json={"pin": "123456"}, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_the_memory_of_callers_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rx_flow.auth.tokens.CALLERS_MAX", 3)
    secret = bench.site.keyring.access_token_secret
    for n in range(10):
        token = access_token(secret, HOSPITAL, PHARMACY, now=NOW, seconds=300 + n)
        assert (await whoami(bench, token))[0] == 200
        assert len(bench.site.callers) <= 3


def _rx(standing_of: str) -> Standing:
    return Standing(
        rx=standing_of,  # type: ignore[arg-type]  # A text is enough here.
        area="350100",  # type: ignore[arg-type]  # As above.
        state=State.DRAFT,
        hospital=HOSPITAL,
        prescriber="D350100000001",
        issued_at=NOW,
        valid_until=NOW + timedelta(days=1),
    )


async def test_a_refusal_is_recorded_under_the_prescription_only_where_there_is_one(bench: Bench) -> None:
    token = access_token(bench.site.keyring.access_token_secret, HOSPITAL, PHARMACY, now=NOW, seconds=300)
    headers = {"authorization": f"Bearer {token}", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await bench.site.db.transact(create, _rx(RX))
    other = RX[:-1] + "Z"

    for rx, code in ((RX, Code.WRONG_STATE), (other, Code.NOT_FOUND), (RX, Code.BUSY)):
        answer = await bench.client.post(f"/refuse/{rx}", params={"code": code.value}, headers=headers)
        assert answer.json()["code"] == code
        assert answer.json()["trace"] == "a" * 32

    assert bench.entries() == [
        (RX, "claim", "denied", "wrong_state"),
        (f"institution:{HOSPITAL}", "claim", "denied", "not_found"),
    ]

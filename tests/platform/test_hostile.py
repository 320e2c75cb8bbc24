"""
The table of attacks once more, by HTTP: each is answered with its stable code, changes nothing, and stands in the log.
"""

# ruff: noqa: ANN401  What an attacker writes can be anything.
from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hostile import HEADERS
from platform_world import HOSPITAL, PHARMACIST, PHARMACY, PLATFORM, World, problem

from rx_flow.auth.tokens import ASSERTION_TYPE, GRANT
from rx_flow.crypto import canonical, suites
from rx_flow.crypto.compact import decode, encode
from rx_flow.crypto.documents import Document
from rx_flow.crypto.errors import Reason
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.suites import p256
from rx_flow.crypto.tokens import client_assertion
from rx_flow.law.standing import State

BAD, LARGE, STRANGER = (422, "bad_document"), (413, "too_large"), (401, "unauthenticated")
SIGNATURE, UNKNOWN = (422, "bad_signature"), (422, "unknown_signer")


def text(members: dict[str, Any] | bytes) -> str:
    return encode(members if isinstance(members, bytes) else canonical.dumps(members)).decode()


def read(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decode(part.encode()))
    return found


def signed(key: SigningKey, head: str, content: str) -> str:
    both = f"{head}.{content}"
    return f"{both}.{text(suites.sign(key._private, both.encode()))}"


def headed(raw: str, key: SigningKey, **members: Any) -> str:
    """The same content, truly signed anew under another header."""
    head, content, _ = raw.split(".")
    return signed(key, text(read(head) | members), content)


def told(reason: Reason) -> tuple[int, str]:
    return LARGE if reason is Reason.HEADER_TOO_LARGE else BAD


async def accept(w: World, rx: str, package: str) -> tuple[int, str]:
    return problem(await w.post(PHARMACY, f"/prescriptions/{rx}/accept", {"package": package}))


async def unharmed(w: World, rx: str, attempts: int) -> None:
    """Nothing came of it, and every attempt can be read of."""
    assert await w.state(rx) is State.CLAIMED
    assert len(await w.denied()) == attempts
    assert (await w.accept(rx)).status_code == 200


async def test_hostile_headers_of_documents(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    opinion, key = w.opinion(rx), w.keys.of(PHARMACIST)

    for one in HEADERS:
        document = replace(opinion, raw=headed(opinion.raw, key, **one.members))
        assert await accept(w, rx, w.sealed(rx, document)) == told(one.reason), one.name

    await unharmed(w, rx, len(HEADERS))


async def test_hostile_headers_of_packages(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    package = json.loads(w.sealed(rx, w.opinion(rx)))
    protected = read(package["protected"])

    for one in HEADERS:
        changed = canonical.dumps(package | {"protected": text(protected | one.members)}).decode()
        assert await accept(w, rx, changed) == told(one.reason), one.name

    await unharmed(w, rx, len(HEADERS))


async def test_hostile_headers_of_assertions(w: World) -> None:
    """Why an assertion buys nothing is nobody's to know."""
    key = w.keys.ring(HOSPITAL).token
    right = client_assertion(key, HOSPITAL, PLATFORM, now=w.now, jti="once")
    form = {"grant_type": GRANT, "client_assertion_type": ASSERTION_TYPE}
    answers = [
        await w.client.post("/oauth/token", data=form | {"client_assertion": headed(right, key, **one.members)})
        for one in HEADERS
    ]

    assert {problem(one) for one in answers} == {STRANGER}
    assert len({one.json()["detail"] for one in answers}) == 1
    assert (await w.client.post("/oauth/token", data=form | {"client_assertion": right})).status_code == 200


def other_form(_: World, raw: str) -> str:
    head, _, tail = raw.rpartition(".")
    value = decode(tail.encode())
    s = p256.ORDER - int.from_bytes(value[32:], "big")
    return f"{head}.{text(value[:32] + s.to_bytes(32, 'big'))}"


def keyed_with_the_public_key(w: World, raw: str) -> str:
    head, content, _ = raw.split(".")
    both = f"{text(read(head) | {'alg': 'HS256'})}.{content}"
    public = suites.dump_public(w.keys.of(PHARMACIST)._private.public_key())
    return f"{both}.{text(hmac.digest(public, both.encode(), 'sha256'))}"


def one_name_twice(w: World, raw: str) -> str:
    head, content, _ = raw.split(".")
    payload = decode(content.encode()).replace(b'"rx"', b'"rx":"","rx"')
    return signed(w.keys.of(PHARMACIST), head, text(payload))


def two_signatures(_: World, raw: str) -> str:
    head, content, signature = raw.split(".")
    both = [{"protected": head, "signature": signature}] * 2
    return canonical.dumps({"payload": content, "signatures": both}).decode()


def by_the_key_for_tokens(w: World, raw: str) -> str:
    key = w.keys.ring(PHARMACY).token
    return headed(raw, key, **{"x5t#S256": key.thumbprint})


DOCUMENTS: list[tuple[Callable[[World, str], str], tuple[int, str]]] = [
    (other_form, SIGNATURE),
    (keyed_with_the_public_key, BAD),
    (one_name_twice, BAD),
    (two_signatures, BAD),
    (by_the_key_for_tokens, UNKNOWN),
]


@pytest.mark.parametrize(("attack", "code"), DOCUMENTS, ids=lambda value: getattr(value, "__name__", ""))
async def test_hostile_documents(w: World, attack: Callable[[World, str], str], code: tuple[int, str]) -> None:
    rx = await w.at(State.CLAIMED)
    opinion: Document = w.opinion(rx)

    assert await accept(w, rx, w.sealed(rx, replace(opinion, raw=attack(w, opinion.raw)))) == code
    await unharmed(w, rx, 1)


async def test_hostile_packages(w: World) -> None:
    rx = await w.at(State.CLAIMED)
    package = json.loads(w.sealed(rx, w.opinion(rx)))
    entry = package["recipients"][0]
    epk = entry["header"]["epk"]
    y = decode(epk["y"].encode())
    beside = {**entry["header"], "epk": {**epk, "y": text(y[:-1] + bytes([y[-1] ^ 1]))}}
    whole = canonical.dumps(package).decode()
    hostile = {
        "truncated tag": canonical.dumps(package | {"tag": text(decode(package["tag"].encode())[:4])}).decode(),
        "a point beside the curve": canonical.dumps(package | {"recipients": [entry | {"header": beside}]}).decode(),
        "one name twice": whole.replace('"iv"', '"iv":"AAAA","iv"'),
    }

    assert {name: await accept(w, rx, body) for name, body in hostile.items()} == dict.fromkeys(hostile, BAD)
    await unharmed(w, rx, len(hostile))

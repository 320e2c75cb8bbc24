"""
Assertions and access tokens: who asks, for whom, for how long; and no algorithm but the one that is due.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from forge import HOSPITAL, NOW, PLATFORM, House, b64, other_s, signed
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from rx_flow.crypto import tokens
from rx_flow.crypto.documents import sign_document
from rx_flow.crypto.errors import Reason, Untrusted

R = Reason
SECRET = b"s" * 32
ISSUED = int(NOW.timestamp())
SECOND = timedelta(seconds=1)


def assertion(house: House, **change: object) -> str:
    key = house.hospital.token
    header = {"alg": "ES256", "typ": tokens.ASSERTION_TYPE, "x5t#S256": key.thumbprint}
    claims = {"iss": HOSPITAL, "sub": HOSPITAL, "aud": PLATFORM, "iat": ISSUED, "exp": ISSUED + 60, "jti": "j"}
    header |= {name: value for name, value in change.items() if name in {*header, "kid", "crit"}}  # type: ignore[misc]  # hostile types are the point
    claims |= {name: value for name, value in change.items() if name not in header}  # type: ignore[misc]  # as above
    return signed(key._private, header, {name: value for name, value in claims.items() if value is not ...})


def refusal(house: House, jwt_: str) -> Reason:
    with pytest.raises(Untrusted) as refused:
        tokens.verify_assertion(jwt_, house.trust, PLATFORM, now=NOW)
    return refused.value.reason


def test_an_institution_proves_who_it_is(house: House) -> None:
    made = tokens.client_assertion(house.hospital.token, HOSPITAL, PLATFORM, now=NOW, jti="once")

    claims = tokens.verify_assertion(made, house.trust, PLATFORM, now=NOW)

    assert claims == tokens.Claims(HOSPITAL, "once", NOW.replace(microsecond=0) + 60 * SECOND)


def test_joserfc_believes_our_assertion_and_our_access_token(house: House) -> None:
    made = tokens.client_assertion(house.hospital.token, HOSPITAL, PLATFORM, now=NOW, jti="once")
    key = ECKey.import_key(house.hospital.token._private.public_key())
    access = tokens.access_token(SECRET, HOSPITAL, PLATFORM, now=NOW, seconds=300)

    assert jwt.decode(made, key, algorithms=["ES256"]).claims["iss"] == HOSPITAL
    assert jwt.decode(access, OctKey.import_key(SECRET), algorithms=["HS256"]).claims["sub"] == HOSPITAL


CLAIMS: list[tuple[dict[str, object], Reason]] = [
    ({"alg": "none"}, R.UNSIGNED),
    ({"alg": "HS256"}, R.SHARED_SECRET),
    ({"alg": None}, R.WRONG_ALGORITHM),
    ({"typ": "JWT"}, R.WRONG_TYPE),
    ({"typ": "rx-document+jws"}, R.WRONG_TYPE),
    ({"kid": "x"}, R.KEY_NAME),
    ({"crit": ["exp"]}, R.UNKNOWN_CRITICAL),
    ({"x5t#S256": "x"}, R.UNKNOWN_SIGNER),
    ({"x5t#S256": 1}, R.MALFORMED),
    ({"iss": PLATFORM}, R.SIGNER_MISMATCH),
    ({"sub": PLATFORM}, R.SIGNER_MISMATCH),
    ({"iss": PLATFORM, "sub": PLATFORM}, R.SIGNER_MISMATCH),
    ({"aud": HOSPITAL}, R.WRONG_AUDIENCE),
    ({"aud": [PLATFORM]}, R.MALFORMED),
    ({"aud": ...}, R.MALFORMED),
    ({"jti": ...}, R.MALFORMED),
    ({"jti": ""}, R.MALFORMED),
    ({"jti": 1}, R.MALFORMED),
    ({"iat": True}, R.MALFORMED),
    ({"exp": str(ISSUED + 60)}, R.MALFORMED),
    ({"exp": 1.5}, R.BAD_JSON),
    ({"exp": 10**15}, R.MALFORMED),
    ({"iat": -(10**15)}, R.MALFORMED),
    ({"nbf": ISSUED}, R.MALFORMED),
    ({"iat": ISSUED + 31, "exp": ISSUED + 90}, R.TOKEN_NOT_YET_VALID),
    ({"iat": ISSUED - 90, "exp": ISSUED - 30}, R.TOKEN_EXPIRED),
    ({"exp": ISSUED + 301}, R.TOKEN_TOO_LONG),
    ({"jti": "j" * tokens.TOKEN_MAX}, R.TOO_LARGE),
]


@pytest.mark.parametrize(("change", "reason"), CLAIMS, ids=lambda value: str(value)[:40])
def test_every_wrong_assertion_is_refused_for_its_own_reason(
    house: House, change: dict[str, object], reason: Reason
) -> None:
    assert refusal(house, assertion(house, **change)) is reason


@pytest.mark.parametrize(
    "change",
    [{}, {"iat": ISSUED + 30}, {"iat": ISSUED - 60, "exp": ISSUED - 28}, {"exp": ISSUED + 300}],
    ids=str,
)
def test_two_clocks_may_differ_a_little(house: House, change: dict[str, object]) -> None:
    assert tokens.verify_assertion(assertion(house, **change), house.trust, PLATFORM, now=NOW).issuer == HOSPITAL


def test_nobody_asks_in_anothers_name(house: House) -> None:
    made = tokens.client_assertion(house.hospital.token, PLATFORM, PLATFORM, now=NOW, jti="once")

    assert refusal(house, made) is R.SIGNER_MISMATCH


def test_a_seal_or_a_persons_key_buys_no_token(house: House) -> None:
    for key in (house.hospital.seal, house.doctor):
        with pytest.raises(Untrusted, match="wrong_usage"):
            tokens.client_assertion(key, HOSPITAL, PLATFORM, now=NOW, jti="once")
        header = {"alg": "ES256", "typ": tokens.ASSERTION_TYPE, "x5t#S256": key.thumbprint}
        assert refusal(house, signed(key._private, header, {})) is R.WRONG_USAGE


def test_a_document_is_no_assertion_and_an_assertion_has_one_form(house: House) -> None:
    document = sign_document(house.hospital.seal, doc="a", rx="b", seq=1, prev="", at=NOW, body={})

    assert refusal(house, document) is R.UNKNOWN_HEADER
    assert refusal(house, other_s(assertion(house))) is R.SIGNATURE_MALLEABLE


def access(**change: Any) -> str:  # noqa: ANN401  whatever a test wants to change
    header = {"alg": change.pop("alg", "HS256"), "typ": change.pop("typ", tokens.ACCESS_TYPE)}
    claims = {"sub": HOSPITAL, "aud": PLATFORM, "exp": ISSUED + 300, **change}
    head = f"{b64(header)}.{b64({name: value for name, value in claims.items() if value is not ...})}"
    return f"{head}.{b64(hmac.digest(SECRET, head.encode(), 'sha256'))}"


def test_an_access_token_admits_for_its_time(house: House) -> None:
    made = tokens.access_token(SECRET, HOSPITAL, PLATFORM, now=NOW, seconds=300)
    ends = NOW.replace(microsecond=0) + 300 * SECOND

    assert made == access()
    assert tokens.verify_access_token(made, SECRET, PLATFORM, now=NOW) == tokens.Access(HOSPITAL, ends)
    assert tokens.verify_access_token(made, SECRET, PLATFORM, now=ends - SECOND).subject == HOSPITAL
    with pytest.raises(Untrusted, match="token_expired"):
        tokens.verify_access_token(made, SECRET, PLATFORM, now=ends)
    assert house.hospital.access_token_secret != house.platform.access_token_secret


ACCESS: list[tuple[Callable[[], str], Reason]] = [
    (lambda: access(alg="none"), R.WRONG_ALGORITHM),
    (lambda: access(alg="ES256"), R.WRONG_ALGORITHM),
    (lambda: access(alg="HS512"), R.WRONG_ALGORITHM),
    (lambda: access(typ="JWT"), R.WRONG_TYPE),
    (lambda: access(typ=tokens.ASSERTION_TYPE), R.WRONG_TYPE),
    (lambda: access(aud=HOSPITAL), R.WRONG_AUDIENCE),
    (lambda: access(sub=""), R.MALFORMED),
    (lambda: access(sub=...), R.MALFORMED),
    (lambda: access(role="insurer"), R.MALFORMED),
    (lambda: access(exp=None), R.MALFORMED),
    (lambda: access(exp=10**15), R.MALFORMED),
    (lambda: access(exp=ISSUED), R.TOKEN_EXPIRED),
    (lambda: access()[:-1], R.BAD_ENCODING),
    (lambda: access()[:-4] + "AAAA", R.BAD_SIGNATURE),
    (lambda: access().rpartition(".")[0] + "." + b64(bytes(32)), R.BAD_SIGNATURE),
    (lambda: access().rpartition(".")[0] + "." + b64(b"short"), R.BAD_SIGNATURE),
    (lambda: access().rpartition(".")[0] + ".", R.MALFORMED),
    (lambda: "x" * (tokens.TOKEN_MAX + 1), R.TOO_LARGE),
]


@pytest.mark.parametrize(("make", "reason"), ACCESS)
def test_every_wrong_access_token_is_refused_for_its_own_reason(make: Callable[[], str], reason: Reason) -> None:
    with pytest.raises(Untrusted) as refused:
        tokens.verify_access_token(make(), SECRET, PLATFORM, now=NOW)

    assert refused.value.reason is reason


def test_another_sites_token_is_not_ours() -> None:
    with pytest.raises(Untrusted, match="bad_signature"):
        tokens.verify_access_token(access(), b"x" * 32, PLATFORM, now=NOW)


def test_a_nonce_is_never_the_same() -> None:
    assert len({tokens.nonce() for _ in range(1000)}) == 1000
    assert len(tokens.nonce(32)) == 43

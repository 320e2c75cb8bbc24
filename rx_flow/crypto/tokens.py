"""
Tokens between institutions: the assertion that a key's holder signs (RFC 7523), and the access token that it buys.

No algorithm is taken from a token: an assertion has that of its certificate's key, our own access tokens have HS256.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rx_flow.crypto import canonical, compact, suites
from rx_flow.crypto.canonical import JSON
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose

ASSERTION_TYPE = "client-authentication+jwt"
ACCESS_TYPE = "at+jwt"  # RFC 9068
ASSERTION_SECONDS = 60  # what we ask for
ASSERTION_SECONDS_MAX = 300  # what we accept, as SMART Backend Services
SKEW = timedelta(seconds=30)  # between two institutions' clocks
TOKEN_MAX = 8192  # characters; with two signatures (suite `pq`) an assertion has about 5,100
_HS256 = "HS256"
_ASSERTION_HEADER = frozenset({"alg", "typ", "x5t#S256"})
_ACCESS_HEADER = frozenset({"alg", "typ"})
_ASSERTION = {"iss", "sub", "aud", "iat", "exp", "jti"}
_ACCESS = {"sub", "aud", "exp"}
_ACCESS_PREFIX = compact.encode(canonical.dumps({"alg": _HS256, "typ": ACCESS_TYPE})) + b"."


@dataclass(frozen=True, slots=True)
class Claims:
    """
    What a verified assertion says: which institution, the identifier that must be used once, and until when (aware).
    """

    issuer: str
    jti: str
    exp: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """
    What a verified access token says: which institution, and until when (aware).
    """

    subject: str
    exp: datetime


def client_assertion(key: SigningKey, issuer: str, audience: str, *, now: datetime, jti: str) -> str:
    """
    Return an assertion with which an institution asks `audience` for a token; valid for 60 seconds.

    `Untrusted` for a key that is not for tokens, or outside its certificate's validity.
    """
    issued = int(now.timestamp())
    header = {"alg": key.suite.signature, "typ": ASSERTION_TYPE, "x5t#S256": key.thumbprint}
    claims = {
        "iss": issuer, "sub": issuer, "aud": audience, "jti": jti, "iat": issued, "exp": issued + ASSERTION_SECONDS,
    }  # fmt: skip
    signed = compact.join(canonical.dumps(header), canonical.dumps(claims))
    return (signed + b"." + compact.encode(key.sign(signed, purpose=Purpose.TOKEN, at=now))).decode()


def verify_assertion(jwt: str, trust: Trust, audience: str, *, now: datetime) -> Claims:
    """
    Return an assertion's claims; raise `Untrusted` with the first reason. That `jti` is used once is the caller's part.
    """
    # 1. The form and the algorithm, before any key is used.
    parts = compact.split(jwt, limit=TOKEN_MAX)
    compact.expect(parts.header, ASSERTION_TYPE, _ASSERTION_HEADER)
    suite = suites.of_signature(parts.header["alg"])
    # 2. The certificate, as of now, for tokens; then the signature.
    print_ = parts.header["x5t#S256"]
    if not isinstance(print_, str):
        raise Untrusted(Reason.MALFORMED, "x5t#S256")
    certified = trust.certified(print_, Purpose.TOKEN, now, now=now)
    if not suite.owns(certified.public):
        raise Untrusted(Reason.WRONG_ALGORITHM, "not that of the certificate's key")
    suite.verify(certified.public, parts.signed, parts.signature)
    # 3. The claims: by the institution itself, for us, now.
    claims = _claims(parts.payload, _ASSERTION)
    if not claims["iss"] == claims["sub"] == certified.signer.id:
        raise Untrusted(Reason.SIGNER_MISMATCH)
    if claims["aud"] != audience:
        raise Untrusted(Reason.WRONG_AUDIENCE)
    issued, ends = _time(claims["iat"]), _time(claims["exp"])
    if issued > now + SKEW:
        raise Untrusted(Reason.TOKEN_NOT_YET_VALID)
    if ends <= now - SKEW:
        raise Untrusted(Reason.TOKEN_EXPIRED)
    if ends - issued > timedelta(seconds=ASSERTION_SECONDS_MAX):
        raise Untrusted(Reason.TOKEN_TOO_LONG)
    return Claims(claims["iss"], claims["jti"], ends)


def access_token(secret: bytes, subject: str, audience: str, *, now: datetime, seconds: int) -> str:
    """
    Return a token that admits `subject` to `audience` for `seconds`; who holds `secret` can check it, nobody else.
    """
    claims = {"sub": subject, "aud": audience, "exp": int(now.timestamp()) + seconds}
    signed = _ACCESS_PREFIX + compact.encode(canonical.dumps(claims))
    return (signed + b"." + compact.encode(hmac.digest(secret, signed, "sha256"))).decode()


def verify_access_token(jwt: str, secret: bytes, audience: str, *, now: datetime) -> Access:
    """
    Return whom our own access token admits; raise `Untrusted` with the first reason.
    """
    parts = compact.split(jwt, limit=TOKEN_MAX)
    compact.expect(parts.header, ACCESS_TYPE, _ACCESS_HEADER)
    if parts.header["alg"] != _HS256:
        raise Untrusted(Reason.WRONG_ALGORITHM)
    if not hmac.compare_digest(hmac.digest(secret, parts.signed, "sha256"), parts.signature):
        raise Untrusted(Reason.BAD_SIGNATURE)
    claims = _claims(parts.payload, _ACCESS)
    if claims["aud"] != audience:
        raise Untrusted(Reason.WRONG_AUDIENCE)
    ends = _time(claims["exp"])
    if ends <= now:
        raise Untrusted(Reason.TOKEN_EXPIRED)
    return Access(claims["sub"], ends)


def nonce(n: int = 16) -> str:
    """
    Return `n` random bytes as base64url: for `jti`, session tokens and whatever else must not be guessed.
    """
    return secrets.token_urlsafe(n)


def _claims(payload: bytes, members: set[str]) -> dict[str, Any]:
    """The exact members, times as whole seconds, all else as text that is not empty."""
    claims: JSON = canonical.read(payload)
    if not isinstance(claims, dict) or claims.keys() != members:
        raise Untrusted(Reason.MALFORMED, "claims")
    for name, value in claims.items():
        right = type(value) is int if name in {"iat", "exp"} else isinstance(value, str) and value
        if not right:
            raise Untrusted(Reason.MALFORMED, name)
    return claims


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a year that no calendar has
        raise Untrusted(Reason.MALFORMED, "time") from None

"""
Institutions as OAuth 2 clients: a signed assertion (private_key_jwt, RFC 7523) buys a short-lived access token.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase
from pydantic import BaseModel, Field
from sqlalchemy import Connection, delete, insert, select

from rx_flow.auth.peer import ASSERTION_TYPE, FORM, GRANT
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Site, recording, site_of
from rx_flow.auth.staff import bearer
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.tokens import SKEW, TOKEN_MAX, Claims, access_token, verify_access_token, verify_assertion
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor
from rx_flow.record.tables import nonce

CALLERS_MAX: Final = 4096


def remember(tx: Connection, claims: Claims, area: str, now: datetime) -> None:
    """
    Use up an assertion's jti; raise `Refused(REPLAYED_ASSERTION)` if it was used before. Forgets what is out of date.
    """
    c = nonce.c
    # The issuer chooses the jti: its hash has a fixed length and alphabet.
    jti = hashlib.sha256(claims.jti.encode()).hexdigest()
    used = select(c.jti).where(c.area == area, c.issuer == claims.issuer, c.jti == jti)
    if tx.execute(used).first() is not None:
        raise Refused(Code.REPLAYED_ASSERTION)
    tx.execute(delete(nonce).where(c.expires_at < now - SKEW))
    tx.execute(insert(nonce).values(area=area, issuer=claims.issuer, jti=jti, expires_at=claims.exp))


class _AccessToken(SecurityBase):
    """The dependency behind `Caller`, and its entry in the OpenAPI document."""

    def __init__(self) -> None:
        flow = OAuthFlowClientCredentials(tokenUrl="oauth/token", scopes={})
        self.model = OAuth2(flows=OAuthFlows(clientCredentials=flow), description="private_key_jwt (RFC 7523)")
        self.scheme_name = "institution"

    async def __call__(self, request: Request) -> Actor:
        site, token = site_of(request), bearer(request)
        now = site.clock()
        known = site.callers.get(token)
        if known is not None and now < known[1]:
            return known[0]
        return _caller(site, token, now)


def _caller(site: Site, token: str, now: datetime) -> Actor:
    """Check a token not seen before, and remember it: the same one comes with every request for minutes."""
    try:
        claims = verify_access_token(token, site.keyring.access_token_secret, site.code, now=now)
    except Untrusted:
        raise Refused(Code.UNAUTHENTICATED, "the access token is not valid") from None
    institution = site.directory.institution(claims.subject)
    if institution is None:
        raise Refused(Code.UNAUTHENTICATED, "the institution is not registered")
    actor = Actor(institution.code, institution.kind.role, institution.code)
    if len(site.callers) >= CALLERS_MAX:
        site.callers.clear()
    site.callers[token] = (actor, claims.exp)
    return actor


caller_of = _AccessToken()
Caller = Annotated[Actor, Depends(caller_of)]
router = APIRouter(prefix="/oauth", tags=["oauth 机构"])

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": GRANT},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {
                            "type": "string",
                            "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
                            "maxLength": TOKEN_MAX,
                            "examples": ["eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJIMzUwMTAwMDAwMDEifQ.c2lnbmF0dXJl"],
                            "description": "JWT (ES256, or as the suite signs), aud = 本机构代码",
                        },
                    },
                },
            }
        },
    }
}


class Token(BaseModel):
    """
    An access token (RFC 6749 §5.1).
    """

    access_token: str
    token_type: str = Field(json_schema_extra={"const": "Bearer"})
    expires_in: int = Field(description="seconds", examples=[300])


async def _assertion(request: Request) -> str:
    """Read the form: exactly the three fields, each once; anything else is malformed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise Refused(Code.MALFORMED, f"{FORM} is expected")
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"), strict_parsing=True, max_num_fields=8, errors="strict"
        )
    except ValueError:
        raise Refused(Code.MALFORMED, "the form cannot be read") from None
    form = dict(pairs)
    if len(form) != len(pairs) or form.keys() != {"grant_type", "client_assertion_type", "client_assertion"}:
        raise Refused(Code.MALFORMED, "grant_type, client_assertion_type and client_assertion are expected, once each")
    if form["grant_type"] != GRANT or form["client_assertion_type"] != ASSERTION_TYPE:
        raise Refused(Code.MALFORMED, "only client_credentials with a JWT assertion is supported")
    return form["client_assertion"]


@router.post("/token", openapi_extra=_FORM, responses=problems(Code.UNAUTHENTICATED, Code.REPLAYED_ASSERTION))
async def token(request: Request) -> Token:
    """
    机构换取访问令牌。Buy an access token with an assertion signed by the institution's token key.

    `iss` and `sub` are the institution's code, `aud` is this site's code; an assertion can be used once.
    """
    site = site_of(request)
    assertion = await _assertion(request)
    now = site.clock()
    async with recording(site, None, "token"):
        try:
            claims = verify_assertion(assertion, site.trust, site.code, now=now)
        except Untrusted as untrusted:
            if untrusted.reason is Reason.STATUS_UNDETERMINABLE:
                raise  # no word about the caller: later we may know
            raise Refused(Code.UNAUTHENTICATED, "the assertion is not valid") from None
        institution = site.directory.institution(claims.issuer)
        if institution is None:
            raise Refused(Code.UNAUTHENTICATED, "the institution is not registered")
    caller = Actor(institution.code, institution.kind.role, institution.code)
    async with recording(site, caller, "token"):
        await site.db.transact(remember, claims, site.area, now)
    seconds = site.settings.token_seconds
    return Token(
        access_token=access_token(
            site.keyring.access_token_secret, institution.code, site.code, now=now, seconds=seconds
        ),
        token_type="Bearer",  # noqa: S106  The name of a scheme, not a secret.
        expires_in=seconds,
    )

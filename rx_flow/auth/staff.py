"""
Staff: signing in at one's own site, and the PIN that opens one's signing key and confirms each signature.
"""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rx_flow.auth import locks
from rx_flow.auth.doors import PersonCode, Strict
from rx_flow.auth.passwords import CHARACTERS_MAX
from rx_flow.auth.problems import problems
from rx_flow.auth.sessions import Session
from rx_flow.auth.site import Site, Told, denied, site_of
from rx_flow.config import Person
from rx_flow.crypto.errors import WrongPin
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SHANGHAI, Actor, Role
from rx_flow.record import audit
from rx_flow.record.audit import Entry


@dataclass(frozen=True, slots=True)
class SignedIn:
    """
    A member of staff in a session: who acts, and the way to their signing key.
    """

    site: Site
    session: Session

    @property
    def actor(self) -> Actor:
        """The person, in the role that the directory gives."""
        return self.session.actor

    @property
    def person(self) -> Person:
        """The person as the directory has them."""
        return self.session.person

    def must_be(self, *roles: Role) -> None:
        """Raise `Refused(WRONG_ROLE)` for anybody else; for readings, which the table of the law does not know."""
        if self.actor.role not in roles:
            raise Refused(Code.WRONG_ROLE, "not for this role")

    async def key(self, pin: str) -> SigningKey:
        """
        Return the person's signing key; ask for the PIN before each signature.

        Raise `Refused`: `wrong_pin`, or `pin_locked` after five in a row, across sessions and restarts. Each wrong one
        is recorded. The key file is opened once in a session (argon2id, in a thread); after that the PIN is compared.
        """
        site, person = self.site, self.actor.id
        async with site.sessions.gate(person):
            failures = await site.db.read(locks.failures, site.area, person)
            if failures >= locks.FAILURES_MAX:
                site.sessions.forget(person)
                await denied(site, self.actor, "sign", code=Code.PIN_LOCKED)
                raise Told(Code.PIN_LOCKED, "an administrator can unlock it")
            key = await self._opened(pin)
            if key is None:
                now = site.clock()
                code = await site.db.transact(locks.stumble, self.actor, site.area, origin=site.origin(), now=now)
                raise Told(code)
            if failures:
                await site.db.transact(locks.steady, self.actor, site.area)
            return key

    async def _opened(self, pin: str) -> SigningKey | None:
        """Compare the PIN with the one that opened the key; open the key where none has yet. None: wrong."""
        session, sessions = self.session, self.site.sessions
        given = sessions.pin_hash(pin)
        if session.key is not None:
            return session.key if hmac.compare_digest(given, session.pin) else None
        folder = self.site.settings.keys / self.site.code

        def open_() -> None:
            # Left in the session and not returned: the loop keeps a thread's last result until there is another one.
            session.open(unlock(folder, self.actor.id, pin), given)

        try:
            await asyncio.to_thread(open_)
        except WrongPin:
            return None
        except FileNotFoundError:
            raise Refused(Code.WRONG_ROLE, "this person has no signing key") from None
        return session.key


def bearer(request: Request) -> str:
    """
    Return the bearer token of a request, or raise `Refused(UNAUTHENTICATED)`.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(Code.UNAUTHENTICATED, "a bearer token is needed")
    return token


class _StaffSession(SecurityBase):
    """The dependency behind `Staff`, and its entry in the OpenAPI document."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="`POST /staff/sign-in` 返回的会话令牌 / a token from POST /staff/sign-in")
        self.scheme_name = "staff"

    async def __call__(self, request: Request) -> SignedIn:
        site = site_of(request)
        session = site.sessions.find(bearer(request), site.clock())
        if session is None:
            raise Refused(Code.UNAUTHENTICATED, "sign in first")
        return SignedIn(site, session)


Staff = Annotated[SignedIn, Depends(_StaffSession())]
router = APIRouter(prefix="/staff", tags=["staff 工作人员"])
_Password = Annotated[str, StringConstraints(min_length=1, max_length=CHARACTERS_MAX, pattern=r"^[!-~]+$")]


class Credentials(Strict):
    """
    Who signs in, with the password given at enrolment.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"person": "D350100000001", "password": "correct-horse-battery"}]}
    )
    person: PersonCode
    password: _Password


class Opened(BaseModel):
    """
    A session: show the token as `Authorization: Bearer ...`.
    """

    token: str
    expires_at: datetime = Field(examples=["2026-11-23T21:30:00+08:00"])
    person: str = Field(examples=["D350100000001"])
    role: Role
    name: str
    institution: str = Field(examples=["H35010000001"])


@router.post("/sign-in", responses=problems(Code.UNAUTHENTICATED, Code.TOO_MANY_ATTEMPTS, Code.BUSY))
async def sign_in(body: Credentials, request: Request) -> Opened:
    """
    登录本机构。Open a session; whether the person exists or the password is wrong is not told apart.

    After five wrong passwords in a row there is a wait before the next try, up to a minute; nobody is locked out.
    """
    site = site_of(request)
    person = site.directory.person(body.person)
    mine = person if person is not None and person.institution == site.code else None
    actor = Actor(mine.id, mine.role, mine.institution) if mine else None
    site.throttle.admit(body.person, site.clock())
    try:
        await site.passwords.verify(mine.id if mine else "", body.password)  # nobody's costs as much as somebody's
    except Refused as refusal:
        if refusal.code is not Code.UNAUTHENTICATED:
            raise  # nothing was tried
        await denied(site, actor, "sign_in", code=refusal.code)
        raise Told(refusal.code, refusal.detail) from None
    assert mine is not None  # noqa: S101  Nobody has no password.
    now = site.clock()
    site.throttle.forgive(body.person)
    await site.db.transact(audit.append, Entry(at=now, origin=site.origin(), actor=actor, action="sign_in"))
    token, until = site.sessions.begin(mine, now)
    return Opened(
        token=token,
        expires_at=until.astimezone(SHANGHAI),
        person=mine.id,
        role=mine.role,
        name=mine.name,
        institution=mine.institution,
    )


@router.post("/sign-out", status_code=204, responses=problems(Code.UNAUTHENTICATED))
async def sign_out(staff: Staff, request: Request) -> Response:
    """
    退出登录。Close this session and forget its key.
    """
    staff.site.sessions.end(bearer(request))
    return Response(status_code=204)

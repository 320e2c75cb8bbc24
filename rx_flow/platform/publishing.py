"""
The platform's doors for certificates (`/pki/`): authorities, revocation lists, and answers about single certificates.

Open to everybody: what is published is signed, and a stranger has to be able to verify. Only the certificates of people
and institutions, which name people, are told to institutions alone.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from rx_flow.auth.problems import problems
from rx_flow.auth.site import Here
from rx_flow.auth.tokens import Caller
from rx_flow.crypto.pki import published
from rx_flow.crypto.pki.published import MEDIA_CERTIFICATE, MEDIA_CHAIN, MEDIA_LIST
from rx_flow.law.refusals import Code, Refused
from rx_flow.platform.wire import local

router = APIRouter(prefix="/pki", tags=["证书 certificates"])

ASKED: Final = "application/ocsp-request"
ANSWERED: Final = "application/ocsp-response"
Name = Annotated[str, Path(pattern=r"^[a-z]+(-[0-9]{1,4})?$", examples=["persons-1"])]


def _file(media: str, text: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": text, "content": {media: {"schema": {"type": "string", "format": "binary"}}}}}


class Authority(BaseModel):
    """An authority: the name of its files, and its last list."""

    name: str = Field(examples=["persons-1"])
    thumbprint: str = Field(description="x5t#S256")
    number: int | None = Field(description="最近吊销列表的编号 / of its last list")
    this_update: datetime | None
    next_update: datetime | None
    revoked: int = Field(examples=[0])


class Contents(BaseModel):
    """Everything that is published here."""

    authorities: list[Authority]
    certificates: str = Field(description="全部证书指纹的摘要 / digest of the thumbprints of all other certificates")


@router.get("/")
async def contents(site: Here) -> Contents:
    """
    证书与吊销列表目录。What is published here: authorities, and when their lists were last renewed.
    """
    found = published.index(site.trust)
    authorities = [
        Authority(
            name=one.name,
            thumbprint=one.thumbprint,
            number=one.number,
            this_update=one.this_update and local(one.this_update),
            next_update=one.next_update and local(one.next_update),
            revoked=one.revoked,
        )
        for one in found.authorities
    ]
    return Contents(authorities=authorities, certificates=found.certificates)


@router.get(
    "/authorities/{name}.cer",
    response_class=Response,
    responses=_file(MEDIA_CERTIFICATE, "DER, RFC 5280") | problems(Code.NOT_FOUND),
)
async def authority(name: Name, site: Here) -> Response:
    """
    根证书或签发机构证书。The certificate of the root or of an issuing authority.
    """
    return _told(published.authority(site.trust, name), MEDIA_CERTIFICATE)


@router.get(
    "/lists/{name}.crl",
    response_class=Response,
    responses=_file(MEDIA_LIST, "DER, RFC 5280 §5") | problems(Code.NOT_FOUND),
)
async def revocations(name: Name, site: Here) -> Response:
    """
    吊销列表。The last revocation list of an authority: numbers, times and reasons.
    """
    return _told(published.revocations(site.trust, name), MEDIA_LIST)


@router.get(
    "/certificates", response_class=Response, responses=_file(MEDIA_CHAIN, "PEM") | problems(Code.UNAUTHENTICATED)
)
async def certificates(caller: Caller, site: Here) -> Response:  # noqa: ARG001  Who asks is all that matters.
    """
    机构与人员证书（仅限机构）。The certificates of people and institutions; for institutions.
    """
    return Response(published.chain(site.trust), media_type=MEDIA_CHAIN)


@router.post(
    "/ocsp",
    response_class=Response,
    responses=_file(ANSWERED, "RFC 6960") | problems(Code.NOT_FOUND),
    openapi_extra={
        "requestBody": {
            "required": False,  # RFC 6960 §2.3: what is no request has an answer too, malformedRequest
            "content": {
                ASKED: {"schema": {"type": "string", "format": "binary", "examples": ["(DER, RFC 6960 §4.1)"]}}
            },
        }
    },
)
async def ask(request: Request, site: Here) -> Response:
    """
    在线证书状态查询（OCSP）。Whether one certificate counts now (RFC 6960), with the asker's nonce signed too.
    """
    return _answered(site, await request.body())


@router.get(
    "/ocsp/{asked:path}", response_class=Response, responses=_file(ANSWERED, "RFC 6960") | problems(Code.NOT_FOUND)
)
async def look_up(
    asked: Annotated[str, Path(max_length=3000, description="base64(DER), RFC 6960 A.1")], site: Here
) -> Response:
    """
    在线证书状态查询（GET）。The same by GET: the request in base64 in the path.
    """
    try:
        raw = b64decode(asked, validate=True)
    except ValueError:
        raw = b""  # answered as any request that cannot be read
    return _answered(site, raw)


def _answered(site: Here, asked: bytes) -> Response:
    if site.responder is None:
        raise Refused(Code.NOT_FOUND, "nobody answers for the authorities here")
    return Response(site.responder.answer(asked, now=site.clock()), media_type=ANSWERED)


def _told(found: bytes | None, media: str) -> Response:
    if found is None:
        raise Refused(Code.NOT_FOUND, "no such authority")
    return Response(found, media_type=media)

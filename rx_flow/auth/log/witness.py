"""
A hospital or pharmacy as a witness (c2sp.org/tlog-witness): it cosigns what continues the log that it saw before.

Open to everybody: a checkpoint is signed by its log, and a cosignature tells nothing but what is in it.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from rx_flow.auth.log import parties
from rx_flow.auth.problems import problem, problems, trace_of
from rx_flow.auth.site import Here, Site, denied
from rx_flow.law.refusals import Code, Refused
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.log import witnessed
from rx_flow.record.log.witnessed import Held
from rx_flow.tlog import checkpoint, note, witness
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.witness import Answer, Known

router = APIRouter(prefix="/witness", tags=["见证 witness"])
FIRST: Final = "witness_new_log"  # the entry about an origin that was never seen before
REFUSED: Final = "cosign"
ATTEMPTS: Final = 5
_PROBLEMS: Final = {
    witness.BAD_REQUEST: Code.MALFORMED,
    witness.FORBIDDEN: Code.BAD_SIGNATURE,
    witness.UNKNOWN: Code.NOT_FOUND,
    witness.REFUSED: Code.NOT_CONSISTENT,
}
_EXAMPLE: Final = (
    "old 255\nrr21Fl0NPA7bmmH9QDQPGQZGTx5p8tcj1SqHt1ypzFI=\n\n"
    "c35990000001.rx-flow.example/350100\n256\nXf5mqi6fsGBbS6LyUGvNFMKTiTUA2mw7Lk7pqEnZbOk=\n\n"
    "— c35990000001.rx-flow.example/350100 Xe2cXg==\n"
)
_TEXT: Final = {"schema": {"type": "string"}}
_OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string", "examples": [_EXAMPLE]}}}}
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "联署行 / cosignature lines", "content": {"text/plain": _TEXT}},
    409: {"description": "本方所持规模 / the size that is held", "content": {witness.SIZE_TYPE: _TEXT}},
    400: problems(Code.MALFORMED)[422],
    **problems(Code.BAD_SIGNATURE, Code.NOT_FOUND, Code.NOT_CONSISTENT),
    403: problems(Code.BAD_SIGNATURE)[422],
}


@router.post("/add-checkpoint", response_class=Response, responses=_RESPONSES, openapi_extra=_OPENAPI)
async def add_checkpoint(request: Request, site: Here) -> Response:
    """
    为日志检查点联署。Cosign a checkpoint, by its consistency proof from the size that is held here (409 says which).
    """
    body = await request.body()
    origin = _origin(body)
    keys = () if origin is None else parties.trusted(site.settings.keys, site.directory, site.code, origin)
    for _ in range(ATTEMPTS):
        held = await site.db.read(witnessed.held, origin or "")
        answer = _decide(site, body, held, keys)
        if answer.accepted is None or await site.db.transact(_accept, site, held, answer.accepted):
            break
    else:
        raise Refused(Code.BUSY, "others are asking about the same log")
    if answer.status == witness.REFUSED:
        await denied(site, None, REFUSED, code=Code.NOT_CONSISTENT)
    code = _PROBLEMS.get(answer.status)
    if code is None:
        return Response(answer.body, answer.status, media_type=answer.media_type)
    return problem(answer.status, code, answer.body.decode().strip(), trace=trace_of(request))


def _origin(body: bytes) -> str | None:
    """Whose checkpoint it says it is; None where that cannot be read."""
    try:
        return checkpoint.parse(note.read(witness.read(body).signed).text).origin
    except Broken:
        return None


def _decide(site: Site, body: bytes, held: Held, keys: tuple[note.Key, ...]) -> Answer:
    known = Known(keys, held.size, held.root) if keys else None
    return witness.answer(
        body,
        lambda _: known,
        name=parties.witness_name(site.code),
        signer=site.keyring.log_key(parties.WITNESS),
        now=int(site.clock().timestamp()),
    )


def _accept(tx: Connection, site: Site, held: Held, now: Checkpoint) -> bool:
    """Store what is to be cosigned if nobody was quicker; a log that was never seen before is an entry of its own."""
    if not witnessed.accept(tx, held, now):
        return False
    if not held.hits:
        audit.append(tx, Entry(site.clock(), Origin(site.code, ""), site.actor, FIRST, purpose=now.origin))
    return True

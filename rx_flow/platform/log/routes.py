"""
The platform's doors to its logs (`/audit/`): the files of c2sp.org/tlog-tiles, proofs, and how far an entry has come.

Hash tiles, checkpoints and proofs are open to everybody; entries are for auditors. The prefix of an origin
`domain/350100` is `/audit/350100`, of its second epoch `/audit/350100/2`.
"""

from __future__ import annotations

from time import monotonic
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from rx_flow.auth.log.parties import log_keys
from rx_flow.auth.log.running import Logs
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Here, Site, recording
from rx_flow.auth.wire.edge import CACHE
from rx_flow.law.refusals import Code
from rx_flow.platform.log import reading
from rx_flow.platform.log.readers import Asker
from rx_flow.platform.log.readers import reading as may_read
from rx_flow.platform.log.reading import READ
from rx_flow.platform.log.shapes import LogEntry, LogList, LogListed
from rx_flow.tlog import checkpoint, policy, proof, tiles
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.tiles import Tile

router = APIRouter(prefix="/audit", tags=["审计日志 audit log"])

SECONDS_MAX: Final = 30.0
_SECONDS: Final = b"public, max-age=1"
_FOREVER: Final = b"public, max-age=31536000, immutable"
_FOREVER_PRIVATE: Final = b"private, max-age=31536000, immutable"
_LOG: Final = r"^([0-9]{6}|checkpoints)(/([2-9]|[1-9][0-9]{1,3}))?$"
At = Annotated[str, Path(pattern=_LOG, examples=["350100"], description="统筹区或 checkpoints；新纪元为 350100/2")]
Name = Annotated[str, Path(pattern=r"^[0-9]{6}$", examples=["350100"])]
Rest = Annotated[str, Path(pattern=r"^(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?$", examples=["x001/x234/067", "000.p/5"])]
Level = Annotated[str, Path(pattern=r"^[0-9]{1,2}$", examples=["0"])]
Number = Annotated[int, Path(ge=0, le=2**53)]
Chain = Annotated[str, Path(pattern=r"^[A-Za-z0-9:-]{1,40}$", examples=["350100-7M2K9Q4T1V8B3XHR"])]
Seq = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


def _file(media: str, text: str, *, codes: tuple[Code, ...] = (Code.NOT_FOUND,)) -> dict[int | str, dict[str, Any]]:
    shape = {"type": "string", "format": "binary"} if media == tiles.MEDIA_TYPE else {"type": "string"}
    return {200: {"description": text, "content": {media.partition(";")[0]: {"schema": shape}}}} | problems(*codes)


def _logs(site: Site) -> Logs:
    if site.logs is None:
        raise reading.not_found()
    return site.logs


@router.get("/")
async def index(site: Here) -> LogList:
    """
    日志目录。Every log with its epochs, verifier keys, and how far it has come.
    """
    logs = _logs(site)
    found = await site.db.read(reading.listed, tuple(logs.sequencer.signers), logs.policy)
    keys = {(one.name, one.epoch): log_keys(site.settings.keys, site.code, one.name, one.epoch) for one in found}
    return LogList(
        logs=[LogListed.of(one, keys[one.name, one.epoch]) for one in found],
        policy=policy.dump(logs.policy).decode(),
        alarms=logs.troubles(),
    )


@router.get(
    "/{log:path}/checkpoint",
    response_class=Response,
    responses=_file(checkpoint.MEDIA_TYPE, "c2sp.org/tlog-checkpoint"),
)
async def read_checkpoint(log: At, request: Request, site: Here) -> Response:
    """
    日志检查点。The newest checkpoint that a quorum has cosigned; the newest of all, if witnesses are far behind.
    """
    logs = _logs(site)
    found = await site.db.read(lambda tx: reading.find(tx, log))
    least = logs.served.get(found.origin, 0)
    signed = await site.db.read(lambda tx: reading.shown(tx, found, logs.policy, least=least))
    logs.served[found.origin] = max(logs.served.get(found.origin, 0), signed.size)  # others asked meanwhile
    return _shown(request, signed.note, checkpoint.MEDIA_TYPE, _SECONDS)


@router.get(
    "/{log:path}/tile/entries/{rest:path}",
    response_class=Response,
    responses=_file(tiles.MEDIA_TYPE, "c2sp.org/tlog-tiles", codes=(Code.NOT_FOUND, Code.WRONG_ROLE)),
)
async def read_bundle(log: At, rest: Rest, request: Request, asker: Asker, site: Here) -> Response:
    """
    审计记录包（仅限审计人员）。256 entries, each after its length in two bytes; for auditors, and recorded.
    """
    async with recording(site, asker, READ):
        await may_read(site, asker, log)
    return _shown(request, await _tile(site, log, f"tile/entries/{rest}"), tiles.MEDIA_TYPE, _FOREVER_PRIVATE)


@router.get(
    "/{log:path}/tile/{level}/{rest:path}",
    response_class=Response,
    responses=_file(tiles.MEDIA_TYPE, "c2sp.org/tlog-tiles"),
)
async def read_tile(log: At, level: Level, rest: Rest, request: Request, site: Here) -> Response:
    """
    哈希瓦片。A hash tile: up to 256 hashes of 32 bytes.
    """
    return _shown(request, await _tile(site, log, f"tile/{level}/{rest}"), tiles.MEDIA_TYPE, _FOREVER)


@router.get(
    "/{log:path}/proof/{index}", response_class=Response, responses=_file(proof.MEDIA_TYPE, "c2sp.org/tlog-proof")
)
async def read_proof(log: At, index: Number, request: Request, site: Here) -> Response:
    """
    收录证明（.tlog-proof）。That the entry of this index stands in the log, verifiable offline with the policy alone.
    """
    logs = _logs(site)
    _, made = await site.db.read(lambda tx: reading.proof(tx, reading.find(tx, log), index, logs.policy))
    return _shown(request, bytes(made), proof.MEDIA_TYPE, _SECONDS)


@router.get(
    "/{log:path}/consistency/{old}",
    response_class=Response,
    responses=_file(proof.MEDIA_TYPE, "old, hashes, checkpoint"),
)
async def read_consistency(log: At, old: Number, request: Request, site: Here) -> Response:
    """
    一致性证明（至当前检查点）。That the checkpoint now shown continues the log of an earlier size.
    """
    made = await site.db.read(reading.consistency, log, old, None, _logs(site).policy)
    return _shown(request, made, proof.MEDIA_TYPE, _SECONDS)


@router.get(
    "/{log:path}/consistency/{old}/{new}",
    response_class=Response,
    responses=_file(proof.MEDIA_TYPE, "old, hashes, checkpoint"),
)
async def read_consistency_between(log: At, old: Number, new: Number, request: Request, site: Here) -> Response:
    """
    一致性证明（两个规模之间）。The same to a checkpoint of another size, one that was signed.
    """
    made = await site.db.read(reading.consistency, log, old, new, _logs(site).policy)
    return _shown(request, made, proof.MEDIA_TYPE, _SECONDS)


@router.get("/{area}/entries/{chain}/{seq}/standing", responses=problems(Code.UNAUTHENTICATED, Code.NOT_FOUND))
async def standing(
    area: Name,
    chain: Chain,
    seq: Seq,
    *,
    asker: Asker,
    site: Here,
    wait: Annotated[Literal["published", "witnessed"] | None, Query(description="等到 / until it is")] = None,
    seconds: Annotated[float, Query(ge=0, le=SECONDS_MAX, description="最多等待 / at most")] = 10.0,
) -> LogEntry:
    """
    一条记录的进度与证明。Recorded, published or witnessed, with its proof; for who did it, or has to do with it.
    """
    logs = _logs(site)

    async def look() -> reading.Stands:
        return await site.db.read(reading.stands, area, chain, seq, asker=asker, policy=logs.policy)

    found = await look()
    until, order = monotonic() + seconds, list(reading.Standing)
    while wait and order.index(found.standing) < order.index(reading.Standing(wait)) and monotonic() < until:
        await logs.sequencer.next(area, until - monotonic())
        found = await look()
    return LogEntry.of(found)


async def _tile(site: Site, log: str, path: str) -> bytes:
    try:
        wanted: Tile = tiles.parse(path)
        return await site.db.read(reading.tile, log, wanted)
    except Broken:
        raise reading.not_found() from None


def _shown(request: Request, data: bytes, media: str, cache: bytes) -> Response:
    request.scope[CACHE] = cache
    return Response(data, media_type=media)

"""
The platform's doors: institutions bring documents and read what is theirs; patients come with the pick-up code.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Concatenate, Literal, TypeVar

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from rx_flow.auth.doors import Digest, Rx
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Here, Site, recording
from rx_flow.auth.tokens import Caller
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.platform import actions, intake, patient, publishing, views, wire
from rx_flow.platform.auditing import routes as auditing_routes
from rx_flow.platform.log import routes as log_routes
from rx_flow.platform.receipt import Delivery
from rx_flow.platform.sweep import sweep
from rx_flow.platform.vault import Vault
from rx_flow.record import dossier

router = APIRouter()
router.routes.extend(publishing.router.routes)
router.routes.extend(auditing_routes.router.routes)
router.routes.extend(log_routes.router.routes)
Lang = Annotated[Literal["zh", "en"], Query(description="默认中文 / Chinese unless asked")]
R = TypeVar("R")


Step = Callable[Concatenate[Connection, Delivery, ...], dossier.Answer]

_C = Code
_PROOF = (
    _C.NOT_FOR_US,
    _C.BAD_DOCUMENT,
    _C.BAD_SIGNATURE,
    _C.UNKNOWN_SIGNER,
    _C.CERTIFICATE_EXPIRED,
    _C.CERTIFICATE_REVOKED,
    _C.SUITE_NOT_ACCEPTED,
    _C.CERTIFICATE_STATUS_UNKNOWN,
    _C.CLOCK_SKEW,
)
_STORED = (_C.BAD_DOCUMENT, _C.CERTIFICATE_REVOKED, _C.CERTIFICATE_STATUS_UNKNOWN)
_ORDER = (_C.DOCUMENT_REPLAYED, _C.DOCUMENT_OUT_OF_ORDER, _C.WRONG_STATE, _C.CONFLICT)
_DELIVERED = problems(
    *_PROOF, _C.WRONG_ROLE, _C.WRONG_SIGNER, _C.NOT_FOUND, *_ORDER, _C.REASON_REQUIRED, _C.OUT_OF_DATE, _C.MALFORMED
)
_INSTITUTIONS: list[str | Enum] = ["机构 institutions"]
_PATIENTS: list[str | Enum] = ["患者 patients"]


def _vault(site: Site) -> Vault:
    return Vault(site.keyring, site.trust)


def _only(caller: Actor, role: Role) -> None:
    if caller.role is not role:
        raise Refused(Code.WRONG_ROLE, "not for this kind of institution")


async def _deliver(
    site: Site,
    caller: Actor,
    action: str,
    *,
    rx: str,
    package: str,
    run: Callable[..., R],
    **named: object,
) -> R:
    """Open what came, then let the action decide; a refusal of either kind is recorded with what is known by then."""
    async with recording(site, caller, action, rx=rx):
        documents = _vault(site).receive(package, rx, Seen(site.clock()))
    origin = site.origin(caller.institution)
    delivery = Delivery(RxId(rx), caller, package, documents=documents, origin=origin, now=site.clock())
    async with recording(site, caller, action, rx=rx, document=documents[-1].digest):
        return await site.db.transact(run, delivery, **named)


@router.post("/prescriptions/receive", tags=_INSTITUTIONS, responses=_DELIVERED | problems(_C.NUMBER_USED))
async def receive(body: wire.Received, caller: Caller, site: Here) -> wire.Answer:
    """
    接收医院外配处方。Take in a released prescription: the package goes from the prescription to the release.
    """
    if body.rx[:6] != body.area:
        raise Refused(Code.MALFORMED, "area")
    answer = await _deliver(
        site,
        caller,
        "receive",
        rx=body.rx,
        package=body.package,
        run=intake.receive,
        keyring=site.keyring,
        directory=site.directory,
    )
    return wire.Answer.of(answer)


@router.post(
    "/pickups/lookup", tags=_INSTITUTIONS, responses=problems(_C.MALFORMED_CODE, _C.NOT_FOUND, _C.NOMINATED_ELSEWHERE)
)
async def lookup(body: wire.Shown, caller: Caller, site: Here) -> wire.Routing:
    """
    凭取药码查询处方。What the code that a patient showed stands for.
    """
    index = wire.index_of(site.keyring, body.code)
    async with recording(site, caller, "lookup"):
        _only(caller, Role.PHARMACY)
        found = await site.db.transact(
            views.lookup, index, caller, origin=site.origin(caller.institution), now=site.clock()
        )
    return wire.Routing.of(found)


@router.get("/prescriptions", tags=_INSTITUTIONS, responses=problems(_C.WRONG_ROLE))
async def queue(
    nominated: Literal["me"],  # noqa: ARG001  The only list there is; others will ask by other words.
    caller: Caller,
    site: Here,
) -> wire.Queue:
    """
    患者指定本药店的待接处方。What patients have nominated this pharmacy for, and it can claim now.
    """
    async with recording(site, caller, "queue"):
        _only(caller, Role.PHARMACY)
    found = await site.db.read(views.queue, caller.institution, site.clock())
    return wire.Queue(prescriptions=[wire.Routing.of(one) for one in found])


@router.post(
    "/prescriptions/{rx}/claim",
    tags=_INSTITUTIONS,
    responses=_DELIVERED | problems(_C.MALFORMED_CODE, _C.NOMINATED_ELSEWHERE, _C.CODE_REQUIRED),
)
async def claim(rx: Rx, body: wire.Claim, caller: Caller, site: Here) -> wire.Claimed:
    """
    药店接单。Claim a prescription, with the patient's code or by nomination; the answer brings its packages.
    """
    index = None if body.code is None else wire.index_of(site.keyring, body.code)
    claimed = await _deliver(
        site,
        caller,
        "claim",
        rx=rx,
        package=body.package,
        run=actions.claim,
        index=index,
        vault=_vault(site),
    )
    answer = wire.Answer.of(claimed.answer)
    return wire.Claimed(
        **answer.model_dump(), packages=wire.Sealed.all(claimed.packages), recorded=wire.recorded(claimed.recorded)
    )


def _step(action: str, run: Step, text: str, *, needs: tuple[str, ...] = (), codes: tuple[Code, ...] = ()) -> None:
    """Open the door of one step; `needs` names what its action is given besides the delivery."""

    async def step(rx: Rx, body: wire.Packaged, caller: Caller, site: Here) -> wire.Answer:
        given = {"vault": _vault(site), "directory": site.directory}
        named = {name: given[name] for name in needs}
        return wire.Answer.of(await _deliver(site, caller, action, rx=rx, package=body.package, run=run, **named))

    router.add_api_route(
        f"/prescriptions/{{rx}}/{action}",
        step,
        methods=["POST"],
        name=action,
        description=text,
        tags=_INSTITUTIONS,
        responses=_DELIVERED | problems(*codes),
    )


_AT_PHARMACY = (_C.NOT_THE_CLAIMANT, _C.NOT_INDEPENDENT)
_step("hand_back", actions.hand_back, "药店退回处方。The pharmacy gives it back.", codes=(_C.NOT_THE_CLAIMANT,))
_step(
    "accept",
    actions.accept,
    "药师审核通过。The second pharmacist approves.",
    needs=("vault",),
    codes=(*_AT_PHARMACY, _C.FINDING_UNANSWERED),
)
_step("refuse", actions.refuse, "药师审核不通过。The second pharmacist refuses, with a reason.", codes=_AT_PHARMACY)
_step("settle", actions.settle, "医保结算。The insurer's statement becomes final.")
_step("reverse", actions.reverse, "撤销结算。The insurer's reversal, mirroring its statement.")
_step(
    "dispense",
    actions.dispense,
    "核对发药。Lots and trace codes of what was handed out.",
    needs=("directory",),
    codes=(*_AT_PHARMACY, _C.PICKER_REQUIRED, _C.LOTS_INCOMPLETE, _C.TRACE_CODE_USED),
)
_step(
    "take_back",
    actions.take_back,
    "退药退费。The pharmacist's record and the insurer's reversal, brought together by the insurer.",
    codes=(_C.NOT_THE_CLAIMANT,),
)
_step("revoke", actions.revoke, "医生撤销处方。The prescriber withdraws it.", codes=(_C.NOT_THE_PRESCRIBER,))
_step("deny", actions.deny, "拒付。The insurer refuses payment to the pharmacy.")
_step("recover", actions.recover, "追回。The insurer takes payment back.")


@router.get("/prescriptions/{rx}", tags=_INSTITUTIONS, responses=problems(_C.NOT_FOUND))
async def prescription(rx: Rx, caller: Caller, site: Here) -> wire.Routing:
    """
    处方流转状态。Where it stands, for its hospital, its pharmacy now or earlier, and its insurer.
    """
    async with recording(site, caller, "look", rx=rx):
        found = await site.db.read(views.routing, rx, caller)
    return wire.Routing.of(found)


@router.get(
    "/prescriptions/{rx}/dossier",
    tags=_INSTITUTIONS,
    responses=problems(_C.NOT_FOUND, _C.NOT_THE_CLAIMANT, _C.WRONG_ROLE, _C.WRONG_STATE, *_STORED),
)
async def read_dossier(rx: Rx, caller: Caller, site: Here) -> wire.Dossier:
    """
    完整处方档案（加密）。Every package, sealed for the caller too; each reading is recorded.
    """
    async with recording(site, caller, "open", rx=rx):
        found = await site.db.transact(
            views.read_dossier,
            RxId(rx),
            caller,
            vault=_vault(site),
            origin=site.origin(caller.institution),
            now=site.clock(),
        )
    return wire.Dossier.of(found)


@router.get("/prescriptions/{rx}/documents/{digest}", tags=_INSTITUTIONS, responses=problems(_C.NOT_FOUND))
async def became(rx: Rx, digest: Digest, caller: Caller, site: Here) -> wire.Answer:
    """
    文书处理结果。What became of a document: the answer that its sender lost.
    """
    return wire.Answer.of(await site.db.read(views.became, RxId(rx), digest, caller))


@router.post("/expire", tags=["平台 operator"], responses=problems(_C.WRONG_ROLE))
async def expire(caller: Caller, site: Here) -> wire.Swept:
    """
    过期清理。Declare out of date what is, now and not only at the next sweep; with the platform's own token.
    """
    async with recording(site, caller, "expire"):
        _only(caller, Role.PLATFORM)
    done = await sweep(site.db, keyring=site.keyring, origin=site.origin(), now=site.clock())
    return wire.Swept(expired=[wire.Answer.of(one) for one in done])


@router.post("/patient/view", tags=_PATIENTS, responses=problems(_C.MALFORMED_CODE, _C.NOT_FOUND, *_STORED))
async def view(body: wire.Shown, site: Here, lang: Lang = "zh") -> wire.View:
    """
    患者凭取药码查看处方进度和费用。The way of the prescription and the bill, explained.
    """
    index = wire.index_of(site.keyring, body.code)
    async with recording(site, None, "view"):
        found = await site.db.transact(
            patient.view,
            index,
            vault=_vault(site),
            directory=site.directory,
            language=lang,
            origin=site.origin(),
            now=site.clock(),
        )
    return wire.View.of(found, lang)


@router.post(
    "/patient/nominate",
    tags=_PATIENTS,
    responses=problems(_C.MALFORMED, _C.MALFORMED_CODE, _C.NOT_FOUND, _C.WRONG_STATE, _C.OUT_OF_DATE),
)
async def nominate(body: wire.Nomination, site: Here) -> wire.Chosen:
    """
    患者凭取药码指定药店。Choose the one pharmacy that can take it, or none.
    """
    index = wire.index_of(site.keyring, body.code)
    async with recording(site, None, "nominate"):
        standing = await site.db.transact(
            patient.nominate,
            index,
            body.pharmacy,
            directory=site.directory,
            origin=site.origin(),
            now=site.clock(),
        )
    return wire.Chosen(rx=standing.rx, state=standing.state, nominated=standing.nominated)

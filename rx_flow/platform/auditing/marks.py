"""
The way of one prescription by its entries, each with three marks: is its document signed, is it in the log, who saw it.

A mark that cannot be determined says so, and why; nothing is taken for verified because it is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection

from rx_flow.auth.telling.templates import Language
from rx_flow.auth.titles import TITLES
from rx_flow.crypto.documents import Document
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.refusals import Code, Refused
from rx_flow.platform.log import reading
from rx_flow.platform.vault import Vault
from rx_flow.record import dossier, recorded
from rx_flow.record.audit import Recorded, entries
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.checkpoints import Published
from rx_flow.record.log.store import Log
from rx_flow.tlog import proof
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.merkle import leaf
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import NONE, Policy
from rx_flow.tlog.proof import Proof

ENTRIES_MAX: Final = 4000  # of one prescription
Keys = Callable[[str, int], Sequence[Key]]  # by log and epoch


class Found(StrEnum):
    """
    What came of looking; only the first is good.
    """

    VERIFIED = "verified"
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    NONE = "none"  # there is nothing to look at


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What came of one check, and why: a stable word, "" where it was good.
    """

    found: Found
    why: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """
    An entry with its marks; `index` is its place in its log, `witnesses` are those who have cosigned, of so many.
    """

    entry: Recorded
    signature: Mark
    inclusion: Mark
    witnessed: Mark
    index: int | None = None
    size: int | None = None  # of the checkpoint that covers it
    witnesses: tuple[str, ...] = ()
    of: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    The entries of a prescription, the first one first, and the places at which one does not follow the one before.
    """

    entries: tuple[Marked, ...]
    breaks: tuple[int, ...]


# Why something is not verified, in words; codes of refusals and of the log's faults stand for themselves.
WHY: Final[Mapping[str, tuple[str, str]]] = {
    "no_document": ("此操作没有文书", "no document belongs to it"),
    "not_opened": ("未打开平台密钥，未核验", "the platform's key was not opened"),
    "not_kept": ("文书被拒收，未保存", "the document was refused and not kept"),
    "missing": ("文书不在档案中", "the document is not in the dossier"),
    "wrong_signer": ("签名人与记录不符", "signed by somebody other than the entry says"),
    "no_log": ("该机构没有可验证日志", "this site keeps no verifiable log"),
    "not_published": ("尚未公布", "not published yet"),
    "no_key": ("没有日志公钥", "no key of the log is known"),
    "no_policy": ("未配置见证人", "no witnesses are appointed"),
    "no_quorum": ("联署不足法定数", "fewer than a quorum have cosigned"),
}
_FOUND: Final[Mapping[Found, tuple[str, str]]] = {
    Found.VERIFIED: ("已核验", "verified"),
    Found.FAILED: ("核验不通过", "NOT valid"),
    Found.UNDETERMINED: ("未能确定", "not determined"),
    Found.NONE: ("无", "none"),
}
_NO_DOCUMENT, _NOT_OPENED = Mark(Found.NONE, "no_document"), Mark(Found.UNDETERMINED, "not_opened")


def say(mark: Mark, language: Language) -> str:
    """
    Return a mark in words, with the reason where there is one.
    """
    place = 0 if language == "zh" else 1
    what = _FOUND[mark.found][place]
    if not mark.why:
        return what
    titles = TITLES.get(mark.why, (mark.why, mark.why))
    why = WHY.get(mark.why, titles)[place]
    return f"{what}：{why}" if language == "zh" else f"{what}: {why}"


def timeline(
    tx: Connection, rx: str, *, keys: Keys, policy: Policy, vault: Vault | None, now: datetime
) -> Timeline | None:
    """
    Return every entry of a prescription with its marks; None where this site has none of it.

    With a vault every document is opened and verified as it was when it was recorded; without one, nobody is believed.
    `Refused(TOO_LARGE)` beyond 4000 entries.
    """
    found = tuple(reversed(entries(tx, rx=rx, limit=ENTRIES_MAX + 1)))
    if not found:
        return None
    if len(found) > ENTRIES_MAX:
        raise Refused(Code.TOO_LARGE, "entries")
    found = tuple(sorted(found, key=lambda one: one.seq))
    signatures = {} if vault is None else _signatures(tx, rx, vault, now)
    logs = _logs(tx, rx[:6], keys, policy)
    told = tuple(
        _marked(tx, one, _NOT_OPENED if vault is None else _signature(one, signatures), logs=logs, policy=policy)
        for one in found
    )
    return Timeline(told, _breaks(found))


def _breaks(found: Sequence[Recorded]) -> tuple[int, ...]:
    """The entries that do not follow the one before, or are not what they are said to be."""
    wrong = [one.seq for one in found if sha256(one.body).hexdigest() != one.digest]
    if (found[0].seq, found[0].prev) != (1, ""):
        wrong.append(found[0].seq)
    wrong += [one.seq for last, one in pairwise(found) if (one.seq, one.prev) != (last.seq + 1, last.digest)]
    return tuple(sorted(set(wrong)))


# --- signatures ---


def _signatures(tx: Connection, rx: str, vault: Vault, now: datetime) -> Mapping[str, Document | Mark]:
    """Every kept document, verified, or why it is not."""
    kept, packages = dossier.documents(tx, rx), dossier.packages(tx, rx)
    seen = recorded.seen(tx, kept, vault.trust, now)
    ends = [*(one.first_seq for one in packages[1:]), len(kept) + 1]
    found: dict[str, Document | Mark] = {one.digest: Mark(Found.FAILED, "missing") for one in kept}
    for package, end in zip(packages, ends, strict=True):
        try:
            documents = vault.receive(package.body, rx, seen)
        except (Untrusted, Refused) as refusal:
            why = refusal.reason.value if isinstance(refusal, Untrusted) else refusal.code.value
            for one in kept:
                if package.first_seq <= one.seq < end:
                    found[one.digest] = Mark(Found.FAILED, why)
            continue
        found |= {one.digest: one for one in documents if one.digest in found}
    return found


def _signature(one: Recorded, signatures: Mapping[str, Document | Mark]) -> Mark:
    content = one.content
    if not content["document"]:
        return _NO_DOCUMENT
    found = signatures.get(content["document"])
    if found is None:
        kept = content["outcome"] == "ok"
        return Mark(Found.FAILED, "missing") if kept else Mark(Found.UNDETERMINED, "not_kept")
    if isinstance(found, Mark):
        return found
    actor, signer = content["actor"] or {}, found.signer
    if content["outcome"] == "ok" and (signer.id, signer.institution) != (actor.get("id"), actor.get("institution")):
        return Mark(Found.FAILED, "wrong_signer")
    return Mark(Found.VERIFIED)


# --- the log ---


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One epoch of the area's log, and the checkpoints to prove by: the newest that is witnessed, and the newest."""

    log: Log
    trusted: Policy | None  # the log's own keys; none where none is known
    witnessed: Published | None
    newest: Published | None


def _logs(tx: Connection, area: str, keys: Keys, policy: Policy) -> list[_Epoch]:
    found = []
    for epoch in store.epochs(tx, area):
        log = store.load(tx, area, epoch)
        if log is not None:
            known = tuple(keys(area, epoch))
            best = reading.witnessed(tx, log, policy)
            found.append(_Epoch(log, Policy(logs=known) if known else None, best, checkpoints.last(tx, area, epoch)))
    return found


def _marked(tx: Connection, one: Recorded, signature: Mark, *, logs: Sequence[_Epoch], policy: Policy) -> Marked:
    def unknown(why: str, *, index: int | None = None) -> Marked:
        mark = Mark(Found.UNDETERMINED, why)
        return Marked(one, signature, mark, mark, index, of=len(policy.witnesses))

    if not logs:
        return unknown("no_log")
    epoch = next((each for each in logs if one.idx is not None and each.log.base <= one.idx), None)
    if epoch is None or one.idx is None:
        return unknown("not_published")
    index = one.idx - epoch.log.base
    signed = next((each for each in (epoch.witnessed, epoch.newest) if each is not None and index < each.size), None)
    if signed is None:
        return unknown("not_published", index=index)
    if epoch.trusted is None:
        return unknown("no_key", index=index)
    try:
        hashes = tuple(store.prover(tx, epoch.log, signed.size).inclusion(index))
        proof.verify(Proof(index, hashes, signed.note), leaf(one.body), epoch.trusted)
    except Broken as broken:
        wrong = Mark(Found.FAILED, broken.fault.value)
        return Marked(one, signature, wrong, Mark(Found.UNDETERMINED, wrong.why), index, of=len(policy.witnesses))
    names = reading.cosigners(signed, policy)
    seen, of = _witnessed(signed, policy), len(policy.witnesses)
    return Marked(one, signature, Mark(Found.VERIFIED), seen, index, signed.size, names, of)


def _witnessed(signed: Published, policy: Policy) -> Mark:
    if policy.quorum == NONE:
        return Mark(Found.UNDETERMINED, "no_policy")
    if reading.is_witnessed(signed, policy):
        return Mark(Found.VERIFIED)
    return Mark(Found.UNDETERMINED, "no_quorum")

"""
The steps of judging a bundle: each takes what the ones before it have shown, and raises the exact reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from rx_flow.crypto import canonical, compact, suites
from rx_flow.crypto.disclosures import signed_part
from rx_flow.crypto.documents import Document, take_apart, verify_document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.offline import Enclosed, believe
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Answer, Seen
from rx_flow.evidence import container as _container
from rx_flow.evidence import entries as _entries
from rx_flow.evidence import manifest as _manifest
from rx_flow.evidence.build import committed, document_name
from rx_flow.evidence.entries import Entry
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.lawful import Unjudged, Way, replay, signed_in_role
from rx_flow.evidence.manifest import GUIDE, MANIFEST, Stated
from rx_flow.law.standing import SHANGHAI, Role
from rx_flow.law.terms import TERMS
from rx_flow.tlog import note, proof
from rx_flow.tlog.merkle import leaf
from rx_flow.tlog.policy import Policy

SKEW = timedelta(minutes=5)
_FOLDERS = ("documents", "entries", "certificates", "authorities", "lists", "packages", "log")
_UNJUDGED = {
    Unjudged.SUPPLY: ("用药天数的依据已遮蔽，未判断", "why more days are supplied is withheld: not judged"),
    Unjudged.FINDINGS: (
        "审方发现已遮蔽，未判断是否说明理由",
        "findings are withheld: whether a reason was owed is not judged",
    ),
    Unjudged.REASON: ("理由已遮蔽，未判断", "a reason is owed and withheld: not judged"),
}


class Fact(NamedTuple):
    """
    A line worth reading, in Chinese and English; never a value of the patient.
    """

    zh: str
    en: str


class Unchecked(Exception):  # noqa: N818  An answer of a step, as a refusal is.
    """
    The bundle does not have what the step is about.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.facts = (Fact(zh, en),)


@dataclass(slots=True)
class Case:
    """
    A bundle, the root, the moment, and what the steps so far have shown.
    """

    data: bytes = field(repr=False)
    root: bytes = field(repr=False)
    now: datetime
    policy: Policy | None = None
    rx: str = ""
    members: dict[str, bytes] = field(default_factory=dict, repr=False)
    trust: Trust = field(init=False, repr=False)
    at: datetime = field(init=False)
    manifest: Document = field(init=False)
    stated: Stated = field(init=False)
    entries: tuple[Entry, ...] = ()
    documents: tuple[Document, ...] = ()
    way: Way = field(init=False)

    def folder(self, name: str) -> dict[str, bytes]:
        """Return the members of a folder, by their names in it, in order."""
        start = f"{name}/"
        return {each.removeprefix(start): data for each, data in sorted(self.members.items()) if each.startswith(start)}

    def stems(self, name: str) -> dict[str, bytes]:
        """Return the PEM files of a folder by the thumbprint that each is called by."""
        found = self.folder(name)
        for each in found:
            if not each.endswith(".pem"):
                raise Unproven(Fault.MEMBER_UNKNOWN, f"{name}/{each}")
        return {each.removesuffix(".pem"): data for each, data in found.items()}


def container(case: Case) -> list[Fact]:
    """The file is one that packing its members gives: nothing hidden in it, nothing that could unpack elsewhere."""
    case.members = _container.unpack(case.data)
    digest = sha256(case.data).hexdigest()
    count, size = len(case.members), len(case.data)
    return [Fact(f"{count} 个文件，{size} 字节，SHA-256 {digest}", f"{count} files, {size} bytes, SHA-256 {digest}")]


def sums(case: Case) -> list[Fact]:
    """Every file is the one whose digest is listed, and no other is there."""
    names = _manifest.check_sums(case.members)
    for name in names:
        if name != GUIDE and name.split("/")[0] not in _FOLDERS:
            raise Unproven(Fault.MEMBER_UNKNOWN, name)
    return [Fact(f"{len(names)} 个文件的摘要一致", f"the digests of {len(names)} files agree")]


def certificates(case: Case) -> list[Fact]:
    """Every certificate leads to the root that the reader brought; a root within the bundle counts for nothing."""
    enclosed = Enclosed(case.stems("certificates"), case.stems("authorities"), case.stems("lists"))
    case.trust = believe(case.root, enclosed)
    raws = [case.members[MANIFEST], *case.folder("documents").values()]
    used = {take_apart(_text(raw), withheld=True).thumbprint for raw in raws}
    if unused := sorted(enclosed.leaves.keys() - used):
        raise Unproven(Fault.CERTIFICATE_UNUSED, unused[0])
    if missing := sorted(used - enclosed.leaves.keys()):
        raise Unproven(Fault.MEMBER_MISSING, f"certificates/{missing[0]}.pem")
    leaves, between = len(enclosed.leaves), len(enclosed.authorities)
    return [
        Fact(
            f"{leaves} 张签名证书、{between} 个中间机构，均由所给根证书签发",
            f"{leaves} signers' certificates and {between} authorities lead to the root that was given",
        )
    ]


def revocation(case: Case) -> list[Fact]:
    """Each authority's list covers the moment of the export, and says what it had revoked by then."""
    case.at = take_apart(_text(case.members[MANIFEST]), withheld=True).at  # believed at the next step
    facts = []
    for one in case.trust.lists.values():
        if one.this_update > case.at + SKEW:
            raise Unproven(Fault.FROM_THE_FUTURE, "a revocation list")
    for print_ in sorted(case.trust.certificates):
        status = case.trust.status(print_, now=case.at)
        if status.answer is Answer.UNDETERMINABLE:
            raise Untrusted(Reason.STATUS_UNDETERMINABLE, print_)
        if status.revoked is not None:
            since = _time(status.revoked.since)
            facts.append(Fact(f"证书 {print_} 自 {since} 起吊销", f"certificate {print_} is revoked since {since}"))
    moment, count = _time(case.at), len(case.trust.lists)
    return [
        Fact(f"{count} 份吊销列表在 {moment} 有效", f"{count} revocation lists hold at {moment}"),
        *(facts or [Fact("无证书被吊销", "no certificate is revoked")]),
    ]


def manifested(case: Case) -> list[Fact]:
    """The platform has signed, by its seal, which files these are and where the prescription stood."""
    raw = _text(case.members[MANIFEST])
    if case.at > case.now + SKEW:
        raise Unproven(Fault.FROM_THE_FUTURE, MANIFEST)
    document = verify_document(raw, case.trust, Seen(case.at))
    stated = _manifest.read(document)
    if document.signer.role != Role.PLATFORM or document.signer.id != document.signer.institution:
        raise Unproven(Fault.MANIFEST_NOT_BY_PLATFORM)
    if stated.sums != _manifest.digest(case.members[_manifest.SUMS]):
        raise Unproven(Fault.MANIFEST_MISMATCH, _manifest.SUMS)
    case.manifest, case.stated, case.rx = document, stated, document.rx
    shown = ("患者信息已遮蔽", "the patient's values are withheld") if stated.withheld else ("完整", "complete")
    by, moment = document.signer.id, _time(case.at)
    return [
        Fact(
            f"处方 {case.rx}，平台 {by} 于 {moment} 出具，用途 {stated.purpose}，{shown[0]}",
            f"prescription {case.rx}, given out by platform {by} at {moment} for {stated.purpose}; {shown[1]}",
        )
    ]


def entries(case: Case) -> list[Fact]:
    """The platform's log of this prescription is whole, from its first entry to the one of this export."""
    found = case.folder("entries")
    if [*found] != [f"{seq:04}.json" for seq in range(1, case.stated.entries + 1)]:
        raise Unproven(Fault.ENTRY_OUT_OF_ORDER, "the files")
    case.entries = tuple(_entries.read(body) for body in found.values())
    _entries.linked(case.entries, rx=case.rx, site=case.manifest.signer.id)
    last = case.entries[-1] if case.entries else None
    if last is None or (last.action, last.at) != (_manifest.ACTION, case.at):
        raise Unproven(Fault.ENTRY_MISMATCH, "the last entry is not of this export")
    refused = sum(one.outcome != _entries.OK for one in case.entries)
    return [
        Fact(
            f"{len(found)} 条审计记录首尾相连，其中 {refused} 条为被拒绝的操作",
            f"{len(found)} entries, each linked to the one before; {refused} of them tell of a refusal",
        )
    ]


def documents(case: Case) -> list[Fact]:
    """Each document is of the right form, and signed by whom its certificate names, in that role, when it was valid."""
    seen = Seen(case.at, _entries.recorded(case.entries))
    facts, found = [], []
    for name, raw in case.folder("documents").items():
        if document_name(take_apart(_text(raw), withheld=True)) != f"documents/{name}":
            raise Unproven(Fault.MEMBER_UNKNOWN, f"documents/{name}")
        try:
            document = verify_document(_text(raw), case.trust, seen, withheld=True)
        except Untrusted as untrusted:
            raise Untrusted(untrusted.reason, f"documents/{name}") from None
        signed_in_role(document)
        found.append(document)
        facts.append(_signed(document))
    case.documents = tuple(found)
    return facts


def chain(case: Case) -> list[Fact]:
    """The documents are the whole dossier, up to the last one that the platform knew."""
    raws = [document.raw for document in case.documents]
    seen = Seen(case.at, _entries.recorded(case.entries))
    verify_dossier(raws, case.trust, seen, rx=case.rx, head=case.manifest.prev, withheld=True)
    if case.manifest.seq != len(raws) + 1:
        raise Unproven(Fault.MANIFEST_MISMATCH, "the number of documents")
    head = case.manifest.prev
    return [
        Fact(f"{len(raws)} 份文书连成一链，末份 {head}", f"{len(raws)} documents are one chain; the last is {head}")
    ]


def disclosed(case: Case) -> list[Fact]:
    """What is shown matches its commitments one for one, and as much is withheld as the bundle says."""
    hidden = sum(document.withheld for document in case.documents)
    shown = sum(document.raw.count("~") - 1 for document in case.documents if "~" in document.raw)
    for document in case.documents:
        if case.stated.withheld:
            if signed_part(document.raw) != document.raw:
                raise Unproven(Fault.DISCLOSED, f"document {document.seq}")
            committed(document.doc, document.body, seq=document.seq)
        elif document.withheld:
            raise Unproven(Fault.NOT_DISCLOSED, f"document {document.seq}")
    return [
        Fact(
            f"{shown} 项与其承诺一致，{hidden} 项遮蔽（仅显示加盐承诺）",
            f"{shown} values match their commitments; {hidden} are withheld, only their salted commitments shown",
        )
    ]


def law(case: Case) -> list[Fact]:
    """Every step was one that the law allows, by that role, from where the prescription stood, at that time."""
    case.way = replay(case.documents)
    if case.way.state is not case.stated.state:
        raise Unproven(Fault.WRONG_STATE, f"{case.way.state} in place of {case.stated.state}")
    states = [case.way.steps[0].source, *(step.target for step in case.way.steps)]
    words = TERMS["state"]
    return [
        Fact(" → ".join(words[state] for state in states), " → ".join(states)),
        *(Fact(*_UNJUDGED[one]) for one in sorted(case.way.unjudged)),
    ]


def agreement(case: Case) -> list[Fact]:
    """The log tells of exactly these steps: the same document, actor, and states."""
    _entries.agree(case.entries, case.way)
    count = len(case.way.steps)
    return [Fact(f"{count} 个步骤与审计记录逐一相符", f"{count} steps, each with its entry")]


def packages(case: Case) -> list[Fact]:
    """The sealed packages are those that the platform holds, each of this prescription."""
    found = case.folder("packages")
    if case.stated.withheld:
        if found:
            raise Unproven(Fault.PACKAGE_MISMATCH, "a package in a bundle that withholds")
        raise Unchecked("遮蔽版不含密封包", "a bundle that withholds has no packages")
    wanted = {f"{one.first_seq:04}.jwe": one.sha256 for one in case.stated.packages}
    if {name: _manifest.digest(body) for name, body in found.items()} != wanted:
        raise Unproven(Fault.PACKAGE_MISMATCH)
    for name, body in found.items():
        _of(body, case.rx, name)
    return [Fact(f"{len(found)} 个密封包属于本处方", f"{len(found)} sealed packages of this prescription")]


def log(case: Case) -> list[Fact]:
    """The log's tree holds each entry that was published, under a checkpoint that the log has signed."""
    found = case.folder("log")
    if not found:
        raise Unchecked("证据包不含可验证日志的证明", "the bundle has no proofs of a verifiable log")
    keys = tuple(note.key(one) for one in case.stated.logs)
    policy = case.policy or Policy(keys)
    if not keys or not {*keys} <= {*policy.logs}:
        raise Unproven(Fault.LOG_MISMATCH, "not the log that the policy names")
    sizes = set()
    for name, data in found.items():
        entry = next((one for one in case.entries if f"{one.seq:04}{proof.SUFFIX}" == name), None)
        if entry is None:
            raise Unproven(Fault.MEMBER_UNKNOWN, f"log/{name}")
        signed = proof.verify(proof.read(data), leaf(entry.body), policy, now=int(case.now.timestamp()))
        sizes.add(signed.checkpoint.size)
    open_ = len(case.entries) - len(found)
    return [
        Fact(
            f"{len(found)} 条记录在日志树中（大小 {max(sizes, default=0)}），{open_} 条尚未公布",
            f"{len(found)} entries stand in the log's tree of {max(sizes, default=0)}; {open_} were not published yet",
        )
    ]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise Untrusted(Reason.BAD_ENCODING) from None


def _time(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _signed(document: Document) -> Fact:
    """Which document, by whom, when, with what; nothing of what it says."""
    header: Any = canonical.loads(compact.decode(document.raw.split(".")[0].encode()))
    suite = suites.of_signature(header["alg"]).name
    signer, doc = document.signer, document.doc
    told = f"{signer.id} / {signer.institution}, {_time(document.at)}, {suite}"
    return Fact(
        f"{document.seq} {TERMS['document'][doc]}：{TERMS['role'][signer.role]} {told}",
        f"{document.seq} {doc}: {signer.role} {told}",
    )


def _of(body: bytes, rx: str, name: str) -> None:
    """A package's protected header names the prescription; its content opens to nobody here."""
    package: Any = canonical.read(body)
    if not isinstance(package, dict) or not isinstance(package.get("protected"), str):
        raise Unproven(Fault.PACKAGE_MISMATCH, name)
    header: Any = canonical.read(compact.decode(package["protected"].encode()))
    if not isinstance(header, Mapping) or header.get("rx") != rx:
        raise Unproven(Fault.PACKAGE_MISMATCH, name)

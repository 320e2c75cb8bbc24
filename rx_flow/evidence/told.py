"""
The further steps: what the documents and entries of a bundle tell, and whether it could be so. As the first ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rx_flow.crypto import canonical, compact
from rx_flow.crypto.disclosures import signed_part
from rx_flow.crypto.documents import Claimed, Document, take_apart, weigh
from rx_flow.crypto.dossiers import chained
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.pki.status import Seen
from rx_flow.crypto.suites import Name
from rx_flow.evidence import entries as _entries
from rx_flow.evidence import manifest as _manifest
from rx_flow.evidence.build import committed, document_name
from rx_flow.evidence.case import Case, Discounted, Fact, Unchecked, text
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.lawful import Unjudged, proven, signed_in_role
from rx_flow.law.standing import wall_clock
from rx_flow.law.terms import TERMS
from rx_flow.tlog import note, proof
from rx_flow.tlog.merkle import leaf
from rx_flow.tlog.policy import Policy

_UNJUDGED = {
    Unjudged.SUPPLY: ("用药天数的依据已遮蔽，未判断", "why more days are supplied is withheld: not judged"),
    Unjudged.FINDINGS: (
        "审方发现已遮蔽，未判断是否说明理由",
        "findings are withheld: whether a reason was owed is not judged",
    ),
    Unjudged.REASON: ("理由已遮蔽，未判断", "a reason is owed and withheld: not judged"),
}


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
    """
    Each document is of the right form, and signed by whom its certificate names, in that role, when it was valid.

    `Discounted` where nothing is wrong but that certificates were revoked before the log tells of their documents.
    """
    folder = case.folder("documents")
    claimed = {f"documents/{name}": take_apart(text(raw), withheld=True) for name, raw in folder.items()}
    seen = Seen(case.at, _entries.recorded(case.entries, [one.digest for one in claimed.values()]))
    facts, found, discounted = [], [], []
    for name, one in claimed.items():
        if document_name(one) != name:
            raise Unproven(Fault.MEMBER_UNKNOWN, name)
        try:
            document, revoked = weigh(one, case.trust, seen)
        except Untrusted as untrusted:
            raise Untrusted(untrusted.reason, name) from None
        signed_in_role(document)
        found.append(document)
        facts.append(_signed(document, one.suite.name, _doubt(case, one, seen) if revoked else _basis(case.discounted)))
        if revoked:
            discounted.append(name)
            case.discounted += (document.seq,)
    case.claimed, case.documents = tuple(claimed.values()), tuple(found)
    if discounted:
        raise Discounted(", ".join(discounted), facts)
    return facts


def chain(case: Case) -> list[Fact]:
    """The documents are the whole dossier, up to the last one that the platform knew."""
    head, count = case.manifest.prev, len(case.claimed)
    chained(case.claimed, rx=case.rx, head=head)
    if case.manifest.seq != count + 1:
        raise Unproven(Fault.MANIFEST_MISMATCH, "the number of documents")
    return [Fact(f"{count} 份文书连成一链，末份 {head}", f"{count} documents are one chain; the last is {head}")]


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
    case.way = proven(case.documents)
    if case.way.state is not case.stated.state:
        raise Unproven(Fault.WRONG_STATE, f"{case.way.state} in place of {case.stated.state}")
    states = [case.way.steps[0].source, *(step.target for step in case.way.steps)]
    words = TERMS["state"]
    return [
        Fact(" → ".join(words[state] for state in states), " → ".join(states)),
        *(Fact(*_UNJUDGED[one]) for one in sorted(case.way.unjudged)),
        *_supposed(case.discounted),
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


def _signed(document: Document, suite: Name, but: Fact | None) -> Fact:
    """Which document, by whom, when, with what, and what is to be said against it; nothing of what it says."""
    signer, doc = document.signer, document.doc
    told = f"{signer.id} / {signer.institution}, {wall_clock(document.at)}, {suite}"
    zh, en = ("", "") if but is None else (f"；{but.zh}", f"; {but.en}")
    return Fact(
        f"{document.seq} {TERMS['document'][doc]}：{TERMS['role'][signer.role]} {told}{zh}",
        f"{document.seq} {doc}: {signer.role} {told}{en}",
    )


def _doubt(case: Case, claimed: Claimed, seen: Seen) -> Fact:
    """Why a document does not count: since when its certificate is revoked, and since when the log tells of it."""
    revoked, since = case.trust.status(claimed.thumbprint, now=case.at).revoked, seen.since(claimed.digest)
    assert revoked is not None  # noqa: S101  That is why it does not count.
    begins = wall_clock(revoked.since)
    zh, en = ("并无记录", "the log does not tell of it") if since is None else (
        f"至 {wall_clock(since)} 才有记录", f"the log tells of it since {wall_clock(since)} only"
    )  # fmt: skip
    return Fact(
        f"不计：签名无误，但证书自 {begins} 起吊销（{revoked.why}），{zh}",
        f"DOES NOT COUNT: its signature is right, its certificate is revoked since {begins} ({revoked.why}), {en}",
    )


def _supposed(discounted: Sequence[int]) -> list[Fact]:
    """What the rules were asked, where documents do not count."""
    if not discounted:
        return []
    zh, en = _uncounted(discounted)
    return [Fact(f"{zh}：此处只判断若其成立是否合规", f"{en}: judged as if all did")]


def _basis(discounted: Sequence[int]) -> Fact | None:
    """What is to be said of a document that holds by itself, and follows others that do not count."""
    if not discounted:
        return None
    zh, en = _uncounted(discounted)
    return Fact(f"签名成立，但所依据的{zh}", f"its own signature holds, but it rests on what does not: {en}")


def _uncounted(discounted: Sequence[int]) -> Fact:
    """Which documents do not count."""
    numbers = [str(one) for one in discounted]
    en = f"documents {', '.join(numbers)} do" if numbers[1:] else f"document {numbers[0]} does"
    return Fact(f"文书 {'、'.join(numbers)} 不计", f"{en} not count")


def _of(body: bytes, rx: str, name: str) -> None:
    """A package's protected header names the prescription; its content opens to nobody here."""
    package: Any = canonical.read(body)
    if not isinstance(package, dict) or not isinstance(package.get("protected"), str):
        raise Unproven(Fault.PACKAGE_MISMATCH, name)
    header: Any = canonical.read(compact.decode(package["protected"].encode()))
    if not isinstance(header, Mapping) or header.get("rx") != rx:
        raise Unproven(Fault.PACKAGE_MISMATCH, name)

"""
The first steps: whether a bundle is whole, and whose word it is. Each takes what the ones before have shown, or raises.
"""

from __future__ import annotations

from hashlib import sha256

from rx_flow.crypto.documents import take_apart, verify_document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.offline import Enclosed, believe
from rx_flow.crypto.pki.status import Answer, Seen
from rx_flow.evidence import container as _container
from rx_flow.evidence import manifest as _manifest
from rx_flow.evidence.case import SKEW, Case, Fact, text
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.manifest import GUIDE, MANIFEST
from rx_flow.law.standing import Role, wall_clock

_FOLDERS = ("documents", "entries", "certificates", "authorities", "lists", "packages", "log")


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
    used = {take_apart(text(raw), withheld=True).thumbprint for raw in raws}
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
    case.at = take_apart(text(case.members[MANIFEST]), withheld=True).at  # believed at the next step
    facts = []
    for one in case.trust.lists.values():
        if one.this_update > case.at + SKEW:
            raise Unproven(Fault.FROM_THE_FUTURE, "a revocation list")
    for print_ in sorted(case.trust.certificates):
        status = case.trust.status(print_, now=case.at)
        if status.answer is Answer.UNDETERMINABLE:
            raise Untrusted(Reason.STATUS_UNDETERMINABLE, print_)
        if status.revoked is not None:
            since = wall_clock(status.revoked.since)
            facts.append(Fact(f"证书 {print_} 自 {since} 起吊销", f"certificate {print_} is revoked since {since}"))
    moment, count = wall_clock(case.at), len(case.trust.lists)
    return [
        Fact(f"{count} 份吊销列表在 {moment} 有效", f"{count} revocation lists hold at {moment}"),
        *(facts or [Fact("无证书被吊销", "no certificate is revoked")]),
    ]


def manifested(case: Case) -> list[Fact]:
    """The platform has signed, by its seal, which files these are and where the prescription stood."""
    raw = text(case.members[MANIFEST])
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
    by, moment = document.signer.id, wall_clock(case.at)
    return [
        Fact(
            f"处方 {case.rx}，平台 {by} 于 {moment} 出具，用途 {stated.purpose}，{shown[0]}",
            f"prescription {case.rx}, given out by platform {by} at {moment} for {stated.purpose}; {shown[1]}",
        )
    ]

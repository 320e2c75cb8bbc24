"""
What the doors for auditors take and answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints

from rx_flow.auth.doors import Moment, Strict
from rx_flow.platform.auditing.marks import Found, Mark
from rx_flow.platform.auditing.timeline import Marked
from rx_flow.platform.wire import local
from rx_flow.record.audit import Recorded
from rx_flow.record.reading.gaps import Gap, Kind
from rx_flow.record.reading.pages import LIMIT_MAX, Page
from rx_flow.record.reading.report import Listed, Report

Say = Callable[[Recorded], str]
Explain = Callable[[Mark], str]
_SENTENCE = "2026-11-23 10:00:00 福州甲医院 责任医师 医师甲（D350100000001） 提交处方（草稿 → 已签名）。"
_ENTRY = {"v": 2, "action": "submit", "outcome": "ok", "rx": "350100-7M2K9Q4T1V8B3XHR", "seq": 1, "prev": ""}
_PSEUDONYM = r"^[0-9a-f]{64}$"
Pseudonym = Annotated[str, StringConstraints(pattern=_PSEUDONYM), Field(examples=["5e" * 32])]


class Whose(Strict):
    """Whose records: a patient's identity document, or the platform's pseudonym of it; never part of an address."""

    id_type: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")] = Field("01", examples=["01"])
    id_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z()-]{4,30}$")] | None = Field(
        None, examples=["990000198001011236"]
    )
    pseudonym: Pseudonym | None = None
    since: Moment | None = None
    until: Moment | None = None
    after: Annotated[str, StringConstraints(max_length=400)] | None = Field(None, examples=["the last answer's next"])
    limit: int = Field(100, ge=1, le=LIMIT_MAX)


class EntryOut(BaseModel):
    """An entry exactly as it was recorded, and what it says."""

    recorded_at: datetime
    area: str = Field(examples=["350100"])
    chain: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    seq: int = Field(examples=[1])
    number: int | None = Field(description="统筹区内的序号 / in its area; null until it has one", examples=[17])
    digest: str = Field(examples=["9f86d081884c7d65" * 4])
    text: str = Field(examples=[_SENTENCE])
    entry: dict[str, Any] = Field(description="原始记录 / as recorded", examples=[_ENTRY])

    @classmethod
    def of(cls, one: Recorded, say: Say) -> Self:
        """Tell it of an entry."""
        return cls(
            recorded_at=local(one.recorded_at),
            area=one.area,
            chain=one.chain,
            seq=one.seq,
            number=one.idx,
            digest=one.digest,
            text=say(one),
            entry=one.content,
        )


class Entries(BaseModel):
    """A page, the newest first."""

    entries: list[EntryOut]
    next: str | None = Field(description="下一页；末页为空 / for the next page; null at the end")

    @classmethod
    def of(cls, page: Page, say: Say) -> Self:
        """Tell it of a page."""
        return cls(entries=[EntryOut.of(one, say) for one in page.entries], next=page.next)


class MarkOut(BaseModel):
    """What came of one check."""

    found: Found
    why: str = Field(examples=["not_published"])
    text: str = Field(examples=["已核验"])

    @classmethod
    def of(cls, one: Mark, explain: Explain) -> Self:
        """Tell it of a mark."""
        return cls(found=one.found, why=one.why, text=explain(one))


class MarkedOut(EntryOut):
    """An entry of a timeline, and what of it was verified."""

    signature: MarkOut
    inclusion: MarkOut
    witnessed: MarkOut
    index: int | None = Field(description="在日志中的序号 / in its log", examples=[17])
    size: int | None = Field(description="所证检查点的规模 / of the checkpoint proved by", examples=[1024])
    witnesses: list[str] = Field(examples=[["h35010000001.rx-flow.example/witness"]])
    witnesses_of: int = Field(description="见证人总数 / of so many witnesses", examples=[6])

    @classmethod
    def marked(cls, one: Marked, say: Say, explain: Explain) -> Self:
        """Tell it of a marked entry."""
        return cls(
            **EntryOut.of(one.entry, say).model_dump(),
            signature=MarkOut.of(one.signature, explain),
            inclusion=MarkOut.of(one.inclusion, explain),
            witnessed=MarkOut.of(one.witnessed, explain),
            index=one.index,
            size=one.size,
            witnesses=list(one.witnesses),
            witnesses_of=one.of,
        )


class TimelineOut(BaseModel):
    """The way of a prescription, the first entry first."""

    rx: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    breaks: list[int] = Field(
        description="与前条不相接的记录 / entries that do not follow the one before", examples=[[]]
    )
    entries: list[MarkedOut]


class GapOut(BaseModel):
    """Something that is not there, or not in its place."""

    kind: Kind
    area: str = Field(examples=["350100"])
    chain: str = Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
    seq: int = Field(examples=[3])
    recorded_at: datetime
    since: datetime | None = Field(description="行为发生时间 / when a late one was done")

    @classmethod
    def of(cls, one: Gap) -> Self:
        """Tell it of a gap."""
        since = None if one.since is None else local(one.since)
        return cls(
            kind=one.kind, area=one.area, chain=one.chain, seq=one.seq, recorded_at=local(one.recorded_at), since=since
        )


class Gaps(BaseModel):
    """What is missing or came late, at most a thousand of each kind."""

    gaps: list[GapOut]


class DeniedOut(BaseModel):
    """Who was refused what, how often."""

    code: str = Field(examples=["wrong_pin"])
    person: str = Field(examples=["D350100000001"])
    institution: str = Field(examples=["H35010000001"])
    action: str = Field(examples=["sign"])
    count: int = Field(examples=[3])


class ActionCount(BaseModel):
    """How often something was done or refused."""

    action: str = Field(examples=["submit"])
    outcome: str = Field(examples=["ok"])
    count: int = Field(examples=[120])


class ListedOut(BaseModel):
    """How many there were, and the first thousand of them."""

    count: int = Field(examples=[0])
    entries: list[EntryOut]

    @classmethod
    def of(cls, one: Listed, say: Say) -> Self:
        """Tell it of a list."""
        return cls(count=one.count, entries=[EntryOut.of(each, say) for each in one.entries])


class ReportOut(BaseModel):
    """The report of a day."""

    since: datetime
    until: datetime
    quiet: bool = Field(description="无须查看 / nothing that somebody has to look into")
    total: int = Field(examples=[1024])
    actions: list[ActionCount]
    denied: list[DeniedOut]
    locked: ListedOut = Field(description="口令锁定 / PIN locks")
    passphrases: ListedOut = Field(description="密钥口令错误 / wrong passphrases")
    revoked: ListedOut = Field(description="证书吊销 / revocations")
    keys: ListedOut = Field(description="密钥与授权事项 / key events and grants")
    log: ListedOut = Field(description="日志启停 / starts, stops, new origins of the log")
    alarms: ListedOut = Field(description="日志回退告警 / rollback alarms")
    reconciled: ListedOut = Field(description="业务数据与日志核对 / runs that held the rows against the log")
    unfounded: ListedOut = Field(description="无后续操作的查阅 / reads by institutions that took no step")
    late: ListedOut = Field(description="迟到的记录 / late entries")
    gaps: list[GapOut] = Field(description="缺漏 / gaps")

    @classmethod
    def of(cls, one: Report, say: Say) -> Self:
        """Tell it of a report."""
        names = ("locked", "passphrases", "revoked", "keys", "log", "alarms", "reconciled", "unfounded", "late")
        lists = {name: ListedOut.of(getattr(one, name), say) for name in names}
        return cls(
            since=local(one.since),
            until=local(one.until),
            quiet=one.quiet,
            total=one.total,
            actions=[
                ActionCount(action=action, outcome=outcome, count=count)
                for (action, outcome), count in sorted(one.actions.items())
            ],
            denied=[
                DeniedOut(
                    code=each.code, person=each.person, institution=each.institution, action=each.action, count=count
                )
                for each, count in sorted(one.denied.items())
            ],
            gaps=[GapOut.of(each) for each in one.gaps],
            **lists,
        )

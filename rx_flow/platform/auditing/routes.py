"""
The platform's doors for auditors: entries by any question, timelines, accesses, refusals, gaps, the report of a day.

Every reading is itself one entry, in the reader's own chain; a timeline opens documents, so that it stands in the
prescription's. What is read never tells who a patient is: an identity number comes in a body and goes no further.
What can take long is read apart from the event loop, also where the database is read in it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from rx_flow.auth.doors import Day, Moment, Rx
from rx_flow.auth.log.parties import log_keys
from rx_flow.auth.problems import problems
from rx_flow.auth.site import Here, Site, recording
from rx_flow.auth.telling.sentences import tell
from rx_flow.auth.telling.templates import Language
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Actor, Role, RxId, span
from rx_flow.platform.auditing import marks
from rx_flow.platform.auditing import timeline as _timeline
from rx_flow.platform.auditing.shapes import (
    Entries,
    Explain,
    GapOut,
    Gaps,
    MarkedOut,
    Pseudonym,
    ReportOut,
    Say,
    TimelineOut,
    Whose,
)
from rx_flow.platform.log.readers import Asker
from rx_flow.platform.log.reading import READ
from rx_flow.platform.vault import Vault
from rx_flow.record import audit
from rx_flow.record.apart import read_apart
from rx_flow.record.audit import Entry, Outcome, Recorded
from rx_flow.record.log.comparing import Breathe, nobody
from rx_flow.record.reading import gaps as _gaps
from rx_flow.record.reading.pages import LIMIT_MAX, READS, Question, page
from rx_flow.record.reading.report import report as _report
from rx_flow.tlog.policy import NONE, Policy

router = APIRouter(prefix="/audit", tags=["审计查询 audit"])

SPAN_MAX: Final = timedelta(days=31)  # of what reads every entry of a time
_C = Code
_RESPONSES = problems(_C.UNAUTHENTICATED, _C.WRONG_ROLE, _C.MALFORMED)
Lang = Annotated[Literal["zh", "en"], Query(description="默认中文 / Chinese unless asked")]
_NO_POLICY = Policy(logs=(), quorum=NONE)


class _When(BaseModel):
    """A time, and a page of it."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(None, description="起（含） / from", examples=["2026-11-23T00:00:00+08:00"])
    until: Moment | None = Field(None, description="止（不含） / before", examples=["2026-11-24T00:00:00+08:00"])
    after: str | None = Field(None, max_length=400, description="上一页的 next / `next` of the page before")
    limit: int = Field(100, ge=1, le=LIMIT_MAX)
    lang: Language = "zh"


class _Filters(_When):
    """Which entries: every filter given has to hold."""

    rx: Rx | None = None
    person: str | None = Field(
        None, max_length=24, description="人员代码 / a person's code", examples=["D350100000001"]
    )
    institution: str | None = Field(None, max_length=24, description="机构代码", examples=["H35010000001"])
    patient: Pseudonym | None = Field(None, description="患者假名（非证件号） / a pseudonym, never an identity number")
    action: list[str] = Field([], max_length=20, description="动作，可多个 / any of these", examples=[["open"]])
    outcome: Outcome | None = None
    code: Code | None = None
    trace: str | None = Field(None, max_length=32, examples=["ab" * 16])


async def _asked(site: Site, asker: Actor, purpose: str, rx: str | None = None) -> None:
    """Record that an auditor asks, and what; `Refused`: WRONG_ROLE for anybody else, NOT_FOUND for no prescription."""
    async with recording(site, asker, READ, rx=rx):
        if asker.role is not Role.PLATFORM:
            raise Refused(Code.WRONG_ROLE, "the log is read by auditors")
        if rx is not None and not await site.db.read(audit.entries, rx=rx, limit=1):
            raise Refused(Code.NOT_FOUND)  # nothing is ever written into the chain of what does not exist
    about = None if rx is None else RxId(rx)
    await site.db.transact(audit.append, Entry(site.clock(), site.origin(), asker, READ, about, purpose=purpose))


def _say(site: Site, language: Language, breathe: Breathe = nobody) -> Say:
    def say(one: Recorded) -> str:
        breathe()
        return tell(one.content, site.directory, language).sentence

    return say


def _question(asked: _When, **other: Any) -> Question:  # noqa: ANN401  Filters of every kind.
    return Question(since=asked.since, until=asked.until, **other)


async def _answer(site: Site, asked: _When, question: Question) -> Entries:
    found = await site.db.read(page, question, after=asked.after, limit=asked.limit)
    return Entries.of(found, _say(site, asked.lang))


@router.get("/entries", responses=_RESPONSES)
async def entries(asked: Annotated[_Filters, Query()], asker: Asker, site: Here) -> Entries:
    """
    按任意条件组合查询审计记录。Entries by any combination of filters, the newest first, page by page.
    """
    question = _question(
        asked,
        rx=asked.rx,
        person=asked.person,
        institution=asked.institution,
        patient=asked.patient,
        actions=tuple(asked.action) or None,
        outcome=asked.outcome,
        code=asked.code,
        trace=asked.trace,
    )
    await _asked(site, asker, f"entries: {question.words}")
    return await _answer(site, asked, question)


@router.get("/denied", responses=_RESPONSES)
async def denied(asked: Annotated[_When, Query()], asker: Asker, site: Here) -> Entries:
    """
    被拒绝的操作。Every attempt that was refused, with its code.
    """
    question = _question(asked, outcome=Outcome.DENIED)
    await _asked(site, asker, f"denied: {question.words}")
    return await _answer(site, asked, question)


@router.post("/patients/accesses", responses=_RESPONSES)
async def accesses(whose: Whose, asker: Asker, site: Here, lang: Lang = "zh") -> Entries:
    """
    谁看过一名患者的处方。Who has read of a patient's prescriptions, or tried to; the identity stands in the body only.
    """
    match whose.id_number, whose.pseudonym:
        case str(number), None:
            patient = site.keyring.pseudonym(whose.id_type, number)
        case None, str(patient):
            pass
        case _:
            raise Refused(Code.MALFORMED, "an identity number or a pseudonym")
    question = Question(patient=patient, actions=tuple(sorted(READS)), since=whose.since, until=whose.until)
    await _asked(site, asker, f"accesses: {question.words}")
    found = await site.db.read(page, question, after=whose.after, limit=whose.limit)
    return Entries.of(found, _say(site, lang))


def _explain(language: Language) -> Explain:
    return lambda one: marks.say(one, language)


@router.get("/prescriptions/{rx}/timeline", responses=_RESPONSES | problems(_C.NOT_FOUND))
async def timeline(rx: Rx, asker: Asker, site: Here, lang: Lang = "zh") -> TimelineOut:
    """
    一张处方的全过程，逐条注明签名、日志收录与见证。The way of a prescription in words, with marks for each entry.
    """
    await _asked(site, asker, "timeline", rx)
    policy = site.logs.policy if site.logs is not None else _NO_POLICY
    keys, vault = partial(log_keys, site.settings.keys, site.code), Vault(site.keyring, site.trust)

    def read(tx: Connection, breathe: Breathe) -> TimelineOut:
        found = _timeline.timeline(tx, rx, keys=keys, policy=policy, vault=vault, now=site.clock())
        assert found is not None  # noqa: S101  it has the entry that was just written
        say, explain = _say(site, lang, breathe), _explain(lang)
        marked = [MarkedOut.marked(one, say, explain) for one in found.entries]
        return TimelineOut(rx=rx, breaks=list(found.breaks), entries=marked)

    return await read_apart(site.settings.database_url, read)


@router.get("/report", responses=_RESPONSES)
async def report(
    day: Annotated[Day, Query(description="中国日期 / a day in China", examples=["2026-11-23"])],
    asker: Asker,
    site: Here,
    lang: Lang = "zh",
) -> ReportOut:
    """
    每日事件报告。The report of a day: refusals by code and person, locks, revocations, alarms, gaps, late entries.
    """
    if not 2000 <= day.year < 2100:  # noqa: PLR2004  the years in which there can be a log
        raise Refused(Code.MALFORMED, "day")
    await _asked(site, asker, f"report: {day.isoformat()}")
    since, until = span(day)

    def read(tx: Connection, breathe: Breathe) -> ReportOut:
        found = _report(tx, since=since, until=until, now=site.clock(), breathe=breathe)
        return ReportOut.of(found, _say(site, lang, breathe))

    return await read_apart(site.settings.database_url, read)


@router.get("/gaps", responses=_RESPONSES)
async def gaps(
    since: Annotated[Moment, Query(examples=["2026-11-23T00:00:00+08:00"])],
    until: Annotated[Moment, Query(examples=["2026-11-24T00:00:00+08:00"])],
    *,
    asker: Asker,
    site: Here,
) -> Gaps:
    """
    缺漏与迟到的记录。What is missing from chains and numbers, waits too long, or came late; at most of 31 days.
    """
    if not timedelta() <= until - since <= SPAN_MAX:
        raise Refused(Code.MALFORMED, "at most 31 days")
    await _asked(site, asker, f"gaps: {Question(since=since, until=until).words}")

    def read(tx: Connection, breathe: Breathe) -> Gaps:
        found = _gaps.gaps(tx, since=since, until=until, now=site.clock())
        late = _gaps.latecomers(tx, since=since, until=until, breathe=breathe)
        return Gaps(gaps=[GapOut.of(one) for one in (*found, *late)])

    return await read_apart(site.settings.database_url, read)

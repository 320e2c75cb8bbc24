"""
A question to the log in any combination of filters, answered page by page; whoever writes meanwhile disturbs nothing.

An entry never moves: pages go back in time from the newest, each from where the last one ended, so that nothing that
stood there when the first page was read is lost or comes twice.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Untrusted
from rx_flow.law.refusals import Code, Refused
from rx_flow.record.audit import Outcome, Place, Recorded, entries

LIMIT_MAX: Final = 1000
# What reads of a prescription without moving it: the clinical content, or that it exists.
READS: Final = frozenset({"open", "view", "lookup", "look", "export", "read_log"})
_SHORT: Final = 8
_SEQ_MAX: Final = 2**31


@dataclass(frozen=True, slots=True)
class Question:
    """
    Which entries somebody wants; every filter that is not None has to hold. `patient` is a pseudonym.
    """

    rx: str | None = None
    person: str | None = None
    institution: str | None = None
    patient: str | None = None
    actions: tuple[str, ...] | None = None
    outcome: Outcome | None = None
    code: Code | None = None
    since: datetime | None = None
    until: datetime | None = None
    trace: str | None = None

    @property
    def words(self) -> str:
        """The question as an entry keeps it: filters by name, a pseudonym shortened."""
        told = []
        for name, value in asdict(self).items():
            if name == "patient" and value is not None:
                told.append(f"patient={short(value)}")
            elif isinstance(value, datetime):
                told.append(f"{name}={value.isoformat(timespec='seconds')}")
            elif isinstance(value, tuple):
                told.append(f"{name}={','.join(value)}")
            elif value is not None:
                told.append(f"{name}={value}")
        return " ".join(told) or "all"


@dataclass(frozen=True, slots=True)
class Page:
    """
    Entries, the newest first, and what to ask on with; None at the end.
    """

    entries: tuple[Recorded, ...]
    next: str | None


def short(pseudonym: str) -> str:
    """
    Return the beginning of a pseudonym: enough to tell two patients apart on a page, too little to look one up.
    """
    return pseudonym[:_SHORT]


def page(tx: Connection, question: Question, *, after: str | None = None, limit: int = 100) -> Page:
    """
    Return the entries of a question, at most `limit` (1 to 1000), from where the page ended that gave `after`.

    `Refused(MALFORMED)` for what is no such place, or for the place in the answer to another question.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise Refused(Code.MALFORMED, f"limit: 1 to {LIMIT_MAX}")
    found: Sequence[Recorded] = entries(
        tx,
        rx=question.rx,
        person=question.person,
        institution=question.institution,
        patient=question.patient,
        action=question.actions,
        outcome=question.outcome,
        code=question.code,
        since=question.since,
        until=question.until,
        trace=question.trace,
        limit=limit + 1,
        before=None if after is None else _place(after, question),
    )
    kept = tuple(found[:limit])
    return Page(kept, _cursor(kept[-1], question) if len(found) > limit else None)


def _cursor(last: Recorded, question: Question) -> str:
    told = [_mark(question), last.recorded_at.isoformat(), last.area, last.chain, last.seq]
    return urlsafe_b64encode(canonical.dumps(told)).decode().rstrip("=")


def _place(cursor: str, question: Question) -> Place:
    try:
        content: Any = canonical.read(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        mark, at, area, chain, seq = content
        place = Place(datetime.fromisoformat(at).astimezone(UTC), str(area), str(chain), range(_SEQ_MAX)[seq])
    except (LookupError, TypeError, ValueError, Untrusted):  # what base64 says is a ValueError too
        raise Refused(Code.MALFORMED, "no such place in an answer") from None
    if mark != _mark(question):
        raise Refused(Code.MALFORMED, "a place in the answer to another question")
    return place


def _mark(question: Question) -> str:
    """What tells one question from another: the exact filters, not the words that shorten them."""
    told = {name: str(value) for name, value in asdict(question).items() if value is not None}
    return canonical.digest(canonical.dumps(told))[:16]

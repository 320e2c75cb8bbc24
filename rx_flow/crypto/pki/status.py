"""
Whether a certificate still counts, in three answers: valid, revoked, undeterminable; and when a signature is judged.

What was signed before a revocation stays good where it is known to have been there before. Who holds a stolen key can
state any time of signing: what counts is when a log recorded the document, and for what comes in just now, now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.lists import RevocationList, Revoked

SKEW = timedelta(minutes=5)  # between the clocks of two institutions
# Between signing and arriving. Documents travel through outboxes that wait for days; what is older than this was not on
# its way: an expired certificate, which nobody revokes any more, would otherwise sign for ever.
ON_THE_WAY_MOST = timedelta(days=30)


class Answer(StrEnum):
    """
    What is known of a certificate. Undeterminable is never taken for valid.
    """

    VALID = "valid"
    REVOKED = "revoked"
    UNDETERMINABLE = "undeterminable"


@dataclass(frozen=True, slots=True)
class Status:
    """
    The answer, what was revoked where it was, and what is in the way where nothing can be said.
    """

    answer: Answer
    revoked: Revoked | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    When a document is judged (`now`), and since when it is known to exist: all times aware.

    `recorded`: when a log recorded each document, by digest. `held`: since when whoever asks has all of them, by its
    own log. Neither: they have come just now.
    """

    now: datetime
    recorded: Mapping[str, datetime] | None = field(default=None, repr=False)
    held: datetime | None = None

    def since(self, digest: str) -> datetime | None:
        """Return since when a document is known to exist; None for a stored one of which no log tells."""
        found = None if self.recorded is None else self.recorded.get(digest)
        if found is None:
            found = self.held
        elif self.held is not None:
            found = min(found, self.held)
        return self.now if found is None and self.recorded is None else found


@dataclass(frozen=True, slots=True)
class Link:
    """
    One step of a chain: the certificate `serial`, which ends at `ends`, and the authority that answers for it.
    """

    authority: str
    serial: int
    ends: datetime


def told(stated: object) -> dict[str, datetime]:
    """
    Return when a log recorded documents, by digest, as another site tells it in JSON; `Untrusted(MALFORMED)` if not so.
    """
    found: dict[str, datetime] = {}
    for digest, text in stated.items() if isinstance(stated, Mapping) else (("", stated),):
        try:
            at = datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            at = None
        if at is None or at.utcoffset() is None:
            raise Untrusted(Reason.MALFORMED, "recorded")
        found[digest] = at
    return found


def plausible(stated: datetime, since: datetime) -> None:
    """
    Return if what is known to exist since `since` can have been signed when it says; raise `Untrusted` if not.
    """
    if stated > since + SKEW:
        raise Untrusted(Reason.SIGNED_AHEAD)
    if stated < since - ON_THE_WAY_MOST:
        raise Untrusted(Reason.SIGNED_LONG_AGO)


def of(links: tuple[Link, ...], lists: Mapping[str, RevocationList], *, now: datetime) -> Status:
    """
    Return what is known at `now` of a certificate and of the authorities above it, by the last list of each.

    Revoked goes before undeterminable: a list that is out of date still tells what it has revoked.
    """
    undeterminable: Status | None = None
    for link in links:
        found = lists.get(link.authority)
        if found is None:
            undeterminable = Status(Answer.UNDETERMINABLE, detail="no revocation list")
            continue
        revoked = found.revoked.get(link.serial)
        if revoked is not None:
            return Status(Answer.REVOKED, revoked)
        if now > found.next_update:
            undeterminable = Status(Answer.UNDETERMINABLE, detail="the revocation list is out of date")
        elif not found.tells_of(link.ends):
            undeterminable = Status(Answer.UNDETERMINABLE, detail="the list has left out what has ended")
    return undeterminable or _VALID


_VALID = Status(Answer.VALID)


def judge(links: tuple[Link, ...], lists: Mapping[str, RevocationList], *, now: datetime, since: datetime) -> None:
    """
    Return if a signature that is known to exist since `since` counts; raise `Untrusted` if it does not.

    `CERTIFICATE_REVOKED` where the certificate, or an authority above it, was revoked by then; where it was so later,
    what was there before stays good. `STATUS_UNDETERMINABLE` where nobody can say. Two look-ups for each link.
    """
    for link in links:
        found = lists.get(link.authority)
        revoked = None if found is None else found.revoked.get(link.serial)
        if revoked is not None and since >= revoked.since:
            raise Untrusted(Reason.CERTIFICATE_REVOKED, revoked.why)
        if found is None or now > found.next_update or not found.tells_of(link.ends):
            raise Untrusted(Reason.STATUS_UNDETERMINABLE)

"""
What this site owes others: written in the transaction that causes it, in lanes of one receiver and prescription each.

The only place that reads and writes the table; `sender` delivers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

import orjson
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from rx_flow.law.refusals import Code
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import outbox as _outbox

MessageId = NewType("MessageId", str)
DONE_BELOW = 300  # HTTP statuses below it are a yes


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What the receiver answered: HTTP status and body.
    """

    status: int
    body: bytes

    @property
    def taken(self) -> bool:
        """Whether the receiver said yes."""
        return self.status < DONE_BELOW

    @property
    def code(self) -> Code:
        """The code of the problem that was answered; CONFLICT where there is none that is known here."""
        try:
            return Code(orjson.loads(self.body)["code"])
        except (KeyError, TypeError, ValueError):
            return Code.CONFLICT


@dataclass(frozen=True, slots=True)
class Parcel:
    """
    What is sent to another institution: to whom, to which path, and the bytes of the request.
    """

    to: str
    path: str
    body: bytes


class Unreachable(Exception):  # noqa: N818  Something that is the case, not a fault of ours.
    """
    The receiver gave no answer: whether it got the message is not known.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """
    One thing owed to `to` about `rx`, the n-th of its lane; `key` is the digest of the document in it.
    """

    to: str
    rx: str
    n: int
    key: str
    path: str
    body: bytes

    @property
    def id(self) -> MessageId:
        """Names the message at this site."""
        return message_id(self.to, self.rx, self.n)


def message_id(to: str, rx: str, n: int) -> MessageId:
    """
    Name the n-th message to `to` about `rx`.
    """
    return MessageId(f"{to}/{rx}/{n}")


def parts(message: MessageId) -> tuple[str, str, int]:
    """
    Return receiver, prescription and number of a message.
    """
    to, rx, n = message.split("/")
    return to, rx, int(n)


_o = _outbox.c
_NAMES = ("area", "rx", "receiver", "n", "key", "path", "body", "created_at")
_lane = (_o.area == bindparam("area"), _o.rx == bindparam("rx"), _o.receiver == bindparam("receiver"))
_next = select(
    bindparam("area", type_=_o.area.type),
    bindparam("rx", type_=_o.rx.type),
    bindparam("receiver", type_=_o.receiver.type),
    func.coalesce(func.max(_o.n), 0) + 1,
    bindparam("key", type_=_o.key.type),
    bindparam("path", type_=_o.path.type),
    bindparam("body", type_=_o.body.type),
    bindparam("created_at", type_=_o.created_at.type),
).where(*_lane)
_PUT = {
    name: Prepared(
        kind.insert(_outbox)
        .from_select(_NAMES, _next)
        .on_conflict_do_nothing(index_elements=["area", "rx", "receiver", "key"])
        .returning(_o.n)
    )
    for name, kind in (("sqlite", sqlite), ("postgresql", postgresql))
}
_NUMBER = Prepared(select(_o.n).where(*_lane, _o.key == bindparam("key")))
_MESSAGE = (_o.receiver, _o.rx, _o.n, _o.key, _o.path, _o.body)
_WAITING = Prepared(select(*_MESSAGE).where(*_lane, _o.answered_at.is_(None)).order_by(_o.n))
_RECEIVER = Prepared(
    select(_o.receiver).where(_o.answered_at.is_(None), _o.receiver > bindparam("after")).order_by(_o.receiver).limit(1)
)
_LANES = Prepared(
    select(_o.rx)
    .where(_o.answered_at.is_(None), _o.receiver == bindparam("receiver"), _o.rx > bindparam("after"))
    .distinct()
    .order_by(_o.rx)
    .limit(bindparam("count"))
)
_REPLY = Prepared(select(_o.status, _o.reply).where(*_lane, _o.n == bindparam("n")))
_ANSWERED = Prepared(
    update(_outbox)
    .where(
        _o.area == bindparam("k_area"),
        _o.rx == bindparam("k_rx"),
        _o.receiver == bindparam("k_receiver"),
        _o.n == bindparam("k_n"),
        _o.answered_at.is_(None),
    )
    .values(body=None, answered_at=bindparam("answered_at"), status=bindparam("status"), reply=bindparam("reply"))
)


def put(tx: Connection, parcel: Parcel, *, rx: str, key: str, now: datetime) -> MessageId:
    """
    Owe a parcel, after everything already owed to its receiver about `rx`; the same key twice is the same message.
    """
    values = {
        "area": rx[:6],
        "rx": rx,
        "receiver": parcel.to,
        "key": key,
        "path": parcel.path,
        "body": parcel.body,
        "created_at": now,
    }
    row = _PUT[tx.dialect.name].first(tx, values) or _NUMBER.first(tx, values)
    assert row is not None  # noqa: S101  What was not put has been there before.
    n: int = row[0]
    return message_id(parcel.to, rx, n)


def waiting(tx: Connection, to: str, rx: str) -> tuple[Message, ...]:
    """
    Return what is still owed to `to` about `rx`, the oldest first.
    """
    return tuple(Message(*row) for row in _WAITING.all(tx, {"area": rx[:6], "rx": rx, "receiver": to}))


def receivers(tx: Connection) -> tuple[str, ...]:
    """
    Return to whom anything is owed: one step of the index for each, however much waits.
    """
    found: list[str] = []
    after = ""
    while (row := _RECEIVER.first(tx, {"after": after})) is not None:
        after = row[0]
        found.append(after)
    return tuple(found)


def lanes(tx: Connection, to: str, *, after: str, count: int) -> tuple[str, ...]:
    """
    Return the next `count` prescriptions, beyond `after`, about which something is owed to `to`.
    """
    return tuple(row[0] for row in _LANES.all(tx, {"receiver": to, "after": after, "count": count}))


def reply(tx: Connection, message: MessageId) -> Reply | None:
    """
    Return what was answered to a message; None while it waits.
    """
    to, rx, n = parts(message)
    row = _REPLY.first(tx, {"area": rx[:6], "rx": rx, "receiver": to, "n": n})
    return None if row is None or row[0] is None else Reply(row[0], row[1])


def answered(tx: Connection, message: Message, got: Reply, now: datetime) -> bool:
    """
    Close a message with its reply and drop its body; False if that has been done before.
    """
    done = _ANSWERED.run(
        tx,
        {
            "k_area": message.rx[:6],
            "k_rx": message.rx,
            "k_receiver": message.to,
            "k_n": message.n,
            "answered_at": now,
            "status": got.status,
            "reply": got.body,
        },
    )
    return done == 1

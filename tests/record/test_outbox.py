"""
What is owed arrives: in order, again until answered, and what follows from an answer happens once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection
from walking import NOW, note, notes, rx_of

from rx_flow.law.refusals import Code, Refused
from rx_flow.record import outbox, sender
from rx_flow.record.database import Action, Database
from rx_flow.record.outbox import Message, MessageId, Parcel, Reply, Unreachable
from rx_flow.record.sender import Sender, is_final, rest_seconds

PLATFORM = "C35990000001"
INSURER = "I35990000001"
RX = rx_of(1)
P = ParamSpec("P")
R = TypeVar("R")


KINDS: list[int | type[Exception]] = [Unreachable, 503, 429, 401, 408, 202, 500, 302, RuntimeError]


class Receiver:
    """The other side, without a network: it fails as it is told to, and remembers what came in which order."""

    def __init__(self) -> None:
        self.failures: dict[str, list[int | type[Exception]]] = defaultdict(list)
        self.came: dict[str, list[str]] = defaultdict(list)
        self.down: set[str] = set()
        self.seconds = 0.0

    async def deliver(self, to: str, path: str, body: bytes) -> Reply:
        await asyncio.sleep(self.seconds)
        if to in self.down:
            raise Unreachable
        if self.failures[body.decode()]:
            failure = self.failures[body.decode()].pop(0)
            if isinstance(failure, int):
                return Reply(failure, b"")
            raise failure
        self.came[to + path].append(body.decode())
        return Reply(409 if body == b"unwanted" else 201, b"got " + body)


def owe(tx: Connection, text: str, *, to: str = PLATFORM, rx: str = RX) -> MessageId:
    return outbox.put(tx, Parcel(to, "/x", text.encode()), rx=rx, key=text, now=NOW)


def on_reply(tx: Connection, message: Message, reply: Reply) -> None:
    note(tx, f"{message.to}:{message.key}:{reply.status}")


@asynccontextmanager
async def sending(
    db: Database,
    receiver: Receiver,
    *,
    start: bool = True,
    then: Callable[[Connection, Message, Reply], None] = on_reply,
) -> AsyncIterator[Sender]:
    one = Sender(db, receiver.deliver, then, clock=lambda: NOW)
    if start:
        one.start()
    try:
        yield one
    finally:
        await one.stop()


async def settled(db: Database, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await db.read(notes)) < count:  # noqa: ASYNC110  What is awaited is in a database.
            await asyncio.sleep(0.01)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rest a twentieth of what is usual."""
    monkeypatch.setattr(sender, "REST_SECONDS", 0.01)
    monkeypatch.setattr(sender, "REST_SECONDS_MAX", 0.1)


def test_the_same_key_is_the_same_message(db: Database) -> None:
    first = db.run(owe, "a")
    assert db.run(owe, "b") != first
    assert db.run(owe, "a") == first
    assert db.run(owe, "a", to=INSURER) != first
    assert [one.body for one in db.look(outbox.waiting, PLATFORM, RX)] == [b"a", b"b"]


def test_what_is_owed_goes_with_its_cause(db: Database) -> None:
    def fail(tx: Connection) -> None:
        owe(tx, "a")
        raise Refused(Code.CONFLICT)

    with pytest.raises(Refused):
        db.run(fail)
    assert db.look(outbox.waiting, PLATFORM, RX) == ()


async def test_a_message_is_delivered_at_once_and_answered(db: Database, receiver: Receiver) -> None:
    message = await db.transact(owe, "a")
    async with sending(db, receiver, start=False) as one:
        assert await one.deliver_now(message, 5) == Reply(201, b"got a")
        assert await one.deliver_now(message, 5) == Reply(201, b"got a")
    assert receiver.came[PLATFORM + "/x"] == ["a"]
    assert await db.read(notes) == [f"{PLATFORM}:a:201"]
    assert await db.read(outbox.waiting, PLATFORM, RX) == ()


async def test_a_refusal_is_an_answer_too(db: Database, receiver: Receiver) -> None:
    message = await db.transact(owe, "unwanted")
    async with sending(db, receiver) as one:
        assert await one.deliver_now(message, 5) == Reply(409, b"got unwanted")
    assert await db.read(notes) == [f"{PLATFORM}:unwanted:409"]


async def test_those_before_it_go_first(db: Database, receiver: Receiver) -> None:
    for text in "ab":
        await db.transact(owe, text)
    message = await db.transact(owe, "c")
    async with sending(db, receiver, start=False) as one:
        assert await one.deliver_now(message, 5) == Reply(201, b"got c")
    assert receiver.came[PLATFORM + "/x"] == ["a", "b", "c"]


async def test_without_an_answer_there_is_none_yet(db: Database, receiver: Receiver) -> None:
    receiver.down.add(PLATFORM)
    message = await db.transact(owe, "a")
    async with sending(db, receiver) as one:
        assert await one.deliver_now(message, 5) is None
        assert await db.read(outbox.reply, message) is None
        receiver.down.clear()
        await settled(db, 1)
        assert await one.deliver_now(message, 5) == Reply(201, b"got a")
    assert await db.read(outbox.reply, MessageId(f"{PLATFORM}/{RX}/9")) is None


async def test_a_slow_answer_is_not_waited_for_and_not_lost(db: Database, receiver: Receiver) -> None:
    receiver.seconds = 0.2
    message = await db.transact(owe, "a")
    async with sending(db, receiver) as one:
        assert await one.deliver_now(message, 0.01) is None
        await settled(db, 1)
    assert receiver.came[PLATFORM + "/x"] == ["a"]


async def test_each_lane_is_delivered_in_order_whatever_fails(db: Database, receiver: Receiver) -> None:
    wanted: dict[str, list[str]] = defaultdict(list)
    for n in range(4):
        for lane in range(6):
            rx, text = rx_of(lane), f"{lane}-{n}"
            await db.transact(owe, text, rx=rx)
            wanted[str(lane)].append(text)
            receiver.failures[text] = [KINDS[(lane + 2 * n + k) % len(KINDS)] for k in range((lane + n) % 5)]
    async with sending(db, receiver):
        await settled(db, 24)
    came: dict[str, list[str]] = defaultdict(list)
    for text in receiver.came[PLATFORM + "/x"]:
        came[text[0]].append(text)
    assert came == wanted
    assert len(receiver.came[PLATFORM + "/x"]) == 24


async def test_one_receiver_that_is_down_does_not_hold_up_another(db: Database, receiver: Receiver) -> None:
    receiver.down.add(INSURER)
    for n in range(80):
        await db.transact(owe, f"i{n:02d}", to=INSURER, rx=rx_of(n))
        await db.transact(owe, f"p{n:02d}", to=PLATFORM, rx=rx_of(n))
    async with sending(db, receiver):
        await settled(db, 80)
        assert receiver.came[INSURER + "/x"] == []
        receiver.down.clear()
        await settled(db, 160)
    assert len(receiver.came[INSURER + "/x"]) == 80


async def test_one_message_that_always_fails_does_not_hold_up_other_lanes(db: Database, receiver: Receiver) -> None:
    receiver.failures["bad"] = [500] * 10_000
    await db.transact(owe, "bad", rx=rx_of(0))
    async with sending(db, receiver) as one:
        await asyncio.sleep(0.1)
        for n in range(1, 41):
            await db.transact(owe, f"{n}", rx=rx_of(n))
        one.kick()
        await settled(db, 40)
    assert [len(await db.read(outbox.waiting, PLATFORM, rx_of(n))) for n in (0, 1)] == [1, 0]


async def test_a_new_sender_finishes_what_another_left(db: Database, receiver: Receiver) -> None:
    receiver.seconds = 60
    for n in range(5):
        await db.transact(owe, f"{n}", rx=rx_of(n))
    async with sending(db, receiver):
        await asyncio.sleep(0.1)
    assert await db.read(notes) == []
    receiver.seconds = 0
    async with sending(db, receiver):
        await settled(db, 5)
    assert sorted(receiver.came[PLATFORM + "/x"]) == ["0", "1", "2", "3", "4"]


async def test_what_follows_from_an_answer_follows_once(db: Database, receiver: Receiver) -> None:
    """Two senders of one site, as on PostgreSQL with several workers: the receiver may see it twice, we act once."""
    acted: list[str] = []

    def act(_: Connection, message: Message, reply: Reply) -> None:
        acted.append(f"{message.key}:{reply.status}")

    receiver.seconds = 0.05
    message = await db.transact(owe, "a")
    async with sending(db, receiver, start=False, then=act) as one, sending(db, receiver, start=False, then=act) as two:
        replies = await asyncio.gather(one.deliver_now(message, 5), two.deliver_now(message, 5))
    assert replies == [Reply(201, b"got a")] * 2
    assert receiver.came[PLATFORM + "/x"] == ["a", "a"]
    assert acted == ["a:201"]


async def test_an_answer_that_cannot_be_acted_on_is_asked_for_again(db: Database, receiver: Receiver) -> None:
    attempts: list[int] = []

    def fails_twice(tx: Connection, message: Message, reply: Reply) -> None:
        on_reply(tx, message, reply)
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError

    await db.transact(owe, "a")
    async with sending(db, receiver, then=fails_twice):
        await settled(db, 1)
    assert (len(attempts), receiver.came[PLATFORM + "/x"]) == (3, ["a"] * 3)
    assert await db.read(notes) == [f"{PLATFORM}:a:201"]


async def test_what_is_put_while_its_lane_is_served_is_not_forgotten(db: Database, receiver: Receiver) -> None:
    receiver.seconds = 0.001
    async with sending(db, receiver) as one:
        for n in range(60):
            await db.transact(owe, f"{n:02d}")
            one.kick()
            await asyncio.sleep(0.001 * (n % 5))
        async with asyncio.timeout(sender.POLL_SECONDS - 1):
            await settled(db, 60)
    assert receiver.came[PLATFORM + "/x"] == [f"{n:02d}" for n in range(60)]


async def test_what_is_put_after_the_last_look_is_not_forgotten(
    fresh_database: Callable[..., str], receiver: Receiver
) -> None:
    class FarAway(Database):
        """A database that answers late when asked what waits for a receiver."""

        async def read(self, query: Action[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
            found = await super().read(query, *args, **kwargs)
            if query is outbox.lanes:
                looks.append(kwargs["after"])
                looked.set()
                await asyncio.sleep(0.2)
            return found

    looks: list[object] = []
    looked = asyncio.Event()
    db = FarAway.open(fresh_database("record"))
    await db.transact(owe, "a")
    async with sending(db, receiver) as one, asyncio.timeout(sender.POLL_SECONDS - 1):
        while looks != ["", RX, ""]:  # the last look, which sees nothing, is on its way
            looked.clear()
            await looked.wait()
        await db.transact(owe, "b")
        one.kick()
        await settled(db, 2)
    db.close()


async def test_without_a_kick_it_is_found_by_looking(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.05)
    async with sending(db, receiver):
        await asyncio.sleep(0.02)
        await db.transact(owe, "a")
        await settled(db, 1)


async def test_a_database_that_is_busy_for_a_while_is_asked_again(
    fresh_database: Callable[..., str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that takes nothing refuses reads too (PostgreSQL) or writes alone (SQLite)."""
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.05)
    db = Database.open(fresh_database("record"), waiting_max=50)
    await db.transact(owe, "a")
    db._waiting_max = 0
    async with sending(db, receiver):
        await asyncio.sleep(0.3)
        db._waiting_max = 50
        await settled(db, 1)
    db.close()


async def test_a_database_that_turns_busy_in_the_middle_is_asked_again(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "POLL_SECONDS", 0.05)
    receiver.seconds = 0.1
    for n in range(2):
        await db.transact(owe, f"{n}", rx=rx_of(n))
    async with sending(db, receiver):
        await asyncio.sleep(0.05)
        monkeypatch.setattr(db, "_waiting_max", 0)
        await asyncio.sleep(0.3)
        monkeypatch.setattr(db, "_waiting_max", 50)
        await settled(db, 2)


async def test_stopping_twice_and_without_starting_is_harmless(db: Database, receiver: Receiver) -> None:
    async with sending(db, receiver, start=False) as one:
        await one.stop()


@pytest.mark.parametrize(
    ("status", "final"),
    [
        (200, True),
        (201, True),
        (202, False),
        (299, True),
        (302, False),
        (400, True),
        (401, False),
        (404, True),
        (408, False),
        (409, True),
        (410, True),
        (425, False),
        (429, False),
        (499, True),
        (500, False),
        (503, False),
    ],
)
def test_which_answers_are_final(status: int, *, final: bool) -> None:
    assert is_final(status) is final


def test_rests_double_up_to_a_limit_and_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for failures in range(1, 200):
        longest = min(sender.REST_SECONDS_MAX, sender.REST_SECONDS * 2 ** (failures - 1))
        rests = {rest_seconds(failures, salt) for salt in "abcdefgh"}
        assert len(rests) > 1
        assert all(longest / 2 <= rest <= longest for rest in rests)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"code": 1}', b'{"code": []}', b'{"code": "unheard_of"}']
)
def test_a_refusal_without_a_known_code_is_a_conflict(body: bytes) -> None:
    assert Reply(409, body).code is Code.CONFLICT


def test_an_answer_says_yes_or_why_not() -> None:
    assert Reply(410, b'{"code": "out_of_date"}').code is Code.OUT_OF_DATE
    assert [Reply(status, b"").taken for status in (200, 202, 299, 300, 404, 503)] == [True] * 3 + [False] * 3

"""Two authorities, one truth: whatever happens to the line between them, the money follows the prescription."""

from __future__ import annotations

import asyncio

import pytest
from counter import ACCOUNT, Counter
from platform_world import PHARMACY, problem

from rx_flow.law.standing import State
from rx_flow.record import dossier
from rx_flow.record.dossier import Kept
from rx_flow.record.outbox import Message, Reply
from rx_flow.settlement.benefit.statement import YearToDate
from rx_flow.settlement.delivery import background, on_reply


async def _hurry(c: Counter) -> None:
    """Let the site do what it does by itself, until nothing is pending."""
    c.site.sender.start()
    task = asyncio.create_task(background(c.site))
    for _ in range(600):
        await asyncio.sleep(0.05)
        if all(one is not None for rx in c.w.heads for _, one in c.bookings(rx)):
            break
    if task.done():
        await task  # what it stumbled over
    task.cancel()
    await c.site.sender.stop()


async def test_a_platform_that_cannot_be_reached_leaves_a_booking_pending_that_counts(c: Counter) -> None:
    rx, other = await c.accepted("N1"), await c.accepted("N2")
    quote, theirs = await c.quoted(rx), await c.quoted(other)
    c.line.cut = True
    answer = await c.settle(rx, quote)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert c.bookings(rx) == [("settle", None)]
    assert c.used() == YearToDate(47_215, 0)  # what is pending is used
    assert problem(await c.settle(other, theirs)) == (409, "quote_changed")
    assert problem(await c.reverse(rx)) == (409, "conflict")
    assert (await c.settle(rx, quote)).status_code == 202
    assert (await c.client.get(f"/prescriptions/{rx}/statement", headers=c.headers(PHARMACY))).status_code == 202
    c.line.cut = False
    again = await c.settle(rx, quote)
    assert (again.status_code, again.json()["document"]) == (200, answer.json()["document"])
    assert await c.w.state(rx) is State.SETTLED
    assert c.bookings(rx) == [("settle", "posted")]


async def test_what_is_pending_is_finished_in_the_background(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.cut = True
    assert (await c.settle(rx, quote)).status_code == 202
    c.line.cut = False
    await _hurry(c)
    assert c.bookings(rx) == [("settle", "posted")]
    assert await c.w.state(rx) is State.SETTLED


async def test_a_lost_answer_is_asked_for_again_and_settles_once(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.deaf = True
    assert (await c.settle(rx, quote)).status_code == 202
    assert await c.w.state(rx) is State.SETTLED  # the platform has it; the insurer does not know
    assert c.bookings(rx) == [("settle", None)]
    c.line.deaf = False
    assert (await c.settle(rx, quote)).status_code == 200
    assert c.bookings(rx) == [("settle", "posted")]
    assert [one.action for one in await _documents(c, rx)].count("settle") == 1


async def test_a_pending_settlement_that_a_revocation_overtakes_is_void(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.cut = True
    assert (await c.settle(rx, quote)).status_code == 202
    assert (await c.w.revoke(rx)).status_code == 200
    c.line.cut = False
    await _hurry(c)
    assert c.bookings(rx) == [("settle", "void")]
    assert (c.used(), c.balance(f"fund:{ACCOUNT}"), c.balance("patient")) == (YearToDate(), 0, 0)


async def test_a_reversal_that_is_only_pending_gives_nothing_back_yet(c: Counter) -> None:
    rx = await c.settled()
    used = c.used()
    c.line.cut = True
    assert (await c.reverse(rx)).status_code == 202
    assert c.used() == used
    c.line.cut = False
    assert (await c.reverse(rx)).status_code == 200
    assert c.used() == YearToDate()


async def test_a_reversal_whose_answer_was_lost_is_the_same_when_asked_again(c: Counter) -> None:
    rx = await c.settled()
    c.line.deaf = True
    first = await c.reverse(rx)
    assert first.status_code == 202
    c.line.deaf = False
    again = await c.reverse(rx)
    assert (again.status_code, again.json()["document"]) == (200, first.json()["document"])
    assert c.bookings(rx) == [("settle", "posted"), ("reverse", "posted")]


async def test_a_decision_that_is_pending_is_the_one_decision(c: Counter) -> None:
    await c.settled("N0")
    rx = await c.dispensed("N1")
    c.line.deaf = True
    assert problem(await c.decide(rx, "deny", 1)) == (503, "peer_unreachable")
    c.line.deaf, c.line.sour = False, (503, b"")
    pending = await c.decide(rx, "deny", 1)
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")
    assert problem(await c.decide(rx, "deny", 1)) == (409, "conflict")
    c.line.sour = None
    await _hurry(c)
    assert c.bookings(rx)[-1] == ("deny", "posted")
    assert problem(await c.decide(rx, "deny", 1)) == (409, "already_decided")


async def test_what_something_in_between_answers_does_not_void_what_the_platform_took(c: Counter) -> None:
    """The yes was lost, and the second time a proxy says 404: the platform is asked for the document, and has it."""
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.deaf = True
    assert (await c.settle(rx, quote)).status_code == 202
    c.line.deaf, c.line.sour = False, (404, b"<html>no such page")
    answer = await c.settle(rx, quote)
    assert (answer.status_code, c.bookings(rx)) == (200, [("settle", "posted")])
    assert await c.w.state(rx) is State.SETTLED


@pytest.mark.parametrize("said", [(403, b"<html>forbidden"), (200, b"<html>welcome"), (200, b'{"state": "settled"}')])
async def test_what_the_platform_never_got_is_void_once_it_says_so(c: Counter, said: tuple[int, bytes]) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.sour = said
    assert problem(await c.settle(rx, quote)) == (409, "conflict")
    assert (c.bookings(rx), c.used()) == ([("settle", "void")], YearToDate())
    c.line.sour = None
    again = await c.quoted(rx)
    assert again != quote
    assert (await c.settle(rx, again)).status_code == 200


async def test_what_is_in_doubt_stays_pending_until_the_platform_can_be_asked(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.sour, c.line.cut = (403, b""), False
    c.line.mute = True
    assert (await c.settle(rx, quote)).status_code == 202
    c.line.sour, c.line.mute = None, False
    await _hurry(c)
    assert c.bookings(rx) == [("settle", "void")]


@pytest.mark.parametrize("said", [(404, b"<html>no such page"), (503, b""), (200, b"[]"), (200, b"<html>")])
async def test_only_the_platform_itself_can_say_that_it_never_took_a_document(
    c: Counter, said: tuple[int, bytes]
) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    c.line.deaf = True
    assert (await c.settle(rx, quote)).status_code == 202
    c.line.deaf, c.line.sour, c.line.stale = False, (403, b""), said
    assert (await c.settle(rx, quote)).status_code == 202
    assert c.bookings(rx) == [("settle", None)]
    c.line.sour = c.line.stale = None
    assert (await c.settle(rx, quote)).status_code == 200
    assert c.bookings(rx) == [("settle", "posted")]


async def test_no_dossier_no_quote(c: Counter) -> None:
    rx = await c.accepted()
    c.line.cut = True
    assert problem(await c.quote(rx)) == (503, "peer_unreachable")


async def test_many_settlements_of_one_person_never_use_the_same_ceiling_twice(c: Counter) -> None:
    """
    Eight prescriptions quoted in the same state and settled at the same moment: one wins, the others must ask again.

    Until each is settled in its turn, whatever the order, the year's sums are those of one after the other.
    """
    rxs = [await c.accepted(f"N{n}") for n in range(8)]
    waiting = {rx: await c.quoted(rx) for rx in rxs}
    while waiting:
        answers = await asyncio.gather(*(c.settle(rx, quote) for rx, quote in waiting.items()))
        done = [rx for rx, answer in zip(waiting, answers, strict=True) if answer.status_code == 200]
        assert len(done) == 1
        refused = [problem(answer) for answer in answers if answer.status_code != 200]
        assert set(refused) <= {(409, "quote_changed")}
        waiting = {rx: await c.quoted(rx) for rx in waiting if rx not in done}
    # 8 x 472.15 = 3777.20 in scope, 600.00 deductible; the fund: 275.44 and six times 377.72.
    assert c.used() == YearToDate(60_000, 27_544 + 6 * 37_772)


async def test_one_quote_settled_many_times_at_once_is_booked_once(c: Counter) -> None:
    rx = await c.accepted()
    quote = await c.quoted(rx)
    answers = await asyncio.gather(*(c.settle(rx, quote) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["document"] for answer in answers}) == 1
    assert c.bookings(rx) == [("settle", "posted")]


async def test_an_answer_for_nothing_that_was_booked_changes_nothing(c: Counter) -> None:
    rx = await c.settled()
    stray = Message("C35990000001", rx, 9, "0" * 64, f"/prescriptions/{rx}/settle", b"{}")
    await c.site.db.transact(lambda tx: on_reply(c.site, tx, stray, Reply(409, b"{}")))
    assert c.bookings(rx) == [("settle", "posted")]


async def _documents(c: Counter, rx: str) -> tuple[Kept, ...]:
    return await c.w.site.db.read(dossier.documents, rx)

"""
The platform's process is stopped in the middle: people go on working, and afterwards everything has arrived once.

Real processes, each started by `rx-flow serve`. For some seconds here; for a minute by `scripts/outage`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx2
import pytest
import pytest_asyncio
from snapshot import Watch

from scripts.rig import torture
from scripts.rig.hands import STEPS, Course, Hands, addresses, learn
from scripts.rig.judge import judge
from scripts.rig.servers import Service, apart, running
from scripts.rig.world import DOCTOR, HOSPITAL, PLATFORM, REVIEWER, World, world

SOME_SECONDS = 4.0
A_MINUTE = 60.0
ARRIVED_SECONDS = 30.0
EACH = 3  # prescriptions at every place
Told = tuple[int, str]  # a status, and a problem's code or ""
PENDING: Told = (202, "")
UNREACHABLE: Told = (503, "peer_unreachable")
CONFLICT: Told = (409, "conflict")


def told(answer: httpx2.Response) -> Told:
    """What an answer says."""
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


@dataclass
class Town:
    """
    Four processes, and everybody's hands.
    """

    place: World
    services: dict[str, Service]
    hands: Hands
    watch: Watch
    courses: dict[str, list[Course]] = field(default_factory=dict)  # by the last step that was taken
    _number: int = 0

    async def take(self, name: str, course: Course) -> None:
        """Take a step that is done at once."""
        answer = await self.hands.step(name, course)
        assert answer.status_code in {200, 201}, f"{name}: {answer.status_code} {answer.text}"
        learn(name, course, answer.json())

    async def bring(self, last: str) -> Course:
        """Bring a new prescription as far as a step."""
        self._number += 1
        course = Course(f"O{self._number:05d}", self._number % PATIENTS)
        for name in STEPS[: STEPS.index(last) + 1]:
            await self.take(name, course)
        self.courses.setdefault(last, []).append(course)
        return course

    async def later(self, name: str, course: Course) -> Told:
        """Take a step that may have to wait, and remember what was said."""
        answer = await self.hands.step(name, course)
        if answer.status_code == httpx2.codes.ACCEPTED:
            learn(name, course, answer.json())
        return told(answer)

    async def revoke(self, course: Course) -> Told:
        """Let the doctor withdraw a prescription."""
        body = {"pin": self.place.pins[DOCTOR], "reason": "诊断更正"}
        return told(await self.hands.post(HOSPITAL, DOCTOR, f"/prescriptions/{course.rx}/revoke", body))

    def owed(self) -> int:
        """How much has not been delivered yet, anywhere."""
        query = "SELECT COUNT(*) FROM outbox WHERE answered_at IS NULL"
        return sum(int(self.watch.rows(code, query)[0][0]) for code in self.place.databases)

    async def arrived(self) -> float:
        """Wait until nobody owes anything, and return how long that took."""
        begin = time.monotonic()
        while self.owed():
            assert time.monotonic() - begin < ARRIVED_SECONDS, f"{self.owed()} messages were never delivered"
            await asyncio.sleep(0.05)
        return time.monotonic() - begin

    def actions(self, course: Course) -> list[str]:
        """What the platform has recorded of a prescription, in its order."""
        query = "SELECT action FROM document WHERE rx = :rx ORDER BY seq"
        return [str(row[0]) for row in self.watch.rows(PLATFORM, query, rx=course.rx)]


PATIENTS = 64


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[World]:
    """Keys, insured patients and databases, with a cluster of its own where there is one."""
    if request.param == "postgresql":
        request.getfixturevalue("postgres")  # for its skip where PostgreSQL is not installed
    with world(str(request.param), patients=PATIENTS) as made:
        yield made


@pytest_asyncio.fixture
async def town(place: World) -> AsyncIterator[Town]:
    """Everything running."""
    services = apart(place, shipped=True)
    with running(services):
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            watch = Watch(place.databases)
            yield Town(place, services, Hands(place, addresses(services), client), watch)
            watch.close()


async def _stocked(town: Town) -> None:
    """Prescriptions at every place, when the platform goes."""
    for last in ("approve", "release", "claim", "accept", "quote", "settle"):
        for _ in range(EACH):
            await town.bring(last)
    for _ in range(EACH):
        town.courses.setdefault("revoked", []).append(await town.bring("approve"))
        town.courses["approve"].pop()


async def _while_it_is_gone(town: Town) -> None:
    """What waits is said to wait, what cannot be done is said not to be, and nothing is done twice."""
    after = town.courses
    assert {await town.later("release", one) for one in after["approve"]} == {PENDING}
    assert {await town.later("release", one) for one in after["revoked"]} == {PENDING}
    assert {await town.revoke(one) for one in after["revoked"]} == {PENDING}
    assert {await town.later("claim", one) for one in after["release"]} == {UNREACHABLE}
    assert {await town.later("accept", one) for one in after["claim"]} == {PENDING}
    assert {await town.later("quote", one) for one in after["accept"]} == {UNREACHABLE}
    assert {await town.later("settle", one) for one in after["quote"]} == {PENDING}
    assert {await town.later("dispense", one) for one in after["settle"]} == {PENDING}
    # A second click while the first is on its way.
    assert {await town.revoke(one) for one in after["revoked"]} == {CONFLICT}
    for name, last in (("accept", "claim"), ("settle", "quote"), ("dispense", "settle")):
        assert {await town.later(name, one) for one in after[last]} == {CONFLICT}


async def test_with_the_platform_stopped_everything_arrives_once_and_in_order(town: Town) -> None:
    await _stocked(town)
    platform = town.services[PLATFORM]

    platform.stop()
    gone = time.monotonic()
    await _while_it_is_gone(town)
    waiting = town.owed()
    while time.monotonic() - gone < SOME_SECONDS:
        assert {await town.later("claim", one) for one in town.courses["release"]} == {UNREACHABLE}
        await asyncio.sleep(0.3)
    assert town.owed() == waiting > 0
    platform.start()
    await asyncio.to_thread(platform.ready)

    await town.arrived()
    # Everything that was answered 202 is done now, and everything else can go on.
    for last, courses in town.courses.items():
        for one in courses:
            if last == "revoked":
                assert town.actions(one) == ["submit", "approve", "release", "revoke"]
                continue
            done = {"approve": "release", "claim": "accept", "quote": "settle", "settle": "dispense"}.get(last, last)
            for name in STEPS[STEPS.index(done) + 1 :]:
                await town.take(name, one)
            assert town.actions(one) == [name for name in STEPS if name != "quote"]
    finished = {one.rx: one.told for last, found in town.courses.items() if last != "revoked" for one in found}
    verdict = judge("", town.place.databases, finished)
    assert verdict.faults == []


class Listening(Hands):
    """
    Hands that remember what they were told, and when.
    """

    def __init__(self, place: World, urls: dict[str, str], client: httpx2.AsyncClient) -> None:
        super().__init__(place, urls, client)
        self.heard: list[tuple[float, str, Told]] = []

    async def step(self, name: str, course: Course) -> httpx2.Response:
        """Take a step, and remember the answer."""
        answer = await super().step(name, course)
        self.heard.append((time.monotonic(), name, told(answer)))
        return answer


async def _arriving(hands: Hands, log: torture.Log, until: float) -> None:
    """Let a new patient come twice a second; each goes their whole way, however long it takes."""
    async with asyncio.TaskGroup() as group:
        n = 0
        while time.monotonic() < until:
            n += 1
            group.create_task(torture._course(hands, Course(f"M{n:05d}", n % PATIENTS), log))
            await asyncio.sleep(0.5)


@pytest.mark.battery
async def test_a_minute_without_the_platform(town: Town) -> None:
    hands = Listening(town.place, town.hands.urls, town.hands.client)
    await hands.sign_in(HOSPITAL, REVIEWER)
    log, platform, begin = torture.Log(), town.services[PLATFORM], time.monotonic()
    patients = asyncio.create_task(_arriving(hands, log, begin + A_MINUTE + 20))
    await asyncio.sleep(5)

    platform.stop()
    gone = time.monotonic()
    await asyncio.sleep(A_MINUTE)
    meanwhile = Counter((name, said) for at, name, said in hands.heard if at > gone + 0.5)
    waiting = town.owed()
    platform.start()
    await asyncio.to_thread(platform.ready)
    await patients
    await town.arrived()

    said = f"{len(log.finished)} prescriptions; {waiting} messages waited when the platform came back, none does now"
    print(f"{town.place.databases[PLATFORM].partition(':')[0]}: {said}")  # noqa: T201  What scripts/outage shows.
    assert log.stuck == []
    assert {name for name, said in meanwhile if said == PENDING} >= {"release"}
    assert {said for _, said in meanwhile} <= {
        (201, ""),
        (200, ""),
        PENDING,
        UNREACHABLE,
        CONFLICT,
        (409, "wrong_state"),
    }
    assert meanwhile["claim", UNREACHABLE] > 0
    verdict = judge("", town.place.databases, {one.rx: one.told for one in log.finished})
    assert verdict.faults == []
    assert len(log.finished) > A_MINUTE

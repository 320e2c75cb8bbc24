"""
`scripts/torture spine|audit`: services are killed with kill -9 at random instants while lifecycles go on, then judged.

What a client was told must be there: every acknowledged document, once, in its chain, with its entry and its money.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from rx_flow.law.prescription import rx_id
from rx_flow.law.standing import Area, State
from scripts.rig.hands import STEPS, Course, Hands, addresses, learn
from scripts.rig.judge import Verdict, judge
from scripts.rig.servers import Service, apart, running
from scripts.rig.watch import Watch
from scripts.rig.world import AREA, CHECKER, DOCTOR, HOSPITAL, PHARMACY, PLATFORM, World, world

PATIENTS = 2000
ATTEMPT_SECONDS = 20.0
COURSE_SECONDS = 240.0
REACHES = {
    "submit": State.SIGNED,
    "approve": State.APPROVED,
    "release": State.AVAILABLE,
    "claim": State.CLAIMED,
    "accept": State.ACCEPTED,
    "settle": State.SETTLED,
    "dispense": State.DISPENSED,
}
ORDER = list(REACHES.values())


def _nothing() -> None:
    """Look at nothing."""


@dataclass(slots=True)
class Log:
    """
    What the people outside have been told, and what went on.
    """

    finished: list[Course] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0  # requests that died with their service
    pending: int = 0  # answered 202, delivered later


async def _act(hands: Hands, name: str, course: Course, log: Log) -> bool:
    """Try a step once; True when it has been acknowledged, or is found to have been done."""
    try:
        answer = await hands.step(name, course)
    except httpx2.HTTPError:
        log.unanswered += 1
        return await _done_already(hands, name, course)
    if answer.status_code in {200, 201}:
        learn(name, course, answer.json())
        return True
    if answer.status_code == httpx2.codes.ACCEPTED:
        log.pending += 1
        course.told[name] = answer.json()["document"]
        return await _done_already(hands, name, course)
    if name == "settle" and answer.json().get("code") == "quote_changed":
        await _act(hands, "quote", course, log)
        return False
    return await _done_already(hands, name, course)


async def _done_already(hands: Hands, name: str, course: Course) -> bool:
    """Ask where it stands; what a lost answer would have told is asked for."""
    if name == "quote":
        return False
    course.rx = course.rx or rx_id(Area(AREA), HOSPITAL, course.number)
    code, who = (HOSPITAL, DOCTOR) if name in {"submit", "approve", "release"} else (PHARMACY, CHECKER)
    try:
        seen = await hands.get(code, who, f"/prescriptions/{course.rx}")
        if seen.status_code != httpx2.codes.OK:
            return False
        reached = ORDER.index(State(seen.json()["state"])) >= ORDER.index(REACHES[name])
        if reached and name == "release" and not course.code:
            slip = await hands.get(HOSPITAL, DOCTOR, f"/prescriptions/{course.rx}/pickup")
            course.code = slip.json()["pickup_code"] if slip.status_code == httpx2.codes.OK else ""
            return bool(course.code)
    except httpx2.HTTPError:
        return False
    else:
        return reached


async def _course(hands: Hands, course: Course, log: Log) -> None:
    """Take one prescription to its end, trying each step until it is done."""
    deadline = time.monotonic() + COURSE_SECONDS
    for name in STEPS:
        rest = 0.05
        while not await _act(hands, name, course, log):
            if time.monotonic() > deadline:
                log.stuck.append(f"{course.number} at {name}")
                return
            await asyncio.sleep(rest)
            rest = min(rest * 1.6, 1.0)
    log.finished.append(course)


async def _killer(
    services: dict[str, Service], kills: int, *, seed: int, log: Log, dead: Callable[[], None] = _nothing
) -> None:
    """
    Kill one service after the other, chosen and timed by a seeded generator, and start it again at once.

    `dead` looks at what is left in between.
    """
    chance = random.Random(seed)  # noqa: S311  The instants must be repeatable, not secret.
    codes = sorted(services)
    for n in range(1, kills + 1):
        await asyncio.sleep(chance.uniform(0.02, 1.2))
        code = chance.choice(codes)
        services[code].kill()
        dead()
        services[code].start()
        log.kills[code] = log.kills.get(code, 0) + 1
        await asyncio.to_thread(services[code].ready)
        if n % 10 == 0:
            print(f"  {n} of {kills} kills, {len(log.finished)} lifecycles done", file=sys.stderr, flush=True)


async def drive(
    place: World,
    services: dict[str, Service],
    *,
    kills: int,
    workers: int,
    seed: int,
    victims: dict[str, Service],
    dead: Callable[[], None] = _nothing,
) -> Log:
    """Let people work while `victims` among the services are killed, until so many kills are done."""
    log = Log()
    over = asyncio.Event()
    numbers = iter(range(10**6))

    async with httpx2.AsyncClient(trust_env=False, timeout=ATTEMPT_SECONDS) as client:

        async def worker() -> None:
            hands = Hands(place, addresses(services), client)
            while not over.is_set():
                n = next(numbers)
                await _course(hands, Course(f"T{n:06d}", n % PATIENTS), log)

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
            await _killer(victims, kills, seed=seed, log=log, dead=dead)
            over.set()
        await asyncio.sleep(8)  # what lies in an outbox is delivered within the senders' longest rest
    return log


def torture(kind: str, *, kills: int, workers: int, seed: int) -> Verdict:
    """Torture one world, and judge what is left."""
    with world(kind, patients=PATIENTS) as place:
        services = apart(place, shipped=True)
        with running(services):
            log = asyncio.run(drive(place, services, kills=kills, workers=workers, seed=seed, victims=services))
        told = {course.rx: dict(course.told) for course in log.finished}
        verdict = judge(kind, place.databases, told)
    verdict.note |= {
        "kills": sum(log.kills.values()),
        "kills_by_service": log.kills,
        "lifecycles": len(log.finished),
        "requests_without_answer": log.unanswered,
        "answered_pending": log.pending,
    }
    verdict.faults += [f"stuck: {one}" for one in log.stuck]
    return verdict


def torture_audit(kind: str, *, kills: int, workers: int, seed: int) -> Verdict:
    """Torture the platform alone, whose log others watch; judge it at every death, and everything at the end."""
    with world(kind, patients=PATIENTS) as place:
        services = apart(place, shipped=True)
        watch = Watch(place, services[PLATFORM].url)
        with running(services), watch.watching():
            only = {PLATFORM: services[PLATFORM]}
            log = asyncio.run(
                drive(place, services, kills=kills, workers=workers, seed=seed, victims=only, dead=watch.look)
            )
            watch.wait_until_published()
        told = {course.rx: dict(course.told) for course in log.finished}
        verdict = judge(kind, place.databases, told)
        watch.judge(verdict)
    verdict.note |= {
        "kills of the platform": sum(log.kills.values()),
        "lifecycles": len(log.finished),
        "requests_without_answer": log.unanswered,
        "answered_pending": log.pending,
    }
    verdict.faults += [f"stuck: {one}" for one in log.stuck]
    return verdict


def main() -> None:
    """Parse, torture, print; exit 1 where anything told is not so."""
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("what", choices=["spine", "audit"])
    parser.add_argument("--kills", type=int, help="50 of any service (spine), 200 of the platform (audit)")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    kinds = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    torment = torture if asked.what == "spine" else torture_audit
    kills = asked.kills or (50 if asked.what == "spine" else 200)
    verdicts = [torment(kind, kills=kills, workers=asked.workers, seed=asked.seed) for kind in kinds]
    if asked.json:
        print(json.dumps([{"database": one.kind, **one.note, "faults": one.faults} for one in verdicts]))
    else:
        for one in verdicts:
            print(one.kind, *(f"{name}: {value}" for name, value in one.note.items()), sep="\n  ")
            print(*(one.faults or ["no fault found"]), sep="\n")
    sys.exit(any(one.faults for one in verdicts))


if __name__ == "__main__":
    main()

"""
`scripts/fuzz`: schemathesis over the OpenAPI documents of all four services, past their doors; no 500 to anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx2

from rx_flow.config import Kind
from rx_flow.crypto.documents import sign_document
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import seal
from rx_flow.crypto.pki.authority import development_passphrase
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.tokens import access_token
from rx_flow.platform.log import readers
from scripts.rig.hands import STEPS, Course, Hands, addresses, learn
from scripts.rig.servers import ROOT, running, together
from scripts.rig.world import (
    CHECKER,
    CLERK,
    CODES,
    DOCTOR,
    HOSPITAL,
    INSURER,
    PHARMACY,
    PLATFORM,
    REVIEWER,
    World,
    world,
)

TOKEN_SECONDS = 24 * 3600
# Not asked: whether a schema-valid request is accepted. Most are rightly refused, by state, relation or the law.
EXCLUDED = "positive_data_acceptance"
PHASES = "examples,coverage,fuzzing,stateful"


@dataclass(frozen=True, slots=True)
class Door:
    """
    One service as one kind of caller meets it.
    """

    name: str
    url: str
    token: str
    pins: tuple[str, ...]
    only: str = ""  # a pattern of paths, where the rest is another's


async def _stock(hands: Hands) -> list[Course]:
    """Leave prescriptions behind in every state of the way, several of each."""
    courses = []
    for n in range(3 * len(STEPS)):
        course = Course(f"F{n:04d}", n)
        for name in STEPS[: n % len(STEPS) + 1]:
            answer = await hands.step(name, course)
            answer.raise_for_status()
            learn(name, course, answer.json())
        courses.append(course)
    return courses


def _packages(place: World, rxs: list[str]) -> list[str]:
    """Return packages that open at the platform: signed by the pharmacy's and the insurer's seals, about real ones."""
    trust, passphrase = Trust.load(place.keys), development_passphrase(place.keys)
    now, found = datetime.now(UTC), []
    for n, rx in enumerate(rxs):
        code = (PHARMACY, INSURER, HOSPITAL)[n % 3]
        keyring = Keyring.load(place.keys / code, passphrase)
        doc, action = (("claim", "claim"), ("statement", "settle"), ("release", "release"))[n % 3]
        signed = sign_document(
            keyring.seal, doc=doc, rx=rx, seq=1 + n % 5, prev="" if n % 5 == 0 else "0" * 64, at=now,
            body={"action": action, "reason": ""},
        )  # fmt: skip
        found.append(seal([signed], trust.reader(PLATFORM, now), rx=rx))
    return found


async def _doors(place: World, urls: dict[str, str]) -> tuple[list[Door], dict[str, list[str]]]:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        hands = Hands(place, urls, client)
        courses = await _stock(hands)
        tokens = {}
        for code, who in ((HOSPITAL, DOCTOR), (HOSPITAL, REVIEWER), (PHARMACY, CHECKER), (INSURER, CLERK)):
            body = {"person": who, "password": place.passwords[who]}
            tokens[who] = (await client.post(f"{urls[code]}/staff/sign-in", json=body)).json()["token"]
    rxs = [course.rx for course in courses]
    real = {"rx": rxs, "codes": [one.code for one in courses if one.code], "packages": _packages(place, rxs)}
    sold = {code: _sold(place, code) for code in (PLATFORM, INSURER)}
    doors = [
        Door("hospital, as a doctor", urls[HOSPITAL], tokens[DOCTOR], (place.pins[DOCTOR],)),
        Door("hospital, as a pharmacist", urls[HOSPITAL], tokens[REVIEWER], (place.pins[REVIEWER],)),
        Door("platform, as a pharmacy", urls[PLATFORM], sold[PLATFORM], ()),
        Door("platform's log, as an auditor", urls[PLATFORM], _granted(place), (), only="^/audit/"),
        Door("pharmacy, as a pharmacist", urls[PHARMACY], tokens[CHECKER], (place.pins[CHECKER],)),
        Door("settlement, as a pharmacy", urls[INSURER], sold[INSURER], ()),
        Door("settlement, as its staff", urls[INSURER], tokens[CLERK], (place.pins[CLERK],)),
    ]
    return doors, real


def _sold(place: World, audience: str) -> str:
    """Return an access token for the pharmacy that lasts for the whole run."""
    secret = Keyring.load(place.keys / audience, development_passphrase(place.keys)).access_token_secret
    return access_token(secret, PHARMACY, audience, now=datetime.now(UTC), seconds=TOKEN_SECONDS)


def _granted(place: World) -> str:
    """Return the token of an auditor."""
    secret = Keyring.load(place.keys / PLATFORM, development_passphrase(place.keys)).access_token_secret
    return readers.grant(secret, PLATFORM, "auditor", now=datetime.now(UTC), lifetime=timedelta(seconds=TOKEN_SECONDS))


def _run(door: Door, real: dict[str, list[str]], folder: Path, *, examples: int, seed: int) -> tuple[int, int, str]:
    """Fuzz one door; return cases passed, cases failed, and the report's text."""
    known = folder / "fuzz.json"
    known.write_text(json.dumps({**real, "pins": list(door.pins)}), "utf-8")
    report = folder / "junit.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(  # noqa: S603  Our own arguments.
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{door.url}/openapi.json"),
            *("--phases", PHASES, "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"),
            *("--header", f"Authorization: Bearer {door.token}", "--checks", "all", "--exclude-checks", EXCLUDED),
            *(("--include-path-regex", door.only) if door.only else ()),
            *("--exclude-path", "/staff/sign-out", "--suppress-health-check", "all", "--request-timeout", "30"),
            *("--report", "junit", "--report-junit-path", str(report)),
        ],
        cwd=folder,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "scripts.rig.fuzz_hooks",
            "RIG_FUZZ": str(known),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    text = done.stdout + done.stderr
    generated = sum(int(n) for n in re.findall(r"(\d+) generated", text))
    passed = sum(int(n) for n in re.findall(r"(\d+) passed", text))
    found = re.findall(r"found (\d+) unique failures", text)
    failed = int(found[-1]) if found else int(done.returncode != 0)
    if report.exists():
        root = ET.parse(report).getroot()  # noqa: S314  The report of the program that we have just run.
        failed = max(failed, int(root.get("failures", "0")) + int(root.get("errors", "0")))
    return generated or passed, failed, text


def main() -> None:
    """Parse, fuzz every door, print; exit 1 at any failure."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--max-examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="hospital, platform, pharmacy or settlement")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    total = wrong = 0
    with world("sqlite", patients=200) as place, running(together(place)) as services:
        doors, real = asyncio.run(_doors(place, addresses(services)))
        for door in doors:
            if asked.only and not door.name.startswith(Kind(asked.only)):
                continue
            cases, failed, text = _run(door, real, place.folder, examples=asked.max_examples, seed=asked.seed)
            print(f"{door.name}: {cases} cases, {failed} failures", flush=True)
            if failed or asked.verbose:
                print(text)
            total, wrong = total + cases, wrong + failed
    print(f"{total} cases over {len(CODES)} OpenAPI documents, {wrong} failures")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

"""
`scripts/bench lifecycle`: whole lifecycles through running services, and their cost against the bare crypto calls.

`scripts/bench crypto` measures single operations instead, suite by suite; its options are its own (`crypto --help`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from scripts.rig import audit_bench, crypto_bench
from scripts.rig.hands import STEPS, Course, Hands, addresses, learn
from scripts.rig.servers import Service, apart, running, together
from scripts.rig.world import World, world

PATIENTS = 64
WARM_UP = 12
ROUNDS = 400


@dataclass(frozen=True, slots=True)
class Result:
    """
    One run. Times in milliseconds for one lifecycle; `ratio` is servers' CPU time to the bare calls' for the same work.
    """

    database: str
    processes: int
    lifecycles: int
    concurrency: int
    cpu_ms: float
    wall_ms: float
    database_cpu_ms: float
    floor_ms: float
    ratio: float
    operations: dict[str, float]


def floor_us() -> dict[str, float]:
    """Return what one bare `cryptography` call of each kind costs in CPU time, in microseconds."""
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    data, scheme = b"x" * 2048, ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(data, scheme), key.public_key()
    peer = other.public_key()
    chain = _chain()
    calls: dict[str, Callable[[], object]] = {
        "sign": lambda: key.sign(data, scheme),
        "verify": lambda: public.verify(signature, data, scheme),
        "keygen": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdh": lambda: key.exchange(ec.ECDH(), peer),
        "chain": chain,
    }
    return {name: _cost(call) for name, call in calls.items()}


def _chain() -> Callable[[], object]:
    """Return the check of a leaf under a root, with the policy built beforehand."""
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])

    def made(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=9))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if authority:
            usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment"), False)
            usage |= dict.fromkeys(("data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
            usage |= {"key_cert_sign": True, "crl_sign": True}
            builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        else:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
            builder = builder.add_extension(issuer, critical=False)
        return builder.sign(root_key, hashes.SHA256())

    root = made(name, root_key.public_key(), authority=True)
    leaf = made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]), key.public_key(), authority=False)
    anything = verification.ExtensionPolicy.permit_all()
    policy = verification.PolicyBuilder().store(verification.Store([root])).time(now)
    policy = policy.extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=anything)
    verifier = policy.build_client_verifier()
    return lambda: verifier.verify(leaf, [])


def _cost(call: Callable[[], object]) -> float:
    """Return the median over five rounds of the CPU time of one call, in microseconds."""
    rounds = []
    for _ in range(5):
        begin = time.process_time()
        for _ in range(ROUNDS):
            call()
        rounds.append((time.process_time() - begin) / ROUNDS * 1e6)
    return statistics.median(rounds)


async def _drive(hands: Hands, courses: list[Course], *, concurrency: int, label: str) -> None:
    """Take every course through all its steps, so many at a time; a step that is not done is an error."""
    waiting = iter(courses)
    done = 0

    async def worker() -> None:
        nonlocal done
        for course in waiting:
            for name in STEPS:
                answer = await hands.step(name, course)
                if answer.status_code not in {200, 201}:
                    raise RuntimeError(f"{name} answered {answer.status_code}: {answer.text[:300]}")
                learn(name, course, answer.json())
            done += 1
            if done % 50 == 0:
                print(f"  {label}: {done} of {len(courses)}", file=sys.stderr, flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


def _database_cpu(world: World) -> float:
    """Return the CPU time of PostgreSQL's processes, those that have ended included; 0 for SQLite, which has none."""
    if world.cluster is None:
        return 0.0
    parent = world.cluster.process.pid
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent or stat.parent.name == str(parent):
            total += int(fields[11]) + int(fields[12])
            total += int(fields[13]) + int(fields[14]) if stat.parent.name == str(parent) else 0
    return total / 100


def measure(kind: str, *, lifecycles: int, concurrency: int, processes: str) -> Result:
    """Run one world and return what its services cost."""
    with world(kind, patients=PATIENTS) as place:
        services = together(place) if processes == "one" else apart(place)
        with running(services):
            return asyncio.run(_measured(place, services, kind, lifecycles=lifecycles, concurrency=concurrency))


async def _measured(
    place: World, services: dict[str, Service], kind: str, *, lifecycles: int, concurrency: int
) -> Result:
    async with httpx2.AsyncClient(trust_env=False, timeout=60, limits=httpx2.Limits(max_connections=64)) as client:
        hands = Hands(place, addresses(services), client)
        label = f"{kind}, {len(services)} process{'es' if len(services) > 1 else ''}"
        warm = [Course(f"W{n:05d}", n % PATIENTS) for n in range(WARM_UP)]
        await _drive(hands, warm, concurrency=1, label=label)
        first = floor_us()
        before = {name: one.tally(place.folder) for name, one in services.items()}
        cpu = sum(one.cpu_seconds() for one in services.values())
        database, begin = _database_cpu(place), time.monotonic()
        courses = [Course(f"N{n:05d}", n % PATIENTS) for n in range(lifecycles)]
        await _drive(hands, courses, concurrency=concurrency, label=label)
        wall = time.monotonic() - begin
        cpu = sum(one.cpu_seconds() for one in services.values()) - cpu
        database = _database_cpu(place) - database
        after = {name: one.tally(place.folder) for name, one in services.items()}
        second = floor_us()
    operations = {
        name: sum(after[one][name] - before[one][name] for one in services) / lifecycles
        for name in ("sign", "verify", "keygen", "ecdh", "chain")
    }
    floor = sum(count * (first[name] + second[name]) / 2 for name, count in operations.items()) / 1000
    each = 1000 / lifecycles
    return Result(
        kind, len(services), lifecycles, concurrency=concurrency, cpu_ms=cpu * each, wall_ms=wall * each,
        database_cpu_ms=database * each, floor_ms=floor, ratio=cpu * each / floor, operations=operations,
    )  # fmt: skip


def main() -> None:
    """Parse, measure, print."""
    if sys.argv[1:2] == ["crypto"]:
        crypto_bench.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["audit"]:
        audit = argparse.ArgumentParser(prog="scripts/bench audit", description=audit_bench.__doc__)
        audit.add_argument("--json", action="store_true", help="one JSON object")
        audit_bench.main(as_json=audit.parse_args(sys.argv[2:]).json)
        return
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=["lifecycle", "crypto", "audit"])
    parser.add_argument("-n", "--lifecycles", type=int, default=300)
    parser.add_argument("-c", "--concurrency", type=int, default=8)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--processes", choices=["one", "four", "both"], default="both")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    databases = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    layouts = ["one", "four"] if asked.processes == "both" else [asked.processes]
    results = [
        measure(kind, lifecycles=asked.lifecycles, concurrency=asked.concurrency, processes=layout)
        for kind in databases
        for layout in layouts
    ]
    if asked.json:
        print(json.dumps([asdict(one) for one in results]))
        return
    print(f"{'database':12}{'processes':>10}{'CPU ms':>9}{'wall ms':>9}{'DB CPU ms':>11}{'bare ms':>9}{'ratio':>7}")
    for one in results:
        print(
            f"{one.database:12}{one.processes:>10}{one.cpu_ms:>9.2f}{one.wall_ms:>9.2f}{one.database_cpu_ms:>11.2f}"
            f"{one.floor_ms:>9.2f}{one.ratio:>7.2f}"
        )
    print("per lifecycle:", ", ".join(f"{count:.1f} {name}" for name, count in results[0].operations.items()))


if __name__ == "__main__":
    main()

"""
`scripts/bench crypto`: what verifying, sealing, opening and passing on cost against the bare library calls they need.

Both sides do the same work on the same bytes, turn by turn, measured in CPU time; a ratio is the median over all turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rx_flow.crypto import packages, suites
from rx_flow.crypto.canonical import dumps
from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.keyrings import files
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.personal import personal
from scripts.rig import bare as plainly
from scripts.rig.bare import BARE, Bare

Call = Callable[[], object]
RX = "350100-ABCDEFGHJKMNPQRS"
HOSPITAL, PLATFORM, PHARMACY, DOCTOR = "H35010000001", "C35990000001", "P35010000001", "D350100000001"
LINE = {
    "drug": "XC09CAL104A001010201445",
    "name": "氯沙坦钾片",
    "dose": "50 mg",
    "days": 30,
    "quantity": 2,
    "unit": "盒",
}
PATIENT = {  # made up
    "name": "张三", "id_type": "01", "id_number": "350102199001011234", "sex": "1", "birth": "1990-01-01",
}  # fmt: skip
DIAGNOSES = [
    {"code": "I10", "name": "原发性高血压", "main": True},
    {"code": "E11.9", "name": "2型糖尿病", "main": False},
]
FINDING = {"check": "interaction", "severity": "serious", "line": 1, "text_zh": "相互作用", "text_en": "interaction"}
BILL = {"total_fen": 49_700, "fund_fen": 35_000, "patient_fen": 14_700}
CODES = [f"837162500000000000{n}" for n in range(10, 20)]
# The way of a prescription that is settled, handed out, and settled otherwise: what is personal in it is committed to.
WAY: tuple[tuple[str, dict[str, object]], ...] = (
    ("prescription", {
        "action": "submit", "patient": PATIENT, "diagnoses": DIAGNOSES, "long_term_reason": "慢性病长期用药",
        "lines": [{"n": n, "quantity": 2, **LINE} for n in range(5)],
    }),
    ("opinion1", {"action": "approve", "findings": [FINDING], "reason": "已告知患者"}),
    ("release", {"action": "release", "pickup_sha256": "0" * 64, "nominated": None}),
    ("claim", {"action": "claim", "reason": ""}),
    ("opinion2", {"action": "accept", "findings": [FINDING], "reason": "已告知患者"}),
    ("statement", {
        "action": "settle", "bill": BILL, "pharmacy": PHARMACY, "scheme": "310", "category": "active", "before": {},
        "lines": [{"n": n, "drug": LINE["drug"], "quantity": 2} for n in range(5)], "steps": ["先行自付百分之十"],
    }),
    ("dispense", {
        "action": "dispense", "picker": DOCTOR, "reason": "",
        "lots": [{"n": 1, "lot": "L1", "quantity": 10, "expiry": "2028-01-01", "trace_codes": CODES}],
    }),
    ("statement", {"action": "reverse", "bill": BILL, "reason": "冷链中断", "scheme": "310", "category": "active"}),
)  # fmt: skip
TURNS = 41
MILLISECONDS = 25  # of CPU time that each side has in each turn, about


@dataclass(frozen=True, slots=True)
class Row:
    """
    One operation of one suite: what ours and the bare calls cost, in microseconds of CPU time, and the median ratio.
    """

    suite: str
    operation: str
    ours_us: float
    bare_us: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Stage:
    """
    Keys of a suite, and a dossier of eight documents and a package of three to work on.
    """

    trust: Trust
    rings: dict[str, Keyring]
    doctor: SigningKey
    now: datetime
    documents: tuple[Document, ...]
    package: str

    @property
    def plain(self) -> bytes:
        """What is in the package."""
        return dumps([one.raw for one in self.documents[:3]])


def stage(suite: str, folder: Path) -> Stage:
    """Return keys and papers of a suite, made under `folder`."""
    now = datetime.now(UTC)
    authority.init(
        folder,
        [
            authority.InstitutionSpec(HOSPITAL, "hospital", "榕城医院"),
            authority.InstitutionSpec(PLATFORM, "platform", "处方流转平台"),
            authority.InstitutionSpec(PHARMACY, "pharmacy", "闽江药店"),
        ],
        [authority.PersonSpec(DOCTOR, "prescriber", HOSPITAL, "林医生")],
        now=now,
        suite=suites.named(suite),
    )
    secret, pins = authority.development_passphrase(folder), authority.development_pins(folder)
    rings = {code: Keyring.load(folder / code, secret) for code in (HOSPITAL, PLATFORM, PHARMACY)}
    doctor, trust = files.unlock(folder / HOSPITAL, DOCTOR, pins[DOCTOR]), Trust.load(folder)
    documents: list[Document] = []
    for seq, (doc, body) in enumerate(WAY, 1):
        place: dict[str, Any] = {"rx": RX, "seq": seq, "prev": documents[-1].digest if documents else "", "at": now}
        documents.append(issue(doctor, doc=doc, body=body, personal=personal(doc), **place))
    package = packages.seal([one.raw for one in documents[:3]], trust.reader(PLATFORM, now), rx=RX)
    return Stage(trust, rings, doctor, now, documents=tuple(documents), package=package)


def operations(place: Stage, bare: Bare) -> dict[str, tuple[Call, Call]]:
    """Return each operation as it is done here, and as the bare calls of the library it needs."""
    raws, seen = [one.raw for one in place.documents], Seen(place.now)
    head = place.documents[-1].digest
    platform, pharmacy = place.rings[PLATFORM].opening, place.trust.reader(PHARMACY, place.now)
    own, private = platform.public, platform._private  # noqa: SLF001  the bare calls need the bare key
    signer = place.trust.certified(place.doctor.thumbprint, Purpose.DOCUMENT, place.now, now=place.now).public
    sealed = plainly.sealed(bare, place.plain, own.public)
    return {
        "verify a dossier of 8": (
            lambda: verify_dossier(raws, place.trust, seen, rx=RX, head=head),
            plainly.verifier(bare, place.documents, signer),
        ),
        "seal a package": (
            lambda: packages.seal(raws[:3], own, rx=RX),
            lambda: plainly.sealed(bare, place.plain, own.public),
        ),
        "open a package": (
            lambda: packages.open_package(place.package, platform, rx=RX),
            lambda: plainly.opened(bare, sealed, private),
        ),
        "add a recipient": (
            lambda: packages.add_recipient(place.package, platform, pharmacy, rx=RX),
            lambda: plainly.added(bare, sealed, private, pharmacy.public),
        ),
    }


def _spent(call: Call, times: int) -> float:
    """CPU seconds of one call, over `times`."""
    begin = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begin) / times


def compare(suite: str, operation: str, ours: Call, bare: Call) -> Row:
    """Return the row of two calls measured turn by turn: what the machine does meanwhile falls on both alike."""
    counts = [max(1, int(MILLISECONDS / 1000 / max(_spent(call, 5), 1e-7))) for call in (ours, bare)]
    turns = []
    for turn in range(TURNS):
        if turn % 2:
            one = _spent(ours, counts[0])
            other = _spent(bare, counts[1])
        else:
            other = _spent(bare, counts[1])
            one = _spent(ours, counts[0])
        turns.append((one, other))
    return Row(
        suite,
        operation,
        ours_us=statistics.median(one for one, _ in turns) * 1e6,
        bare_us=statistics.median(other for _, other in turns) * 1e6,
        ratio=statistics.median(one / other for one, other in turns),
    )


def measure(suite: str) -> list[Row]:
    """Return the rows of a suite."""
    with tempfile.TemporaryDirectory(prefix="rx-flow-bench-") as folder:
        place = stage(suite, Path(folder))
        return [compare(suite, operation, *calls) for operation, calls in operations(place, BARE[suite]).items()]


def main(arguments: list[str]) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="scripts/bench crypto", description=__doc__)
    parser.add_argument("--suite", choices=[*BARE, "all"], default="all")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    rows = [row for suite in (BARE if asked.suite == "all" else [asked.suite]) for row in measure(suite)]
    if asked.json:
        json.dump([asdict(row) for row in rows], sys.stdout)
        return
    print(f"{'suite':8}{'operation':24}{'ours µs':>10}{'bare µs':>10}{'ratio':>8}")
    for row in rows:
        print(f"{row.suite:8}{row.operation:24}{row.ours_us:>10.1f}{row.bare_us:>10.1f}{row.ratio:>8.2f}")

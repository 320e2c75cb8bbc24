"""
The commands of VERIFY.md, executed as they stand in a clean folder: they pass on what is right and fail on what is not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import DOCTOR, PHARMACIST, REASON, SECRETS, Bundles, Members, make, resummed

from rx_flow.crypto.suites import named
from rx_flow.evidence.manifest import GUIDE

NEEDED = ("openssl", "sha256sum", "base64", "unzip", "od", "cut", "sed", "tr")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
SECTION = ("digests", "certificates", "signatures", "jose", "entries", "log")


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def unpacked(folder: Path, bundles: Bundles, bundle: bytes) -> Path:
    """What a stranger does first: unpack the file, and put the root that they trust beside it."""
    (folder / "rx.zip").write_bytes(bundle)
    inside = folder / "inside"
    subprocess.run(["unzip", "-q", str(folder / "rx.zip"), "-d", str(inside)], check=True)  # noqa: S603, S607  A tool.
    (inside / "ROOT.pem").write_bytes(bundles.root)
    return inside


def commands(inside: Path) -> dict[str, str]:
    """The blocks of the guide, verbatim."""
    return dict(zip(SECTION, BLOCK.findall((inside / GUIDE).read_text("utf-8")), strict=True))


def run(inside: Path, block: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # joserfc stands beside this Python
    return subprocess.run(  # noqa: S603  The guide's own commands, which is what is tested.
        ["/bin/sh", "-e", "-c", block],
        cwd=inside,
        env={"PATH": path, "LANG": "C.UTF-8", "TMPDIR": str(inside.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("withheld", [False, True], ids=["complete", "withheld"])
def test_every_command_passes_on_a_bundle_that_holds(
    tmp_path: Path,
    bundles: Bundles,
    withheld: bool,  # noqa: FBT001  Both kinds.
) -> None:
    inside = unpacked(tmp_path, bundles, (bundles.withheld if withheld else bundles.full)["returned"])
    before = {path for path in inside.rglob("*") if path.is_file()}

    done = {section: run(inside, block) for section, block in commands(inside).items()}

    assert {section: one.returncode for section, one in done.items()} == dict.fromkeys(SECTION, 0), done
    assert done["signatures"].stdout.count("Verified OK") == 10, "nine documents and the manifest"
    assert done["certificates"].stdout.count(": OK") == 9, "seven signers and two authorities"
    assert "chain and manifest: OK" in done["jose"].stdout
    assert {path for path in inside.rglob("*") if path.is_file()} == before, "nothing is left lying about"
    if withheld:
        said = "".join(one.stdout + one.stderr for one in done.values()) + (inside / GUIDE).read_text("utf-8")
        assert not [secret for secret in (*SECRETS, REASON) if secret in said]


def of_the_dispensing(members: Members) -> str:
    return next(name for name in members if name.endswith("dispense.jws"))


SPOILED: dict[str, tuple[Callable[[Bundles, Members], Members], str]] = {
    "a file": (lambda _, m: {**m, "entries/0002.json": b"{}"}, "digests"),
    "a certificate of nobody": (
        lambda b, m: {**m, f"certificates/{b.keys.of(PHARMACIST).thumbprint}.pem": b.root.replace(b"M", b"N", 1)},
        "certificates",
    ),
    "a signature": (
        lambda _, m: {**m, of_the_dispensing(m): m[of_the_dispensing(m)].replace(b".", b".A", 1)},
        "signatures",
    ),
    "a signature for a library": (
        lambda _, m: {**m, of_the_dispensing(m): m[of_the_dispensing(m)].replace(b".", b".A", 1)},
        "jose",
    ),
    "a document left out": (
        lambda _, m: {name: body for name, body in m.items() if name != "documents/0004-claim.jws"},
        "jose",
    ),
    "the last document left out": (
        lambda _, m: {name: body for name, body in m.items() if name != of_the_dispensing(m)},
        "jose",
    ),
    "other files than were signed for": (lambda _, m: resummed({**m, "entries/0002.json": b"{}"}), "jose"),
    "an entry": (lambda _, m: {**m, "entries/0002.json": m["entries/0002.json"] + b" "}, "entries"),
    "an entry, for the log": (
        lambda _, m: {**m, "entries/0002.json": m["entries/0002.json"].replace(b"approve", b"approvE")},
        "log",
    ),
    "a proof": (lambda _, m: {**m, "log/0002.tlog-proof": m["log/0001.tlog-proof"]}, "log"),
    "an entry left out": (
        lambda _, m: {name: body for name, body in m.items() if name != "entries/0002.json"},
        "entries",
    ),
}


@pytest.mark.parametrize(("spoil", "section"), SPOILED.values(), ids=SPOILED.keys())
def test_the_commands_notice(
    tmp_path: Path, bundles: Bundles, spoil: Callable[[Bundles, Members], Members], section: str
) -> None:
    inside = unpacked(tmp_path, bundles, bundles.full["dispensed"])
    members = spoil(bundles, bundles.members())
    for path in [path for path in inside.rglob("*") if path.is_file() and path.name != "ROOT.pem"]:
        path.unlink()
    for name, body in members.items():
        (inside / name).write_bytes(body)

    assert run(inside, commands(inside)[section]).returncode != 0


def test_a_root_of_somebody_else_is_noticed(tmp_path: Path, bundles: Bundles) -> None:
    inside = unpacked(tmp_path, bundles, bundles.full["dispensed"])
    (inside / "ROOT.pem").write_bytes(next(iter(sorted((inside / "authorities").glob("*.pem")))).read_bytes())

    assert run(inside, commands(inside)["certificates"]).returncode != 0


def test_an_altered_disclosure_is_noticed(tmp_path: Path, bundles: Bundles) -> None:
    inside = unpacked(tmp_path, bundles, bundles.full["dispensed"])
    path = inside / "documents" / "0001-prescription.jws"
    raw = path.read_text()
    path.write_text(raw[:-3] + ("A" if raw[-3] != "A" else "B") + raw[-2:])

    assert run(inside, commands(inside)["jose"]).returncode != 0


def test_a_signer_who_was_revoked_afterwards_is_said_and_does_not_stop_the_others(
    tmp_path: Path, bundles: Bundles
) -> None:
    inside = unpacked(tmp_path, bundles, bundles.full["signer revoked since"])

    done = run(inside, commands(inside)["certificates"])

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"certificates/{bundles.keys.of(PHARMACIST).thumbprint}.pem: 已吊销 / revoked" in done.stdout
    assert done.stdout.count("Revocation Date") == 1


def test_since_when_a_key_was_in_other_hands_is_shown_beside_when_its_documents_were_recorded(
    tmp_path: Path, bundles: Bundles
) -> None:
    inside = unpacked(tmp_path, bundles, bundles.full["stolen before"])

    done = {section: run(inside, block) for section, block in commands(inside).items()}

    assert {section: one.returncode for section, one in done.items()} == dict.fromkeys(SECTION, 0), done
    assert f"certificates/{bundles.keys.of(DOCTOR).thumbprint}.pem: 已吊销 / revoked" in done["certificates"].stdout
    assert re.search(r"Invalidity Date: \n +Nov 23 02:00:00 2026 GMT", done["certificates"].stdout)
    assert "2026-11-23T02:00:00.000000Z submit ok" in done["entries"].stdout


def test_openssl_checks_a_bundle_of_the_national_suite(tmp_path: Path) -> None:
    national = make(tmp_path, named("sm"))
    inside = unpacked(tmp_path, national, national.full["returned"])

    done = {section: run(inside, block) for section, block in commands(inside).items()}

    assert {section: one.returncode for section, one in done.items()} == dict.fromkeys(SECTION, 0), done
    assert done["signatures"].stdout.count("Signature Verified Successfully") == 10
    assert done["certificates"].stdout.count(": OK") == 9
    assert done["certificates"].stdout.count("Signature Verified Successfully") == 3, "each authority's list"

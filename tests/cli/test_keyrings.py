"""
Keys are rotated, PINs changed and keys moved into a token by command; what a service holds in memory stays there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import softhsm

from rx_flow.auth import locks
from rx_flow.cli.hardening import PR_SET_DUMPABLE
from rx_flow.cli.keys import keyrings
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Person
from rx_flow.crypto.errors import WrongPin
from rx_flow.crypto.keyrings import files
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki import authority
from rx_flow.law.standing import Actor, Role
from rx_flow.record import audit
from rx_flow.record.audit import Origin
from rx_flow.record.database import Database

ROOT = Path(__file__).resolve().parents[2]
HOSPITAL, PLATFORM, DOCTOR = "H35010000001", "C35990000001", "D350100000001"
needs_softhsm = pytest.mark.skipif(
    softhsm.module() is None, reason="SoftHSM 2 is not installed (apt-get install softhsm2)"
)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8", **more}


def run(folder: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-P", "-m", "rx_flow", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment(**more),
        input=stdin,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and databases of an installation that nothing has happened in."""
    folder = tmp_path_factory.mktemp("template")
    for arguments in (("keys", "init"), ("migrate",)):
        ran = run(folder, *arguments)
        assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture
def house(template: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(template, tmp_path / "house")
    return tmp_path / "house"


def ring(house: Path, code: str) -> Keyring:
    return Keyring.load(house / "keys" / code, authority.development_passphrase(house / "keys"))


def db_of(house: Path, code: str, action: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401  Whatever it says.
    db = Database.open(f"sqlite:///{house}/data/{code}.db")
    try:
        return db.run(action, *arguments, **named)
    finally:
        db.close()


def recorded(house: Path, code: str) -> list[tuple[str, str, str, str]]:
    found = [one.content for one in reversed(db_of(house, code, audit.entries))]
    return [(one["chain"], one["action"], one["outcome"], one["purpose"] or one["code"] or "") for one in found]


@pytest.mark.parametrize("purpose", ["seal", "at_rest"])
def test_a_key_is_rotated_and_it_is_recorded(house: Path, purpose: str) -> None:
    before = ring(house, HOSPITAL)
    stored = before.at_rest.seal(b"plain", context="a")

    ran = run(house, "keys", "rotate", HOSPITAL, "--purpose", purpose)

    assert ran.returncode == 0, ran.stderr
    after = ring(house, HOSPITAL)
    changed = {
        "seal": before.seal.thumbprint != after.seal.thumbprint,
        "open": before.opening.public.kid != after.opening.public.kid,
        "token": before.token.thumbprint != after.token.thumbprint,
        "access_token": before.access_token_secret != after.access_token_secret,
        "at_rest": before.at_rest._name != after.at_rest._name,
    }
    assert [name for name, is_so in changed.items() if is_so] == [purpose]
    assert after.at_rest.open(stored, context="a") == b"plain"
    assert recorded(house, HOSPITAL) == [(f"institution:{HOSPITAL}", "rotate_key", "ok", purpose)]


def test_a_log_is_rotated_and_another_is_not_known(house: Path) -> None:
    before = ring(house, PLATFORM)

    assert run(house, "keys", "rotate", PLATFORM, "--purpose", "log", "--log", "checkpoints").returncode == 0
    after = ring(house, PLATFORM)
    lines = files.log_file(house / "keys", PLATFORM, "checkpoints").read_text().split()
    assert lines == [one.log_key("checkpoints").public.hex() for one in (before, after)]

    ran = run(house, "keys", "rotate", PLATFORM, "--purpose", "log", "--log", "110000")
    assert (ran.returncode, "not_found" in ran.stderr) == (1, True)
    ran = run(house, "keys", "rotate", PLATFORM, "--purpose", "log", RX_FLOW_PASSPHRASE="wrong")
    assert (ran.returncode, "wrong_pin" in ran.stderr) == (1, True)


def test_a_pin_is_changed_and_wrong_ones_lock(house: Path) -> None:
    keys = house / "keys"
    old = authority.development_pins(keys)[DOCTOR]

    assert run(house, "keys", "pin", DOCTOR, stdin=f"{old}\n840262\n").returncode == 0
    assert authority.development_pins(keys)[DOCTOR] == "840262"
    assert files.unlock(keys / HOSPITAL, DOCTOR, "840262").id == DOCTOR
    with pytest.raises(WrongPin):
        files.unlock(keys / HOSPITAL, DOCTOR, old)

    actor, here = Actor(DOCTOR, Role.PRESCRIBER, HOSPITAL), Origin(HOSPITAL, "")
    for _ in range(locks.FAILURES_MAX - 1):
        db_of(house, HOSPITAL, locks.stumble, actor, "350100", origin=here, now=datetime.now(UTC))
    told = [run(house, "keys", "pin", DOCTOR, stdin="111111\n840263\n").stderr for _ in range(2)]
    assert ["wrong_pin" in one for one in told] == [True, False]
    assert "pin_locked" in told[-1]
    mine = f"staff:{DOCTOR}"
    assert recorded(house, HOSPITAL) == [
        (mine, "change_pin", "ok", ""),
        *[(mine, "sign", "denied", "wrong_pin")] * 4,
        (mine, "change_pin", "denied", "pin_locked"),
    ]
    assert run(house, "staff", "unlock", HOSPITAL, DOCTOR).returncode == 0
    assert run(house, "keys", "pin", DOCTOR, stdin="840262\n840263\n").returncode == 0


@pytest.mark.parametrize("new", ["", "12345", "000000", "121212", "1234567890123", "letters"])
def test_a_poor_pin_is_refused(new: str) -> None:
    with pytest.raises(Trouble, match="malformed"):
        keyrings._fit(new, Person(DOCTOR, Role.PRESCRIBER, HOSPITAL, "林医生"))


def test_an_institutions_passphrase_is_changed_where_it_is_its_own(house: Path) -> None:
    keys = house / "keys"
    old, new = authority.development_passphrase(keys), "correct horse battery staple"
    ran = run(house, "keys", "pin", HOSPITAL, stdin=f"{old}\n{new}\n")
    assert (ran.returncode, "unfit" in ran.stderr) == (1, True)

    (keys / authority.PASSPHRASE_FILE).unlink()
    assert run(house, "keys", "pin", HOSPITAL, stdin=f"{old}\nshort\n").returncode == 1
    assert run(house, "keys", "pin", HOSPITAL, stdin=f"{old}\n{new}\n").returncode == 0
    assert Keyring.load(keys / HOSPITAL, new).code == HOSPITAL
    # All that the passphrase locks goes with it: the platform also answers for the authorities.
    assert run(house, "keys", "pin", PLATFORM, stdin=f"{old}\n{new}\n").returncode == 0
    assert len({files.locked.unlock(one.read_bytes(), new, owner=PLATFORM) and one.name for one in locked(keys)}) == 2


def locked(keys: Path) -> list[Path]:
    return list((keys / PLATFORM).glob("*.locked.json"))


@needs_softhsm
def test_keys_move_into_a_token_and_the_service_runs_with_them(house: Path) -> None:
    token = softhsm.fresh()
    before = ring(house, HOSPITAL)
    ran = run(house, "keys", "move", HOSPITAL, token.uri, stdin="000000\n")
    assert (ran.returncode, "wrong_pin" in ran.stderr) == (1, True)
    assert recorded(house, HOSPITAL) == [(f"institution:{HOSPITAL}", "open_keys", "denied", "wrong_pin")]
    ran = run(house, "keys", "move", HOSPITAL, "pkcs11:token=none", stdin=f"{token.pin}\n")
    assert (ran.returncode, "malformed" in ran.stderr) == (1, True)
    ran = run(house, "keys", "move", HOSPITAL, token.uri + "x", stdin=f"{token.pin}\n")
    assert (ran.returncode, "not_found" in ran.stderr) == (1, True)

    assert run(house, "keys", "move", HOSPITAL, token.uri, stdin=f"{token.pin}\n").returncode == 0

    assert recorded(house, HOSPITAL)[1:] == [(f"institution:{HOSPITAL}", "move_keys", "ok", "")]
    there = {"RX_FLOW_KEYRING": token.uri, "RX_FLOW_PASSPHRASE": token.pin}
    assert run(house, "keys", "rotate", HOSPITAL, "--purpose", "open", **there).returncode == 0
    after = Keyring.load(house / "keys" / HOSPITAL, token.pin, token.uri)
    assert after.opening.of(before.opening.public.kid) is not None
    assert after.opening.public.kid != before.opening.public.kid
    after.close()
    assert run(house, "keys", "init").returncode == 0  # which makes no new keys in the place of those in the token
    assert not (house / "keys" / HOSPITAL / files.KEYS_FILE).exists()
    with serving(house, "hospital", HOSPITAL, **there) as process:
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)


SERVE = """
import sys, uvicorn
from rx_flow.cli import main
begin = uvicorn.Server.startup
async def startup(self, sockets=None):
    await begin(self, sockets)
    print("ready", flush=True)
uvicorn.Server.startup = startup
main()
"""


@contextmanager
def serving(house: Path, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A service that has started; it is stopped at the end."""
    process = subprocess.Popen(  # noqa: S603  our own command
        [
            sys.executable, "-P", "-c",
            SERVE, "serve", *arguments, "--port", "0",
        ],
        cwd=house,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line == "ready\n", process.communicate()[1]
        yield process
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
        assert "/docs" in said
        assert "Traceback" not in said
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=60, env=environment()
    )


def test_a_service_leaves_no_core_dump_and_in_production_nobody_reads_its_memory() -> None:
    ran = python(
        "import ctypes, resource\n"
        "from rx_flow.cli.hardening import keep_memory_in\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "said = [resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3)]\n"
        "for mode in ('development', 'production'):\n"
        "    keep_memory_in(mode)\n"
        "    said += [resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3)]\n"
        "print(said)"
    )

    assert ran.stdout.strip() == "[(-1, -1), 1, (0, 0), 1, (0, 0), 0]", ran.stderr
    assert PR_SET_DUMPABLE == 4


def test_a_crash_tells_where_and_nothing_of_what(tmp_path: Path) -> None:
    """Python's own report of a crash shows places in the code; the PIN and the key in these frames it does not show."""
    spec = authority.PersonSpec(DOCTOR, "prescriber", HOSPITAL, "林医生")
    authority.init(tmp_path, [], [spec], now=datetime.now(UTC))
    ran = python(
        "import faulthandler, os, signal\n"
        "from pathlib import Path\n"
        "from rx_flow.cli.hardening import keep_memory_in\n"
        "from rx_flow.crypto.pki import authority\n"
        "from rx_flow.crypto.keyrings import files\n"
        "keep_memory_in('development'); faulthandler.enable()\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "def work(pin):\n"
        f"    key = files.unlock(folder / {HOSPITAL!r}, {DOCTOR!r}, pin)\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        f"work(authority.development_pins(folder)[{DOCTOR!r}])\n"
    )

    assert ran.returncode == -signal.SIGSEGV
    assert re.search(r"Fatal Python error: Segmentation fault[\s\S]* in work", ran.stderr)
    assert authority.development_pins(tmp_path)[DOCTOR] not in ran.stderr
    assert "SigningKey" not in ran.stderr

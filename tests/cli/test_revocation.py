"""
Certificates by hand: one command revokes a stolen key and says what it signed; another gives its owner a new one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_commands import run

from rx_flow.cli.sites import database_url
from rx_flow.config import Directory, Kind
from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.suites.sm import SM
from rx_flow.law.standing import Actor, Role, RxId, State
from rx_flow.opening import components
from rx_flow.record import audit, dossier
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database

DOCTOR, HOSPITAL, PLATFORM = "D350100000001", "H35010000001", "C35990000001"
RX = ("350100-7M2K9Q4T1V8B3XHR", "350100-7M2K9Q4T1V8B3XHS")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and databases, in which a doctor has signed two documents: one a day ago, one an hour ago."""
    folder = tmp_path_factory.mktemp("made")
    assert run("keys", "init", cwd=folder).returncode == 0
    assert run("migrate", "--keys", "keys", cwd=folder).returncode == 0
    for code in (HOSPITAL, PLATFORM):
        signed_at(folder / "keys", Database.open(database_url(folder / "data", code)), code)
    return folder


@cache
def papers(keys: Path) -> tuple[Document, ...]:
    """What a doctor has signed: one document twenty hours ago, one an hour ago."""
    now = datetime.now(UTC).replace(microsecond=0)
    key = unlock(keys / HOSPITAL, DOCTOR, authority.development_pins(keys)[DOCTOR])
    return tuple(
        issue(key, doc="prescription", rx=rx, seq=1, prev="", at=now - ago, body={"action": "submit"})
        for rx, ago in zip(RX, (timedelta(hours=20), timedelta(hours=1)), strict=True)
    )


def signed_at(keys: Path, db: Database, code: str) -> None:
    """A site learns of both documents when they are signed."""
    for one in papers(keys):
        db.run(dossier.keep, one, action="submit", target=State.SIGNED, received_from="", sealed=None)
        actor = Actor(DOCTOR, Role.PRESCRIBER, HOSPITAL)
        db.run(audit.append, Entry(one.at, Origin(code, ""), actor, "submit", rx=RxId(one.rx), document=one.digest))
    db.close()


@pytest.fixture
def house(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(made, tmp_path / "house")


def entries(house: Path, person: str) -> list[dict[str, Any]]:
    ran = run("audit", "list", "--person", person, "--json", cwd=house)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def said(*arguments: str, cwd: Path) -> dict[str, Any]:
    ran = run(*arguments, "--json", cwd=cwd)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_one_command_revokes_publishes_records_and_lists(house: Path) -> None:
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    before = Trust.load(house / "keys")
    found = said("keys", "revoke", DOCTOR, "--reason", "key_compromise", "--since", since, "--data", "data", cwd=house)

    (gone,) = found["revoked"]
    assert (gone["who"], gone["purpose"], gone["authority"], gone["reason"]) == (
        DOCTOR, "document", "persons-1", "key_compromise",
    )  # fmt: skip
    assert datetime.fromisoformat(gone["invalid_since"]) == datetime.fromisoformat(since).replace(microsecond=0)
    (signed,) = found["signed"]
    assert (signed["rx"], signed["action"], signed["sites"]) == (RX[1], "submit", [PLATFORM, HOSPITAL])
    assert signed["recorded_at"] == signed["signed_at"]
    after = Trust.load(house / "keys")
    assert all(after.lists[print_].number > one.number for print_, one in before.lists.items())
    assert after.status(gone["thumbprint"], now=datetime.now(UTC)).revoked is not None
    entry = entries(house, DOCTOR)[0]
    assert (entry["action"], entry["chain"], entry["site"], entry["outcome"]) == (
        "revoke_key", f"staff:{DOCTOR}", PLATFORM, "ok",
    )  # fmt: skip
    assert gone["thumbprint"] in entry["purpose"]
    assert entry["purpose"].startswith("key_compromise since ")


def test_without_a_time_everything_that_it_signed_is_listed(house: Path) -> None:
    ran = run("keys", "revoke", DOCTOR, "--reason", "superseded", "--data", "data", cwd=house)

    assert ran.returncode == 0, ran.stderr
    assert all(rx in ran.stdout for rx in RX)
    assert "2 documents" in ran.stderr
    assert "superseded" in ran.stdout


def test_without_a_data_folder_nothing_is_listed_and_that_is_said(house: Path) -> None:
    ran = run("keys", "revoke", HOSPITAL, "--reason", "cessation_of_operation", cwd=house)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(HOSPITAL) == 3
    assert "not looked up" in ran.stderr
    assert entries(house, HOSPITAL) == []


def test_a_thumbprint_or_an_authority_can_be_revoked(house: Path) -> None:
    trust = Trust.load(house / "keys")
    print_ = trust.of(HOSPITAL)[0]

    assert [
        one["thumbprint"] for one in said("keys", "revoke", print_, "--reason", "superseded", cwd=house)["revoked"]
    ] == [print_]
    whole = said("keys", "revoke", "persons-1", "--reason", "ca_compromise", "--data", "data", cwd=house)
    assert [(one["who"], one["authority"]) for one in whole["revoked"]] == [(None, "root")]
    assert whole["signed"] == []
    assert run("keys", "revoke", "persons-1", "--reason", "superseded", cwd=house).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("revoke", "D999999999999", "--reason", "superseded"), "unknown_signer"),
        (("revoke", DOCTOR, "--reason", "key_compromise", "--since", "2099-01-01"), "malformed"),
        (("revoke", DOCTOR, "--reason", "key_compromise", "--since", "yesterday"), "malformed"),
        (("renew", "D999999999999"), "unknown_signer"),
    ],
)
def test_what_cannot_be_is_refused_in_one_shape(house: Path, arguments: tuple[str, ...], code: str) -> None:
    before = Trust.load(house / "keys")
    ran = run("keys", *arguments, "--json", cwd=house)

    assert ran.returncode == 1
    assert json.loads(ran.stderr)["code"] == code
    assert Trust.load(house / "keys").certificates.keys() == before.certificates.keys()


def test_a_new_key_and_the_old_one_still_known(house: Path) -> None:
    found = said("keys", "renew", DOCTOR, "--data", "data", cwd=house)
    trust = Trust.load(house / "keys")

    assert found["who"] == DOCTOR
    assert set(found["certificates"]) < set(trust.of(DOCTOR))
    assert entries(house, DOCTOR)[0]["action"] == "renew_key"
    ran = run("keys", "renew", HOSPITAL, cwd=house)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.split()) == 3
    assert len(Trust.load(house / "keys").of(HOSPITAL)) == 6


def test_a_pin_is_asked_for_and_never_an_argument(house: Path) -> None:
    pins = house / "keys" / authority.PINS_FILE
    known = json.loads(pins.read_text("utf-8"))
    before = Trust.load(house / "keys").of(DOCTOR)
    ran = run("keys", "renew", DOCTOR, "--pin", known[DOCTOR], cwd=house)
    assert ran.returncode == 2
    assert known[DOCTOR] not in ran.stdout + ran.stderr

    pins.write_text(json.dumps({who: pin for who, pin in known.items() if who != DOCTOR}), "utf-8")
    for typed in ("", "\n", "000000\n"):
        ran = run("keys", "renew", DOCTOR, "--json", cwd=house, stdin=typed)
        assert (ran.returncode, json.loads(ran.stderr)["code"]) == (1, "wrong_pin")
    assert Trust.load(house / "keys").of(DOCTOR) == before
    assert run("keys", "renew", DOCTOR, cwd=house, stdin=known[DOCTOR] + "\n").returncode == 0
    assert len(Trust.load(house / "keys").of(DOCTOR)) == len(before) + 1
    unlock(house / "keys" / HOSPITAL, DOCTOR, known[DOCTOR])


def test_keys_are_made_in_a_suite_and_change_over_to_another(house: Path, tmp_path: Path) -> None:
    assert run("keys", "init", "--suite", "sm", cwd=tmp_path).returncode == 0
    national = Trust.load(tmp_path / "keys", accepts=("sm",))
    assert national.reader(PLATFORM, datetime.now(UTC)).institution == PLATFORM

    other = run("keys", "init", "--suite", "sm", cwd=house)
    assert other.returncode == 1
    assert "p256: change over by `keys roll`" in other.stderr
    assert run("keys", "roll", "institutions", "--suite", "sm", cwd=house).stdout.strip() == "institutions-2"
    assert run("keys", "renew", PLATFORM, cwd=house).returncode == 0
    reader = Trust.load(house / "keys").reader(PLATFORM, datetime.now(UTC))
    assert SM.owns(reader.public)
    assert run("keys", "init", "--suite", "rot13", cwd=house).returncode == 2


def test_a_new_authority_issues_from_now_on(house: Path) -> None:
    assert run("keys", "roll", "persons", cwd=house).stdout.strip() == "persons-2"
    said("keys", "renew", DOCTOR, cwd=house)
    trust = Trust.load(house / "keys")

    assert {trust.chain(print_)[0] for print_ in trust.of(DOCTOR)} == {
        trust.names["persons-1"], trust.names["persons-2"],
    }  # fmt: skip


def test_status_tells_the_three_answers(house: Path) -> None:
    run("keys", "revoke", DOCTOR, "--reason", "key_compromise", cwd=house)
    (house / "keys" / "lists" / "institutions-1.crl").unlink()
    stray = house / "keys" / "public" / "stray.pem"
    stray.write_bytes((house / "keys" / "root.pem").read_bytes())
    found = said("keys", "status", cwd=house)
    by_who: dict[str, set[str]] = {}
    for one in found["certificates"]:
        by_who.setdefault(one["who"], set()).add(one["status"])

    assert by_who[DOCTOR] == {"revoked"}
    assert by_who["D350100000002"] == {"valid"}
    assert by_who[HOSPITAL] == {"undeterminable"}
    assert {one["authority"] for one in found["lists"] if one["number"] is None} == {"institutions-1"}
    shown = run("keys", "status", cwd=house, language="zh_CN.UTF-8").stdout
    assert "persons-1" in shown
    assert "undeterminable" in shown


def test_certificates_name_the_platform_s_address(house: Path) -> None:
    directory = Directory.load(house / "keys")
    (platform,) = directory.of_kind(Kind.PLATFORM)
    raw = (house / "keys" / "public" / f"{DOCTOR}.pem").read_bytes()
    import base64  # noqa: PLC0415  to look into a certificate without a library

    body = b"".join(raw.splitlines()[1:-1])
    assert f"{platform.url}/pki/lists/persons-1.crl".encode() in base64.b64decode(body)


@pytest.mark.parametrize(
    "command",
    [("revoke", DOCTOR, "--reason", "superseded", "--data", "data"), ("roll", "persons"), ("renew", HOSPITAL)],
)
def test_a_wrong_passphrase_is_said(house: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RX_FLOW_PASSPHRASE", "this is not the one")
    before = Trust.load(house / "keys")
    ran = run("keys", *command, cwd=house)

    assert (ran.returncode, "wrong_pin" in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)
    assert unharmed(house, before)


def unharmed(house: Path, before: Trust) -> bool:
    """Whether every list is the one of before."""
    after = Trust.load(house / "keys")
    return {name: one.number for name, one in after.lists.items()} == {
        name: one.number for name, one in before.lists.items()
    }


@pytest.mark.parametrize("command", [("revoke", DOCTOR, "--reason", "superseded"), ("renew", DOCTOR)])
@pytest.mark.parametrize(
    ("where", "code"),
    [
        (("--data", "nothing-here"), "not_found"),
        (("--database-url", "postgresql+psycopg://nobody:secret@127.0.0.1:9/none"), "unfit"),
        (("--database-url", "sqlite:///not-migrated.db"), "schema_outdated"),
        (("--data", "outdated"), "schema_outdated"),
    ],
)
def test_nothing_is_done_with_a_key_where_it_cannot_be_recorded(
    house: Path, command: tuple[str, ...], where: tuple[str, str], code: str
) -> None:
    (house / "outdated").mkdir()
    (house / "outdated" / f"{PLATFORM}.db").touch()
    before = Trust.load(house / "keys")
    ran = run("keys", *command, *where, "--json", cwd=house)

    assert ran.returncode == 1
    assert json.loads(ran.stderr)["code"] == code
    assert "secret" not in ran.stderr
    assert unharmed(house, before)
    assert Trust.load(house / "keys").certificates.keys() == before.certificates.keys()


def test_another_site_s_database_that_cannot_be_opened_stops_it_too(house: Path) -> None:
    (house / "data" / f"{HOSPITAL}.db").unlink()
    (house / "data" / f"{HOSPITAL}.db").touch()
    before = Trust.load(house / "keys")
    ran = run("keys", "revoke", DOCTOR, "--reason", "superseded", "--data", "data", cwd=house)

    assert (ran.returncode, "schema_outdated" in ran.stderr) == (1, True)
    assert unharmed(house, before)
    assert "revoke_key" not in {one["action"] for one in entries(house, DOCTOR)}


def test_a_database_at_an_address_is_recorded_in_and_looked_into(
    made: Path, house: Path, fresh_database: Callable[..., str]
) -> None:
    url = fresh_database(*components(Kind.PLATFORM))
    signed_at(made / "keys", Database.open(url), PLATFORM)
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    found = said(
        *("keys", "revoke", DOCTOR, "--reason", "key_compromise", "--since", since, "--database-url", url), cwd=house
    )

    (signed,) = found["signed"]
    assert (signed["rx"], signed["action"], signed["sites"]) == (RX[1], "submit", [PLATFORM])
    assert signed["recorded_at"] == signed["signed_at"]
    assert HOSPITAL in found["not_looked_up"]
    assert PLATFORM not in found["not_looked_up"]
    listed = run("audit", "list", "--person", DOCTOR, "--json", "--database-url", url, cwd=house)
    assert json.loads(listed.stdout.splitlines()[0])["action"] == "revoke_key"
    assert "revoke_key" not in {one["action"] for one in entries(house, DOCTOR)}

    both = said("keys", "revoke", DOCTOR, "--reason", "superseded", "--data", "data", "--database-url", url, cwd=house)
    assert {tuple(one["sites"]) for one in both["signed"]} == {(PLATFORM, HOSPITAL)}
    assert not {PLATFORM, HOSPITAL} & set(both["not_looked_up"])

"""
The public directory and a site's settings: read back as written, and nothing of development gets into production.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rx_flow.config import (
    Directory,
    Institution,
    Kind,
    Person,
    Settings,
    Unfit,
    check_passphrase,
    read_passphrase,
    read_suites,
)
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.authority import development_passphrase
from rx_flow.crypto.pki.profile import Purpose
from rx_flow.crypto.suites import libcrypto
from rx_flow.crypto.suites.sm import SM
from rx_flow.law.standing import Role
from rx_flow.opening import open_keys

LONG = "a passphrase long enough for production"


def test_a_directory_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    institution = Institution("P35010000001", Kind.PHARMACY, "乙药店", name_en="B", area="350100", url="http://b")
    person = Person("HY350100000001", Role.PHARMACIST, "P35010000001", "李药师")
    Directory([institution], [person]).save(tmp_path / "new")
    found = Directory.load(tmp_path / "new")

    assert found.institution("P35010000001") == institution
    assert found.person("HY350100000001") == person
    assert found.of_kind(Kind.PHARMACY) == (institution,)
    assert found.people("P35010000001") == (person,)
    assert (found.institution("X"), found.person("X"), found.of_kind(Kind.HOSPITAL)) == (None, None, ())


def test_other_addresses_leave_the_rest_alone(keys: Path) -> None:
    found = Directory.load(keys)
    moved = found.moved({"C35990000001": "http://elsewhere:1"})

    assert moved.institution("C35990000001") == replace(found.of_kind(Kind.PLATFORM)[0], url="http://elsewhere:1")
    assert moved.institution("H35010000001") == found.institution("H35010000001")
    assert moved.person("D350100000001") == found.person("D350100000001")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"institutions": [{"kind": "bank"}]}', '{"institutions": 1}'])
def test_a_directory_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "directory.json").write_text(text)
    with pytest.raises(Unfit, match=r"directory\.json"):
        Directory.load(tmp_path)


def test_a_missing_directory_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="rx-flow keys init"):
        Directory.load(tmp_path)


def test_every_kind_acts_in_a_role_of_its_own() -> None:
    assert {kind.role for kind in Kind} == {Role.HOSPITAL, Role.PLATFORM, Role.PHARMACY, Role.INSURER}


def test_the_passphrase_comes_from_the_environment_first(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RX_FLOW_PASSPHRASE", raising=False)
    assert read_passphrase(keys, "development") == development_passphrase(keys)
    monkeypatch.setenv("RX_FLOW_PASSPHRASE", LONG)
    assert read_passphrase(keys, "development") == LONG
    assert read_passphrase(keys, "production") == LONG


def test_without_any_passphrase_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RX_FLOW_PASSPHRASE", raising=False)
    with pytest.raises(Unfit, match="RX_FLOW_PASSPHRASE"):
        read_passphrase(tmp_path, "development")
    with pytest.raises(Unfit, match="RX_FLOW_PASSPHRASE"):
        read_passphrase(tmp_path, "production")


def test_production_refuses_the_passphrase_of_development_and_short_ones(keys: Path) -> None:
    with pytest.raises(Unfit, match="of development"):
        check_passphrase(keys, development_passphrase(keys))
    with pytest.raises(Unfit, match="16 characters"):
        check_passphrase(keys, "fifteen letters")
    check_passphrase(keys, "sixteen letters.")


def test_production_refuses_development_keys_whatever_their_passphrase(keys: Path, tmp_path: Path) -> None:
    moved = tmp_path / "keys"
    shutil.copytree(keys, moved)
    passphrase = development_passphrase(keys)
    (moved / "dev-passphrase").unlink()  # as somebody would who wants to get round the first check
    settings = Settings("H35010000001", "sqlite://", moved, mode="production", passphrase=passphrase)

    with pytest.raises(Unfit, match="development keys"):
        open_keys(settings)
    assert open_keys(replace(settings, mode="development"))[1].code == "H35010000001"


def test_a_passphrase_that_does_not_open_the_keys_is_said_so(keys: Path) -> None:
    with pytest.raises(Unfit, match="does not open"):
        open_keys(Settings("H35010000001", "sqlite://", keys, passphrase=LONG))


@pytest.mark.parametrize("damage", ["root.pem", "H35010000001/keys.locked.json"])
def test_keys_that_cannot_be_read_are_named(keys: Path, tmp_path: Path, damage: str) -> None:
    moved = tmp_path / "keys"
    shutil.copytree(keys, moved)
    for text in ("{}", None):
        (moved / damage).unlink() if text is None else (moved / damage).write_text(text)
        with pytest.raises(Unfit, match="cannot be read"):
            open_keys(Settings("H35010000001", "sqlite://", moved))


@pytest.fixture(scope="module")
def national(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys of the national algorithms."""
    folder = tmp_path_factory.mktemp("national")
    spec = authority.InstitutionSpec("H35010000001", "hospital", "名")
    authority.init(folder, [spec], [], now=datetime.now(UTC), suite=SM)
    return folder


def refusal(settings: Settings) -> Reason | None:
    """Why a site with these settings does not believe its own seal, if it does not."""
    trust, keyring = open_keys(settings)
    now = datetime.now(UTC)
    try:
        trust.certified(keyring.seal.thumbprint, Purpose.DOCUMENT, now, now=now)
    except Untrusted as refused:
        return refused.reason
    return None


def test_a_site_accepts_what_it_is_told_or_the_suites_of_its_roots(
    keys: Path, national: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (Settings("H35010000001", "sqlite://", folder) for folder in (keys, national))

    no = Reason.SUITE_NOT_ACCEPTED
    assert (refusal(ours), refusal(theirs)) == (None, None)
    assert refusal(replace(ours, suites=("sm",))) is refusal(replace(theirs, suites=("p256",))) is no
    monkeypatch.setenv("RX_FLOW_SUITES", " sm ,, pq")
    assert read_suites() == ("sm", "pq")
    assert (refusal(ours), refusal(theirs)) == (no, None)
    assert refusal(replace(ours, suites=("p256", "sm"))) is None  # the settings come first


def test_a_suite_that_nobody_knows_is_named(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RX_FLOW_SUITES", "p256,rsa")
    with pytest.raises(Unfit, match="RX_FLOW_SUITES: no suite rsa"):
        open_keys(Settings("H35010000001", "sqlite://", keys))


def test_where_the_national_algorithms_are_missing_it_is_said_what_to_install(
    national: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libcrypto, "_NAME", b"an algorithm that no OpenSSL has")
    libcrypto.library.cache_clear()
    try:
        with pytest.raises(Unfit, match="apt-get install libssl3"):
            open_keys(Settings("H35010000001", "sqlite://", national))
    finally:
        monkeypatch.undo()
        libcrypto.library.cache_clear()


def test_settings_do_not_show_the_passphrase() -> None:
    assert LONG not in repr(Settings("H35010000001", "sqlite://", Path(), passphrase=LONG))

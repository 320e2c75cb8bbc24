"""
Wrong passphrases of institutions are recorded, wrong PINs of tokens limited; a site says what is wrong with a token.
"""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import softhsm

from rx_flow.app import open_site
from rx_flow.auth import locks
from rx_flow.config import Directory, Kind, Settings, Unfit, WrongPassphrase
from rx_flow.crypto.keyrings import rotation
from rx_flow.crypto.pki.authority import development_passphrase
from rx_flow.law.standing import Actor, Role
from rx_flow.opening import components, open_keys
from rx_flow.record import audit
from rx_flow.record.audit import Origin
from rx_flow.record.database import Database
from rx_flow.record.revisions import heads

HOSPITAL = "H35010000001"
ME = Actor(HOSPITAL, Role.HOSPITAL, HOSPITAL)
WRONG = "wrong" * 4
needs_softhsm = pytest.mark.skipif(
    softhsm.module() is None, reason="SoftHSM 2 is not installed (apt-get install softhsm2)"
)


@dataclass
class House:
    """A hospital that is not running: its keys and its database."""

    keys: Path
    url: str

    def settings(self, **changed: object) -> Settings:
        return replace(Settings(HOSPITAL, self.url, self.keys), **changed)

    def start(self, **changed: object) -> None:
        site = open_site(self.settings(**changed), Directory.load(self.keys), on_reply=lambda *_: None)
        site.keyring.close()
        site.db.close()

    def ask(self, query: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401  Whatever it says.
        db = Database.open(self.url, heads=heads(components(Kind.HOSPITAL)))
        try:
            return db.run(query, *arguments, **named)
        finally:
            db.close()

    def entries(self) -> list[tuple[str, str, str]]:
        found = self.ask(audit.entries, action="open_keys")
        return [(one.content["chain"], one.content["outcome"], one.content["code"]) for one in reversed(found)]


@pytest.fixture
def hospital(keys: Path, tmp_path: Path, fresh_database: Callable[..., str]) -> House:
    shutil.copytree(keys, tmp_path / "keys")
    return House(tmp_path / "keys", fresh_database(*components(Kind.HOSPITAL)))


def moved(house: House) -> dict[str, str]:
    """The settings with which the hospital finds its keys in a token."""
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra

    token = softhsm.fresh()
    kept = InToken.open(house.keys / HOSPITAL, token.pin, token.uri)
    rotation.into_token(house.keys / HOSPITAL, development_passphrase(house.keys), kept)
    kept.close()
    return {"keyring": token.uri, "passphrase": token.pin}


def test_a_wrong_passphrase_is_recorded_each_time_and_the_right_one_still_opens(hospital: House) -> None:
    """The file can be guessed at without us: a lock would protect nothing and keep the hospital from starting."""
    for _ in range(locks.FAILURES_MAX + 1):
        with pytest.raises(WrongPassphrase, match="does not open"):
            hospital.start(passphrase=WRONG)

    hospital.start()
    assert (
        hospital.entries()
        == [(f"institution:{HOSPITAL}", "denied", "wrong_pin")] * 4
        + [(f"institution:{HOSPITAL}", "denied", "pin_locked")] * 2
    )


@needs_softhsm
def test_five_wrong_pins_lock_us_out_of_the_token_until_somebody_unlocks(hospital: House) -> None:
    there = moved(hospital)
    hospital.start(**there)
    for _ in range(locks.FAILURES_MAX - 1):
        with pytest.raises(WrongPassphrase):
            hospital.start(**{**there, "passphrase": "000000"})
    hospital.start(**there)  # in time: the count begins anew
    for _ in range(locks.FAILURES_MAX):
        with pytest.raises(WrongPassphrase):
            hospital.start(**{**there, "passphrase": "000000"})
    assert len(hospital.entries()) == 2 * locks.FAILURES_MAX - 1

    with pytest.raises(Unfit, match=f"rx-flow staff unlock {HOSPITAL} {HOSPITAL}"):
        hospital.start(**there)
    assert len(hospital.entries()) == 2 * locks.FAILURES_MAX - 1  # the token was not asked

    hospital.ask(locks.unlock, HOSPITAL, "350100", by=ME, origin=Origin(HOSPITAL, ""), now=datetime.now(UTC))
    hospital.start(**there)


@needs_softhsm
def test_where_the_keys_are_is_read_from_the_environment(hospital: House, monkeypatch: pytest.MonkeyPatch) -> None:
    there = moved(hospital)
    with pytest.raises(Unfit, match="cannot be read"):
        open_keys(hospital.settings(passphrase=there["passphrase"]))
    monkeypatch.setenv("RX_FLOW_KEYRING", there["keyring"])
    monkeypatch.setenv("RX_FLOW_PASSPHRASE", there["passphrase"])

    hospital.start()


@needs_softhsm
def test_a_short_pin_will_do_for_a_token_in_production(hospital: House) -> None:
    there = moved(hospital)

    with pytest.raises(Unfit, match="development keys"):  # and no word about the PIN
        open_keys(hospital.settings(**there, mode="production"))
    with pytest.raises(Unfit, match="6 characters"):
        open_keys(hospital.settings(**{**there, "passphrase": "12345"}, mode="production"))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("pkcs11:token=a?module-path=/nothing/there.so", "cannot be used"),
        ("pkcs11:token=a", "cannot be read"),
        ("pkcs11:token=a?module-path=/m.so&pin-value=1", "cannot be read"),
    ],
)
def test_a_token_that_cannot_be_used_is_said_so(hospital: House, address: str, told: str) -> None:
    with pytest.raises(Unfit, match=told) as unfit:
        hospital.start(keyring=address, passphrase="735190")
    assert "735190" not in str(unfit.value)


def test_without_the_library_it_is_said_what_to_install(hospital: House, monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:  # noqa: ANN401  As the built-in.
        if name == "rx_flow.crypto.keyrings.hsm":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(Unfit, match=r"rx-flow\[hsm\]"):
        open_keys(hospital.settings(keyring="pkcs11:token=a?module-path=/m.so"))

"""
Who takes part and how a site is set up: the public directory (keys/directory.json) and a site's settings.

The only place that reads the environment, and the place that keeps development secrets out of production.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Literal

from rx_flow.crypto import suites
from rx_flow.crypto.pki.authority import PASSPHRASE_FILE, development_passphrase
from rx_flow.law.standing import Role

DIRECTORY = "directory.json"
PASSPHRASE = "RX_FLOW_PASSPHRASE"  # noqa: S105  The name of an environment variable, not a secret.
KEYRING = "RX_FLOW_KEYRING"
GUARDS = "RX_FLOW_GUARDS"
SUITES = "RX_FLOW_SUITES"
RECONCILE = "RX_FLOW_RECONCILE"
RECONCILE_AT = "02:30"
PASSPHRASE_CHARACTERS_MIN = 16

Mode = Literal["development", "production"]


class Unfit(Exception):  # noqa: N818  It says what is the case; the text says what to do.
    """
    A site cannot start with these settings or keys; the text says why, and what to do.
    """


class WrongPassphrase(Unfit):
    """
    The passphrase, or the token's PIN, does not open an institution's keys.
    """


class Kind(StrEnum):
    """
    The four kinds of site.
    """

    HOSPITAL = "hospital"
    PLATFORM = "platform"
    PHARMACY = "pharmacy"
    SETTLEMENT = "settlement"

    @property
    def role(self) -> Role:
        """In what capacity an institution of this kind acts by its seal."""
        return _ROLES[self]


_ROLES = {
    Kind.HOSPITAL: Role.HOSPITAL,
    Kind.PLATFORM: Role.PLATFORM,
    Kind.PHARMACY: Role.PHARMACY,
    Kind.SETTLEMENT: Role.INSURER,
}


@dataclass(frozen=True, slots=True)
class Institution:
    """
    A participant: its national code, its kind, and the address at which the others reach it.
    """

    code: str
    kind: Kind
    name: str
    name_en: str
    area: str
    url: str


@dataclass(frozen=True, slots=True)
class Person:
    """
    Somebody who works at an institution and signs there: national code, role, and the name on the badge.
    """

    id: str
    role: Role
    institution: str
    name: str


class Directory:
    """
    Who takes part. Public; what it says about keys is worth nothing, certificates say that.
    """

    __slots__ = ("_institutions", "_people")

    def __init__(self, institutions: Iterable[Institution], people: Iterable[Person] = ()) -> None:
        self._institutions = {one.code: one for one in institutions}
        self._people = {one.id: one for one in people}

    @classmethod
    def load(cls, keys: Path) -> Directory:
        """
        Read `directory.json` of the folder of keys; raise `Unfit` where there is none or it cannot be read.
        """
        try:
            found = json.loads((keys / DIRECTORY).read_text("utf-8"))
            return cls(
                [Institution(**{**one, "kind": Kind(one["kind"])}) for one in found["institutions"]],
                [Person(**{**one, "role": Role(one["role"])}) for one in found["people"]],
            )
        except FileNotFoundError:
            raise Unfit(f"{keys / DIRECTORY} is missing: run `rx-flow keys init`") from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unfit(f"{keys / DIRECTORY} is not a directory of this program") from None

    def save(self, keys: Path) -> None:
        """
        Write `directory.json` into the folder of keys.
        """
        keys.mkdir(parents=True, exist_ok=True)
        found = {
            "institutions": [
                {name: getattr(one, name) for name in Institution.__slots__} for one in self._institutions.values()
            ],
            "people": [{name: getattr(one, name) for name in Person.__slots__} for one in self._people.values()],
        }
        (keys / DIRECTORY).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")

    def institution(self, code: str) -> Institution | None:
        """Return the participant with this national code, or None."""
        return self._institutions.get(code)

    def person(self, person: str) -> Person | None:
        """Return the practitioner with this national code, or None."""
        return self._people.get(person)

    def of_kind(self, kind: Kind) -> tuple[Institution, ...]:
        """Return every participant of a kind, in the directory's order."""
        return tuple(one for one in self._institutions.values() if one.kind is kind)

    def people(self, institution: str) -> tuple[Person, ...]:
        """Return everybody who works at an institution, in the directory's order."""
        return tuple(one for one in self._people.values() if one.institution == institution)

    def moved(self, urls: dict[str, str]) -> Directory:
        """Return the same directory with other addresses, by code: for sites that run somewhere else today."""
        return Directory(
            [
                Institution(
                    one.code, one.kind, one.name, name_en=one.name_en, area=one.area, url=urls.get(one.code, one.url)
                )
                for one in self._institutions.values()
            ],
            self._people.values(),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How one site is run. Times in seconds unless the name says otherwise.
    """

    code: str
    database_url: str
    keys: Path
    mode: Mode = "development"
    passphrase: str = field(default="", repr=False)
    keyring: str = ""  # where the keys are: "" in the institution's folder, or pkcs11:token=...?module-path=...
    suites: tuple[str, ...] = ()  # accepted: names of `crypto.suites`; () is RX_FLOW_SUITES, else those of the roots
    urls: tuple[tuple[str, str], ...] = ()  # other addresses than the directory's: (code, url)
    token_seconds: int = 300
    session_idle_minutes: int = 30
    session_minutes: int = 12 * 60
    body_bytes_max: int = 256 * 1024
    peer_seconds: float = 10.0
    guards: Path | None = None  # where the platform writes down what its log signs; see `read_guards`
    reconcile: str = ""  # when, each night: HH:MM in Shanghai, or off; "" is RX_FLOW_RECONCILE, else 02:30


def log_domain(code: str) -> str:
    """
    Return how the origins of a platform's logs and the names of witnesses begin: its code, under a name of our own.

    Not the address: that may change, and an origin never does. `c35990000001.rx-flow.example/350100` is a log.
    """
    return f"{code.lower()}.rx-flow.example"


def read_guards(settings: Settings) -> Path:
    """
    Return the folder in which a platform writes down what it signs, apart from its database: RX_FLOW_GUARDS, by code.

    By default beside the file of SQLite. For PostgreSQL it must be named in production (all processes of the platform
    share it, and no backup of the database brings it back): `Unfit` otherwise; development keeps it with the keys.
    """
    given = os.environ.get(GUARDS, "")
    if settings.guards is not None:
        return settings.guards
    if given:
        return Path(given) / settings.code
    if settings.database_url.startswith("sqlite:///"):
        file = Path(settings.database_url.removeprefix("sqlite:///").partition("?")[0])
        return file.parent / "guards" / file.stem
    if settings.mode == "production":
        raise Unfit(f"production on PostgreSQL needs {GUARDS}, a folder that outlives the database: see keys/README.md")
    name = hashlib.sha256(settings.database_url.encode()).hexdigest()[:16]
    return settings.keys / settings.code / "guards" / name


def read_keyring() -> str:
    """
    Return where institutions' keys are: RX_FLOW_KEYRING, "" where that is not set.
    """
    return os.environ.get(KEYRING, "")


def read_suites() -> tuple[str, ...]:
    """
    Return the suites of algorithms to accept: RX_FLOW_SUITES (`p256,sm`), () where that is not set.

    Raise `Unfit` for a name that is none of ours.
    """
    given = tuple(one.strip() for one in os.environ.get(SUITES, "").split(",") if one.strip())
    try:
        return tuple(suites.named(name).name for name in given)
    except ValueError as fault:
        raise Unfit(f"{SUITES}: {fault}") from None


def read_reconcile(settings: Settings) -> time | None:
    """
    Return at what time in Shanghai a site holds its rows against its log: RX_FLOW_RECONCILE, else 02:30; None for off.

    Raise `Unfit` for what is neither HH:MM nor `off`.
    """
    given = (settings.reconcile or os.environ.get(RECONCILE, "") or RECONCILE_AT).strip()
    if given == "off":
        return None
    try:
        return datetime.strptime(given, "%H:%M").time()  # noqa: DTZ007  a time of day, in no zone
    except ValueError:
        raise Unfit(f"{RECONCILE}={given}: HH:MM, or off") from None


def read_passphrase(keys: Path, mode: Mode, *, shortest: int = PASSPHRASE_CHARACTERS_MIN) -> str:
    """
    Return the passphrase of an institution's keys: RX_FLOW_PASSPHRASE, or in development the one that `keys init` made.

    For keys in a token it is the token's PIN. Raise `Unfit` where there is none, and in production as
    `check_passphrase`.
    """
    given = os.environ.get(PASSPHRASE, "")
    if mode == "production":
        check_passphrase(keys, given, shortest=shortest)
        return given
    try:
        return given or development_passphrase(keys)
    except FileNotFoundError:
        raise Unfit(f"{keys} has no development passphrase: run `rx-flow keys init`, or set {PASSPHRASE}") from None


def read_file_passphrase(settings: Settings) -> str:
    """
    Return what locks an institution's other files, as its answers to who asks for revoked certificates: its passphrase.

    Where its keys are in a token that is the token's PIN, in development that of the development authority.
    """
    if settings.mode == "development" and (settings.keyring or read_keyring()):
        return development_passphrase(settings.keys)
    return settings.passphrase or read_passphrase(settings.keys, settings.mode)


def check_passphrase(keys: Path, passphrase: str, *, shortest: int = PASSPHRASE_CHARACTERS_MIN) -> None:
    """
    Raise `Unfit` for a passphrase that production must not run with: none, that of development, a short one.
    """
    if not passphrase:
        raise Unfit(f"production needs {PASSPHRASE}, the passphrase of the institution's keys")
    if (keys / PASSPHRASE_FILE).exists() and passphrase == development_passphrase(keys):
        raise Unfit("production does not run with the passphrase of development")
    if len(passphrase) < shortest:
        raise Unfit(f"production needs a passphrase of at least {shortest} characters")

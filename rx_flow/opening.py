"""
What of an institution can be opened without serving it: its keys, its schema, and what holds its rows against its log.

Commands and services open them alike; nothing here knows HTTP.
"""

from __future__ import annotations

import importlib
from datetime import datetime

from rx_flow.auth import locks
from rx_flow.config import (
    PASSPHRASE_CHARACTERS_MIN,
    Institution,
    Kind,
    Settings,
    Unfit,
    WrongPassphrase,
    check_passphrase,
    read_keyring,
    read_passphrase,
    read_suites,
)
from rx_flow.crypto.errors import Missing, Untrusted, WrongPin
from rx_flow.crypto.keyrings.kept import Unreachable
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.path import Trust, suites_of_roots
from rx_flow.law.standing import Actor
from rx_flow.record import revisions
from rx_flow.record.audit import Origin
from rx_flow.record.database import Database
from rx_flow.record.log.comparing import Comparison

TOKEN_PIN_MIN = 6  # characters; a token counts the tries, so that it may be short


def comparison(kind: Kind) -> Comparison:
    """Import what holds the rows of a kind of site against its log, and no routes."""
    return importlib.import_module(f"rx_flow.{kind}.compared").compare  # type: ignore[no-any-return]  # as each has it


def components(kind: Kind) -> tuple[str, ...]:
    """
    Return the parts of the schema that a site of this kind keeps: for `revisions.heads` and `schema.upgrade`.
    """
    return revisions.components(kind.value)


def open_keys(settings: Settings) -> tuple[Trust, Keyring]:
    """
    Read whom the site trusts and its own keys; raise `Unfit` where they are missing, or not fit for production.
    """
    where = settings.keyring or read_keyring()
    shortest = TOKEN_PIN_MIN if where else PASSPHRASE_CHARACTERS_MIN
    passphrase = settings.passphrase or read_passphrase(settings.keys, settings.mode, shortest=shortest)
    if settings.mode == "production":
        check_passphrase(settings.keys, passphrase, shortest=shortest)
    try:
        accepts = settings.suites or read_suites() or suites_of_roots(settings.keys)
        trust = Trust.load(settings.keys, accepts=accepts)
        keyring = Keyring.load(settings.keys / settings.code, passphrase, where)
    except WrongPin:
        raise WrongPassphrase(f"the passphrase does not open the keys of {settings.code}") from None
    except Unreachable as fault:
        raise Unfit(f"the token with the keys of {settings.code} cannot be used: {fault}") from None
    except Missing as fault:
        raise Unfit(str(fault)) from None
    except ImportError:
        raise Unfit("keys in a token need python-pkcs11: pip install -e '.[hsm]', or 'rx-flow[hsm]'") from None
    except (OSError, ValueError, Untrusted):
        raise Unfit(f"the keys of {settings.code} in {settings.keys} cannot be read: see keys/README.md") from None
    if settings.mode == "production" and (trust.is_development or keyring.is_development):
        raise Unfit("these are development keys: production needs keys of its own, see keys/README.md")
    return trust, keyring


def unlock_keys(settings: Settings, institution: Institution, db: Database, *, now: datetime) -> tuple[Trust, Keyring]:
    """
    Do what `open_keys` does, and record a wrong passphrase; five wrong PINs of a token in a row lock us out of it.

    A token locks itself for good after a few more, and then only its maker's password helps; so we stop before.
    """
    me = Actor(institution.code, institution.kind.role, institution.code)
    before = db.look(locks.failures, institution.area, me.id)
    if before >= locks.FAILURES_MAX and (settings.keyring or read_keyring()):
        raise Unfit(f"the PIN of the token is locked: find it, then `rx-flow staff unlock {me.id} {me.id}`")
    try:
        found = open_keys(settings)
    except WrongPassphrase:
        here = Origin(me.id, "")
        db.run(locks.stumble, me, institution.area, origin=here, now=now, action="open_keys")
        raise
    if before:
        db.run(locks.steady, me, institution.area)
    return found

"""
What a site goes by and did not decide itself: who is registered, the rules, the policies. A change of it is an entry.

The files are put there by an operator, outside the application; the log says from when on which of them counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from sqlalchemy import Connection

from rx_flow.auth.log.parties import POLICY_FILE
from rx_flow.auth.site import Site
from rx_flow.config import Kind
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin

ADOPT: Final = "adopt"
_SHOWN: Final = 32  # hexadecimal digits of a digest: half of SHA-256, more than anybody can make collide
_LATEST: Final = 1000  # entries of our own that are looked through for the last of each kind
_POLICIES: Final = {Kind.SETTLEMENT: ("rx_flow.settlement.benefit", "policies")}


def goes_by(site: Site) -> dict[str, str]:
    """
    Return the digest of each thing that the site goes by: directory, rules, suites, policies, witnesses.
    """
    keys, settings = site.settings.keys, site.settings
    directory = keys / "directory.json"
    found = {
        "directory": _digest([(directory.name, directory.read_bytes())] if directory.exists() else ()),
        "rules": _digest(_texts(resources.files("rx_flow.law") / "rules")),
        "suites": _digest((name, b"") for name in sorted(site.trust.accepts)),
    }
    if (place := _POLICIES.get(site.kind)) is not None:
        found["policies"] = _digest(_texts(resources.files(place[0]) / place[1]))
    if site.kind is Kind.PLATFORM:
        policy = settings.keys / POLICY_FILE
        found["witnesses"] = _digest([(policy.name, policy.read_bytes())] if policy.exists() else ())
    return found


def adopt(tx: Connection, site: Site, found: Mapping[str, str]) -> None:
    """
    Record what is not what it was at the last start; at the first, everything. One entry for each thing.
    """
    me = Actor(site.code, site.kind.role, site.code)
    last: dict[str, str] = {}
    for one in audit.entries(tx, action=ADOPT, person=me.id, limit=_LATEST):
        what, _, digest = one.content["purpose"].partition(": ")
        last.setdefault(what, digest)
    for what, digest in sorted(found.items()):
        if last.get(what) != digest:
            purpose = f"{what}: {digest}"
            audit.append(tx, Entry(site.clock(), Origin(site.code, ""), me, ADOPT, purpose=purpose))


def _texts(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        if one.name.endswith(".toml"):
            yield one.name, one.read_bytes()


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    """The digest over names and contents, in the order of the names."""
    parts = (f"{name}\0{sha256(body).hexdigest()}\n" for name, body in sorted(files))
    return sha256("".join(parts).encode()).hexdigest()[:_SHOWN]

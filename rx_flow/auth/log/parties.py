"""
Who signs a log and who witnesses it: verifier keys from the folder of keys, and the policy for this province.

Everything here is public. `keys/witness-policy` (c2sp.org/tlog-policy) chooses witnesses and quorum; without it some of
the hospitals and pharmacies are the witnesses, and two of them have to have cosigned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from rx_flow.config import Directory, Institution, Kind, Unfit, log_domain
from rx_flow.crypto.keyrings.files import read_logs
from rx_flow.record.log.store import origin_of
from rx_flow.tlog import note, policy
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import NONE, Group, Policy

POLICY_FILE: Final = "witness-policy"
TRUSTED_FILE: Final = "trusted-logs"
WITNESS: Final = "witness"
QUORUM: Final = 2
WITNESSES_MAX: Final = 8  # chosen by default; a province has thousands of pharmacies
GROUP: Final = "sites"
_EPOCH: Final = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Witness:
    """
    A witness that is asked: its name in the policy, its key, and the institution it is, or the address where none.
    """

    name: str
    key: Key
    institution: str = ""
    url: str = ""


def witness_name(code: str) -> str:
    """
    Return the name under which an institution cosigns.
    """
    return f"{log_domain(code)}/{WITNESS}"


def log_keys(keys: Path, code: str, name: str, epoch: int = 1) -> tuple[Key, ...]:
    """
    Return the verifier keys of a platform's log, the newest last; none where no key is published.
    """
    origin = origin_of(log_domain(code), name, epoch)
    return tuple(Key(origin, note.Kind.LOG, public) for public in _read(keys, code).get(name, ()))


def log_names(keys: Path, code: str) -> tuple[str, ...]:
    """
    Return the names of a platform's logs, by its published keys.
    """
    return tuple(name for name in _read(keys, code) if name != WITNESS)


def trusted(keys: Path, directory: Directory, me: str, origin: str) -> tuple[Key, ...]:
    """
    Return the keys that a witness believes for an origin: of a platform of the directory, or of its own `trusted-logs`.

    Every epoch of a platform's log is believed under the log's published keys: an origin never seen is an entry in the
    witness's own audit log. `Unfit` for a file that cannot be read.
    """
    domain, _, rest = origin.partition("/")
    name, _, epoch = rest.partition("/")
    for one in directory.of_kind(Kind.PLATFORM):
        if log_domain(one.code) == domain and (not epoch or (_EPOCH.fullmatch(epoch) and epoch != "1")):
            found = log_keys(keys, one.code, name, int(epoch or 1))
            return tuple(key for key in found if key.name == origin and name != WITNESS)
    file = keys / me / TRUSTED_FILE
    return tuple(key for key in _parse(file).logs if key.name == origin) if file.exists() else ()


def witnesses(keys: Path, directory: Directory) -> tuple[Witness, ...]:
    """
    Return every hospital and pharmacy with a published witness key, one of each kind in turn.
    """
    pairs = zip_longest(directory.of_kind(Kind.HOSPITAL), directory.of_kind(Kind.PHARMACY))
    sites: Iterable[Institution] = (one for pair in pairs for one in pair if one is not None)
    found = []
    for one in sites:
        if published := _read(keys, one.code).get(WITNESS):
            key = Key(witness_name(one.code), note.Kind.COSIGNATURE, published[-1])
            found.append(Witness(one.code, key, institution=one.code))
    return tuple(found)


def chosen(keys: Path, directory: Directory, logs: Iterable[Key] = ()) -> tuple[Policy, tuple[Witness, ...]]:
    """
    Return the policy for `logs` and whom to ask: by the file where there is one, else some of the directory's sites.

    A witness of the file is asked at its address, or is an institution of the directory by its key. `Unfit` for a file
    that cannot be read, or a witness that is neither.
    """
    sites = witnesses(keys, directory)
    file = keys / POLICY_FILE
    if not file.exists():
        sites = sites[:WITNESSES_MAX]
        groups = {GROUP: Group(min(QUORUM, len(sites)), tuple(one.name for one in sites))} if sites else {}
        by_name = {one.name: one.key for one in sites}
        return Policy(tuple(logs), by_name, groups, GROUP if sites else NONE), sites
    given = _parse(file)
    known = {one.key.public: one.institution for one in sites}
    asked = tuple(
        Witness(name, key, institution=known.get(key.public, ""), url=given.urls.get(name, ""))
        for name, key in given.witnesses.items()
    )
    for one in asked:
        if not one.institution and not one.url:
            raise Unfit(f"{file}: {one.name} has no address and is nobody of the directory")
    return Policy(tuple(logs), given.witnesses, given.groups, given.quorum, given.urls), asked


def _read(keys: Path, code: str) -> dict[str, tuple[bytes, ...]]:
    try:
        return read_logs(keys, code)
    except ValueError:
        raise Unfit(f"a log key of {code} in {keys}/public cannot be read") from None


def _parse(file: Path) -> Policy:
    try:
        return policy.parse(file.read_bytes())
    except Broken as fault:
        raise Unfit(f"{file} is not a policy: {fault.where}") from None

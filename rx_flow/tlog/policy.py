"""
Whom to trust for a log (c2sp.org/tlog-policy): the log's keys, its witnesses, and how many of them must have cosigned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.checkpoint import Signed
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.spelling import number

NONE: Final = "none"
LATE_SECONDS: Final = 300  # how far a witness's clock may run ahead of ours
_NAMES_MAX: Final = 256
_ALLOWED: Final = frozenset({0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)})


@dataclass(frozen=True, slots=True)
class Group:
    """
    At least `needed` of these witnesses or groups.
    """

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The keys and the quorum. Names of witnesses and groups mean something within the policy only.
    """

    logs: tuple[Key, ...]
    witnesses: Mapping[str, Key] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE
    urls: Mapping[str, str] = field(default_factory=dict)  # of the witnesses that have one, by name

    def _met(self, name: str, cosigned: Collection[Key]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in cosigned
        group = self.groups[name]
        return sum(self._met(member, cosigned) for member in group.members) >= group.needed

    def require_quorum(self, cosigned: Collection[Key]) -> None:
        """Pass if the keys that have cosigned are enough; `Broken(QUORUM_NOT_MET)` otherwise."""
        if self.quorum != NONE and not self._met(self.quorum, cosigned):
            seen = [name for name, key in self.witnesses.items() if key in cosigned]
            raise Broken(
                Fault.QUORUM_NOT_MET,
                f"cosigned by {len(seen)} of {len(self.witnesses)} witnesses; {self.quorum} is not satisfied",
            )

    def verify(self, signed: bytes, *, origin: str | None = None, now: int | None = None) -> Signed:
        """
        Return the checkpoint of a note that a known log signed and enough witnesses cosigned.

        `now` (POSIX seconds), if given, bounds the cosignatures' times. `Broken` as `checkpoint.verify`, and
        `COSIGNATURE_FROM_THE_FUTURE`, `QUORUM_NOT_MET`.
        """
        found = checkpoint.verify(signed, self.logs, witnesses=self.witnesses.values(), origin=origin)
        for key, time in found.cosigned.items():
            if now is not None and time > now + LATE_SECONDS:
                raise Broken(Fault.COSIGNATURE_FROM_THE_FUTURE, f"of {key.name}")
        self.require_quorum(found.cosigned)
        return found


@dataclass(slots=True)
class _Reading:
    """A policy file, as far as it has been read."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    urls: dict[str, str] = field(default_factory=dict)
    quorum: str | None = None

    def name_new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError("a name that is taken")
        return name

    def named(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError("a name that no line above defines")
        return name

    def log(self, vkey: str, _url: str = "") -> None:
        key = note.key(vkey)
        if key.kind is not Kind.LOG or key.public in {each.public for each in self.logs}:
            raise ValueError("not a log's key, or a key twice")
        self.logs.append(key)

    def witness(self, name: str, vkey: str, url: str = "") -> None:
        key = note.key(vkey)
        if key.kind is not Kind.COSIGNATURE or key.public in {each.public for each in self.witnesses.values()}:
            raise ValueError("not a witness's key, or a key twice")
        self.witnesses[self.name_new(name)] = key
        if url:
            self.urls[name] = url

    def group(self, name: str, needed: str, *members: str) -> None:
        self.name_new(name)
        if not members or len(set(members)) != len(members) or self.members & set(members):
            raise ValueError("no member, or a member twice")
        least = {"any": 1, "all": len(members)}.get(needed) or number(needed, Fault.MALFORMED_POLICY)
        if not 1 <= least <= len(members):
            raise ValueError("not from one to all members")
        self.groups[name] = Group(least, tuple(self.named(member) for member in members))
        self.members.update(members)

    def choose(self, name: str) -> None:
        if self.quorum is not None:
            raise ValueError("a second quorum")
        self.quorum = name if name == NONE else self.named(name)


def parse(data: bytes) -> Policy:
    """
    Return the policy of a file; `Broken(MALFORMED_POLICY)` with the number of the first line that is wrong.
    """
    if not set(data) <= _ALLOWED:
        raise Broken(Fault.MALFORMED_POLICY, "control characters other than tab and line feed")
    if len(data) > note.NOTE_BYTES_MAX:
        raise Broken(Fault.TOO_LARGE, f"more than {note.NOTE_BYTES_MAX} bytes")
    reading = _Reading()
    verbs: dict[str, Callable[..., None]] = {
        "log": reading.log,
        "witness": reading.witness,
        "group": reading.group,
        "quorum": reading.choose,
    }
    # Octets beyond ASCII are opaque; this keeps them apart, where a decoder of text might make two of them one.
    for row, text in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = text.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            verbs[words[0]](*words[1:])
        except (KeyError, TypeError, ValueError) as no:
            raise Broken(Fault.MALFORMED_POLICY, f"line {row}: {no}") from None
        except Broken as no:
            raise Broken(Fault.MALFORMED_POLICY, f"line {row}: {no.fault}") from None
        if max(map(len, (reading.logs, reading.witnesses, reading.groups))) > _NAMES_MAX:
            raise Broken(Fault.MALFORMED_POLICY, f"more than {_NAMES_MAX} logs, witnesses or groups")
    if reading.quorum is None:
        raise Broken(Fault.MALFORMED_POLICY, "no quorum line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum, reading.urls)


def dump(policy: Policy) -> bytes:
    """Return the policy as a file that `parse` and others' tools read; groups must name what stands before them."""
    lines = [f"log {key}" for key in policy.logs]
    lines += [f"witness {name} {key} {policy.urls.get(name, '')}".rstrip() for name, key in policy.witnesses.items()]
    lines += [f"group {name} {group.needed} {' '.join(group.members)}" for name, group in policy.groups.items()]
    lines.append(f"quorum {policy.quorum}")
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")

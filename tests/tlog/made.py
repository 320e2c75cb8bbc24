"""
Logs for tests, made by the definitions of the RFC and not by the code under test; wrong ones too, if asked for.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from rx_flow.crypto.ed25519 import Seed
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Group, Policy

ORIGIN = "audit.example/350000"
NOW = 1_793_000_000
LOG = Seed(b"\x01" * 32)
OTHER = Seed(b"\x02" * 32)
WITNESSES = {name: Seed(bytes([number]) * 32) for number, name in enumerate(("hospital", "pharmacy", "insurer"), 16)}
LOG_KEY = Key(ORIGIN, Kind.LOG, LOG.public)
OTHER_KEY = Key(ORIGIN, Kind.LOG, OTHER.public)
WITNESS_KEYS = {name: Key(f"{name}.example/w", Kind.COSIGNATURE, seed.public) for name, seed in WITNESSES.items()}
ALONE = Policy((LOG_KEY,))
TWO_OF_THREE = Policy((LOG_KEY,), WITNESS_KEYS, {"enough": Group(2, tuple(WITNESS_KEYS))}, "enough")

Hash = Callable[[bytes], bytes]


def digest(prefix: bytes, data: bytes) -> bytes:
    return sha256(prefix + data).digest()


LEAF: Hash = partial(digest, b"\0")
NODE: Hash = partial(digest, b"\1")


def split(size: int) -> int:
    """The largest power of two below `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(leaves: Sequence[bytes], node: Hash = NODE) -> bytes:
    """MTH of RFC 6962 §2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return node(mth(leaves[:at], node) + mth(leaves[at:], node))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), mth(leaves[at:])]
    return [*path(index - at, leaves[at:]), mth(leaves[:at])]


def subproof(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 §2.1.2."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    at = split(len(leaves))
    if old <= at:
        return [*subproof(old, leaves[:at], whole=whole), mth(leaves[at:])]
    return [*subproof(old - at, leaves[at:], whole=False), mth(leaves[:at])]


def entry(number: int) -> bytes:
    return f"entry {number}".encode() * (1 + number % 3)


def big_endian(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in entries)


def groups(number: int) -> str:
    """The path of an index, as the specification says it."""
    text = f"{number % 1000:03}"
    while number := number // 1000:
        text = f"x{number % 1000:03}/{text}"
    return text


def named(level: str, index: int, width: int) -> str:
    return f"tile/{level}/{groups(index)}" + (f".p/{width}" if width < 256 else "")


def signed(
    size: int, root: bytes, *, origin: str = ORIGIN, by: Seed = LOG, times: dict[str, int] | None = None
) -> bytes:
    """A checkpoint signed by `by` and cosigned by the witnesses of `times`."""
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\n"
    lines = [note.sign(text, origin, by)]
    for name, time in (times or {}).items():
        lines.append(note.cosign(text, WITNESS_KEYS[name].name, WITNESSES[name], time=time))
    return checkpoint.add(bytes(note.Note(text, tuple(lines))), [])


@dataclass
class Log:
    """
    A log as files. `leaf`, `node` and `pack` may be wrong on purpose; all of the log is then made so.
    """

    entries: list[bytes]
    leaf: Hash = LEAF
    node: Hash = NODE
    pack: Callable[[Sequence[bytes]], bytes] = big_endian
    times: dict[str, int] = field(default_factory=lambda: {"hospital": NOW - 60, "insurer": NOW})
    files: dict[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.files = {}
        self.write()

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def root(self) -> bytes:
        return mth([self.leaf(each) for each in self.entries], self.node)

    def write(self) -> None:
        """Write every tile and bundle by its definition, and the checkpoint."""
        for at in range(0, self.size, 256):
            part = self.entries[at : at + 256]
            self.files[named("entries", at // 256, len(part))] = self.pack(part)
        row, level = [self.leaf(each) for each in self.entries], 0
        while row:
            for at in range(0, len(row), 256):
                part = row[at : at + 256]
                self.files[named(str(level), at // 256, len(part))] = b"".join(part)
            row = [mth(row[at : at + 256], self.node) for at in range(0, len(row) - 255, 256)]
            level += 1
        self.files["checkpoint"] = self.checkpoint()

    def checkpoint(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        root = mth([self.leaf(each) for each in self.entries[:size]], self.node)
        return signed(size, root, times=self.times)

    def flip(self, name: str, at: int = 0) -> None:
        data = bytearray(self.files[name])
        data[at] ^= 1
        self.files[name] = bytes(data)


def log(size: int, times: dict[str, int] | None = None) -> Log:
    made = [entry(number) for number in range(size)]
    return Log(made) if times is None else Log(made, times=times)


def fault_of(call: Callable[[], object]) -> Fault | None:
    """The fault with which a call refuses, None if it does not."""
    try:
        call()
    except Broken as no:
        return no.fault
    return None

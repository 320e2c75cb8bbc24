"""
Staff passwords: scrypt hashes in the institution's folder of keys. The only place that makes or checks one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rx_flow.config import Unfit
from rx_flow.crypto.keyrings.locked import write
from rx_flow.crypto.tokens import nonce
from rx_flow.law.refusals import Code, Refused

FILE = "staff.json"
CHARACTERS_MAX = 128
HASH_BYTES = 32
# scrypt takes memory and a core for a moment: only so many at a time, and nobody queues without end.
HASHING_MAX = 2
HASHING_WAITING_MAX = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """
    What guessing one password costs: scrypt's n, r, p.
    """

    n: int
    r: int = 8
    p: int = 1


# OWASP Password Storage Cheat Sheet, scrypt: 16 MiB and five passes. Generated development passwords cannot be guessed.
COST = Cost(2**14, p=5)
COST_DEVELOPMENT = Cost(2**14, p=1)


@dataclass(frozen=True, slots=True)
class Hashed:
    """
    A password's hash, with what is needed to compute it again.
    """

    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    cost: Cost

    def __post_init__(self) -> None:
        """Raise `ValueError` for a hash that nothing could ever match, or a cost that is none."""
        cost = self.cost
        if len(self.hash) != HASH_BYTES or min(cost.n, cost.r, cost.p) < 1:
            raise ValueError("not a password's hash")


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # 128 * n * r bytes are needed; OpenSSL's own limit of 32 MiB is too tight for larger costs.
    memory = 128 * cost.n * cost.r * 2
    return hashlib.scrypt(password.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=HASH_BYTES)


def hashed(password: str, cost: Cost = COST) -> Hashed:
    """
    Return a fresh hash of a password.
    """
    salt = nonce(16).encode()
    return Hashed(salt, _scrypt(password, salt, cost), cost)


class Passwords:
    """
    The passwords of one institution's staff.
    """

    __slots__ = ("_gate", "_known", "_nobody", "_waiting")

    def __init__(self, known: Mapping[str, Hashed]) -> None:
        self._known = dict(known)
        self._gate = asyncio.Semaphore(HASHING_MAX)
        self._waiting = 0
        costs = [one.cost for one in self._known.values()]
        # Whoever does not exist costs as much work as whoever does, so that time does not tell them apart.
        self._nobody = Hashed(bytes(16), bytes(HASH_BYTES), max(costs, key=lambda cost: cost.n * cost.p, default=COST))

    @classmethod
    def load(cls, folder: Path) -> Passwords:
        """
        Read the passwords of an institution; nobody can sign in where there are none. Raise `Unfit` if unreadable.
        """
        path = folder / FILE
        if not path.exists():
            return cls({})
        try:
            found = json.loads(path.read_text("utf-8"))
            return cls(
                {
                    person: Hashed(b64decode(one["salt"]), b64decode(one["hash"]), Cost(one["n"], one["r"], one["p"]))
                    for person, one in found.items()
                }
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unfit(f"{path} cannot be read") from None

    def save(self, folder: Path) -> None:
        """
        Write the passwords into an institution's folder, readable by its owner alone.
        """
        found = {
            person: {
                "salt": b64encode(one.salt).decode(),
                "hash": b64encode(one.hash).decode(),
                "n": one.cost.n,
                "r": one.cost.r,
                "p": one.cost.p,
            }
            for person, one in self._known.items()
        }
        write(folder / FILE, json.dumps(found, indent=1).encode())

    def with_password(self, person: str, password: str, cost: Cost = COST) -> Passwords:
        """
        Return the same passwords with one set anew.
        """
        return Passwords({**self._known, person: hashed(password, cost)})

    def check(self, person: str, password: str) -> None:
        """
        Return if this is the person's password; `Refused(UNAUTHENTICATED)` if not, and where nobody here is called so.

        Slow on purpose, and equally slow for a person unknown here.
        """
        known = self._known.get(person, self._nobody)
        same = hmac.compare_digest(_scrypt(password[:CHARACTERS_MAX], known.salt, known.cost), known.hash)
        if not same or person not in self._known:
            raise Refused(Code.UNAUTHENTICATED, "person or password are wrong")

    async def verify(self, person: str, password: str) -> None:
        """
        Do what `check` does, in a thread; raise `Refused(BUSY)` where too many wait already.
        """
        if self._waiting >= HASHING_WAITING_MAX:
            raise Refused(Code.BUSY, "too many are signing in")
        self._waiting += 1
        try:
            async with self._gate:
                await asyncio.to_thread(self.check, person, password)
        finally:
            self._waiting -= 1


def enrol(folder: Path, people: Iterable[str], *, cost: Cost = COST_DEVELOPMENT) -> dict[str, str]:
    """
    Give each of an institution's people a fresh password, write the hashes, and return the passwords: only now.
    """
    given = {person: nonce(10) for person in people}
    Passwords({person: hashed(password, cost) for person, password in given.items()}).save(folder)
    return given

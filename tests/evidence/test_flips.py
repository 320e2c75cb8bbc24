"""
Every byte counts: one is changed at a time, and nothing that was changed may hold.

Three forgers. One changes the file as it is. One changes a file within and packs it again, so that the container is in
order. One also makes the digests right and has the platform's seal: what doctors, pharmacists, insurers, authorities
and the log signed must still show it. Each byte in turn by `scripts/flip`; a sample of them here.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from bundles import Bundles, Members, flipped, resealed

from rx_flow.evidence import container

# cryptography warns of odd certificates before we refuse them.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:Attribute's length")

SEED = 20261123
SAMPLE = 300  # positions for each forger
SEALED_FEW, SEALED_MANY = 150, 8_000
# What no signature but the platform's own covers: the guide's words, sealed bytes, what only the log could contradict.
_PLATFORM_ONLY = ("VERIFY.md", "packages/")
Way = tuple[bytes, str]  # a changed bundle, and where it was changed


def whole(bundle: bytes, rng: random.Random, few: int | None) -> Iterator[Way]:
    """The file with one byte changed."""
    places = range(len(bundle)) if few is None else sorted(rng.sample(range(len(bundle)), few))
    for at in places:
        yield flipped(bundle, at, rng), f"byte {at}"


def parts(members: Members, rng: random.Random, few: int | None) -> Iterator[Way]:
    """A container in order, with one byte of one member changed."""
    every = [(name, at) for name in sorted(members) for at in range(len(members[name]))]
    for name, at in every if few is None else sorted(rng.sample(every, few)):
        yield container.pack({**members, name: flipped(members[name], at, rng)}), f"{name} byte {at}"


def sealed(bundles: Bundles, members: Members, rng: random.Random, few: int) -> Iterator[Way]:
    """The same with digests made right and sealed anew by the platform; the last entry has no successor to name it."""
    last = max(name for name in members if name.startswith("entries/"))
    own = {"manifest.jws", "SHA256SUMS", last}
    every = [
        (name, at)
        for name in sorted(members.keys() - own)
        if not name.startswith(_PLATFORM_ONLY)
        for at in range(len(members[name]))
    ]
    for name, at in sorted(rng.sample(every, few)):
        yield resealed({**members, name: flipped(members[name], at, rng)}, bundles.seal), f"{name} byte {at}"


def caught(bundles: Bundles, ways: Iterator[Way]) -> Counter[str]:
    """How many changes each step caught; the test fails at the first that none did."""
    steps: Counter[str] = Counter()
    for bundle, where in ways:
        failed = bundles.judge(bundle).failed
        assert failed is not None, f"changed {where}: nobody noticed"
        steps[failed.step] += 1
    return steps


@pytest.mark.parametrize("withheld", [False, True], ids=["complete", "withheld"])
def test_a_sample_of_bytes(bundles: Bundles, withheld: bool) -> None:  # noqa: FBT001  Both kinds.
    rng = random.Random(SEED)  # noqa: S311  A sample, not a secret.
    bundle = (bundles.withheld if withheld else bundles.full)["returned"]
    members = container.unpack(bundle)

    assert caught(bundles, whole(bundle, rng, SAMPLE)).keys() == {"container"}
    assert caught(bundles, parts(members, rng, SAMPLE)).keys() <= {"sums", "manifest", "certificates", "revocation"}
    assert caught(bundles, sealed(bundles, members, rng, SEALED_FEW)).total() == SEALED_FEW


@pytest.mark.battery
@pytest.mark.parametrize("withheld", [False, True], ids=["complete", "withheld"])
def test_every_byte(bundles: Bundles, withheld: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001  Both kinds.
    rng = random.Random(SEED)  # noqa: S311  A sample, not a secret.
    bundle = (bundles.withheld if withheld else bundles.full)["returned"]
    members = container.unpack(bundle)

    found = {
        "every byte of the file": caught(bundles, whole(bundle, rng, None)),
        "every byte of every file within, packed again": caught(bundles, parts(members, rng, None)),
        "a sample with digests and seal made right": caught(bundles, sealed(bundles, members, rng, SEALED_MANY)),
    }

    with capsys.disabled():
        for what, steps in found.items():
            by = ", ".join(f"{count} by {step}" for step, count in steps.most_common())
            print(f"\n{what}: {steps.total()} changed, {steps.total()} caught: {by}")  # noqa: T201  It is what one runs it for.

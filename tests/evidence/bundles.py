"""
Bundles of prescriptions that went different ways through a platform, made once; and what forgers make of them.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "platform"))

from platform_world import (
    AILMENT,
    CARD,
    DOCTOR,
    INSURER,
    NAME,
    NOW,
    PHARMACIST,
    PLATFORM,
    REVIEWER,
    Keys,
    World,
    world,
    write_keys,
)

from rx_flow.crypto import canonical
from rx_flow.crypto.disclosures import signed_part
from rx_flow.crypto.documents import digest_of, sign_document, take_apart
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.renewal import revoke
from rx_flow.crypto.suites import DEFAULT
from rx_flow.crypto.suites.suite import Suite
from rx_flow.evidence import container, manifest
from rx_flow.evidence.manifest import MANIFEST, SUMS, Package, Purpose, Stated
from rx_flow.evidence.verify import Report, verify
from rx_flow.law.standing import Actor, Role, RxId, State
from rx_flow.platform.exporting import Wanted, export
from rx_flow.platform.sweep import sweep
from rx_flow.platform.vault import Vault
from rx_flow.record.log.leader import Alone
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.record.schema import upgrade

AREA = "350100"
SECRETS = (NAME, CARD, AILMENT, "1980-01-01", "19800101", "K25.4")
REASON = "剂量与欧阳测试甲的诊断不符"  # a person's own words, with a name in them
Members = dict[str, bytes]


@dataclass(frozen=True)
class Bundles:
    """Every bundle by what happened to its prescription, who signed, and what is trusted."""

    keys: Keys
    root: bytes
    now: datetime
    full: dict[str, bytes] = field(repr=False)
    withheld: dict[str, bytes] = field(repr=False)

    def judge(self, bundle: bytes, *, root: bytes | None = None, now: datetime | None = None) -> Report:
        return verify(bundle, root or self.root, now=now or self.now)

    def reason(self, bundle: bytes, **other: bytes) -> str:
        """Step and code of the failure, "" if there was none."""
        failed = self.judge(bundle, **other).failed
        return "" if failed is None else f"{failed.step}: {failed.code}"

    def members(self, name: str = "dispensed", *, withheld: bool = False) -> Members:
        return container.unpack((self.withheld if withheld else self.full)[name])

    @property
    def keys_at(self) -> datetime:
        """A moment at which the lists that the keys' folder began with hold."""
        return NOW

    @property
    def seal(self) -> SigningKey:
        return self.keys.ring(PLATFORM).seal


async def _sent_back(w: World, number: str) -> str:
    """Sent back by the hospital's pharmacist, written again, dispensed."""
    p = w.prescription(number)
    rx = str(p.rx)
    body = {"action": "submit", **p.to_body()}
    documents = [w.sign("D350100000001", "prescription", rx, body, seq=1, prev="")]
    opinion = {"action": "send_back", "findings": [], "reason": REASON}
    documents.append(w.sign(REVIEWER, "opinion1", rx, opinion, seq=2, prev=documents[-1].digest))
    documents.append(w.sign("D350100000001", "prescription", rx, body, seq=3, prev=documents[-1].digest))
    approval = {"action": "approve", "findings": [], "reason": ""}
    documents.append(w.sign(REVIEWER, "opinion1", rx, approval, seq=4, prev=documents[-1].digest))
    release = {"action": "release", "pickup_sha256": "0" * 64, "nominated": None}
    documents.append(w.sign("H35010000001", "release", rx, release, seq=5, prev=documents[-1].digest))
    answer = await w.hand_over(*documents)
    assert answer.status_code == 200, answer.text
    return rx


async def _ways(w: World) -> dict[str, str]:
    """One prescription for each end, and what can happen on the way."""
    found = {"dispensed": await w.at(State.DISPENSED, "N1"), "other": await w.at(State.DISPENSED, "N2")}
    found["returned"] = await w.at(State.DISPENSED, "N3")
    assert (await w.take_back(found["returned"])).status_code == 200
    found["revoked"] = await w.at(State.CLAIMED, "N4")
    assert (await w.revoke(found["revoked"], reason=REASON)).status_code == 200
    found["refused"] = await w.at(State.CLAIMED, "N5")
    refusal = w.opinion(found["refused"], "refuse", reason=REASON)
    assert (await w.send("P35010000001", "refuse", refusal)).status_code == 200
    found["handed back"] = await w.at(State.CLAIMED, "N6")
    back = w.sign("P35010000001", "claim", found["handed back"], {"action": "hand_back", "reason": REASON})
    assert (await w.send("P35010000001", "hand_back", back)).status_code == 200
    found["reversed"] = await w.at(State.SETTLED, "N7")
    assert (await w.send(INSURER, "reverse", w.statement(found["reversed"], "reverse", sign=-1))).status_code == 200
    found["denied"] = await w.at(State.DISPENSED, "N8")
    denial = {"action": "deny", "amount_fen": 100, "reason": REASON}
    assert (await w.send(INSURER, "deny", w.sign(INSURER, "decision", found["denied"], denial))).status_code == 200
    found["over a finding"] = await w.released(p=w.risky("N9"), reason=REASON)
    found["sent back"] = await _sent_back(w, "N10")
    # Somebody tries what is not theirs: a refusal stands in the log.
    await w.revoke(found["dispensed"])
    found["expired"] = await w.at(State.CLAIMED, "N11")
    w.wait(days=2)
    await sweep(w.site.db, keyring=w.site.keyring, origin=w.site.origin(), now=w.now)
    return found


async def published(w: World, folder: Path) -> None:
    """Let the platform's log number and sign what has been recorded so far."""
    signers = {AREA: w.site.keyring.log_key(AREA)}
    await Sequencer(w.site.db, signers, "log.example", folder / "guards", lambda: w.now, Alone()).turn()


async def _exported(w: World, rx: str, *, withhold: bool) -> bytes:
    w.wait(minutes=1)
    return await w.site.db.transact(
        export,
        Wanted(RxId(rx), Purpose.COURT, withhold),
        Actor(PLATFORM, Role.PLATFORM, PLATFORM),
        vault=Vault(w.site.keyring, w.site.trust),
        origin=w.site.origin(),
        now=w.now,
    )


async def _play(keys: Keys, folder: Path) -> Bundles:
    url = f"sqlite:///{folder / 'platform.db'}"
    await asyncio.to_thread(upgrade, url, ("record", "auth", "platform"))
    full, withheld = {}, {}
    async with world(keys, url) as w:
        ways = await _ways(w)
        await published(w, folder)
        for name, rx in ways.items():
            for kept, withhold in ((full, False), (withheld, True)):
                kept[name] = await _exported(w, rx, withhold=withhold)
        w.wait(minutes=1)
        revoke(keys.folder, PHARMACIST, Why.KEY_COMPROMISE, now=w.now, passphrase=keys.passphrase)
        w.site.trust.refresh(keys.folder)
        full["signer revoked since"] = await _exported(w, ways["dispensed"], withhold=False)
        withheld["signer revoked since"] = await _exported(w, ways["dispensed"], withhold=True)
        # The insurer's reversal came with the pharmacist's document: no entry of its own tells when.
        w.wait(minutes=1)
        revoke(keys.folder, INSURER, Why.KEY_COMPROMISE, now=w.now, passphrase=keys.passphrase)
        w.site.trust.refresh(keys.folder)
        full["insurer revoked since"] = await _exported(w, ways["returned"], withhold=False)
        # Since before anything was signed: the doctor's prescriptions do not count.
        w.wait(minutes=1)
        revoke(keys.folder, DOCTOR, Why.KEY_COMPROMISE, now=w.now, passphrase=keys.passphrase, since=NOW)
        w.site.trust.refresh(keys.folder)
        for name, way in (("stolen before", "dispensed"), ("stolen before, signed twice", "revoked")):
            for kept, withhold in ((full, False), (withheld, True)):
                kept[name] = await _exported(w, ways[way], withhold=withhold)
        now = w.now + timedelta(hours=1)
    return Bundles(keys, (keys.folder / "root.pem").read_bytes(), now, full, withheld)


def make(folder: Path, suite: Suite = DEFAULT) -> Bundles:
    """Play every way, with keys of a suite, and export each prescription twice."""
    write_keys(folder / "keys", suite)
    return asyncio.run(_play(Keys(folder / "keys"), folder))


def resummed(members: Members) -> Members:
    """What somebody without a key can do: alter files and their digests."""
    return {**members, SUMS: manifest.sums_of(members)}


def resealed(
    members: Members,
    seal: SigningKey,
    change: Callable[[Stated], Stated] = lambda stated: stated,
    *,
    head: str = "",
) -> bytes:
    """What the platform itself could do: alter files, their digests, and seal the result."""
    made = {name: body for name, body in members.items() if name not in {MANIFEST, SUMS}}
    made[SUMS] = manifest.sums_of(made)
    claimed = take_apart(members[MANIFEST].decode())
    raws = [body.decode("latin-1") for name, body in sorted(made.items()) if name.startswith("documents/")]
    packages = {int(name[9:13]): body for name, body in sorted(made.items()) if name.startswith("packages/")}
    body = claimed.members["body"]
    stated = Stated(
        purpose=Purpose(body["purpose"]),
        withheld=body["withheld"],
        state=State(body["state"]),
        sums=manifest.digest(made[SUMS]),
        entries=sum(name.startswith("entries/") for name in made),
        packages=tuple(Package(seq, manifest.digest(one)) for seq, one in packages.items()),
        logs=tuple(body["logs"]),
    )
    head = head or _named(raws[-1], otherwise=claimed.members["prev"])
    stated = change(stated)
    made[MANIFEST] = manifest.sign(
        seal, stated, rx=claimed.members["rx"], seq=max(len(raws), 1), head=head, at=claimed.at
    ).encode()
    return container.pack(made)


def _named(raw: str, *, otherwise: str) -> str:
    """The name of a document, as far as it still begins like one."""
    try:
        return digest_of(raw)
    except Untrusted:
        return otherwise


def relinked(members: Members) -> Members:
    """Every entry names the one before it again, after some of them were altered."""
    made, before = dict(members), ""
    for name in sorted(name for name in members if name.startswith("entries/")):
        made[name] = canonical.dumps({**json.loads(made[name]), "prev": before})
        before = canonical.digest(made[name])
    return made


def flipped(data: bytes, at: int, rng: random.Random) -> bytes:
    """The bytes with one of them changed into any other."""
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


__all__ = (
    "DOCTOR", "INSURER", "PHARMACIST", "PLATFORM", "REASON", "REVIEWER", "SECRETS", "Bundles", "Members",
    "flipped", "make", "relinked", "replace", "resealed", "resummed", "sign_document", "signed_part",
)  # fmt: skip

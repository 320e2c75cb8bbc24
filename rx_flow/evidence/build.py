"""
A bundle put together: exact bytes by name, sums, the manifest under the platform's seal, and how a stranger checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rx_flow.crypto import disclosures
from rx_flow.crypto.documents import Claimed, take_apart
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pki.offline import enclose
from rx_flow.crypto.pki.path import Trust
from rx_flow.evidence import container, guide, manifest
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.manifest import GUIDE, MANIFEST, SUMS, Package, Purpose, Stated
from rx_flow.law.personal import personal
from rx_flow.law.standing import State


@dataclass(frozen=True, slots=True)
class Log:
    """
    What the verifiable log says: its verifier keys, and a proof file (c2sp.org/tlog-proof) for each published entry.

    One key for each of its epochs. `proofs` goes by the entry's number in the prescription's own chain.
    """

    keys: tuple[str, ...]
    proofs: Mapping[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gathered:
    """
    What the platform has on a prescription: its documents, entries and sealed packages, each in its exact bytes.

    `packages` goes by the number of the first document within; the last entry is the one of this export.
    """

    rx: str
    state: State
    documents: tuple[str, ...] = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)
    packages: Mapping[int, str] = field(repr=False)
    log: Log | None = None


def build(
    gathered: Gathered, *, seal: SigningKey, trust: Trust, at: datetime, purpose: Purpose, withhold: bool
) -> bytes:
    """
    Return the bundle as one file; the same evidence gives the same bytes, but for the signature over its sums.

    With `withhold` no disclosure goes out, and no package: its ciphertext could be opened one day. `Untrusted` where a
    certificate has no revocation list, `Unproven(NOT_COMMITTED)` where a signed document has personal values in clear.
    """
    raws = [disclosures.signed_part(raw) if withhold else raw for raw in gathered.documents]
    claimed = [take_apart(raw, withheld=withhold) for raw in raws]
    if withhold:
        for one in claimed:
            committed(one.members["doc"], one.members["body"], seq=one.members["seq"])
    enclosed = enclose(trust, [*(one.thumbprint for one in claimed), seal.thumbprint])
    members = {document_name(one): raw.encode() for one, raw in zip(claimed, raws, strict=True)}
    members |= {f"entries/{seq:04}.json": body for seq, body in enumerate(gathered.entries, 1)}
    members |= {f"certificates/{name}.pem": pem for name, pem in enclosed.leaves.items()}
    members |= {f"authorities/{name}.pem": pem for name, pem in enclosed.authorities.items()}
    members |= {f"lists/{name}.pem": pem for name, pem in enclosed.lists.items()}
    packages = {seq: body.encode() for seq, body in sorted(gathered.packages.items())}
    if not withhold:
        members |= {f"packages/{seq:04}.jwe": body for seq, body in packages.items()}
    if gathered.log is not None:
        members |= {f"log/{seq:04}.tlog-proof": proof for seq, proof in gathered.log.proofs.items()}
    members[GUIDE] = guide.text(members, rx=gathered.rx, at=at, withheld=withhold).encode()
    members[SUMS] = manifest.sums_of(members)
    stated = Stated(
        purpose=purpose,
        withheld=withhold,
        state=gathered.state,
        sums=manifest.digest(members[SUMS]),
        entries=len(gathered.entries),
        packages=tuple(Package(seq, manifest.digest(body)) for seq, body in packages.items()),
        logs=gathered.log.keys if gathered.log else (),
    )
    last = claimed[-1]
    signed = manifest.sign(seal, stated, rx=gathered.rx, seq=last.members["seq"], head=last.digest, at=at)
    members[MANIFEST] = signed.encode()
    return container.pack(members)


def document_name(claimed: Claimed) -> str:
    """
    Return how a document is called in a bundle: by its place in the dossier and its kind.
    """
    return f"documents/{claimed.members['seq']:04}-{claimed.members['doc']}.jws"


def committed(doc: str, body: Mapping[str, object], *, seq: int) -> None:
    """
    Return if no personal value of a document stands in its signed bytes; `Unproven(NOT_COMMITTED)` if one does.
    """
    for *above, name in personal(doc):
        holder = body.get(above[0]) if above else body
        if (holder.get(name) if isinstance(holder, Mapping) else holder) not in disclosures.EMPTY:
            raise Unproven(Fault.NOT_COMMITTED, f"document {seq}")

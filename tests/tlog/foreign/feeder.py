"""
A log by aics-tlog that asks our witness for its signature with aics-witness's own client. Arguments: URL and our vkey.
"""

import sys

import aics_tlog
from aics_witness import feeder
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "foreign.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)


def signed(tree: aics_tlog.MerkleTree) -> bytes:
    made = aics_tlog.sign_checkpoint(aics_tlog.Checkpoint(ORIGIN, tree.size, tree.root()), KEY, ORIGIN)
    return made.to_bytes()


def outcome(client: feeder.WitnessClient, tree: aics_tlog.MerkleTree) -> str:
    note = signed(tree)
    try:
        line = client.submit(note, tree.consistency_proof)
    except feeder.WitnessConflict as no:
        return f"409/{no.known_size}"
    except feeder.WitnessRejected as no:
        return str(no.status)
    merged = aics_tlog.parse_note(feeder.merge_cosignatures(note, line))
    witness = aics_tlog.parse_vkey(sys.argv[2])
    key = aics_tlog.vkey_from_ed25519(ORIGIN, KEY.public_key())
    return "200" if aics_tlog.verify_checkpoint(merged, key, [witness], 1).ok else "cosignature refused"


def main() -> None:
    """First contact, growth, the same again, another root at the same size, a rewritten history, a smaller tree."""
    good = aics_tlog.MerkleTree([b"%d" % number for number in range(300)])
    forked = aics_tlog.MerkleTree([b"another", *(b"%d" % number for number in range(1, 700))])
    small = aics_tlog.MerkleTree([b"%d" % number for number in range(100)])
    found = []
    with feeder.WitnessClient(sys.argv[1], sys.argv[2], max_attempts=1) as client:
        found.append(outcome(client, good))
        good.extend(b"%d" % number for number in range(300, 700))
        found += [outcome(client, good), outcome(client, good)]
        found.append(outcome(client, forked))
        forked.append(b"more")
        found += [outcome(client, forked), outcome(client, small)]
    sys.stdout.write(" ".join(found))


if __name__ == "__main__":
    main()

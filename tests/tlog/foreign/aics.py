"""
Verifies one of our logs with aics-tlog, run by the interpreter that has it. Arguments: one JSON object, see `main`.
"""

import json
import sys
from base64 import b64decode
from pathlib import Path

import aics_tlog


def refuse(why: str) -> None:
    sys.exit(f"refused: {why}")


def checkpoint(data: bytes, asked: dict) -> aics_tlog.checkpoint.CheckpointVerifyResult:
    log, witnesses = aics_tlog.parse_vkey(asked["log"]), [aics_tlog.parse_vkey(each) for each in asked["witnesses"]]
    found = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(data), log, witnesses, asked["quorum"], expected_origin=asked["origin"]
    )
    if not found.ok:
        refuse(f"checkpoint: {found.error}")
    return found


def main() -> None:
    """`folder`, `origin`, `log` and `witnesses` as vkeys, `quorum`; `old` a checkpoint; `proofs` as [index, hashes]."""
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    head = checkpoint((folder / "checkpoint").read_bytes(), asked)
    reader = aics_tlog.FileSystemTileReader(folder)
    report = aics_tlog.audit_tiles(reader, head.size, head.root)
    for index, proof in asked["proofs"]:
        entry = aics_tlog.read_entry(reader, index, head.size)
        if not aics_tlog.verify_leaf_inclusion(entry, index, head.size, [b64decode(each) for each in proof], head.root):
            refuse(f"inclusion of {index}")
    old = checkpoint(asked["old"].encode(), {**asked, "quorum": 0})
    if not aics_tlog.verify_consistency(
        old.size, head.size, old.root, head.root, [b64decode(each) for each in asked["consistency"]]
    ):
        refuse(f"consistency from {old.size}")
    sys.stdout.write(f"accepted {head.size} {report.tiles} {report.bundles}\n")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as no:
        refuse(f"{type(no).__name__}: {no}")

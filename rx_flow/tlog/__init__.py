"""
The transparency log in bytes: Merkle tree, tiles, signed notes, checkpoints, proofs, witnesses, and the verifier.

Formats are C2SP's, so that others' tools read them. Nothing here knows a database, HTTP, or what an entry says.
"""

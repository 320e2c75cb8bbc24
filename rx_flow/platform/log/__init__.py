"""
The platform's logs as outsiders see them: files of c2sp.org/tlog-tiles, proofs, and how far an entry has come.
"""

"""
Signatures inside a PDF (PAdES, ETSI EN 319 142-1): put there with a key of ours, and checked. The only user of pyHanko.

Needs the extra `pdf`.
"""

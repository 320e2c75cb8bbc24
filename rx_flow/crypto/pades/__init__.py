"""
Signatures inside a PDF (PAdES, ETSI EN 319 142-1): put there with a key of ours, and checked. The only user of pyHanko.

Needs the extra `pdf`.
"""

import logging

# What a stranger's file says of itself would come into our logs with the library's warnings; the reason says enough.
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)

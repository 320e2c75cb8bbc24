"""
Headers that an attacker writes: one list for documents, assertions and packages of every suite, and for HTTP.
"""

from __future__ import annotations

from typing import NamedTuple

from rx_flow.crypto.errors import Reason

R = Reason


class Hostile(NamedTuple):
    """
    Members that are put into an otherwise right header, and why it is refused for them.
    """

    name: str
    members: dict[str, object]
    reason: Reason


HEADERS = (
    Hostile("alg none", {"alg": "none"}, R.UNSIGNED),
    Hostile("alg none, spelled otherwise", {"alg": "nOnE"}, R.UNSIGNED),
    Hostile("alg of a shared secret", {"alg": "HS256"}, R.SHARED_SECRET),
    Hostile("alg swapped for one that nobody here uses", {"alg": "RS256"}, R.WRONG_ALGORITHM),
    Hostile("alg swapped for another hash on the same curve", {"alg": "ES384"}, R.WRONG_ALGORITHM),
    Hostile("alg of a password", {"alg": "PBES2-HS256+A128KW"}, R.PASSWORD_BASED),
    Hostile("PBES2's count", {"p2c": 2**31 - 1, "p2s": "AA"}, R.PASSWORD_BASED),
    Hostile("PBES2's count alone", {"p2c": 10**9}, R.PASSWORD_BASED),
    Hostile("kid that is a path", {"kid": "../../etc/passwd"}, R.KEY_NAME),
    Hostile("kid that is SQL", {"kid": "' OR 1=1 --"}, R.KEY_NAME),
    Hostile("x5t, the print of a weaker hash", {"x5t": "AAAA"}, R.KEY_NAME),
    Hostile("jku to the own machine", {"jku": "http://127.0.0.1/"}, R.KEY_ADDRESS),
    Hostile("x5u to the machine's metadata", {"x5u": "http://169.254.169.254/"}, R.KEY_ADDRESS),
    Hostile("the attacker's own key in jwk", {"jwk": {"kty": "EC"}}, R.FOREIGN_KEY),
    Hostile("the attacker's own certificate in x5c", {"x5c": ["MIIB"]}, R.FOREIGN_KEY),
    Hostile("crit that nobody knows", {"crit": ["exp"]}, R.UNKNOWN_CRITICAL),
    Hostile("crit that names what is there", {"crit": ["alg"]}, R.UNKNOWN_CRITICAL),
    Hostile("b64 false", {"b64": False, "crit": ["b64"]}, R.UNENCODED_PAYLOAD),
    Hostile("compressed", {"zip": "DEF"}, R.COMPRESSED),
    Hostile("a giant header", {"kid": "k" * 1_500}, R.HEADER_TOO_LARGE),
)

"""
Batteries of tokens: Wycheproof's JWS, JWE and JWK, and the worked examples of the RFCs.

Every token is also offered whole, as a document or package of ours: none of them is one. Then it goes through the steps
by which ours are read, its key in a certificate that says what the JSON key says: `use` and `key_ops` are its purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from scripts.rig.conformance import minting, packing
from scripts.rig.conformance.agreeing import any_key, opening_key, scalar
from scripts.rig.conformance.ours import Ours, Purpose, Reason, Untrusted, believing, leaf, no_document, no_package
from scripts.rig.conformance.reading import Members, b64, header, name, said, wycheproof
from scripts.rig.conformance.signing import both, lower
from scripts.rig.conformance.verdicts import Case, Said, Why

_CURVES = {"P-256": "1.2.840.10045.3.1.7", "P-384": "1.3.132.0.34", "P-521": "1.3.132.0.35"}
_SIGNED, _SEALED = 3, 5  # parts of a compact token
_SIGNS, _OPENS = "ES256", ("ECDH-ES+A256KW", "A256GCM")
_HIGH_S = frozenset({Reason.SIGNATURE_MALLEABLE})


def signatures(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's JSON Web Signatures."""
    for group, case in wycheproof(folder, "json_web_signature"):
        yield _case(ours, group, case)


def encryption(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's JSON Web Encryption."""
    for group, case in wycheproof(folder, "json_web_encryption"):
        yield _case(ours, group, case)


def keys(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's JSON Web Keys, each with a token."""
    for group, case in wycheproof(folder, "json_web_key"):
        yield _case(ours, group, case)


def crypto(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's older mixture of tokens and keys."""
    for group, case in wycheproof(folder, "json_web_crypto"):
        yield _case(ours, group, case)


def _case(ours: Ours, group: Members, case: Members) -> Case:
    token = case.get("jws", case.get("jwe"))
    raw = token if isinstance(token, str) else json.dumps(token)
    if "jws" in case:
        found = signed(ours, name(case), raw, _chosen(group.get("public") or group["private"], raw), said(case))
    else:
        value = bytes.fromhex(case["pt"]) if "pt" in case else None
        found = sealed(ours, name(case), raw, _chosen(group["private"], raw), said(case), value=value)
    return found


def signed(ours: Ours, name: str, raw: str, key: Members, told: Said) -> Case:
    """
    Return the case of a signed token, as `documents` would judge it with another header.
    """
    parts = raw.split(".")
    plain = len(parts) == _SIGNED
    signature = b64(parts[2]) if plain else b""

    def ask() -> bytes:
        _no_document(raw, key)

        def verify(form: bytes) -> None:
            spki = _spki(key)
            if spki is None:
                raise Untrusted(Reason.UNKNOWN_SIGNER)
            made = leaf(minting.certificate(spki, _purpose(key)))
            trust = believing([minting.authority().certificate], [made], [minting.empty_list()])
            found = ours.certified(trust, made, purpose=Purpose.DOCUMENT, at=minting.NOW)
            ours.verify(found.public, read.signed, form)

        read = ours.read_jws(raw)
        # Only a signature that is spelled as ours must be may be asked about in another form.
        both(verify, read.signature, told)
        return read.payload

    outside = _outside_signed(raw, parts)
    if outside is None and lower(signature) != signature:
        return Case(name, told, ask, outside=Why.OTHER_S, within=_HIGH_S, absent=_contradicts(key))
    value = b64(parts[1]) if plain else None
    return Case(name, told, ask, value=value, outside=outside, absent=_contradicts(key))


def sealed(ours: Ours, name: str, raw: str, key: Members, told: Said, *, value: bytes | None = None) -> Case:
    """
    Return the case of an encrypted token, as `packages` would open it in compact form.
    """

    def ask() -> bytes | None:
        no_package(raw, any_key(ours).key, packing.RX)
        mine = None
        if key.get("kty") == "EC" and key.get("crv") == "P-256" and "d" in key:
            mine = opening_key(ours, scalar(int.from_bytes(b64(key["d"]), "big")), _purpose(key))
            no_package(raw, mine, packing.RX)
        plain = ours.open_jwe(raw, mine)
        return None if value is None else plain

    stated = header(raw)
    outside = None if (stated.get("alg"), stated.get("enc")) == _OPENS else Why.ALGORITHM
    if len(raw.split(".")) != _SEALED:
        outside = Why.FORM
    return Case(name, told, ask, value=value, outside=outside, absent=_contradicts(key))


def public_key(ours: Ours, name: str, key: Members) -> Case:
    """
    Return the case of a public key alone: believed only on a curve of ours.
    """

    def ask() -> None:
        spki = _spki(key)
        if spki is None:
            raise Untrusted(Reason.UNKNOWN_SIGNER)
        made = leaf(minting.certificate(spki, _purpose(key)))
        trust = believing([minting.authority().certificate], [made], [minting.empty_list()])
        ours.certified(trust, made, purpose=_purpose(key), at=minting.NOW)

    secret = key["kty"] == "oct" or "d" in key
    return Case(name, Said.VALID, ask, outside=Why.ALGORITHM, absent=Why.NO_FORM if secret else None)


def _no_document(raw: str, key: Members) -> None:
    spki = _spki(key)
    known = []
    if spki is not None:
        try:
            known.append(leaf(minting.certificate(spki, _purpose(key))))
        except Untrusted:
            known.clear()  # a key that no certificate can carry
    trust = believing([minting.authority().certificate], known, [minting.empty_list()])
    no_document(raw, trust, minting.NOW)


def _outside_signed(raw: str, parts: list[str]) -> Why | None:
    if len(parts) != _SIGNED or not all(parts) or raw.startswith("{"):
        return Why.FORM
    return None if header(raw).get("alg") == _SIGNS else Why.ALGORITHM


def _chosen(key: Members, raw: str) -> Members:
    """The key of a set that a token names, or the first."""
    found: list[Members] = key.get("keys", [key])
    return next((one for one in found if one.get("kid") == header(raw).get("kid")), found[0])


def _purpose(key: Members) -> Purpose:
    seals = key.get("use") == "enc" or str(key.get("alg", "")).startswith("ECDH")
    seals = seals or not {"sign", "verify"} & {*key.get("key_ops", ["verify"])}
    return Purpose.PACKAGE if seals else Purpose.DOCUMENT


def _contradicts(key: Members) -> Why | None:
    """A key whose members cannot all be true is none that a certificate could carry."""
    named = key.get("alg", "")
    wrong = key.get("kty") == "EC" and key.get("crv") == "P-256" and named[:2] == "ES" and named != _SIGNS
    return Why.CONTRADICTION if wrong or (key.get("kty") == "RSA" and "n" not in key) else None


def _spki(key: Members) -> bytes | None:
    """SubjectPublicKeyInfo of a JSON key; None where there can be none."""
    if key.get("kty") == "EC" and key.get("crv") in _CURVES:
        return minting.spki(_CURVES[key["crv"]], b"\x04" + b64(key["x"]) + b64(key["y"]))
    if key.get("kty") != "RSA" or "n" not in key:
        return None
    n, e = (int.from_bytes(b64(key[part]), "big") for part in ("n", "e"))
    try:
        public: Any = rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        return None
    return minting.encoded(public)


def private(key: Members) -> ec.EllipticCurvePrivateKey:
    """
    Return the private key of a JSON key on P-256.
    """
    return scalar(int.from_bytes(b64(key["d"]), "big"))

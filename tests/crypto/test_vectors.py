"""
Vectors made by others: Wycheproof for signatures, points and key agreement, and the worked examples of the RFCs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from forge import decode
from joserfc.jwe import JWERegistry

from rx_flow.crypto import compact, suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites import p256


def cases(folder: Path, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = json.loads((folder / "wycheproof" / name).read_text("utf-8"))
    return [(group, test) for group in found["testGroups"] for test in group["tests"]]


def lower(signature: bytes) -> bytes:
    """The form that our profile asks for: the vectors hold both."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (p256.ORDER - s).to_bytes(32, "big") if p256.HALF < s < p256.ORDER else signature


def believed(public: ec.EllipticCurvePublicKey, data: bytes, signature: bytes) -> bool:
    try:
        suites.verify(public, data, signature)
    except Untrusted:
        return False
    return True


def jwk(key: dict[str, str]) -> ec.EllipticCurvePublicKey:
    return p256.point(decode(key["x"]).rjust(32, b"\0"), decode(key["y"]).rjust(32, b"\0"))


def private(key: dict[str, str]) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decode(key["d"]), "big"), ec.SECP256R1())


def test_wycheproof_ecdsa_p256(vectors: Path) -> None:
    seen = {"valid": 0, "invalid": 0}
    for group, test in cases(vectors, "ecdsa_secp256r1_sha256_p1363_test.json"):
        public = jwk(group["publicKeyJwk"]) if "publicKeyJwk" in group else None
        public = public or ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), bytes.fromhex(group["publicKey"]["uncompressed"])
        )
        data, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
        if test["result"] == "invalid":
            assert not believed(public, data, signature), test["tcId"]
            assert len(signature) != 64 or not believed(public, data, lower(signature)), test["tcId"]
        else:
            assert believed(public, data, lower(signature)), test["tcId"]
            assert believed(public, data, signature) == (lower(signature) == signature), test["tcId"]
        seen[test["result"]] += 1
    assert min(seen.values()) > 50


def test_wycheproof_ecdh_p256_and_points_beside_the_curve(vectors: Path) -> None:
    seen = {"valid": 0, "acceptable": 0, "invalid": 0}
    for _, test in cases(vectors, "ecdh_secp256r1_webcrypto_test.json"):
        seen[test["result"]] += 1
        try:
            shared = p256.agree(private(test["private"]), jwk(test["public"])).hex()
        except (Untrusted, KeyError, OverflowError):
            shared = ""
        if test["public"].get("crv") == "P-256":
            assert shared == ("" if test["result"] == "invalid" else test["shared"]), test["tcId"]
    assert seen["valid"] > 200


def test_wycheproof_jws_es256(vectors: Path) -> None:
    """Our form and our algorithms over their keys: what they call invalid is refused, whatever else is too."""
    accepted = 0
    for group, test in cases(vectors, "json_web_signature_test.json"):
        key = group.get("public", group.get("private", {}))
        if (key.get("crv"), key.get("alg"), key.get("use", "sig")) != ("P-256", "ES256", "sig"):
            continue  # what a key is for stands in its certificate with us, and is tested there
        try:
            parts = compact.split(test["jws"], limit=100_000)
            suites.of_signature(parts.header.get("alg"))
            suites.verify(jwk(key), parts.signed, lower(parts.signature))
        except Untrusted:
            continue
        assert test["result"] == "valid", test["comment"]
        accepted += 1
    assert accepted == 2


def test_wycheproof_jwe_ecdh_es_a256kw(vectors: Path) -> None:
    """The key step that stands in our own lines, with packages that neither we nor joserfc made."""
    opened = 0
    for group, test in cases(vectors, "json_web_encryption_test.json"):
        if group["private"].get("alg") != "ECDH-ES+A256KW" or test.get("enc") != "A256GCM":
            continue
        protected, wrapped, iv, ciphertext, tag = test["jwe"].split(".")
        header = json.loads(decode(protected))
        own = private(group["private"])
        p256.shaped(header)
        cek = p256.unwrap(own, header, decode(wrapped))
        content = JWERegistry(algorithms=["A256GCM"]).get_enc("A256GCM")
        plain = content.decrypt(decode(ciphertext), decode(tag), cek=cek, iv=decode(iv), aad=protected.encode())
        assert plain == bytes.fromhex(test["pt"])
        opened += 1
    assert opened == 1


def test_rfc_7515_a3_the_worked_example_of_es256() -> None:
    """Its s is above n/2: other profiles accept it, ours asks for the lower form."""
    token = (
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    public = jwk(
        {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    )
    parts = compact.split(token, limit=1000)

    assert suites.of_signature(parts.header["alg"]) is suites.DEFAULT
    suites.verify(public, parts.signed, lower(parts.signature))
    with pytest.raises(Untrusted) as refused:
        suites.verify(public, parts.signed, parts.signature)
    assert refused.value.reason is Reason.SIGNATURE_MALLEABLE


def test_rfc_7520_none_of_its_other_algorithms_is_ours(vectors: Path) -> None:
    found = sorted((vectors / "jose_cookbook" / "jws").glob("*.json"))
    assert found
    for path in found:
        example = json.loads(path.read_text("utf-8"))
        token = example.get("output", {}).get("compact")
        if token and all(token.split(".")):
            parts = compact.split(token, limit=10_000)
            alg = str(parts.header.get("alg"))
            with pytest.raises(Untrusted, match="shared_secret" if alg.startswith("HS") else "wrong_algorithm"):
                suites.of_signature(alg)


def test_the_table_of_suites_names_each_algorithm_once() -> None:
    assert suites.SUITES[0] is suites.DEFAULT
    assert suites.of_package("ECDH-ES+A256KW", "A256GCM") is suites.DEFAULT
    assert len({suite.signature for suite in suites.SUITES}) == len(suites.SUITES)
    assert len({(suite.key_management, suite.content) for suite in suites.SUITES}) == len(suites.SUITES)


def test_half_the_order_is_where_the_lower_form_ends() -> None:
    assert p256.HALF * 2 + 1 == p256.ORDER
    assert f"{p256.ORDER:x}" == "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"


def test_the_tally_counts_what_is_expensive() -> None:
    before = dict(suites.tally)
    key = p256.generate()
    suites.verify(key.public_key(), b"data", suites.sign(key, b"data"))
    p256.agree(key, p256.generate().public_key())

    assert {name: suites.tally[name] - before[name] for name in ("keygen", "sign", "verify", "ecdh")} == {
        "keygen": 2,
        "sign": 1,
        "verify": 1,
        "ecdh": 1,
    }

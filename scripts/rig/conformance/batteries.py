"""
The table of batteries: what each is called, from whom it is, and who yields its cases. A further one is a further row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.rig.conformance import (
    agreeing,
    cookbook,
    jose,
    logs,
    national,
    paths,
    quantum,
    sealing,
    signing,
)
from scripts.rig.conformance.ours import Ours
from scripts.rig.conformance.verdicts import Case, Result, run


@dataclass(frozen=True, slots=True)
class Source:
    """
    Where cases come from, and where they go: upstream and commit, what to take, and the folder for it.
    """

    folder: str
    upstream: str
    take: str


WYCHEPROOF = Source(
    "wycheproof",
    "https://github.com/C2SP/wycheproof, dac1dd47",
    "of testvectors_v1/ the *_test.json files that the batteries are named after",
)
LIMBO = Source(
    "x509_limbo",
    "https://github.com/C2SP/x509-limbo, 8a2e6f41",
    "limbo.json, without the cases of BetterTLS (namespace bettertls)",
)
COOKBOOK = Source("jose_cookbook", "https://github.com/ietf-jose/cookbook", "everything: RFC 7520, 7797, 8037")
MERKLE = Source(
    "merkle",
    "https://github.com/transparency-dev/merkle, 417fb0c",
    "testdata/inclusion and testdata/consistency, all files of each gathered into one list, inclusion.json and "
    "consistency.json, each with its path as `file`",
)
OPENSSL = Source(
    "openssl_sm",
    "https://github.com/openssl/openssl, test/recipes/30-test_evp_data",
    "evpmd_sm3.txt (b6d76a12), of evpciph_sm4.txt (12380b2e) and evppkey_sm2.txt (0ca8e7dd) one case of each kind",
)
SOURCES = (WYCHEPROOF, LIMBO, COOKBOOK, MERKLE, OPENSSL)

_Yield = Callable[[Ours, Path], Iterator[Case]]


@dataclass(frozen=True, slots=True)
class Battery:
    """
    A row of the table. Without a source its cases stand in this folder, as the standards print them.
    """

    name: str
    source: Source | None
    cases: _Yield


def _alone(cases: Callable[[Ours], Iterator[Case]]) -> _Yield:
    def ask(ours: Ours, _folder: Path) -> Iterator[Case]:
        return cases(ours)

    return ask


BATTERIES: tuple[Battery, ...] = (
    Battery("ecdsa_secp256r1_sha256_p1363", WYCHEPROOF, signing.p1363),
    Battery("ecdsa_secp256r1_sha256", WYCHEPROOF, signing.der_encoded),
    Battery("ed25519", WYCHEPROOF, signing.ed25519),
    Battery("ecdh_secp256r1", WYCHEPROOF, agreeing.in_certificates),
    Battery("ecdh_secp256r1_webcrypto", WYCHEPROOF, agreeing.in_packages),
    Battery("aes_gcm", WYCHEPROOF, sealing.content),
    Battery("aes_gcm at rest", WYCHEPROOF, sealing.stored),
    Battery("aes_wrap", WYCHEPROOF, sealing.key_wrap),
    Battery("hkdf_sha256", WYCHEPROOF, quantum.hkdf),
    Battery("json_web_signature", WYCHEPROOF, jose.signatures),
    Battery("json_web_encryption", WYCHEPROOF, jose.encryption),
    Battery("json_web_key", WYCHEPROOF, jose.keys),
    Battery("json_web_crypto", WYCHEPROOF, jose.crypto),
    Battery("mldsa_65_verify", WYCHEPROOF, quantum.ml_dsa),
    Battery("mlkem_768", WYCHEPROOF, quantum.ml_kem),
    Battery("x25519", WYCHEPROOF, quantum.x25519),
    Battery("sm4_gcm", WYCHEPROOF, national.sm4_gcm),
    Battery("RFC 7515", None, _alone(cookbook.rfc7515)),
    Battery("RFC 7516", None, _alone(cookbook.rfc7516)),
    Battery("RFC 7518 C", None, _alone(agreeing.rfc7518_c)),
    Battery("RFC 7520, 7797, 8037", COOKBOOK, cookbook.cookbook),
    Battery("GB/T 32918.5", None, _alone(national.standard)),
    Battery("OpenSSL SM2, SM3, SM4", OPENSSL, national.excerpts),
    Battery("x509-limbo as it is", LIMBO, paths.as_they_are),
    Battery("x509-limbo grafted", LIMBO, paths.grafted),
    Battery("merkle inclusion", MERKLE, logs.inclusion),
    Battery("merkle consistency", MERKLE, logs.consistency),
)


def at_hand(folder: Path | None) -> tuple[Battery, ...]:
    """
    Return the batteries whose cases are at hand.
    """
    return tuple(one for one in BATTERIES if not missing([one], folder))


def missing(batteries: Iterable[Battery], folder: Path | None) -> tuple[Source, ...]:
    """
    Return the sources that these batteries need and the folder does not hold, each once.
    """
    wanted = dict.fromkeys(one.source for one in batteries if one.source)
    return tuple(one for one in wanted if folder is None or not (folder / one.folder).is_dir())


def judge(batteries: Iterable[Battery], ours: Ours, folder: Path | None) -> list[Result]:
    """
    Run batteries whose cases are at hand.
    """
    return [run(one.name, one.cases(ours, folder or Path())) for one in batteries]

"""
SM2, SM3 and SM4 against OpenSSL's own command, published vectors, and whoever would write them otherwise.
"""

from __future__ import annotations

import copy
import ctypes.util
import gc
import pickle
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Missing, Reason, Untrusted
from rx_flow.crypto.pki import der
from rx_flow.crypto.suites import libcrypto, p256, sm

R = Reason
IDENTITY = "distid:1234567812345678"
KEY, OTHER = sm.generate(), sm.generate()
DATA, CEK = "处方".encode(), b"sixteen bytes ok"
SIGNATURE = sm.sign(KEY, DATA)


def openssl(folder: Path, *arguments: str, fails: bool = False) -> bytes:
    """What OpenSSL's command prints in a folder."""
    ran = subprocess.run(  # noqa: S603  our own arguments
        ["/usr/bin/openssl", *arguments], cwd=folder, capture_output=True, check=False, timeout=60
    )
    assert (ran.returncode != 0) == fails, ran.stderr
    return ran.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with our key as OpenSSL reads it, and what is signed."""
    (tmp_path / "key.der").write_bytes(sm.dump_private(KEY))
    (tmp_path / "public.der").write_bytes(sm.dump_public(KEY.public_key()))
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path


def refusal(signature: bytes, *, data: bytes = DATA, key: sm.PrivateKey = KEY) -> Reason:
    with pytest.raises(Untrusted) as refused:
        sm.verify(key.public_key(), data, signature)
    return refused.value.reason


VERIFY = ("pkeyutl", "-verify", "-pubin", "-inkey", "public.der", "-keyform", "DER", "-rawin", "-digest", "sm3")
SIGN = ("pkeyutl", "-sign", "-inkey", "key.der", "-keyform", "DER", "-rawin", "-digest", "sm3", "-in", "data")


def test_openssl_verifies_what_we_sign_as_it_stands(folder: Path) -> None:
    (folder / "signature").write_bytes(SIGNATURE)
    check = (*VERIFY, "-in", "data", "-sigfile", "signature")

    assert b"Verified Successfully" in openssl(folder, *check, "-pkeyopt", IDENTITY)
    openssl(folder, *check, "-pkeyopt", "distid:somebody else", fails=True)
    openssl(folder, *check, fails=True)  # its own default is no identity at all


def test_we_verify_what_openssl_signs_by_the_usual_identity_alone(folder: Path) -> None:
    openssl(folder, *SIGN, "-out", "usual", "-pkeyopt", IDENTITY)
    openssl(folder, *SIGN, "-out", "other", "-pkeyopt", "distid:1234567812345679")

    sm.verify(KEY.public_key(), DATA, (folder / "usual").read_bytes())
    assert refusal((folder / "other").read_bytes()) is R.BAD_SIGNATURE


def test_openssl_opens_the_content_key_that_we_wrap_and_the_reverse(folder: Path) -> None:
    header, wrapped = sm.wrap(CEK, KEY.public_key())
    (folder / "wrapped").write_bytes(wrapped)
    (folder / "plain").write_bytes(CEK)
    private = ("-inkey", "key.der", "-keyform", "DER")

    assert header == {}
    assert openssl(folder, "pkeyutl", "-decrypt", *private, "-in", "wrapped") == CEK
    theirs = openssl(folder, "pkeyutl", "-encrypt", "-pubin", "-inkey", "public.der", "-keyform", "DER", "-in", "plain")
    assert sm.unwrap(KEY, {}, theirs) == CEK


def test_a_key_of_openssl_is_ours_and_ours_is_read_by_openssl(folder: Path) -> None:
    openssl(folder, "genpkey", "-algorithm", "SM2", "-outform", "DER", "-out", "theirs")
    openssl(
        folder, "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "theirs", "-outform", "DER", "-out", "pkcs8"
    )
    key = sm.load_private((folder / "pkcs8").read_bytes())

    assert openssl(folder, "pkey", "-inform", "DER", "-in", "theirs", "-pubout", "-outform", "DER") == sm.dump_public(
        key.public_key()
    )
    assert b"SM2" in openssl(folder, "pkey", "-inform", "DER", "-in", "key.der", "-noout", "-text")
    assert sm.load_private(sm.dump_private(key)).public_key() == key.public_key()
    assert suites.load_private(sm.dump_private(key)).public_key() == suites.load_public(key.public_key().der)


def test_openssl_makes_the_same_digest(folder: Path) -> None:
    assert openssl(folder, "dgst", "-sm3", "-r", "data").split()[0].decode() == sm.digest(DATA)


def published(folder: Path, name: str) -> list[dict[str, str]]:
    """The cases of one of OpenSSL's files of vectors: `Name = value` lines, a blank one between two."""
    found: list[dict[str, str]] = [{}]
    for line in (folder / "openssl_sm" / name).read_text("utf-8").splitlines():
        if not line.strip():
            found.append({})
        elif not line.startswith("#"):
            what, _, value = line.partition("=")
            found[-1][what.strip()] = value.strip()
    return [one for one in found if one]


def test_published_digests(vectors: Path) -> None:
    cases = published(vectors, "evpmd_sm3.txt")

    assert len(cases) == 6
    for case in cases:
        assert sm.digest(bytes.fromhex(case["Input"])) == case["Output"].lower()


def test_the_published_content_encryption(vectors: Path) -> None:
    """RFC 8998 appendix A.1; the other modes of SM4 in the file are none of ours."""
    cases = [case for case in published(vectors, "evpciph_sm4.txt") if case["Cipher"] == "SM4-GCM"]

    assert len(cases) == 1
    for case in cases:
        key, iv, aad, tag, plain, ciphertext = (
            bytes.fromhex(case[name]) for name in ("Key", "IV", "AAD", "Tag", "Plaintext", "Ciphertext")
        )
        assert sm.seal(key, iv, plain, aad) == (ciphertext, tag)
        assert sm.open_(key, iv, (ciphertext, tag), aad) == plain


def test_a_published_key_is_a_point_and_no_other_is(vectors: Path) -> None:
    """The signatures in the file are over digests, which nothing here takes: OpenSSL's command stands in for them."""
    point = bytes.fromhex(published(vectors, "evppkey_sm2.txt")[0]["PublicKey (uncompressed, hex)"])
    head = sm.dump_public(KEY.public_key())[: -len(point)]

    assert sm.load_public(head + point).der == head + point
    beside = point[:-1] + bytes((point[-1] ^ 1,))
    for wrong in (beside, b"\x04" + bytes(64), b"\x02" + point[1:33], point[:-1], point + b"\0"):
        with pytest.raises(Untrusted, match="bad_point"):
            sm.load_public(head + wrong)


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_a_signature_holds_for_its_data_and_key_alone(data: bytes) -> None:
    signature = sm.sign(KEY, data)

    sm.verify(KEY.public_key(), data, signature)
    assert refusal(signature, data=data + b"x") is R.BAD_SIGNATURE
    assert refusal(signature, data=data, key=OTHER) is R.BAD_SIGNATURE


def test_no_second_form_of_a_signature_is_good() -> None:
    """
    Of ECDSA (r, s) and (r, n-s) both hold. Here s is in the point twice, s*G + (r+s)*P: only its signer could turn it.
    """
    for turn in range(8):
        r, s = decode_dss_signature(sm.sign(KEY, bytes([turn])))
        n = sm.ORDER
        for other in ((r, n - s), (n - r, s), (n - r, n - s), (s, r), (r, (s + r) % n), (r, (-s - r) % n)):
            assert refusal(encode_dss_signature(*other), data=bytes([turn])) is R.BAD_SIGNATURE


RS = decode_dss_signature(SIGNATURE)
N = sm.ORDER


def integer(number: int, *, ahead: bytes = b"") -> bytes:
    return der.element(2, ahead + number.to_bytes(number.bit_length() // 8 + 1, "big"))


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (b"", R.SIGNATURE_RANGE),
        (SIGNATURE[:-1], R.SIGNATURE_RANGE),
        (SIGNATURE + b"\0", R.SIGNATURE_RANGE),
        (SIGNATURE + bytes(80), R.SIGNATURE_RANGE),
        (b"".join(one.to_bytes(32, "big") for one in RS), R.SIGNATURE_RANGE),  # r || s, as JOSE has it
        (der.sequence(integer(RS[0], ahead=b"\0"), integer(RS[1])), R.SIGNATURE_RANGE),
        (b"\x30\x81" + SIGNATURE[1:], R.SIGNATURE_RANGE),
        (b"\x30\x80" + SIGNATURE[2:] + b"\0\0", R.SIGNATURE_RANGE),
        (der.sequence(integer(RS[0]), integer(RS[1]), integer(1)), R.SIGNATURE_RANGE),
        (der.sequence(integer(RS[0])), R.SIGNATURE_RANGE),
        (encode_dss_signature(0, RS[1]), R.SIGNATURE_RANGE),
        (encode_dss_signature(RS[0], 0), R.SIGNATURE_RANGE),
        (encode_dss_signature(N, RS[1]), R.SIGNATURE_RANGE),
        (encode_dss_signature(RS[0], N), R.SIGNATURE_RANGE),
        (encode_dss_signature(RS[0] + N, RS[1]), R.SIGNATURE_RANGE),
        (encode_dss_signature(RS[0], RS[1] + N), R.SIGNATURE_RANGE),
        (der.sequence(der.element(2, b"\xff" * 32), integer(RS[1])), R.SIGNATURE_RANGE),
        (encode_dss_signature(RS[0], N - RS[0]), R.SIGNATURE_RANGE),  # r + s = n leaves no point to check
        (encode_dss_signature(RS[0], RS[1] ^ 1), R.BAD_SIGNATURE),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else value.hex()[:16],
)
def test_a_signature_has_one_spelling_and_its_range(signature: bytes, reason: Reason) -> None:
    assert refusal(signature) is reason


def test_every_byte_of_a_wrapped_key_counts() -> None:
    _, wrapped = sm.wrap(CEK, KEY.public_key())
    for place in range(len(wrapped)):
        broken = bytearray(wrapped)
        broken[place] ^= 1
        with pytest.raises(Untrusted, match=r"malformed|bad_point|bad_package"):
            sm.unwrap(KEY, {}, bytes(broken))
    with pytest.raises(Untrusted, match="bad_package"):
        sm.unwrap(OTHER, {}, wrapped)


def test_a_wrapped_key_has_one_spelling() -> None:
    _, wrapped = sm.wrap(CEK, KEY.public_key())
    x, y, hashed, cipher = der.parts(wrapped)
    longer = sm.libcrypto.encrypt(KEY.handle, CEK + b"x")
    for form in (
        b"",
        wrapped + b"\0",
        wrapped[:-1],
        wrapped + bytes(50),
        der.sequence(x, y, hashed),
        der.sequence(x, y, cipher, hashed),
        der.sequence(der.element(2, b"\0" + x[2:]), y, hashed, cipher),
        b"\x30\x81" + wrapped[1:],
        longer,
    ):
        with pytest.raises(Untrusted, match="malformed"):
            sm.unwrap(KEY, {}, form)


def test_an_ephemeral_key_is_a_point_of_the_curve() -> None:
    _, wrapped = sm.wrap(CEK, KEY.public_key())
    x, y, hashed, cipher = der.parts(wrapped)
    for beside in (x, integer(0), integer(2**256), der.element(2, b"\x80")):  # the last is a negative number
        with pytest.raises(Untrusted, match="bad_point"):
            sm.unwrap(KEY, {}, der.sequence(x, beside, hashed, cipher))
    with pytest.raises(Untrusted, match="bad_package"):
        sm.unwrap(KEY, {}, der.sequence(x, y, hashed, cipher[:-1] + bytes([cipher[-1] ^ 1])))


def test_content_is_authenticated_with_what_goes_with_it() -> None:
    iv = bytes(12)
    ciphertext, tag = sm.seal(CEK, iv, DATA, b"header")

    assert sm.open_(CEK, iv, (ciphertext, tag), b"header") == DATA
    for other in (
        (CEK[::-1], iv, (ciphertext, tag), b"header"),
        (CEK, b"\1" * 12, (ciphertext, tag), b"header"),
        (CEK, iv, (ciphertext[:-1], tag), b"header"),
        (CEK, iv, (ciphertext, tag[:-1] + bytes((tag[-1] ^ 1,))), b"header"),
        (CEK, iv, (ciphertext, tag), b"Header"),
    ):
        with pytest.raises(Untrusted, match="bad_package"):
            sm.open_(*other)


def test_only_its_own_keys_are_of_the_suite() -> None:
    foreign = p256.generate()

    assert sm.owns(KEY)
    assert sm.owns(KEY.public_key())
    assert not any(map(sm.owns, (foreign, foreign.public_key(), None, KEY.handle)))
    assert not any(map(p256.owns, (KEY, KEY.public_key(), ec.generate_private_key(ec.SECP384R1()))))
    for other in (p256.dump_private(foreign), b"", sm.dump_public(KEY.public_key()), sm.dump_private(KEY)[:-1]):
        with pytest.raises(Untrusted, match="bad_key_file"):
            sm.load_private(other)
    for other in (p256.dump_public(foreign.public_key()), b"", sm.dump_private(KEY)):
        with pytest.raises(Untrusted, match="bad_point"):
            sm.load_public(other)


def test_a_private_key_does_not_show_or_leave() -> None:
    assert sm.dump_private(KEY)[36:68].hex() not in repr(KEY)
    for leave in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="stays where it is"):
            leave(KEY)
    assert len({KEY.public_key(), sm.load_public(KEY.public_key().der), OTHER.public_key()}) == 2
    assert KEY.public_key() != "a key"


def test_threads_share_a_key() -> None:
    """Every call gives Python's lock away."""
    good: list[int] = []

    def work() -> None:
        for turn in range(20):
            sm.verify(KEY.public_key(), bytes([turn]), sm.sign(KEY, bytes([turn])))
        good.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    gc.collect()
    assert len(good) == 4


def test_where_there_is_no_sm2_one_is_told_what_to_install() -> None:
    here = libcrypto.find((None, libcrypto._ssl.__file__), b"SM2")
    assert here.EVP_sm3()

    for paths, algorithm in (
        ((), b"SM2"),
        ((None, "/nowhere/libcrypto.so"), b"SM2"),
        ((ctypes.util.find_library("m"),), b"SM2"),
        ((libcrypto._ssl.__file__,), b"no such algorithm"),
    ):
        with pytest.raises(Missing, match="apt-get install libssl3"):
            libcrypto.find(paths, algorithm)


def test_what_openssl_cannot_do_is_an_accident_and_no_answer() -> None:
    with pytest.raises(RuntimeError, match="OpenSSL"):
        libcrypto.encrypt(KEY.handle, bytes(257))
    assert len(libcrypto.encrypt(KEY.handle, bytes(256))) < 400

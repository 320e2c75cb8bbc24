"""
The batteries made by others: every answer is right, the README states the counts, and a wrong answer would be noticed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from scripts.rig.conformance import report
from scripts.rig.conformance.batteries import BATTERIES, SOURCES, at_hand, judge, missing
from scripts.rig.conformance.ours import Certified, Ours, Purpose, Reason, Untrusted
from scripts.rig.conformance.signing import lower
from scripts.rig.conformance.verdicts import Case, Outcome, Result, Said, Why, run
from scripts.rig.conformance.verdicts import judge as judge_case

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}


@pytest.fixture(scope="module")
def vectors() -> Path:
    """The folder of test vectors made by others; skipped, and the report says so, where it is not given."""
    folder = os.environ.get("RX_FLOW_VECTORS")
    if not folder:
        pytest.skip("RX_FLOW_VECTORS names no folder of vectors")
    return Path(folder)


@lru_cache(maxsize=1)
def everything(folder: Path) -> Sequence[Result]:
    return judge(BATTERIES, Ours(), folder)


def only(ours: Ours, folder: Path | None, *names: str) -> list[Result]:
    return judge([one for one in BATTERIES if one.name in names], ours, folder)


def failed(ours: Ours, folder: Path | None, *names: str) -> list[str]:
    return [each.detail for one in only(ours, folder, *names) for each in one.failed]


def test_what_the_standards_print_is_judged_as_it_should_be() -> None:
    results = judge(at_hand(None), Ours(), None)

    assert report.failures(results) == ""
    assert {one.battery for one in results} == {"RFC 7515", "RFC 7516", "RFC 7518 C", "GB/T 32918.5"}


def test_no_battery_answers_wrongly(vectors: Path) -> None:
    results = everything(vectors)

    assert report.failures(results) == ""
    assert [one.battery for one in results] == [one.name for one in BATTERIES]


def test_every_case_is_accounted_for(vectors: Path) -> None:
    for one in everything(vectors):
        names = [each.case for each in one.verdicts]
        assert len(set(names)) == len(names), one.battery
        assert sum(one.count(outcome) for outcome in Outcome) == len(names)
        for each in one.verdicts:
            stated = each.outcome in {Outcome.BY_PROFILE, Outcome.NOT_APPLICABLE}
            assert (each.why is not None) == stated, (one.battery, each)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_readme_states_the_counts(vectors: Path, language: Any) -> None:  # noqa: ANN401  a literal
    stated = report.block(PAGES[language].read_text("utf-8"))

    assert stated == f"\n{report.table(everything(vectors), language)}\n", "scripts/conformance --readme writes it"


def test_every_reason_that_is_given_has_a_chinese_word(vectors: Path) -> None:
    given = {each.why for one in everything(vectors) for each in one.verdicts if each.why}

    assert given == set(Why), "a closed list: each of them is needed, and no other is given"
    assert "reason" not in report.table(everything(vectors), "zh")


def test_without_vectors_the_script_says_what_to_fetch_and_does_not_pass(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RX_FLOW_VECTORS"}
    ran = subprocess.run(  # noqa: S603  our own script
        [str(ROOT / ".venv/bin/python"), "-P", "-m", "scripts.rig.conformance", "--vectors", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ran.returncode == 2, ran.stderr
    for source in SOURCES:
        assert source.upstream in ran.stderr
    assert set(missing(BATTERIES, tmp_path)) == set(SOURCES) == set(missing(BATTERIES, None))


# What would be noticed: each of these answers wrongly in one way.


def either_s(public: Any, data: bytes, signature: bytes) -> None:  # noqa: ANN401  as the function that it replaces
    Ours().verify(public, data, lower(signature))


def without_tag(key: bytes, nonce: bytes, sealed: tuple[bytes, bytes], _aad: bytes) -> bytes:
    """GCM's counter mode, its authentication left away."""
    opener = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).decryptor()
    return opener.update(sealed[0]) + opener.finalize()


def any_issuer(trust: Any, leaf: x509.Certificate, *, purpose: Purpose, at: Any) -> Certified:  # noqa: ANN401  as above
    """A path check of names, signatures and time, which asks nobody whether they may issue."""
    from rx_flow.crypto.pki.profile import describe  # noqa: PLC0415  for this alone

    _ = purpose
    found, above = describe(leaf), [*trust.roots, *trust.authorities.values(), *trust.certificates.values()]
    path = [leaf]
    while path[-1] not in trust.roots:
        path += [one for one in above if one not in path and _issued(path[-1], one)][:1] or [_unknown()]
    for one in path:
        if not one.not_valid_before_utc <= at <= one.not_valid_after_utc:
            raise Untrusted(Reason.CERTIFICATE_EXPIRED)
    return found


def _unknown() -> x509.Certificate:
    raise Untrusted(Reason.UNTRUSTED_CHAIN)


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def any_purpose(trust: Any, leaf: x509.Certificate, *, purpose: Purpose, at: Any) -> Certified:  # noqa: ANN401  as above
    _ = purpose
    from rx_flow.crypto.pki.profile import describe  # noqa: PLC0415  for this alone

    return Ours().certified(trust, leaf, purpose=describe(leaf).purpose, at=at)


def nothing(*_: object, **__: object) -> None:
    """Believes everything."""


def nobody(*_: object, **__: object) -> Any:  # noqa: ANN401  it never returns
    raise Untrusted(Reason.BAD_SIGNATURE)


def crash(*_: object, **__: object) -> Any:  # noqa: ANN401  as above
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("change", "battery", "least"),
    [
        ({"verify": either_s}, "ecdsa_secp256r1_sha256_p1363", 50),
        ({"verify": nothing}, "ecdsa_secp256r1_sha256_p1363", 80),
        ({"verify": nothing}, "json_web_signature", 20),
        ({"verify": nobody}, "ecdsa_secp256r1_sha256_p1363", 90),
        ({"verify": nothing}, "ecdsa_secp256r1_sha256", 480),
        ({"open_content": without_tag}, "aes_gcm", 25),
        ({"at_rest": lambda *_: b""}, "aes_gcm at rest", 40),
        ({"unwrap": lambda key, wrapped: key + wrapped[32:]}, "aes_wrap", 10),
        ({"certified": any_issuer}, "x509-limbo grafted", 20),
        ({"certified": any_purpose}, "json_web_key", 1),
        ({"certified": nobody}, "x509-limbo grafted", 50),
        ({"log_verify": nothing}, "ed25519", 60),
        ({"included": nothing}, "merkle inclusion", 90),
        ({"consistent": nothing}, "merkle consistency", 90),
        ({"agree": lambda *_: bytes(32)}, "ecdh_secp256r1", 300),
        ({"open_package": crash}, "ecdh_secp256r1_webcrypto", 353),
        ({"open_jwe": lambda *_: b""}, "json_web_encryption", 70),
        ({"quantum_verify": nothing}, "mldsa_65_verify", 100),
        ({"quantum_unwrap": lambda *_: bytes(32)}, "mlkem_768", 150),
        ({"open_national": lambda *_: b""}, "sm4_gcm", 80),
    ],
)
def test_a_wrong_answer_is_noticed(vectors: Path, change: dict[str, Any], battery: str, least: int) -> None:
    wrong = failed(replace(Ours(), **change), vectors, battery)

    assert len(wrong) >= least, wrong[:3]


@pytest.mark.parametrize(
    ("change", "battery"),
    [
        ({"verify": either_s}, "RFC 7515"),
        ({"verify": nobody}, "RFC 7515"),
        ({"agree": lambda *_: bytes(32)}, "RFC 7518 C"),
        ({"national_verify": nothing}, "GB/T 32918.5"),
        ({"national_decrypt": lambda *_: b"encryption standard"}, "GB/T 32918.5"),
        ({"open_jwe": lambda *_: b""}, "RFC 7516"),
    ],
)
def test_a_wrong_answer_is_noticed_without_any_folder(change: dict[str, Any], battery: str) -> None:
    assert failed(replace(Ours(), **change), None, battery)


def refuse(reason: Reason) -> Any:  # noqa: ANN401  a question that is always refused
    def ask() -> None:
        raise Untrusted(reason)

    return ask


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        (Case("", Said.VALID, lambda: None), Outcome.PASSED),
        (Case("", Said.VALID, lambda: b"a", value=b"a"), Outcome.PASSED),
        (Case("", Said.VALID, lambda: b"b", value=b"a"), Outcome.FAILED),
        (Case("", Said.EITHER, lambda: b"b", value=b"a"), Outcome.FAILED),
        (Case("", Said.EITHER, refuse(Reason.BAD_POINT), value=b"a"), Outcome.REFUSED),
        (Case("", Said.INVALID, lambda: None), Outcome.FAILED),
        (Case("", Said.INVALID, refuse(Reason.BAD_POINT)), Outcome.REFUSED),
        (Case("", Said.INVALID, crash), Outcome.FAILED),
        (Case("", Said.VALID, crash, outside=Why.SIZE), Outcome.FAILED),
        (Case("", Said.VALID, refuse(Reason.BAD_POINT)), Outcome.FAILED),
        (Case("", Said.VALID, refuse(Reason.BAD_POINT), outside=Why.SIZE), Outcome.BY_PROFILE),
        (Case("", Said.VALID, lambda: None, outside=Why.SIZE), Outcome.FAILED),
        (
            Case("", Said.VALID, refuse(Reason.BAD_POINT), outside=Why.SIZE, within=frozenset({Reason.MALFORMED})),
            Outcome.FAILED,
        ),
        (Case("", Said.VALID, crash, absent=Why.NO_FORM), Outcome.NOT_APPLICABLE),
    ],
)
def test_a_case_ends_in_one_of_five_ways(case: Case, outcome: Outcome) -> None:
    assert judge_case(case).outcome is outcome


def test_a_battery_without_cases_does_not_pass() -> None:
    with pytest.raises(ValueError, match="no case"):
        run("empty", [])

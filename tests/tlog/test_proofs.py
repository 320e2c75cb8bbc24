"""
Proof files and policies: what a stranger with one file and a list of keys can and cannot be told.
"""

from __future__ import annotations

from base64 import b64encode

import pytest
from made import (
    ALONE,
    LEAF,
    LOG_KEY,
    NOW,
    ORIGIN,
    OTHER_KEY,
    TWO_OF_THREE,
    WITNESS_KEYS,
    entry,
    fault_of,
    log,
    path,
    signed,
)

from rx_flow.tlog import policy, proof
from rx_flow.tlog.checkpoint import Signed
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.policy import Group, Policy
from rx_flow.tlog.proof import HEADER, Proof

LEAVES = [LEAF(entry(number)) for number in range(20)]
CHECKPOINT = log(20).files["checkpoint"]
GOOD = Proof(7, tuple(path(7, LEAVES)), CHECKPOINT)


def test_a_proof_is_written_and_read() -> None:
    with_extra = Proof(7, GOOD.hashes, CHECKPOINT, b"extra")
    text = bytes(with_extra).decode()

    assert text.startswith("c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 7\n")
    assert text.endswith("\n\n" + CHECKPOINT.decode())
    assert proof.read(bytes(with_extra)) == with_extra
    assert proof.read(bytes(GOOD)) == GOOD
    assert proof.read(bytes(Proof(0, (), CHECKPOINT))) == Proof(0, (), CHECKPOINT)


def test_a_proof_is_verified_under_a_policy() -> None:
    found = proof.verify(GOOD, LEAVES[7], TWO_OF_THREE, origin=ORIGIN, now=NOW)

    assert isinstance(found, Signed)
    assert found.cosigned == {WITNESS_KEYS["hospital"]: NOW - 60, WITNESS_KEYS["insurer"]: NOW}
    assert fault_of(lambda: proof.verify(GOOD, LEAVES[8], ALONE)) is Fault.NOT_INCLUDED
    elsewhere = Proof(8, GOOD.hashes, CHECKPOINT)
    assert fault_of(lambda: proof.verify(elsewhere, LEAVES[7], ALONE)) is Fault.NOT_INCLUDED
    assert fault_of(lambda: proof.verify(GOOD, LEAVES[7], ALONE, origin="other")) is Fault.WRONG_ORIGIN
    assert fault_of(lambda: proof.verify(GOOD, LEAVES[7], Policy((OTHER_KEY,)))) is Fault.LOG_SIGNATURE_MISSING


MANY = (b64encode(bytes(32)).decode() + "\n") * 64


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nindex 7", Fault.MALFORMED_PROOF),
        (f"c2sp.org/tlog-proof@v2\nindex 7\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nextra AAAA\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nextra !\nindex 7\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nindex 7\nextra AAAA\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nindex 07\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nindex 7\nAAAA\n\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\nindex 7\n{MANY}\n{CHECKPOINT.decode()}", Fault.MALFORMED_PROOF),
        (f"{HEADER}\r\nindex 7\r\n\r\n{CHECKPOINT.decode()}", Fault.CONTROL_CHARACTER),
    ],
)
def test_almost_a_proof(text: str, fault: Fault) -> None:
    assert fault_of(lambda: proof.read(text.encode())) is fault


# Policies.

WITNESSES = "".join(f"witness {name} {key} https://{name}.example/\n" for name, key in WITNESS_KEYS.items())
FILE = f"""# whom the auditor trusts
log {LOG_KEY} https://{ORIGIN}/

{WITNESSES}
\tgroup pharmacies  any pharmacy
group enough 2 hospital\tpharmacies insurer
quorum enough
"""


def test_a_policy_is_read() -> None:
    found = policy.parse(FILE.encode())

    assert found.logs == (LOG_KEY,)
    assert found.witnesses == WITNESS_KEYS
    assert found.groups == {
        "pharmacies": Group(1, ("pharmacy",)),
        "enough": Group(2, ("hospital", "pharmacies", "insurer")),
    }
    assert policy.parse(policy.dump(found)) == found
    assert policy.parse(b"quorum none\n") == Policy(())


def test_names_are_octets() -> None:
    kelvin = f"witness \u212a {WITNESS_KEYS['hospital']}\nwitness K {WITNESS_KEYS['insurer']}\nquorum K\n".encode()
    latin = f"witness \xe9 {WITNESS_KEYS['hospital']}\nquorum \xe9\n".encode("latin-1")

    assert policy.parse(kelvin).quorum == "K"
    assert policy.dump(policy.parse(latin)) == latin


@pytest.mark.parametrize(
    ("quorum", "cosigned", "met"),
    [
        ("none", (), True),
        ("hospital", ("hospital",), True),
        ("hospital", ("insurer", "pharmacy"), False),
        ("enough", ("hospital", "insurer"), True),
        ("enough", ("hospital", "pharmacy"), True),
        ("enough", ("insurer",), False),
        ("enough", (), False),
        ("pharmacies", ("pharmacy",), True),
        ("everyone", ("hospital", "insurer"), False),
        ("everyone", ("hospital", "pharmacy", "insurer"), True),
    ],
)
def test_quorums(quorum: str, cosigned: tuple[str, ...], met: object) -> None:
    whole = FILE.replace("quorum enough", f"group everyone all enough\nquorum {quorum}")
    if quorum == "everyone":
        whole = FILE.replace("group enough 2", "group everyone all").replace("quorum enough", "quorum everyone")
    found = policy.parse(whole.encode())
    keys = [WITNESS_KEYS[name] for name in cosigned]

    assert (fault_of(lambda: found.require_quorum(keys)) is None) is met


def test_a_quorum_says_who_cosigned() -> None:
    with pytest.raises(Broken, match=r"cosigned by 1 of 3 witnesses; enough is not satisfied") as no:
        TWO_OF_THREE.verify(log(3, {"hospital": NOW}).files["checkpoint"])

    assert no.value.fault is Fault.QUORUM_NOT_MET


def test_a_cosignature_from_the_future() -> None:
    made = signed(3, bytes(32), times={"hospital": NOW + policy.LATE_SECONDS + 1, "insurer": NOW})

    assert fault_of(lambda: TWO_OF_THREE.verify(made, now=NOW)) is Fault.COSIGNATURE_FROM_THE_FUTURE
    assert TWO_OF_THREE.verify(made, now=NOW + 1).checkpoint.size == 3
    assert TWO_OF_THREE.verify(made).checkpoint.size == 3


W, X = WITNESS_KEYS["hospital"], WITNESS_KEYS["insurer"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "no quorum line"),
        (f"log {LOG_KEY}\n", "no quorum line"),
        ("quorum none\nquorum none\n", "line 2"),
        ("quorum\n", "line 1"),
        ("quorum none none\n", "line 1"),
        ("quorum a\n", "line 1"),
        ("something else\n", "line 1"),
        ("log nonsense\n", "line 1"),
        (f"log {W}\n", "line 1"),
        (f"log {LOG_KEY}\nlog {LOG_KEY}\n", "line 2"),
        (f"log {LOG_KEY} https://a b\n", "line 1"),
        (f"witness a {LOG_KEY}\n", "line 1"),
        (f"witness a {W}\nwitness b {W}\n", "line 2"),
        (f"witness a {W}\nwitness a {X}\n", "line 2"),
        (f"witness none {W}\n", "line 1"),
        (f"witness a {W}\ngroup a any a\n", "line 2"),
        (f"witness a {W}\ngroup none any a\n", "line 2"),
        (f"witness a {W}\ngroup g any\n", "line 2"),
        (f"witness a {W}\ngroup g any b\n", "line 2"),
        (f"witness a {W}\ngroup g any a a\n", "line 2"),
        (f"witness a {W}\ngroup g any none\n", "line 2"),
        (f"witness a {W}\ngroup g 0 a\n", "line 2"),
        (f"witness a {W}\ngroup g 2 a\n", "line 2"),
        (f"witness a {W}\ngroup g 01 a\n", "line 2"),
        (f"witness a {W}\ngroup g some a\n", "line 2"),
        (f"witness a {W}\ngroup g any a\ngroup h any a\n", "line 3"),  # a witness counts in one way only
        (f"witness a {W}\ngroup g any a\ngroup g any a\n", "line 3"),
        (f"quorum a\nwitness a {W}\n", "line 1"),
        ("quorum none\r\n", "control characters"),
    ],
)
def test_almost_a_policy(text: str, line: str) -> None:
    with pytest.raises(Broken, match=line) as no:
        policy.parse(text.encode())

    assert no.value.fault is Fault.MALFORMED_POLICY


def test_a_policy_has_limits() -> None:
    groups = f"witness w0 {WITNESS_KEYS['hospital']}\n"
    groups += "group g0 any w0\n" + "".join(f"group g{n} any g{n - 1}\n" for n in range(1, 257))

    assert fault_of(lambda: policy.parse(f"{groups}quorum none\n".encode())) is Fault.MALFORMED_POLICY
    assert fault_of(lambda: policy.parse(b"#" * 600_000)) is Fault.TOO_LARGE

"""
Suites side by side: which one counts, what is accepted, and how a house changes over from one to the other.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from forge import AT, BODY, DOCTOR, HOSPITAL, NOW, PHARMACY, PLATFORM, RX, House, b64, payload, written

from rx_flow.crypto import suites
from rx_flow.crypto.documents import TYPE, Document, digest_of, issue, verify_document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import add_recipient, open_package, seal
from rx_flow.crypto.pki import authority, renewal
from rx_flow.crypto.pki.issuing import Kind
from rx_flow.crypto.pki.path import Trust, suites_of_roots
from rx_flow.crypto.pki.profile import Purpose, thumbprint
from rx_flow.crypto.pki.status import SKEW, Seen
from rx_flow.crypto.suites import DEFAULT, SUITES, Suite, p256
from rx_flow.crypto.suites.sm import SM
from rx_flow.crypto.tokens import client_assertion, verify_assertion

LATER = NOW + 2 * SKEW
DOCUMENTS = ("e30.e30.x", "文书")


@pytest.fixture(scope="module")
def changing(house: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house that changes over: authorities of the national suite, and the doctor and the pharmacy renewed."""
    folder = shutil.copytree(house.folder, tmp_path_factory.mktemp("changing") / "keys")
    for kind in Kind:
        renewal.roll(folder, kind, now=NOW, passphrase=house.passphrase, suite=SM)
    for who in (DOCTOR, PHARMACY):
        renewal.renew(folder, who, now=NOW, passphrase=house.passphrase, pin=house.pins.get(who, ""))
    rings = {code: Keyring.load(folder / code, house.passphrase) for code in house.keyrings}
    doctor = unlock(folder / HOSPITAL, DOCTOR, house.pins[DOCTOR])
    return replace(house, folder=folder, trust=Trust.load(folder), keyrings=rings, doctor=doctor)


def test_every_suite_has_its_own_names_and_its_own_keys() -> None:
    assert SUITES[0] is DEFAULT
    assert [suites.named(suite.name) for suite in SUITES] == list(SUITES)
    for suite in SUITES:
        key = suite.generate()
        assert suites.of_signature(suite.signature) is suite
        assert suites.of_package(suite.key_management, suite.content) is suite
        assert suites.of_key(key) is suites.of_key(key.public_key()) is suite
        assert [other for other in SUITES if other.owns(key)] == [suite]
    with pytest.raises(ValueError, match="one of p256, sm, pq"):
        suites.named("rsa")


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_keys_are_written_and_read_whatever_their_suite(suite: Suite) -> None:
    for make in (suite.generate, suite.generate_reader):
        key = make()
        again = suites.load_private(suites.dump_private(key))
        assert again.public_key() == key.public_key() == suites.load_public(suites.dump_public(key.public_key()))
    signer = suite.generate()
    suites.verify(signer.public_key(), b"data", suites.sign(signer, b"data"))
    assert len(suite.digest(b"data")) == 64


def test_what_is_a_key_of_no_suite_is_none() -> None:
    strange = ed25519.Ed25519PrivateKey.generate()
    for wrong in (strange, strange.public_key(), ec.generate_private_key(ec.SECP384R1()), None):
        assert not suites.fits(wrong)
        with pytest.raises(Untrusted, match="bad_certificate"):
            suites.of_key(wrong)
    with pytest.raises(Untrusted, match="bad_key_file"):
        suites.load_private(b"")
    with pytest.raises(Untrusted, match="bad_certificate"):
        suites.load_public(b"")


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_form_of_a_key_is_that_of_its_suite(suite: Suite) -> None:
    for wrong in (b"", b"\x30\0", p256.dump_public(ec.generate_private_key(ec.SECP384R1()).public_key())):
        with pytest.raises(Untrusted, match="bad_point"):
            suite.load_public(wrong)
        with pytest.raises(Untrusted, match="bad_key_file"):
            suite.load_private(wrong)


def test_no_header_can_choose_an_algorithm_that_the_certificates_key_is_not_of(house: House, national: House) -> None:
    """Signed truly, by the key of the certificate that it names: the name of the other suite alone condemns it."""
    for there, other in ((house, SM), (national, DEFAULT)):
        header = {"alg": other.signature, "sigT": AT, "typ": TYPE, "x5t#S256": there.doctor.thumbprint}
        signed = f"{b64(header)}.{b64(payload())}"
        signature = there.doctor.sign(signed.encode(), purpose=Purpose.DOCUMENT, at=NOW)
        with pytest.raises(Untrusted, match="wrong_algorithm"):
            verify_document(f"{signed}.{b64(signature)}", there.trust, Seen(NOW))

        token = client_assertion(there.hospital.token, HOSPITAL, "platform", now=NOW, jti="j")
        head, claims, _ = token.split(".")
        assert verify_assertion(token, there.trust, "platform", now=NOW).issuer == HOSPITAL
        header = {
            "alg": other.signature,
            "typ": "client-authentication+jwt",
            "x5t#S256": there.hospital.token.thumbprint,
        }
        head = f"{b64(header)}.{claims}"
        signature = there.hospital.token.sign(head.encode(), purpose=Purpose.TOKEN, at=NOW)
        with pytest.raises(Untrusted, match="wrong_algorithm"):
            verify_assertion(f"{head}.{b64(signature)}", there.trust, "platform", now=NOW)


def test_a_package_is_opened_with_keys_of_its_suite_alone(house: House, national: House) -> None:
    package = seal(DOCUMENTS, house.trust.reader(PLATFORM, NOW), rx=RX)
    mine, theirs = (there.platform.opening.public.kid for there in (house, national))

    with pytest.raises(Untrusted, match="unknown_suite"):
        open_package(package.replace(mine, theirs), national.platform.opening, rx=RX)


def test_a_reader_of_another_suite_gets_a_package_of_its_own(house: House, national: House) -> None:
    package = seal(DOCUMENTS, house.trust.reader(PLATFORM, NOW), rx=RX)

    passed = add_recipient(package, house.platform.opening, national.trust.reader(PHARMACY, NOW), rx=RX)

    assert open_package(passed, national.pharmacy.opening, rx=RX) == DOCUMENTS
    assert passed.count('"kid"') == 1
    with pytest.raises(Untrusted, match="not_for_us"):
        open_package(passed, house.platform.opening, rx=RX)
    with pytest.raises(Untrusted, match="not_for_us"):  # who cannot open it cannot pass it on either
        add_recipient(package, house.pharmacy.opening, national.trust.reader(PHARMACY, NOW), rx=RX)


def mixed(changing: House, house: House) -> list[Document]:
    """A dossier of both suites, turn by turn."""
    made: list[Document] = []
    for seq in range(1, 6):
        key = changing.doctor if seq % 2 else house.hospital.seal
        prev = made[-1].digest if made else ""
        made.append(issue(key, doc="prescription", rx=RX, seq=seq, prev=prev, at=LATER, body=BODY))
    return made


def test_a_document_is_known_by_the_hash_of_its_own_suite(changing: House, house: House) -> None:
    documents = mixed(changing, house)
    raws = [document.raw for document in documents]

    for document, suite in zip(documents, (SM, DEFAULT, SM, DEFAULT, SM), strict=True):
        assert document.digest == digest_of(document.raw) == suite.digest(document.raw.encode())
    assert verify_dossier(raws, changing.trust, Seen(LATER), rx=RX) == tuple(documents)


def test_no_other_hash_of_the_one_before_will_do(changing: House, house: House) -> None:
    first = mixed(changing, house)[0]
    other = DEFAULT.digest(first.raw.encode())
    second = issue(house.hospital.seal, doc="prescription", rx=RX, seq=2, prev=other, at=LATER, body=BODY)

    with pytest.raises(Untrusted, match="broken_chain"):
        verify_dossier([first.raw, second.raw], changing.trust, Seen(LATER), rx=RX)


def test_what_names_no_suite_has_no_digest() -> None:
    for raw in ("", "e30.e30.x", f"{b64({'alg': 'none'})}.e30.x", f"{b64({'alg': 'ES256K', 'sigT': ''})}.e30.x"):
        with pytest.raises(Untrusted) as refused:
            digest_of(raw)
        assert refused.value.reason is Reason.WRONG_ALGORITHM


def test_a_house_changes_over_key_by_key_and_reads_what_was_before(changing: House, house: House) -> None:
    before = seal(DOCUMENTS, house.trust.reader(PHARMACY, NOW), rx=RX)
    now = changing.trust.reader(PHARMACY, LATER)

    assert changing.doctor.suite is SM
    assert {one.suite.name for one in (changing.pharmacy.seal, changing.pharmacy.token)} == {"sm"}
    assert changing.hospital.seal.suite is DEFAULT  # not renewed yet
    assert verify_document(written(house.doctor), changing.trust, Seen(NOW)).signer.id == DOCTOR
    assert verify_document(written(changing.doctor, at=LATER), changing.trust, Seen(LATER)).signer.id == DOCTOR
    assert SM.owns(now.public)
    assert open_package(seal(DOCUMENTS, now, rx=RX), changing.pharmacy.opening, rx=RX) == DOCUMENTS
    assert open_package(before, changing.pharmacy.opening, rx=RX) == DOCUMENTS  # the earlier key is kept


def test_a_suite_that_is_not_accepted_is_refused_for_its_own_reason(changing: House, house: House) -> None:
    documents = mixed(changing, house)
    accepted = {name: Trust.load(changing.folder, accepts=(name,)) for name in ("p256", "sm")}
    both = Trust.load(changing.folder, accepts=("p256", "sm"))
    assert both.accepts == ("p256", "sm")

    for document in documents[:2]:
        assert verify_document(document.raw, both, Seen(LATER)) == document
    assert refusal(accepted["p256"], documents[0]) is Reason.SUITE_NOT_ACCEPTED
    assert verify_document(documents[1].raw, accepted["p256"], Seen(LATER)) == documents[1]
    assert refusal(accepted["sm"], documents[1]) is Reason.SUITE_NOT_ACCEPTED
    # The root is still of the old suite: who no longer accepts that believes nothing below it.
    assert refusal(accepted["sm"], documents[0]) is Reason.SUITE_NOT_ACCEPTED


def refusal(trust: Trust, document: Document) -> Reason:
    with pytest.raises(Untrusted) as refused:
        verify_document(document.raw, trust, Seen(LATER))
    return refused.value.reason


def test_packages_are_sealed_with_a_key_that_is_accepted(changing: House) -> None:
    old = Trust.load(changing.folder, accepts=("p256",)).reader(PHARMACY, LATER)
    new = Trust.load(changing.folder, accepts=("p256", "sm")).reader(PHARMACY, LATER)

    assert (DEFAULT.owns(old.public), SM.owns(new.public)) == (True, True)
    for key in (old, new):
        assert open_package(seal(DOCUMENTS, key, rx=RX), changing.pharmacy.opening, rx=RX) == DOCUMENTS


def test_a_house_of_the_national_suite_needs_and_accepts_nothing_else(national: House) -> None:
    trust = Trust.load(national.folder, accepts=suites_of_roots(national.folder))

    assert suites_of_roots(national.folder) == ("sm",)
    assert verify_document(written(national.doctor), trust, Seen(NOW)).signer.id == DOCTOR
    with pytest.raises(ValueError, match="no suite rot13"):
        Trust.load(national.folder, accepts=("rot13",))


def test_a_house_may_go_back_as_well(national: House, tmp_path: Path) -> None:
    folder = shutil.copytree(national.folder, tmp_path / "keys")
    renewal.roll(folder, Kind.PERSONS, now=NOW, passphrase=national.passphrase, suite=DEFAULT)
    (print_,) = renewal.renew(folder, DOCTOR, now=NOW, passphrase=national.passphrase, pin=national.pins[DOCTOR])
    trust = Trust.load(folder)

    assert DEFAULT.owns(trust.certified(print_, Purpose.DOCUMENT, LATER, now=LATER).public)
    assert [thumbprint(trust.authorities[one]) for one in trust.chain(print_)] == list(trust.chain(print_))


def test_one_folder_has_one_root_and_says_so(house: House, tmp_path: Path) -> None:
    folder = shutil.copytree(house.folder, tmp_path / "keys")
    new = authority.PersonSpec("D350100000009", "prescriber", HOSPITAL, "王医生")

    with pytest.raises(authority.OtherSuite, match="p256"):
        authority.init(folder, [], [new], now=NOW, passphrase=house.passphrase, suite=SM)
    renewal.roll(folder, Kind.PERSONS, now=NOW, passphrase=house.passphrase, suite=SM)
    made = authority.init(folder, [], [new], now=NOW, passphrase=house.passphrase)
    key = unlock(folder / HOSPITAL, new.id, authority.development_pins(folder)[new.id])

    assert made.people == (new.id,)
    assert key.suite is SM  # that of the authority which issues now

"""
The development authority: OpenSSL believes what it issues, what was renewed or revoked stays told, nothing grows old.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from forge import DAY, DOCTOR, HOSPITAL, NOW, PHARMACIST, PHARMACY, PLATFORM, House, signer, written

from rx_flow.crypto import packages
from rx_flow.crypto.documents import verify_document
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki import authority, issuing, lists, register, renewal, responders
from rx_flow.crypto.pki.issuing import Kind, Who
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import INSTITUTIONS, PERSONS, Purpose, policies, thumbprint
from rx_flow.crypto.pki.status import Answer, Seen
from rx_flow.crypto.suites import p256

AT = NOW.replace(microsecond=0)
LATER = NOW + timedelta(hours=1)
RX = "350100-ABCDEFGHJKMNPQRS"
ADDRESS = "http://platform.test/pki"


@pytest.fixture
def fresh(house: House, tmp_path: Path) -> House:
    """A house of its own, for what changes it."""
    folder = shutil.copytree(house.folder, tmp_path / "keys")
    return dataclasses.replace(house, folder=folder, trust=Trust.load(folder))


def openssl(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own files
        ["/usr/bin/openssl", *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def judged(house: House, *files: str) -> dict[str, str]:
    """What OpenSSL says of certificates, with every list of the folder: "OK", or its reason."""
    above, revoked = house.folder / "above.pem", house.folder / "lists.pem"
    above.write_bytes(b"".join(path.read_bytes() for path in sorted((house.folder / "authorities").glob("*.pem"))))
    revoked.write_bytes(
        b"".join(
            x509.load_der_x509_crl(path.read_bytes()).public_bytes(lists.Encoding.PEM)
            for path in sorted((house.folder / "lists").glob("*.crl"))
        )
    )
    said = {}
    for file in files:
        ran = openssl(
            "verify", "-x509_strict", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "above.pem",
            "-CRLfile", "lists.pem", "-attime", str(int((LATER + DAY).timestamp())), file, cwd=house.folder,
        )  # fmt: skip
        said[file] = "OK" if ran.returncode == 0 else ran.stderr
    return said


def passphrase(house: House) -> str:
    return authority.development_passphrase(house.folder)


def certificate(house: House, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((house.folder / f"{name}.pem").read_bytes())


def test_openssl_believes_every_certificate_with_every_list(fresh: House) -> None:
    names = sorted(f"public/{path.name}" for path in (fresh.folder / "public").glob("*.pem"))
    assert len(names) == 4 * 3 + 2
    assert judged(fresh, *names) == dict.fromkeys(names, "OK")

    renewal.revoke(fresh.folder, DOCTOR, Why.KEY_COMPROMISE, now=LATER, passphrase=passphrase(fresh))
    said = judged(fresh, *names)
    assert [name for name, words in said.items() if words != "OK"] == [f"public/{DOCTOR}.pem"]
    assert "certificate revoked" in said[f"public/{DOCTOR}.pem"]


def test_people_and_institutions_have_authorities_of_their_own(house: House) -> None:
    doctor, seal = certificate(house, f"public/{DOCTOR}"), certificate(house, f"public/{HOSPITAL}.seal")
    above = {kind: certificate(house, f"authorities/{kind}-1") for kind in Kind}

    assert doctor.issuer == above[Kind.PERSONS].subject != seal.issuer == above[Kind.INSTITUTIONS].subject
    assert (
        policies(doctor) & {PERSONS, INSTITUTIONS}
        == policies(above[Kind.PERSONS]) & {PERSONS, INSTITUTIONS}
        == {PERSONS}
    )
    assert policies(seal) & {PERSONS, INSTITUTIONS} == {INSTITUTIONS}
    usages = {
        kind: set(one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) for kind, one in above.items()
    }
    assert ExtendedKeyUsageOID.CLIENT_AUTH not in usages[Kind.PERSONS] < usages[Kind.INSTITUTIONS]
    assert house.trust.chain(thumbprint(doctor)) == tuple(
        thumbprint(one) for one in (above[Kind.PERSONS], certificate(house, "root"))
    )


@pytest.mark.parametrize(
    ("kind", "who", "purpose"),
    [
        (Kind.PERSONS, Who(HOSPITAL, "hospital", HOSPITAL, "假医院"), Purpose.DOCUMENT),
        (Kind.PERSONS, Who(DOCTOR, "prescriber", HOSPITAL, "林医生"), Purpose.TOKEN),
        (Kind.INSTITUTIONS, Who(DOCTOR, "prescriber", HOSPITAL, "林医生"), Purpose.DOCUMENT),
    ],
)
def test_an_authority_issues_for_its_own_kind_and_purposes_alone(
    house: House, kind: Kind, who: Who, purpose: Purpose
) -> None:
    found = register.load(house.folder, house.passphrase)
    key = p256.generate()
    made = issuing.leaf(found.issuer(kind), who, key.public_key(), purpose=purpose, begins=AT - DAY)
    trust = Trust.load(house.folder)
    trust.learn([made])

    with pytest.raises(Untrusted, match="untrusted_chain: not for this"):
        trust.certified(thumbprint(made), purpose, NOW, now=NOW)


def test_a_certificate_says_where_to_ask_about_it(tmp_path: Path) -> None:
    authority.init(tmp_path, [authority.InstitutionSpec(PLATFORM, "platform", "平台")], [], now=NOW, address=ADDRESS)
    seal = x509.load_pem_x509_certificate((tmp_path / "public" / f"{PLATFORM}.seal.pem").read_bytes())
    issuer = x509.load_pem_x509_certificate((tmp_path / "authorities" / "institutions-1.pem").read_bytes())

    def told(one: x509.Certificate) -> list[str]:
        points = one.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        access = one.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        return [points[0].full_name[0].value, *(each.access_location.value for each in access)]  # type: ignore[index]  # ours has one

    lists_at, authorities_at = f"{ADDRESS}/lists", f"{ADDRESS}/authorities"
    assert told(seal) == [f"{lists_at}/institutions-1.crl", f"{authorities_at}/institutions-1.cer", f"{ADDRESS}/ocsp"]
    assert told(issuer) == [f"{lists_at}/root.crl", f"{authorities_at}/root.cer"]


def test_lists_are_written_anew_when_they_are_a_day_old_and_not_before(fresh: House) -> None:
    before = Trust.load(fresh.folder)

    assert not authority.freshen(fresh.folder, NOW + timedelta(hours=23))
    assert authority.freshen(fresh.folder, NOW + DAY)
    assert not authority.freshen(fresh.folder, NOW + DAY)
    after = Trust.load(fresh.folder)
    assert before.lists.keys() == after.lists.keys()
    assert {one.next_update for one in after.lists.values()} == {AT + 11 * DAY}
    assert all(after.lists[print_].number > one.number for print_, one in before.lists.items())


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"nonsense")], ids=["lost", "damaged"])
def test_a_list_that_was_lost_is_written_anew_with_all_that_it_said(fresh: House, spoil: object) -> None:
    gone = renewal.revoke(fresh.folder, DOCTOR, Why.SUPERSEDED, now=NOW, passphrase=passphrase(fresh))
    path = fresh.folder / "lists" / "persons-1.crl"
    number = lists.parse(path.read_bytes()).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    spoil(path)  # type: ignore[operator]  # two ways to spoil a file

    assert authority.freshen(fresh.folder, LATER)
    found = Trust.load(fresh.folder)
    assert found.status(gone[0].thumbprint, now=LATER).revoked == gone[0].revoked
    assert found.lists[found.names["persons-1"]].number >= number


def test_a_folder_without_the_authority_s_keys_is_left_alone(fresh: House) -> None:
    (fresh.folder / authority.PASSPHRASE_FILE).unlink()

    assert not authority.freshen(fresh.folder, NOW + 5 * DAY)


def test_only_one_process_writes_the_lists(fresh: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sites start at once: the second waits for the lock, and then finds nothing left to do."""
    asked = iter([True, False])
    monkeypatch.setattr(register, "due", lambda *_: next(asked))
    before = (fresh.folder / "lists" / "root.crl").read_bytes()

    assert authority.freshen(fresh.folder, NOW + DAY)
    assert (fresh.folder / "lists" / "root.crl").read_bytes() == before


def test_a_root_of_an_earlier_version_is_told_apart(fresh: House) -> None:
    path = fresh.folder / register.AUTHORITY_FILE
    found = locked.unlock(path.read_bytes(), fresh.passphrase, owner=issuing.ROOT_NAME)
    old = {name: value for name, value in found.items() if name.startswith("root.")}
    locked.write(path, locked.lock(old, fresh.passphrase, owner=issuing.ROOT_NAME))

    with pytest.raises(ValueError, match="earlier version"):
        register.load(fresh.folder, fresh.passphrase)


def test_a_person_gets_a_new_key_and_old_prescriptions_still_verify(fresh: House) -> None:
    raw = written(fresh.doctor)
    made = renewal.renew(fresh.folder, DOCTOR, now=LATER, passphrase=fresh.passphrase, pin=fresh.pins[DOCTOR])
    key = files.unlock(fresh.folder / HOSPITAL, DOCTOR, fresh.pins[DOCTOR])
    trust = Trust.load(fresh.folder)

    assert made == (key.thumbprint,) != (fresh.doctor.thumbprint,)
    assert verify_document(raw, trust, Seen(NOW)).signer.thumbprint == fresh.doctor.thumbprint
    assert verify_document(written(key, at=LATER), trust, Seen(LATER)).signer.thumbprint == key.thumbprint
    assert set(trust.of(DOCTOR)) == {key.thumbprint, fresh.doctor.thumbprint}


def test_an_institution_gets_new_keys_and_old_packages_still_open(fresh: House) -> None:
    old = packages.seal(["{}"], fresh.trust.reader(HOSPITAL, NOW), rx=RX)
    made = renewal.renew(fresh.folder, HOSPITAL, now=LATER, passphrase=fresh.passphrase)
    ring, trust = Keyring.load(fresh.folder / HOSPITAL, fresh.passphrase), Trust.load(fresh.folder)
    new = packages.seal(["{}"], trust.reader(HOSPITAL, LATER), rx=RX)

    assert sorted(made) == sorted([ring.seal.thumbprint, ring.token.thumbprint, ring.opening.public.kid])
    assert trust.reader(HOSPITAL, LATER).kid == ring.opening.public.kid
    assert packages.open_package(new, ring.opening, rx=RX) == packages.open_package(old, ring.opening, rx=RX) == ("{}",)
    assert verify_document(written(fresh.hospital.seal, at=NOW), trust, Seen(NOW)).by == HOSPITAL
    assert renewal.holder(trust, HOSPITAL) == Who(HOSPITAL, "hospital", HOSPITAL, "榕城医院")


def test_who_is_not_known_or_has_another_pin_gets_nothing(fresh: House) -> None:
    before = sorted((fresh.folder / "public").iterdir())
    with pytest.raises(Untrusted, match="unknown_signer"):
        renewal.renew(fresh.folder, "D999999999999", now=LATER, passphrase=fresh.passphrase)
    with pytest.raises(WrongPin):
        renewal.renew(fresh.folder, DOCTOR, now=LATER, passphrase=fresh.passphrase, pin="000000")
    with pytest.raises(WrongPin):
        renewal.renew(fresh.folder, HOSPITAL, now=LATER, passphrase="another")
    assert sorted((fresh.folder / "public").iterdir()) == before


def test_a_new_authority_issues_and_what_the_old_one_issued_counts(fresh: House) -> None:
    made = renewal.roll(fresh.folder, Kind.PERSONS, now=LATER, passphrase=fresh.passphrase)
    renewal.renew(fresh.folder, DOCTOR, now=LATER, passphrase=fresh.passphrase, pin=fresh.pins[DOCTOR])
    trust = Trust.load(fresh.folder)
    key = files.unlock(fresh.folder / HOSPITAL, DOCTOR, fresh.pins[DOCTOR])

    assert made.issuer(Kind.PERSONS).name == "persons-2"
    assert sorted(trust.names) == ["institutions-1", "persons-1", "persons-2", "root"]
    assert trust.chain(key.thumbprint)[0] == trust.names["persons-2"]
    assert trust.chain(fresh.doctor.thumbprint)[0] == trust.names["persons-1"]
    for print_ in (key.thumbprint, fresh.doctor.thumbprint):
        assert trust.status(print_, now=LATER).answer is Answer.VALID
    assert sorted(responders.load(fresh.folder / PLATFORM, fresh.passphrase)) == [
        "institutions-1", "persons-1", "persons-2",
    ]  # fmt: skip
    assert judged(fresh, f"public/{DOCTOR}.pem") == {f"public/{DOCTOR}.pem": "OK"}


def test_revoking_a_person_revokes_every_certificate_of_theirs(fresh: House) -> None:
    renewal.renew(fresh.folder, DOCTOR, now=NOW, passphrase=fresh.passphrase, pin=fresh.pins[DOCTOR])
    since = NOW - timedelta(hours=3)
    done = renewal.revoke(fresh.folder, DOCTOR, Why.KEY_COMPROMISE, now=LATER, passphrase=fresh.passphrase, since=since)
    trust = Trust.load(fresh.folder)

    assert {one.thumbprint for one in done} == set(trust.of(DOCTOR))
    assert len(done) == 2
    for one in done:
        assert (one.who and one.who.id, one.purpose, one.issuer) == (DOCTOR, Purpose.DOCUMENT, "persons-1")
        assert one.revoked == trust.status(one.thumbprint, now=LATER).revoked
        assert one.revoked.since == since.replace(microsecond=0)
    assert not trust.doubtful([PHARMACIST])


def test_one_certificate_can_be_revoked_alone(fresh: House) -> None:
    done = renewal.revoke(
        fresh.folder, fresh.hospital.token.thumbprint, Why.SUPERSEDED, now=LATER, passphrase=fresh.passphrase
    )
    trust = Trust.load(fresh.folder)

    assert [(one.thumbprint, one.purpose) for one in done] == [(fresh.hospital.token.thumbprint, Purpose.TOKEN)]
    assert signer(trust, fresh.hospital.seal.thumbprint, LATER).id == HOSPITAL
    with pytest.raises(Untrusted, match="certificate_revoked: superseded"):
        trust.certified(fresh.hospital.token.thumbprint, Purpose.TOKEN, LATER, now=LATER)


def test_a_revoked_authority_is_on_the_root_s_list(fresh: House) -> None:
    done = renewal.revoke(fresh.folder, "persons-1", Why.CA_COMPROMISE, now=LATER, passphrase=fresh.passphrase)
    trust = Trust.load(fresh.folder)

    assert [(one.thumbprint, one.who, one.issuer) for one in done] == [(trust.names["persons-1"], None, "root")]
    assert trust.status(fresh.doctor.thumbprint, now=LATER).answer is Answer.REVOKED
    assert trust.status(fresh.hospital.seal.thumbprint, now=LATER).answer is Answer.VALID
    assert "certificate revoked" in judged(fresh, f"public/{DOCTOR}.pem")[f"public/{DOCTOR}.pem"]


def test_a_second_revocation_can_only_say_more(fresh: House) -> None:
    def revoke(why: Why, now: datetime, since: datetime | None = None) -> lists.Revoked:
        done = renewal.revoke(fresh.folder, DOCTOR, why, now=now, passphrase=fresh.passphrase, since=since)
        return done[0].revoked

    first = revoke(Why.SUPERSEDED, NOW)
    assert revoke(Why.UNSPECIFIED, LATER) == first
    worse = revoke(Why.KEY_COMPROMISE, LATER, NOW - DAY)
    assert (worse.at, worse.since, worse.why) == (first.at, AT - DAY, Why.KEY_COMPROMISE)
    assert revoke(Why.KEY_COMPROMISE, LATER, NOW - timedelta(hours=1)) == worse
    assert Trust.load(fresh.folder).status(fresh.doctor.thumbprint, now=LATER).revoked == worse


def test_only_a_compromised_key_was_in_other_hands_and_only_in_the_past(fresh: House) -> None:
    before = (fresh.folder / register.AUTHORITY_FILE).read_bytes()
    for why, since in ((Why.SUPERSEDED, NOW), (Why.KEY_COMPROMISE, LATER + DAY)):
        with pytest.raises(ValueError, match="compromised"):
            renewal.revoke(fresh.folder, DOCTOR, why, now=LATER, passphrase=fresh.passphrase, since=since)
    for nothing in ("root", "persons-9", "D999999999999"):
        with pytest.raises(Untrusted) as untrusted:
            renewal.revoke(fresh.folder, nothing, Why.SUPERSEDED, now=LATER, passphrase=fresh.passphrase)
        assert untrusted.value.reason is Reason.UNKNOWN_SIGNER
    assert (fresh.folder / register.AUTHORITY_FILE).read_bytes() == before


def test_responders_are_certified_anew_when_half_of_their_time_is_up(fresh: House) -> None:
    def serials() -> set[int]:
        return {one.serial_number for _, one in responders.load(fresh.folder / PLATFORM, fresh.passphrase).values()}

    first = serials()
    assert len(first) == len(Kind)
    authority.freshen(fresh.folder, NOW + 13 * DAY)
    assert serials() == first
    authority.freshen(fresh.folder, NOW + 15 * DAY)
    assert not serials() & first
    assert responders.load(fresh.folder / PHARMACY, fresh.passphrase) == {}
    with pytest.raises(WrongPin):
        responders.load(fresh.folder / PLATFORM, "another")


def test_no_key_shows_in_what_an_authority_is_printed_as(fresh: House) -> None:
    found = register.load(fresh.folder, fresh.passphrase)

    assert "<Issuer persons-1>" in repr(found)
    assert "PrivateKey" not in repr(found)


def test_a_folder_is_read_again_only_where_something_has_changed(fresh: House, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = Trust.load(fresh.folder)
    taken: list[bytes] = []
    take = Trust.take
    monkeypatch.setattr(
        Trust, "take", lambda one, raw: (taken.append(raw) if one is trust else None, take(one, raw))[1]
    )

    trust.refresh(fresh.folder)
    assert taken == []
    renewal.revoke(fresh.folder, DOCTOR, Why.SUPERSEDED, now=LATER, passphrase=fresh.passphrase)
    trust.refresh(fresh.folder)
    assert len(taken) == 3
    assert trust.status(fresh.doctor.thumbprint, now=LATER).answer is Answer.REVOKED
    (fresh.folder / "lists" / "zz.crl").write_bytes(b"nonsense")
    trust.refresh(fresh.folder)
    assert trust.status(fresh.hospital.seal.thumbprint, now=LATER).answer is Answer.VALID

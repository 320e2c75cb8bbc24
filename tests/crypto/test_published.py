"""
What a platform publishes: the table of contents that others read, and nothing believed for being published.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from forge import DAY, DOCTOR, NOW, House, leaf, listed, root, signer

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import published
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import certificates, thumbprint
from rx_flow.crypto.pki.published import Index, Published


def sent(index: Index) -> bytes:
    return json.dumps(dataclasses.asdict(index), default=str).encode()


def test_the_table_of_contents_is_read_as_it_was_written(house: House) -> None:
    index = published.index(house.trust)
    read = published.read(sent(index))

    assert [one.name for one in index.authorities] == ["root", "institutions-1", "persons-1"]
    assert [(one.name, one.thumbprint, one.number) for one in read.authorities] == [
        (one.name, one.thumbprint, one.number) for one in index.authorities
    ]
    assert {one.next_update for one in index.authorities} == {NOW.replace(microsecond=0) + 10 * DAY}
    assert read.certificates == index.certificates == published.digest(house.trust)


def test_an_authority_without_a_list_says_so(house: House) -> None:
    bare = Trust.load(house.folder)
    bare._lists = {}

    assert {one.number for one in published.index(bare).authorities} == {None}
    assert published.read(sent(published.index(bare))).authorities[0] == Published("root", bare.names["root"])
    assert published.revocations(bare, "root") is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"authorities": 5, "certificates": ""}', b'{"authorities": [{}], "certificates": ""}',
        b'{"authorities": [{"name": 1, "thumbprint": "x", "number": 1}], "certificates": ""}',
        b'{"authorities": [{"name": "a", "thumbprint": "x", "number": true}], "certificates": ""}',
        b'{"authorities": [{"name": "../../x", "thumbprint": "x", "number": 1}], "certificates": ""}',
        b'{"authorities": [{"name": "", "thumbprint": "x", "number": 1}], "certificates": ""}',
    ],
)  # fmt: skip
def test_anything_else_is_no_table_of_contents(body: bytes) -> None:
    with pytest.raises(Untrusted) as untrusted:
        published.read(body)
    assert untrusted.value.reason is Reason.MALFORMED


def test_files_are_found_by_their_names(house: House, tmp_path: Path) -> None:
    authority = published.authority(house.trust, "persons-1")
    revocations = published.revocations(house.trust, "persons-1")
    assert authority is not None
    assert revocations is not None
    assert published.authority(house.trust, "persons-2") is None
    assert published.revocations(house.trust, "persons-2") is None

    (found,) = certificates(authority)
    published.keep(tmp_path / "authorities" / "persons-1.pem", found)
    published.keep_list(tmp_path / "lists" / "persons-1.crl", revocations)
    for one in published.missing(Trust(house.trust.roots, ()), certificates(published.chain(house.trust))):
        published.keep(tmp_path / "public" / f"{one.serial_number:x}.pem", one)
    trust = Trust(
        house.trust.roots, (), [listed_root] if (listed_root := published.revocations(house.trust, "root")) else []
    )
    trust.refresh(tmp_path)
    assert signer(trust, house.doctor.thumbprint, NOW).id == DOCTOR
    assert published.digest(trust) == published.digest(house.trust)
    assert published.missing(trust, house.trust.certificates.values()) == []


@pytest.mark.parametrize("body", [b"", b"-----BEGIN CERTIFICATE-----", b"0\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_none(body: bytes) -> None:
    with pytest.raises(Untrusted, match="bad_certificate"):
        certificates(body)


def test_a_certificate_of_a_version_that_nobody_knows_is_none(house: House) -> None:
    raw = bytearray(house.trust.roots[0].public_bytes(Encoding.DER))
    place = raw.index(b"\xa0\x03\x02\x01\x02") + 4
    raw[place] = 9
    with pytest.raises(Untrusted, match="bad_certificate"):
        certificates(bytes(raw))


@pytest.mark.filterwarnings("ignore:Parsed a serial number", "ignore:Attribute's length")  # of odd certificates
@pytest.mark.parametrize("put", [0x00, 0x03, 0x06, 0xFF])
def test_whatever_byte_of_a_certificate_is_altered_it_is_one_or_none(house: House, put: int) -> None:
    """Names of 3 (a string of bits) once came as another error, and only when somebody asked for them."""
    raw = house.trust.certificates[house.doctor.thumbprint].public_bytes(Encoding.DER)
    reasons = set()
    for at in range(len(raw)):
        try:
            (found,) = certificates(raw[:at] + bytes([put]) + raw[at + 1 :])
            assert found.issuer.rfc4514_string()
            assert found.serial_number > 0
        except Untrusted as untrusted:
            reasons.add(untrusted.reason)
    assert reasons == {Reason.BAD_CERTIFICATE}


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_serial_number_below_zero_is_none(house: House) -> None:
    raw = bytearray(house.trust.certificates[house.doctor.thumbprint].public_bytes(Encoding.DER))
    place = raw.index(b"\xa0\x03\x02\x01\x02") + 7  # behind the version: tag, length, and the first of its bytes
    raw[place] = 0x80

    with pytest.raises(Untrusted, match="a serial number that is none"):
        certificates(bytes(raw))


def test_several_roots_have_several_names(tmp_path: Path) -> None:
    one, two = root("one"), root("two")
    pem = b"".join(each[1].public_bytes(Encoding.PEM) for each in (one, two))
    (tmp_path / "root.pem").write_bytes(pem)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "root-2.crl").write_bytes(listed(two))
    trust = Trust.load(tmp_path)
    trust.learn([leaf(two)[1]])

    assert trust.names == {"root": thumbprint(one[1]), "root-2": thumbprint(two[1])}
    assert published.revocations(trust, "root") is None
    assert published.revocations(trust, "root-2") == listed_raw(trust)


def listed_raw(trust: Trust) -> bytes:
    return trust.lists[trust.names["root-2"]].raw

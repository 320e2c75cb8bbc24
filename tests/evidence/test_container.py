"""
The bundle's file: ordinary tools read it, the same members are always the same bytes, and hostile archives are refused.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.evidence import container
from rx_flow.evidence.faults import Fault, Unproven

MEMBERS = {"VERIFY.md": b"read me", "documents/0001-a.jws": b"x" * 1000, "entries/0001.json": b"{}", "empty": b""}
NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}){0,2}", fullmatch=True)


def fault(data: bytes) -> Fault:
    with pytest.raises(Unproven) as unproven:
        container.unpack(data)
    return unproven.value.fault


def zipped(name: str = "a", data: bytes = b"x" * 100, *, kind: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        archive.writestr(zipfile.ZipInfo(name), data, compress_type=kind)
        archive.comment = comment
    return made.getvalue()


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=8))
def test_what_is_packed_is_unpacked(members: dict[str, bytes]) -> None:
    assert container.unpack(container.pack(members)) == members


def test_the_same_members_in_any_order_give_the_same_bytes() -> None:
    assert container.pack(MEMBERS) == container.pack(dict(reversed(MEMBERS.items())))


def test_python_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(container.pack(MEMBERS))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_unzip_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(container.pack(MEMBERS))
    try:
        done = subprocess.run(["unzip", "-q", str(path), "-d", str(tmp_path / "out")], check=False, capture_output=True)  # noqa: S603, S607  A tool of the system.
    except FileNotFoundError:
        pytest.skip("unzip is not installed")

    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / "out" / name).read_bytes() for name in MEMBERS} == MEMBERS


def test_every_single_bit_of_the_file_matters() -> None:
    data = container.pack(MEMBERS)
    for at in range(len(data)):
        for bit in range(8):
            fault(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


def test_every_shorter_and_every_longer_file_is_refused() -> None:
    data = container.pack(MEMBERS)
    for length in range(len(data)):
        fault(data[:length])
    for more in (b"\0", b"PK\x05\x06", data):
        assert fault(data + more) is Fault.NOT_AS_WRITTEN


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "/a",
        "a/../b",
        "a/./b",
        ".a",
        "a//b",
        "a/",
        "a\\b",
        "C:a",
        "a b",
        "a\n",
        "a" * 121,
        "a/b/c/d",
        "",
        "~",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert fault(zipped(name)) is Fault.BAD_NAME
    with pytest.raises(ValueError, match="not a name"):
        container.pack({name: b""})


ONE = container.pack({"a": b"x"})
HOSTILE: dict[str, tuple[Callable[[], bytes], Fault]] = {
    "nothing": (lambda: b"", Fault.NOT_A_BUNDLE),
    "no archive": (lambda: b"%PDF-1.7", Fault.NOT_A_BUNDLE),
    "an empty archive": (lambda: container.pack({}), Fault.NOT_A_BUNDLE),
    "a bomb": (lambda: zipped(data=bytes(10**7), kind=zipfile.ZIP_DEFLATED), Fault.COMPRESSED_MEMBER),
    "another time": (zipped, Fault.NOT_AS_WRITTEN),
    "a comment": (lambda: zipped(comment=b"hidden"), Fault.NOT_AS_WRITTEN),
    "something before it": (lambda: b"MZ" + container.pack(MEMBERS), Fault.NOT_A_BUNDLE),
    "one name twice": (lambda: 2 * ONE[:32], Fault.NAME_TWICE),
    "a size beyond the end": (lambda: ONE[:18] + 8 * b"\xff" + ONE[26:], Fault.NOT_A_BUNDLE),
    "a name beyond ASCII": (lambda: ONE[:30] + b"\xe9" + ONE[31:], Fault.BAD_NAME),
    "a header cut short": (lambda: ONE[:20], Fault.NOT_A_BUNDLE),
    "an encrypted member": (lambda: ONE[:6] + b"\1\0" + ONE[8:], Fault.COMPRESSED_MEMBER),
}


@pytest.mark.parametrize(("made", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_refused(made: Callable[[], bytes], expected: Fault) -> None:
    assert fault(made()) is expected


def test_what_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "BUNDLE_MAX", 1000)
    assert fault(bytes(1001)) is Fault.BUNDLE_TOO_LARGE
    with pytest.raises(ValueError, match="too large"):
        container.pack({"a": bytes(1001)})


def test_too_many_members_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = container.pack({str(number): b"" for number in range(11)})
    monkeypatch.setattr(container, "MEMBERS_MAX", 10)
    assert fault(data) is Fault.BUNDLE_TOO_LARGE

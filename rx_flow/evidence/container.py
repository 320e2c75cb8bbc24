"""
The bundle's file: a ZIP archive of stored members, of which the same members always give the same bytes.

Written and read by nothing but `struct`: whoever reads it again packs what was read, and compares every byte. So a
time, an attribute, a comment or a second directory, which no digest covers, cannot be altered unseen either.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from rx_flow.evidence.faults import Fault, Unproven

BUNDLE_MAX = 64 * 2**20  # bytes
MEMBERS_MAX = 5000
_NAME_MAX = 120
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,2}", re.ASCII)
# APPNOTE.TXT 6.3.10: local file header §4.3.7, central directory header §4.3.12, end of central directory §4.3.16.
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_NEEDS, _MADE_BY = 20, 3 << 8 | 20  # version 2.0, by a Unix
_TIME, _DATE = 0, 1 << 5 | 1  # midnight of 1 January 1980: the earliest that the format can say
_MODE = 0o100644 << 16
_SIZE_AT, _METHOD_AT = 8, 3  # places in a local header


def pack(members: Mapping[str, bytes]) -> bytes:
    """
    Return the archive of these members, by name in order; `ValueError` for a name or a size that cannot be read back.
    """
    local: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name in sorted(members):
        data = members[name]
        if not _fits(name):
            raise ValueError("not a name for a member of a bundle")
        encoded = name.encode()
        crc = zlib.crc32(data)
        facts = (_TIME, _DATE, crc, len(data), len(data), len(encoded))
        header = _LOCAL.pack(_LOCAL_MARK, _NEEDS, 0, 0, *facts, 0) + encoded
        central.append(
            _CENTRAL.pack(_CENTRAL_MARK, _MADE_BY, _NEEDS, 0, 0, *facts, 0, 0, 0, 0, _MODE, offset) + encoded
        )
        local += (header, data)
        offset += len(header) + len(data)
    listed = b"".join(central)
    end = _END.pack(_END_MARK, 0, 0, len(central), len(central), len(listed), offset, 0)
    packed = b"".join((*local, listed, end))
    if len(packed) > BUNDLE_MAX or len(members) > MEMBERS_MAX:
        raise ValueError("too large for a bundle")
    return packed


def unpack(data: bytes) -> dict[str, bytes]:
    """
    Return the members of what `pack` wrote; `Unproven` for any other bytes, and before anything of them is used.
    """
    if len(data) > BUNDLE_MAX:
        raise Unproven(Fault.BUNDLE_TOO_LARGE)
    members: dict[str, bytes] = {}
    at = 0
    while data.startswith(_LOCAL_MARK, at):
        name, begin, end = _member(data, at)
        if name in members:
            raise Unproven(Fault.NAME_TWICE, name)
        if len(members) >= MEMBERS_MAX:
            raise Unproven(Fault.BUNDLE_TOO_LARGE, "members")
        members[name] = data[begin:end]
        at = end
    if not members:
        raise Unproven(Fault.NOT_A_BUNDLE)
    if pack(members) != data:
        raise Unproven(Fault.NOT_AS_WRITTEN)
    return members


def _member(data: bytes, at: int) -> tuple[str, int, int]:
    """A member's name, and where its bytes begin and end."""
    if at + _LOCAL.size > len(data):
        raise Unproven(Fault.NOT_A_BUNDLE, "it ends too early")
    header = _LOCAL.unpack_from(data, at)
    if header[2] or header[_METHOD_AT]:  # flags: encrypted, or sizes that come later
        raise Unproven(Fault.COMPRESSED_MEMBER)
    size, length = header[_SIZE_AT], header[9]
    begin = at + _LOCAL.size + length
    if begin + size > len(data):
        raise Unproven(Fault.NOT_A_BUNDLE, "it ends too early")
    name = data[at + _LOCAL.size : begin].decode("ascii", "replace")
    if not _fits(name):
        raise Unproven(Fault.BAD_NAME)
    return name, begin, begin + size


def _fits(name: str) -> bool:
    return len(name) <= _NAME_MAX and _NAME.fullmatch(name) is not None

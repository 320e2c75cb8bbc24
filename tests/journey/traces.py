"""
How a word can stand in bytes without being seen at once, and everything that a province has written or said.
"""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import md5, sha1, sha256
from pathlib import Path
from urllib.parse import quote

from postgres import Cluster
from province import Province


def forms(word: str) -> Iterator[bytes]:
    """
    Yield how a word looks: plain, escaped, in other encodings, and within any text that is base64; never encrypted.
    """
    plain = word.encode()
    yield from (plain, plain.hex().encode(), plain.hex().upper().encode())
    yield from (word.encode("utf-16-le"), word.encode("utf-16-be"), word.encode("gb18030"))
    yield from (quote(word).encode(), quote(word, safe="").encode(), quote(word).lower().encode())
    yield from (json.dumps(word)[1:-1].encode(), json.dumps(word)[1:-1].upper().replace("\\U", "\\u").encode())
    for offset in range(3):
        # In the middle of a longer text: characters that also depend on what stands beside are left away.
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(b"\0" * offset + plain)
            yield encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
    for digest in (sha256, sha1, md5):  # a bare hash of a number that has so few possibilities is no disguise
        yield from (
            digest(plain).hexdigest().encode(),
            digest(plain).digest(),
            urlsafe_b64encode(digest(plain).digest()),
        )


def betrayed(words: Iterable[str], where: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    """
    Return each word that stands anywhere in any form: where, which, and how.
    """
    return [
        (place, word, form)
        for word in words
        for form in set(forms(word))
        for place, text in where.items()
        if form in text
    ]


def stored(province: Province, cluster: Cluster | None) -> dict[str, bytes]:
    """
    Return every byte that the databases hold: SQLite's files with their logs; PostgreSQL's dump, its bytes unfolded.
    """
    if cluster is not None:
        dumped = cluster.dump("postgres").encode()
        unfolded = b"\n".join(bytes.fromhex(found.decode()) for found in re.findall(rb"\\x((?:[0-9a-f]{2})+)", dumped))
        return {"dump": dumped, "bytes in the dump": unfolded}
    files = [Path(url.removeprefix("sqlite:///")) for url in province.databases.values()]
    return {one.name: one.read_bytes() for file in files for one in file.parent.glob(f"{file.name}*")}


def heard(province: Province) -> dict[str, bytes]:
    """
    Return every URL that any site was asked for, by anybody, and every body that said no.
    """
    return {
        "URLs": b"\n".join(one.target for one in province.heard),
        "problems": b"\n".join(one.problem for one in province.heard),
    }


class Said(logging.Handler):
    """
    Everything that is logged by whatever library at whatever level, as it would be written.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with its traceback if it has one."""
        self.lines.append(self.format(record))

"""
Programs that nobody here wrote read our log, refuse it once it is spoilt, witness it, and are witnessed by us.

`scripts/foreign` installs them; each test says that it skips where its program is missing.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from made import LEAF, LOG_KEY, NOW, ORIGIN, WITNESS_KEYS, WITNESSES, Log, entry, log, mth, signed
from others import SCRIPTS, aics_witness, program, ran

from rx_flow.crypto.ed25519 import Seed
from rx_flow.tlog import checkpoint, tiles, witness
from rx_flow.tlog.merkle import Frontier
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.tiles import Tile
from rx_flow.tlog.witness import Answer, Known, Request

SIZE, OLD = 600, 100


def ours() -> Log:
    """Our own log, tiles by the code under test and not by the tests' definitions."""
    made = log(SIZE, {"hospital": NOW, "insurer": NOW})
    files = {tile.path: data for tile, data in tiles.rebuild(iter(made.entries))}
    made.files = {**files, "checkpoint": made.files["checkpoint"]}
    return made


def write(made: Log, folder: Path) -> Path:
    for name, data in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def prover(made: Log) -> Prover:
    return Prover(SIZE, lambda level, index, width: made.files[Tile(level, index, width).path])


def text(hashes: list[bytes]) -> list[str]:
    return [b64encode(each).decode() for each in hashes]


def by_xmod(made: Log, folder: Path, old: bytes) -> tuple[bool, str]:
    (folder / "old").write_bytes(old)
    return ran(program("xmod"), str(write(made, folder / "log")), str(LOG_KEY), str(folder / "old"))


def by_aics(made: Log, folder: Path, old: bytes) -> tuple[bool, str]:
    good = ours()
    asked = {
        "folder": str(write(made, folder / "log")),
        "origin": ORIGIN,
        "log": str(LOG_KEY),
        "witnesses": [str(key) for key in WITNESS_KEYS.values()],
        "quorum": 2,
        "old": old.decode(),
        "proofs": [[index, text(prover(good).inclusion(index))] for index in (0, 255, 256, 511, 512, 599)],
        "consistency": text(prover(good).consistency(OLD)),
    }
    return ran(program("bin/python"), str(SCRIPTS / "aics.py"), json.dumps(asked))


VERIFIERS = pytest.mark.parametrize("verify", [by_xmod, by_aics], ids=["x-mod", "aics-tlog"])
Verify = Callable[[Log, Path, bytes], tuple[bool, str]]


@VERIFIERS
def test_a_foreign_verifier_accepts_our_log(verify: Verify, tmp_path: Path) -> None:
    made = ours()
    accepted, said = verify(made, tmp_path, made.checkpoint(OLD))

    assert accepted, said
    assert said.startswith(f"accepted {SIZE}")


def flip(name: str, at: int = 0) -> Callable[[Log], None]:
    return lambda made: made.flip(name, at)


def remove(name: str) -> Callable[[Log], None]:
    return lambda made: made.files.pop(name) and None


def replace(old: bytes, new: bytes) -> Callable[[Log], None]:
    def spoil(made: Log) -> None:
        assert old in made.files["checkpoint"]
        made.files["checkpoint"] = made.files["checkpoint"].replace(old, new)

    return spoil


def rewrite(made: Log) -> None:
    made.files = Log([*made.entries[:50], b"another", *made.entries[51:]], times=made.times).files


def insert_257(made: Log) -> None:
    made.files["tile/entries/000"] += tiles.bundle([b"one more"])


@pytest.mark.parametrize(
    "spoil",
    [
        flip("tile/entries/001", 7),
        remove("tile/entries/001"),
        flip("tile/0/001", 100),
        flip("tile/0/002.p/88"),
        remove("tile/0/001"),
        flip("tile/1/000.p/2"),
        replace(b"\n600\n", b"\n599\n"),
        replace(b"\n", b"\r\n"),
        insert_257,
        rewrite,
    ],
    ids=[
        "entry",
        "bundle missing",
        "leaf tile",
        "partial tile",
        "tile missing",
        "upper tile",
        "size",
        "CRLF",
        "257th",
        "rewritten history",
    ],
)  # fmt: skip  a table of words reads best packed
@VERIFIERS
def test_a_foreign_verifier_refuses_it_once_spoilt(
    verify: Verify, spoil: Callable[[Log], None], tmp_path: Path
) -> None:
    made = ours()
    old = made.checkpoint(OLD)
    spoil(made)
    accepted, said = verify(made, tmp_path, old)

    assert not accepted, said
    assert "refused" in said


def test_pymerkle_has_the_same_roots() -> None:
    sizes = list(range(1, 70))
    asked = {"entries": [entry(number).decode() for number in range(70)], "sizes": sizes}
    done, said = ran(program("bin/python"), str(SCRIPTS / "merkle.py"), json.dumps(asked))
    leaves = b"".join(LEAF(entry(number)) for number in range(70))

    assert done, said
    assert json.loads(said) == [Frontier().extend(leaves[: size * 32]).root().hex() for size in sizes]


# The witness protocol, in both directions, over the loopback interface.


def post(port: int, asked: Request) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", f"/{witness.PATH}", bytes(asked))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def test_a_foreign_witness_cosigns_our_log(tmp_path: Path) -> None:
    made = ours()
    tree = prover(made)

    def head(size: int) -> bytes:
        return signed(size, tree.root(size))

    def proof(old: int, new: int) -> tuple[bytes, ...]:
        return tuple(Prover(new, lambda lv, n, w: log(new).files[Tile(lv, n, w).path]).consistency(old))

    another = signed(SIZE, mth([LEAF(b"another")] * SIZE))
    with aics_witness(tmp_path, LOG_KEY) as (port, key):
        for old, new in ((0, 255), (255, SIZE), (SIZE, SIZE)):
            status, _, body = post(port, Request(old, proof(old, new), head(new)))
            lines = witness.cosignatures(status, body, signed=head(new), witnesses=[key])
            found = checkpoint.verify(checkpoint.add(head(new), lines), [LOG_KEY], witnesses=[key])
            assert set(found.cosigned) == {key}
        assert witness.held_size(*post(port, Request(0, (), head(SIZE)))) == SIZE
        refused = {
            "same size, other root": (422, Request(SIZE, (), another)),
            "stale": (409, Request(255, proof(255, SIZE), head(SIZE))),
            "smaller": (409, Request(100, (), head(100))),
            "old beyond new": (400, Request(SIZE, (), head(255))),
            "forged": (403, Request(SIZE, (), head(SIZE).replace(b"\n600\n", b"\n601\n"))),
            "another origin": (404, Request(0, (), signed(3, mth([]), origin="audit.example/110000"))),
        }
        assert {name: post(port, asked)[0] for name, (_, asked) in refused.items()} == {
            name: status for name, (status, _) in refused.items()
        }


class Ours(BaseHTTPRequestHandler):
    """Our witness's decision behind a server of the standard library, one request at a time."""

    held: ClassVar[dict[str, Known]] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, seed = WITNESS_KEYS["hospital"].name, WITNESSES["hospital"]
        answer: Answer = witness.answer(body, self.held.get, name=name, signer=seed, now=int(time.time()))
        if answer.accepted:
            head = answer.accepted
            self.held[head.origin] = Known(self.held[head.origin].keys, head.size, head.root)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what came of it."""


def test_our_witness_serves_a_foreign_log() -> None:
    python = program("bin/python")
    origin = "foreign.example/log"
    Ours.held = {origin: Known((Key(origin, Kind.LOG, Seed(b"\x09" * 32).public),))}
    with HTTPServer(("127.0.0.1", 0), Ours) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url, vkey = f"http://127.0.0.1:{server.server_port}", str(WITNESS_KEYS["hospital"])
        done, said = ran(python, str(SCRIPTS / "feeder.py"), url, vkey)
        server.shutdown()
        thread.join(10)

    assert done, said
    assert said.split() == ["200", "200", "200", "422", "422", "409/700"]

"""
Certificates over the network: OpenSSL asks a running platform, and a site far from it learns what is new and remembers.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import uvicorn

from rx_flow.app import Embedded, build, embedded
from rx_flow.auth import freshness
from rx_flow.auth.site import Site
from rx_flow.config import Directory, Settings, Unfit
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.pki import authority, renewal
from rx_flow.crypto.pki.issuing import Kind as Issues
from rx_flow.crypto.pki.lists import Why
from rx_flow.crypto.pki.path import LISTS, Trust
from rx_flow.crypto.pki.register import OCSP_FILE
from rx_flow.crypto.pki.status import Answer
from rx_flow.opening import components
from rx_flow.record.outbox import Reply, Unreachable
from rx_flow.record.schema import upgrade

PLATFORM, HOSPITAL, DOCTOR = "C35990000001", "H35010000001", "D350100000001"


@pytest.fixture
def there(keys: Path, tmp_path: Path) -> Path:
    """The platform's folder of keys, and the authority's."""
    return shutil.copytree(keys, tmp_path / "there")


@pytest.fixture
def far(there: Path, tmp_path: Path) -> Path:
    """A hospital's folder of keys: what a site needs, and nothing of the authority's or of others."""
    folder = shutil.copytree(there, tmp_path / "far")
    for secret in (*folder.glob("authority*"), folder / PLATFORM, folder / authority.PASSPHRASE_FILE):
        shutil.rmtree(secret) if secret.is_dir() else secret.unlink()
    return folder


def settings(keys: Path, code: str, data: Path, passphrase: str, **other: object) -> Settings:
    directory = Directory.load(keys)
    institution = directory.institution(code)
    assert institution is not None
    url = f"sqlite:///{data / code}.db"
    upgrade(url, components(institution.kind))
    return replace(Settings(code, url, keys, passphrase=passphrase), **other)  # type: ignore[arg-type]  # fields of Settings


def passphrase(keys: Path) -> str:
    return authority.development_passphrase(keys)


@asynccontextmanager
async def served(app: object) -> AsyncIterator[int]:
    """Run an app behind uvicorn, without what it does by itself."""
    door = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_level="error", ws="none")  # type: ignore[arg-type]  # an ASGI app
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[door]))
    while not server.started:  # noqa: ASYNC110  uvicorn sets a flag and no event.
        await asyncio.sleep(0.01)
    try:
        yield int(door.getsockname()[1])
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def apart(there: Path, far: Path, data: Path) -> AsyncIterator[tuple[Site, Site, int]]:
    """A platform on a port, and a hospital that reaches it over the network with a folder of its own."""
    platform = build(settings(there, PLATFORM, data, passphrase(there)))
    async with served(platform) as port:
        urls = ((PLATFORM, f"http://127.0.0.1:{port}"),)
        hospital = build(settings(far, HOSPITAL, data, passphrase(there), urls=urls))
        sites: tuple[Site, Site] = platform.state.site, hospital.state.site
        try:
            yield *sites, port
        finally:
            for site in sites:
                await site.peers.close()
                await asyncio.to_thread(site.db.close)


async def openssl(cwd: Path, *arguments: str) -> str:
    ran = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/openssl", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.stdout + ran.stderr


async def test_openssl_asks_a_running_platform(there: Path, far: Path, tmp_path: Path) -> None:
    async with apart(there, far, tmp_path) as (platform, _, port):

        async def asked() -> str:
            return await openssl(
                there, "ocsp", "-url", f"http://127.0.0.1:{port}/pki/ocsp", "-issuer", "authorities/persons-1.pem",
                "-cert", f"public/{DOCTOR}.pem", "-CAfile", "root.pem", "-verify_other", "authorities/persons-1.pem",
            )  # fmt: skip

        first = await asked()
        assert "Response verify OK" in first
        assert "WARNING" not in first  # the nonce came back
        assert f"public/{DOCTOR}.pem: good" in first

        renewal.revoke(there, DOCTOR, Why.KEY_COMPROMISE, now=datetime.now(UTC), passphrase=passphrase(there))
        freshness.look(platform)
        second = await asked()
        assert f"public/{DOCTOR}.pem: revoked" in second
        assert "Reason: keyCompromise" in second


async def test_openssl_believes_an_answer_by_get(there: Path, far: Path, tmp_path: Path) -> None:
    async with apart(there, far, tmp_path) as (_, _, port), httpx2.AsyncClient() as client:
        one = ("-issuer", "authorities/persons-1.pem", "-cert", f"public/{DOCTOR}.pem")
        await openssl(there, "ocsp", *one, "-reqout", str(tmp_path / "asked.der"))
        asked = base64.b64encode((tmp_path / "asked.der").read_bytes()).decode()
        answer = await client.get(f"http://127.0.0.1:{port}/pki/ocsp/{quote(asked, safe='')}")
        (tmp_path / "said.der").write_bytes(answer.content)
        said = await openssl(
            there, "ocsp", "-reqin", str(tmp_path / "asked.der"), "-respin", str(tmp_path / "said.der"), "-CAfile",
            "root.pem", "-verify_other", "authorities/persons-1.pem", *one, "-no_nonce",
        )  # fmt: skip

        assert answer.headers["content-type"] == "application/ocsp-response"
        assert "Response verify OK" in said
        assert ": good" in said


async def test_openssl_verifies_with_the_lists_that_the_platform_publishes(
    there: Path, far: Path, tmp_path: Path
) -> None:
    async with apart(there, far, tmp_path) as (_, _, port), httpx2.AsyncClient() as client:
        for name in ("root", "persons-1"):
            got = await client.get(f"http://127.0.0.1:{port}/pki/lists/{name}.crl")
            (tmp_path / f"{name}.crl").write_bytes(got.content)
            (tmp_path / f"{name}.pem").write_text(
                await openssl(tmp_path, "crl", "-inform", "DER", "-in", f"{name}.crl")
            )
        (tmp_path / "all.pem").write_text("".join((tmp_path / f"{n}.pem").read_text() for n in ("root", "persons-1")))
        said = await openssl(
            there, "verify", "-crl_check_all", "-CRLfile", str(tmp_path / "all.pem"), "-CAfile", "root.pem",
            "-untrusted", "authorities/persons-1.pem", f"public/{DOCTOR}.pem",
        )  # fmt: skip

        assert said == f"public/{DOCTOR}.pem: OK\n"


async def test_a_site_far_away_learns_what_is_new_and_remembers_it(there: Path, far: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with apart(there, far, tmp_path) as (platform, hospital, _):
        await freshness.fetch(hospital)
        assert not (far / HOSPITAL / freshness.KNOWN).exists()  # nothing was new

        renewal.roll(there, Issues.PERSONS, now=now, passphrase=passphrase(there))
        pin = authority.development_pins(there)[DOCTOR]
        (new,) = renewal.renew(there, DOCTOR, now=now, passphrase=passphrase(there), pin=pin)
        old = next(print_ for print_ in hospital.trust.of(DOCTOR))
        renewal.revoke(there, old, Why.SUPERSEDED, now=now, passphrase=passphrase(there))
        freshness.look(platform)
        await freshness.fetch(hospital)

        assert hospital.trust.status(old, now=now).answer is Answer.REVOKED
        assert hospital.trust.status(new, now=now).answer is Answer.VALID
        assert hospital.trust.chain(new)[0] == platform.trust.names["persons-2"]
    # The platform is gone, and the site is started anew.
    again = Trust.load(far)
    assert again.status(old, now=now).answer is Answer.VALID
    assert freshness.begin(Settings(HOSPITAL, "", far, passphrase="x" * 16), again) is None
    assert again.status(old, now=now).answer is Answer.REVOKED
    assert again.status(new, now=now).answer is Answer.VALID


async def test_without_the_platform_the_last_lists_count_until_they_end(
    there: Path, far: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with apart(there, far, tmp_path) as (_, hospital, _):
        now = [datetime.now(UTC)]
        hospital.clock = lambda: now[0]
        print_ = hospital.trust.of(DOCTOR)[0]

        async def unreachable(*_: object) -> Reply:
            raise Unreachable("cut")

        hospital.peers.public = unreachable  # type: ignore[method-assign]  # the line is cut
        with caplog.at_level("INFO", logger="rx_flow.auth.freshness"):
            turn = asyncio.create_task(freshness.keep_fresh(hospital))
            await asyncio.sleep(0.3)
            turn.cancel()
        assert "not renewed" in caplog.text
        assert hospital.trust.status(print_, now=now[0]).answer is Answer.VALID
        late = now[0] + timedelta(days=11)
        assert hospital.trust.status(print_, now=late).answer is Answer.UNDETERMINABLE


@pytest.mark.parametrize("reply", [Reply(500, b""), Reply(200, b"nonsense")], ids=["error", "nonsense"])
async def test_what_a_platform_says_otherwise_changes_nothing(
    there: Path, far: Path, tmp_path: Path, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    async with apart(there, far, tmp_path) as (_, hospital, _):

        async def said(*_: object) -> Reply:
            return reply

        hospital.peers.public = said  # type: ignore[method-assign]  # something else answers there
        before = hospital.trust.lists
        with caplog.at_level("INFO", logger="rx_flow.auth.freshness"):
            turn = asyncio.create_task(freshness.keep_fresh(hospital))
            await asyncio.sleep(0.3)
            turn.cancel()
        assert hospital.trust.lists == before
        assert "not renewed" in caplog.text or "not believed" in caplog.text


async def test_a_list_that_somebody_else_signed_is_not_taken_from_the_platform(
    there: Path, far: Path, tmp_path: Path
) -> None:
    shutil.copytree(there, tmp_path / "forged")
    authority.init(tmp_path / "forged", [], [], now=datetime.now(UTC) + timedelta(days=1), force=True)
    forged = (tmp_path / "forged" / LISTS / "persons-1.crl").read_bytes()
    async with apart(there, far, tmp_path) as (platform, hospital, _):
        public = hospital.peers.public
        last = platform.trust.names["persons-1"]
        del hospital.trust._lists[last]

        async def said(code: str, path: str) -> Reply:
            return Reply(200, forged) if path.endswith("persons-1.crl") else await public(code, path)

        hospital.peers.public = said  # type: ignore[method-assign]  # somebody sits in between
        with pytest.raises(Untrusted, match="bad_list"):
            await freshness.fetch(hospital)
        assert last not in hospital.trust.lists
        hospital.peers.public = public  # type: ignore[method-assign]  # and is gone
        await freshness.fetch(hospital)
        assert last in hospital.trust.lists


async def test_who_shares_a_process_shares_the_folder(there: Path, tmp_path: Path) -> None:
    everybody: Embedded = embedded(tmp_path / "data", there)
    hospital, platform = everybody.sites[HOSPITAL], everybody.sites[PLATFORM]
    asked: list[str] = []

    async def public(_: str, path: str) -> Reply:
        asked.append(path)
        raise Unreachable("not needed")

    hospital.peers.public = public  # type: ignore[method-assign]  # nothing is asked for
    renewal.revoke(there, DOCTOR, Why.SUPERSEDED, now=datetime.now(UTC), passphrase=passphrase(there))
    async with everybody.running():
        for _ in range(100):
            await asyncio.sleep(0.05)
            print_ = hospital.trust.of(DOCTOR)[0]
            found = {site.trust.status(print_, now=site.clock()).answer for site in (hospital, platform)}
            if found == {Answer.REVOKED}:
                break
    assert found == {Answer.REVOKED}
    assert asked == []


async def test_a_responder_takes_up_its_new_certificates(there: Path, far: Path, tmp_path: Path) -> None:
    async with apart(there, far, tmp_path) as (platform, _, _):
        before = platform.responder
        freshness.look(platform)
        assert platform.responder is before
        platform.clock = lambda: datetime.now(UTC) + timedelta(days=20)
        freshness.look(platform)
        assert platform.responder is not before


async def test_lists_are_renewed_when_a_development_site_starts(there: Path, tmp_path: Path) -> None:
    late = datetime.now(UTC) + timedelta(days=100)
    app = build(settings(there, PLATFORM, tmp_path, passphrase(there)), clock=lambda: late)
    site: Site = app.state.site

    assert site.trust.status(site.keyring.seal.thumbprint, now=late).answer is Answer.VALID
    await site.peers.close()
    await asyncio.to_thread(site.db.close)


def test_what_the_authority_cannot_renew_keeps_a_development_site_from_starting(there: Path, tmp_path: Path) -> None:
    found = settings(there, PLATFORM, tmp_path, passphrase(there))
    (there / authority.PASSPHRASE_FILE).write_text("another")
    late = datetime.now(UTC) + timedelta(days=100)

    with pytest.raises(Unfit, match="cannot renew its lists"):
        build(found, clock=lambda: late)
    freshness.prepare(replace(found, mode="production"), late)  # production gets its lists from outside


def test_a_responder_s_file_under_another_passphrase_is_told(there: Path, tmp_path: Path) -> None:
    found = settings(there, PLATFORM, tmp_path, passphrase(there))
    locked.write(there / PLATFORM / OCSP_FILE, locked.lock({}, "another", owner=PLATFORM))

    with pytest.raises(Unfit, match="not locked with the passphrase"):
        freshness.begin(found, Trust.load(there))

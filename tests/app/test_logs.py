"""
The platform's log as it runs: published, cosigned by the sites, served to outsiders, and in alarm where it must be.
"""

from __future__ import annotations

import asyncio
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from log_world import (
    AREA,
    HOSPITAL,
    ORIGIN,
    PHARMACY,
    PLATFORM,
    actions,
    client,
    own,
    policy,
    reader,
    until,
    witnessed,
)

from rx_flow.app import Embedded, build, embedded
from rx_flow.auth.log import parties
from rx_flow.config import Directory, Kind, Settings, Unfit, read_guards
from rx_flow.crypto.tokens import access_token
from rx_flow.opening import components
from rx_flow.record.schema import upgrade
from rx_flow.tlog import checkpoint, merkle, proof, tiles, witness
from rx_flow.tlog.faults import Broken
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.verify import verify

AT = f"/platform/audit/{AREA}"


@asynccontextmanager
async def running(data: Path, keys: Path, *only: str) -> AsyncIterator[tuple[Embedded, httpx2.AsyncClient]]:
    all_of_them = embedded(data, keys, only=only)
    async with all_of_them.running(), client(all_of_them) as http:
        yield all_of_them, http


async def fetched(http: httpx2.AsyncClient, headers: dict[str, str], size: int) -> dict[str, bytes]:
    """Every file of a log of this size, as an auditor downloads them."""
    paths = [*(tile.path for tile in tiles.tiles_of(size)), "checkpoint"]
    found = {path: await http.get(f"{AT}/{path}", headers=headers) for path in paths}
    assert {path: answer.status_code for path, answer in found.items() if answer.status_code != 200} == {}
    return {path: answer.content for path, answer in found.items()}


async def test_the_sites_cosign_and_an_auditor_verifies_all_of_it_over_http(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys) as (all_of_them, http):
        signed = await witnessed(http, keys)
        assert {key.name.partition(".")[0] for key in signed.cosigned} == {HOSPITAL.lower(), PHARMACY.lower()}
        files = await fetched(http, reader(all_of_them), signed.checkpoint.size)
        report = verify(files.get, policy(keys))
        assert report.checkpoint is not None
        assert report.checkpoint.size >= signed.checkpoint.size
        assert "log_start" in actions(all_of_them)
        assert actions(all_of_them).count("read_log") == 1
        for code in (HOSPITAL, PHARMACY):
            assert actions(all_of_them, code).count("witness_new_log") >= 1
        health = (await http.get("/platform/healthz")).json()
        assert health == {"status": "ok", "code": PLATFORM}


async def test_a_stop_publishes_the_last_entry_and_the_next_start_goes_on(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys, PLATFORM) as (_, http):
        await until(lambda: size(http))
    async with running(tmp_path, keys, PLATFORM) as (all_of_them, http):
        await until(lambda: size(http, 4 + 3))  # what it goes by, and three of the log
        told = [one for one in actions(all_of_them) if one != "adopt"]
        assert told[:3] == ["log_start", "log_stop", "log_start"]
        (log,) = [one for one in (await http.get("/platform/audit/")).json()["logs"] if one["log"] == AREA]
        assert (log["origin"], log["prefix"], log["witnessed_size"]) == (ORIGIN, f"audit/{AREA}", 0)


async def size(http: httpx2.AsyncClient, least: int = 1) -> int | None:
    answer = await http.get(f"{AT}/checkpoint")
    if answer.status_code != 200:
        return None
    found = int(answer.text.splitlines()[1])
    return found if found >= least else None


async def test_what_is_open_and_what_is_for_auditors(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys, PLATFORM) as (all_of_them, http):
        await until(lambda: size(http))
        secret = all_of_them.sites[PLATFORM].keyring.access_token_secret
        now = all_of_them.sites[PLATFORM].clock()
        hospital = access_token(secret, HOSPITAL, PLATFORM, now=now, seconds=60)
        own_token = access_token(secret, PLATFORM, PLATFORM, now=now, seconds=60)

        async def status(path: str, token: str = "") -> tuple[int, str, str]:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            answer = await http.get(f"/platform/audit/{path}", headers=headers)
            return answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]

        text, octets, problem = "text/plain; charset=utf-8", "application/octet-stream", "application/problem+json"
        forever = "max-age=31536000, immutable"
        assert await status(f"{AREA}/checkpoint") == (200, text, "public, max-age=1")
        assert await status(f"{AREA}/tile/0/000.p/1") == (200, octets, f"public, {forever}")
        assert await status(f"{AREA}/proof/0") == (200, text, "public, max-age=1")
        assert await status(f"{AREA}/tile/entries/000.p/1") == (401, problem, "no-store")
        assert await status(f"{AREA}/tile/entries/000.p/1", hospital) == (403, problem, "no-store")
        assert await status(f"{AREA}/tile/entries/000.p/1", own_token) == (200, octets, f"private, {forever}")
        # A reader's token opens nothing else.
        token = reader(all_of_them)["authorization"].removeprefix("Bearer ")
        answer = await http.get("/platform/prescriptions?nominated=me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        for nowhere in (
            f"{AREA}/tile/0/000", f"{AREA}/tile/0/000.p/200", f"{AREA}/tile/9/000.p/1", f"{AREA}/tile/0/001.p/1",
            f"{AREA}/2/checkpoint", "999999/checkpoint", f"{AREA}/proof/99999", f"{AREA}/consistency/9999",
            f"{AREA}/consistency/1/9999",
        ):  # fmt: skip
            assert (await status(nowhere))[:2] == (404, problem), nowhere
        for wrong in (f"{AREA}/1/checkpoint", f"{AREA}/tile/0/0", f"{AREA}/tile/0/x000/000.p/0256", "x/checkpoint"):
            assert (await status(wrong))[0] in {404, 422}, wrong


async def test_proofs_are_what_others_tools_read(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys) as (all_of_them, http):
        first = await witnessed(http, keys)
        site = all_of_them.sites[PLATFORM]
        await http.post("/platform/oauth/token", content=b"a=b", headers={"content-type": "text/plain"})
        for _ in range(2):  # refusals are entries
            await http.get("/platform/prescriptions?nominated=me", headers=token_of(all_of_them, HOSPITAL))
        grown = await until(lambda: size(http, first.checkpoint.size + 2))
        files = await fetched(http, reader(all_of_them), grown)
        entries = tiles.entries(files[tiles.Tile(-1, 0, grown).path], grown)
        found = proof.read((await http.get(f"{AT}/proof/1")).content)
        proof.verify(found, merkle.leaf(entries[1]), Policy(logs=policy(keys).logs), origin=ORIGIN)
        between = await http.get(f"{AT}/consistency/{first.checkpoint.size}")
        asked = witness.read(between.content)
        newer = checkpoint.verify(asked.signed, policy(keys).logs).checkpoint
        old = (first.checkpoint.size, first.checkpoint.root)
        merkle.verify_consistency(old, (newer.size, newer.root), asked.proof)
        same = await http.get(f"{AT}/consistency/1/{first.checkpoint.size}")
        assert witness.read(same.content).old == 1
        assert site.logs is not None


def token_of(all_of_them: Embedded, code: str) -> dict[str, str]:
    site = all_of_them.sites[PLATFORM]
    token = access_token(site.keyring.access_token_secret, code, PLATFORM, now=site.clock(), seconds=60)
    return {"authorization": f"Bearer {token}"}


async def test_an_entry_is_followed_until_it_is_witnessed(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys) as (all_of_them, http):
        await witnessed(http, keys)
        headers = token_of(all_of_them, HOSPITAL)
        await http.get("/platform/prescriptions?nominated=me", headers=headers)
        about = f"{AT}/entries/institution:{HOSPITAL}"
        published = (await http.get(f"{about}/1/standing?wait=published&seconds=10", headers=headers)).json()
        assert published["standing"] in {"published", "witnessed"}
        assert published["proof"].startswith("c2sp.org/tlog-proof@v1\n")
        done = (await http.get(f"{about}/1/standing?wait=witnessed&seconds=20", headers=headers)).json()
        assert done["standing"] == "witnessed"
        assert set(done["witnesses"]) == {HOSPITAL, PHARMACY}
        policy(keys).verify(proof.read(done["proof"].encode()).checkpoint, origin=ORIGIN)
        for path, who in ((f"{about}/1", PHARMACY), (f"{about}/2", HOSPITAL)):
            answer = await http.get(f"{path}/standing", headers=token_of(all_of_them, who))
            assert answer.status_code == 404, path
        assert (await http.get(f"{about}/1/standing", headers=reader(all_of_them))).status_code == 200


async def test_an_entry_that_nobody_publishes_stays_recorded(keys: Path, tmp_path: Path) -> None:
    all_of_them = embedded(tmp_path, keys, only=[PLATFORM])  # not running: nothing sequences
    async with client(all_of_them) as http:
        headers = token_of(all_of_them, HOSPITAL)
        await http.get("/platform/prescriptions?nominated=me", headers=headers)
        at = f"{AT}/entries/institution:{HOSPITAL}/1/standing?wait=published&seconds=0.3"
        assert (await http.get(at, headers=headers)).json()["standing"] == "recorded"
        assert (await http.get(f"{AT}/checkpoint")).status_code == 404
    for site in all_of_them.sites.values():
        await asyncio.to_thread(site.db.close)


async def test_a_dead_witness_holds_nothing_up(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys, PLATFORM, PHARMACY) as (_, http):
        await until(lambda: size(http))

        async def one_has() -> bool | None:
            return "p35010000001" in (await http.get(f"{AT}/checkpoint")).text or None

        assert await until(one_has)
        with pytest.raises(Broken, match="quorum_not_met"):
            policy(keys).verify((await http.get(f"{AT}/checkpoint")).content)
        assert (await http.get("/platform/healthz")).json()["status"] == "ok"


async def test_too_long_a_backlog_answers_503_and_says_when_to_come_again(keys: Path, tmp_path: Path) -> None:
    async with running(tmp_path, keys, PLATFORM) as (all_of_them, http):
        all_of_them.sites[PLATFORM].db.hold(True)  # noqa: FBT003  A switch.
        headers = token_of(all_of_them, HOSPITAL)
        answer = await http.get("/platform/prescriptions?nominated=me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        all_of_them.sites[PLATFORM].db.hold(False)  # noqa: FBT003  A switch.
        answer = await http.get("/platform/prescriptions?nominated=me", headers=headers)
        assert answer.status_code == 403


async def test_a_log_whose_past_was_exchanged_is_refused_by_its_witnesses(keys: Path, tmp_path: Path) -> None:
    """Whoever owns the platform, its database, its guard and its key alike, still cannot show two histories."""
    async with running(tmp_path, keys) as (_, http):
        await witnessed(http, keys)
    forged = tmp_path / f"{PLATFORM}.db"
    forged.unlink()
    shutil.rmtree(tmp_path / "guards")
    async with running(tmp_path, keys) as (all_of_them, http):
        await until(lambda: size(http, 1))

        async def degraded() -> list[str] | None:
            health = (await http.get("/platform/healthz")).json()
            return health["alarms"] if health["status"] == "degraded" else None

        found = await until(degraded)
        assert any(f"{AREA}: witness" in one for one in found)
        while (await size(http) or 0) < 8:  # beyond what the witnesses hold: now the proof has to fail
            await http.get("/platform/prescriptions?nominated=me", headers=token_of(all_of_them, HOSPITAL))
            await asyncio.sleep(0.3)
        found = await until(lambda: refused(http), 40)
        assert any(code in " ".join(found) for code in (HOSPITAL, PHARMACY))
        denied = [code for code in (HOSPITAL, PHARMACY) if "cosign" in actions(all_of_them, code)]
        assert denied
        with pytest.raises(Broken, match="quorum_not_met"):
            policy(keys).verify((await http.get(f"{AT}/checkpoint")).content)


async def refused(http: httpx2.AsyncClient) -> list[str] | None:
    alarms: list[str] = (await http.get("/platform/healthz")).json().get("alarms", [])
    return alarms if any("refuses" in one for one in alarms) else None


async def test_a_restored_backup_degrades_the_platform_and_says_so(keys: Path, tmp_path: Path) -> None:
    database, copy = tmp_path / f"{PLATFORM}.db", tmp_path / "copy"
    async with running(tmp_path, keys, PLATFORM) as (_, http):
        await until(lambda: size(http))
    shutil.copyfile(database, copy)
    async with running(tmp_path, keys, PLATFORM) as (_, http):
        await until(lambda: size(http, 4 + 3))  # what it goes by, and three of the log
    shutil.copyfile(copy, database)
    async with running(tmp_path, keys, PLATFORM) as (all_of_them, http):

        async def degraded() -> dict[str, object] | None:
            health: dict[str, object] = (await http.get("/platform/healthz")).json()
            return health if health["status"] == "degraded" else None

        health = await until(degraded)
        assert "was signed" in str(health["alarms"])
        before = len(actions(all_of_them))
        await http.get("/platform/prescriptions?nominated=me", headers=token_of(all_of_them, HOSPITAL))
        assert len(actions(all_of_them)) == before + 1
        assert "log_alarm" in actions(all_of_them)


async def test_an_area_without_a_key_is_named_at_the_start(
    keys: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from rx_flow.record import audit  # noqa: PLC0415  for this alone
    from rx_flow.record.audit import Entry, Origin  # noqa: PLC0415  for this alone

    all_of_them = embedded(tmp_path, keys, only=[PLATFORM])
    site = all_of_them.sites[PLATFORM]
    await site.db.transact(audit.append, Entry(site.clock(), Origin(PLATFORM, ""), None, "look", within="110000"))
    async with all_of_them.running():
        pass
    assert "in no log, for there is no key: 110000" in caplog.text


def test_where_the_guard_lies(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file = Settings(PLATFORM, f"sqlite:///{tmp_path}/x.db", keys)
    on_server = Settings(PLATFORM, "postgresql+psycopg://u@h/n", keys)
    assert read_guards(on_file) == tmp_path / "guards" / "x"
    assert read_guards(on_server).parent == keys / PLATFORM / "guards"
    with pytest.raises(Unfit, match="RX_FLOW_GUARDS"):
        read_guards(Settings(PLATFORM, "postgresql+psycopg://u@h/n", keys, mode="production"))
    monkeypatch.setenv("RX_FLOW_GUARDS", str(tmp_path / "there"))
    assert read_guards(on_server) == tmp_path / "there" / PLATFORM
    assert read_guards(Settings(PLATFORM, "sqlite://", keys, guards=tmp_path)) == tmp_path


def test_a_policy_of_ones_own_chooses_witnesses_and_quorum(keys: Path, tmp_path: Path) -> None:
    folder = own(keys, tmp_path)
    directory = Directory.load(folder)
    hospital = next(one for one in parties.witnesses(folder, directory) if one.institution == HOSPITAL)
    file = folder / parties.POLICY_FILE
    file.write_text(f"witness h {hospital.key}\nquorum h\n")
    chosen, asked = parties.chosen(folder, directory)
    assert (chosen.quorum, [(one.name, one.institution) for one in asked]) == ("h", [("h", HOSPITAL)])
    other = str(parties.log_keys(folder, PLATFORM, AREA)[0])
    for wrong, why in ((f"witness h {other}\nquorum h\n", "not a policy"), ("quorum\n", "not a policy")):
        file.write_text(wrong)
        with pytest.raises(Unfit, match=why):
            parties.chosen(folder, directory)
    stranger = "w.example+7c4a4d2b+BPTOVGzVdmbyO46LtwlTgmwAXVOOQpdnrRRAmpTWlTGB"
    file.write_text(f"witness w {stranger}\nquorum w\n")
    with pytest.raises(Unfit):
        parties.chosen(folder, directory)


def test_whom_a_witness_believes(keys: Path, tmp_path: Path) -> None:
    folder = own(keys, tmp_path)
    directory = Directory.load(folder)

    def count(origin: str) -> int:
        return len(parties.trusted(folder, directory, HOSPITAL, origin))

    assert count(ORIGIN) == count(f"{ORIGIN}/2") == count("c35990000001.rx-flow.example/checkpoints") == 1
    for origin in (
        f"{ORIGIN}/1", f"{ORIGIN}/02", f"{ORIGIN}/2/3", "c35990000001.rx-flow.example/witness", "elsewhere.example/x",
        "c35990000001.rx-flow.example", "h35010000001.rx-flow.example/witness",
    ):  # fmt: skip
        assert count(origin) == 0, origin
    key = parties.log_keys(folder, PLATFORM, AREA)[0]
    foreign = type(key)("elsewhere.example/x", key.kind, key.public)
    (folder / HOSPITAL / parties.TRUSTED_FILE).write_text(f"log {foreign}\nquorum none\n")
    assert count("elsewhere.example/x") == 1
    (folder / "public" / f"{PLATFORM}.{AREA}.log.pub").write_text("rubbish")
    with pytest.raises(Unfit, match="cannot be read"):
        count(ORIGIN)


async def test_one_platform_alone_runs_its_log_too(keys: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    upgrade(url, components(Kind.PLATFORM))
    app = build(Settings(PLATFORM, url, keys))
    async with app.router.lifespan_context(app), client(app) as http:

        async def there() -> bytes | None:
            answer = await http.get(f"/audit/{AREA}/checkpoint")
            return answer.content if answer.status_code == 200 else None

        signed = await until(there)
        root = b64decode(signed.split(b"\n")[2])
        assert len(root) == 32
    app.state.site.db.close()

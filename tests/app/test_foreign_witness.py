"""
The witness protocol between the running services and a program by others, in both directions, over real HTTP.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import httpx2
from log_world import AREA, HOSPITAL, ORIGIN, PLATFORM, actions, client, own, served, until, witnessed
from others import SCRIPTS, aics_witness, program, ran

from rx_flow.app import embedded
from rx_flow.auth.log import parties
from rx_flow.config import Directory
from rx_flow.crypto.ed25519 import Seed
from rx_flow.tlog.checkpoint import Signed
from rx_flow.tlog.note import Key, Kind


async def grown(http: httpx2.AsyncClient, keys: Path, least: int) -> Signed:
    """The checkpoint of at least this size, once the quorum has cosigned it."""

    async def look() -> Signed | None:
        found = await witnessed(http, keys)
        return found if found.checkpoint.size >= least else None

    return await until(look)


async def degraded(http: httpx2.AsyncClient) -> list[str] | None:
    health = (await http.get("/platform/healthz")).json()
    return None if health["status"] == "ok" else list(health["alarms"])


async def test_a_foreign_witness_cosigns_what_the_running_platform_publishes(keys: Path, tmp_path: Path) -> None:
    """The policy names it by address beside a hospital of ours, and wants both."""
    folder = own(keys, tmp_path)
    logs = [key for name in parties.log_names(folder, PLATFORM) for key in parties.log_keys(folder, PLATFORM, name)]
    directory = Directory.load(folder)
    hospital = next(one for one in parties.witnesses(folder, directory) if one.institution == HOSPITAL)
    (tmp_path / "theirs").mkdir()
    with aics_witness(tmp_path / "theirs", *logs) as (port, theirs):
        wanted = (f"witness h {hospital.key}", f"witness t {theirs} http://127.0.0.1:{port}/", "group both all h t")
        (folder / parties.POLICY_FILE).write_text("\n".join([*wanted, "quorum both", ""]))
        data = tmp_path / "data"
        data.mkdir()
        for at_least in (1, 2):  # it grows with each start, and both have to see the old within the new
            all_of_them = embedded(data, folder, only=[PLATFORM, HOSPITAL])
            async with all_of_them.running(), client(all_of_them) as http:
                signed = await grown(http, folder, at_least)
                assert set(signed.cosigned) == {hospital.key, theirs}
                assert (await http.get("/platform/healthz")).json()["status"] == "ok"
        shutil.rmtree(data / "guards")
        (data / f"{PLATFORM}.db").unlink()
        all_of_them = embedded(data, folder, only=[PLATFORM])  # another history under the same key
        async with all_of_them.running(), client(all_of_them) as http:
            health = await until(lambda: degraded(http))
            assert [one for one in health if one.startswith(f"{AREA}: witness t ")], health
            assert ORIGIN in (await http.get(f"/platform/audit/{AREA}/checkpoint")).text


async def test_the_running_hospital_witnesses_a_foreign_log(keys: Path, tmp_path: Path) -> None:
    """First contact, growth, the same again, and three attempts at another history, by their log and their client."""
    python = program("bin/python")
    folder = own(keys, tmp_path)
    theirs = Key("foreign.example/log", Kind.LOG, Seed(b"\x09" * 32).public)
    (folder / HOSPITAL / parties.TRUSTED_FILE).write_text(f"log {theirs}\nquorum none\n")
    ours = next(one.key for one in parties.witnesses(folder, Directory.load(folder)) if one.institution == HOSPITAL)
    all_of_them = embedded(tmp_path, folder, only=[HOSPITAL])
    async with all_of_them.running(), served(all_of_them) as url:
        at = f"{url}{all_of_them.prefixes[HOSPITAL]}/witness"
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.post(f"{at}/add-checkpoint", content=b"")).status_code == 400
        done, said = await asyncio.to_thread(ran, python, str(SCRIPTS / "feeder.py"), at, str(ours))
        assert done, said
        assert said.split() == ["200", "200", "200", "422", "422", "409/700"]
        assert actions(all_of_them, HOSPITAL).count("witness_new_log") == 1

"""
Running sites hold their rows against their logs by themselves, each night; and say so where somebody asks after them.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from log_world import client, until
from sqlalchemy import text

from rx_flow.app import Embedded, embedded
from rx_flow.auth.log import nights
from rx_flow.auth.site import utc_now
from rx_flow.config import Settings, Unfit, read_reconcile
from rx_flow.law.standing import SHANGHAI
from rx_flow.record.audit import entries

CODES = ("H35010000001", "C35990000001", "P35010000001", "I35990000001")
SETTINGS = Settings("C35990000001", "sqlite:///x.db", Path("keys"))


class Clock:
    """The time as it is, until it is moved ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def night(self) -> None:
        """Go on to half past two of the next night."""
        here = self().astimezone(SHANGHAI)
        due = datetime.combine(here.date() + timedelta(days=1), time(2, 30), SHANGHAI)
        self.ahead += due - here


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the clock more often than each half minute."""
    monkeypatch.setattr(nights, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr("rx_flow.app.REST_SECONDS", 0.05)


def runs(all_of_them: Embedded, code: str) -> list[tuple[str, str]]:
    found = all_of_them.sites[code].db.look(entries, action="reconcile", limit=100)
    return [(one.content["outcome"], one.content["purpose"]) for one in reversed(found)]


async def done(all_of_them: Embedded, count: int) -> None:
    """Wait until every site has had so many nights."""

    async def look() -> bool | None:
        return all(len(runs(all_of_them, code)) >= count for code in CODES) or None

    await until(look)


async def test_every_site_does_so_once_a_night_and_says_what_it_found(keys: Path, tmp_path: Path) -> None:
    clock = Clock()
    all_of_them = embedded(tmp_path, keys, clock=clock)
    async with all_of_them.running(), client(all_of_them) as http:
        await asyncio.sleep(0.5)
        assert [runs(all_of_them, code) for code in CODES] == [[]] * 4  # nobody is slowed by a start
        clock.night()
        await done(all_of_them, 1)
        assert [runs(all_of_them, code)[0][0] for code in CODES] == ["ok"] * 4
        # Somebody enters a person at the insurer behind the service's back.
        insert = "INSERT INTO settlement_insured VALUES ('350100', 'stranger-1', '310', 'active', '2026-01-01')"
        all_of_them.sites["I35990000001"].db.run(lambda tx: tx.execute(text(insert)))
        clock.night()
        await done(all_of_them, 2)
        (outcome, said) = runs(all_of_them, "I35990000001")[1]
        assert outcome == "denied"
        assert said.endswith("1 amiss (insured_unlogged 1), first: settlement_insured 350100 stranger")

        async def degraded() -> dict[str, Any] | None:
            found: dict[str, Any] = (await http.get("/settlement/healthz")).json()
            return found if found["status"] == "degraded" else None

        (alarm,) = (await until(degraded))["alarms"]
        assert alarm.startswith("reconcile: rows are not as the log tells")
        assert (await http.get("/platform/healthz")).json()["status"] == "ok"


async def test_a_command_leaves_one_entry_and_names_the_rows(keys: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    all_of_them = embedded(data, keys)
    async with all_of_them.running():
        insert = (
            "INSERT INTO hospital_revocation VALUES ('350100', '350100-ZZZZZZZZZZZZZZZZ', 'x', 1, '2026-01-01', x'00')"
        )
        all_of_them.sites["H35010000001"].db.run(lambda tx: tx.execute(text(insert)))
        base = (
            sys.executable,
            "-m",
            "rx_flow",
            "audit",
            "reconcile",
            "--data",
            str(data),
            "--keys",
            str(keys),
            "--json",
        )
        for more, faults in (
            ((), set()),
            (("--documents",), set()),
            (("--site", "H35010000001", "--documents"), {"revocation_altered"}),
        ):
            ran = await asyncio.to_thread(subprocess.run, (*base, *more), capture_output=True, check=False)
            (log,) = json.loads(ran.stdout)["logs"]
            assert {one["fault"] for one in log["findings"]} == faults, ran.stderr
            assert ran.returncode == bool(faults)
        said = [one for _, one in runs(all_of_them, "C35990000001")]
        assert [one.partition(":")[0] for one in said] == ["on demand"] * 2
        assert all(one.endswith("looked at, in order") for one in said)
        ((outcome, words),) = runs(all_of_them, "H35010000001")
        assert outcome == "denied"
        assert "2 amiss (revocation_altered 2)" in words


async def test_a_site_that_is_told_to_does_not(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RX_FLOW_RECONCILE", "off")
    all_of_them = embedded(tmp_path, keys)
    async with all_of_them.running():
        assert [site.nightly for site in all_of_them.sites.values()] == [None] * 4
        assert all_of_them.sites["I35990000001"].troubles() == []


@pytest.mark.parametrize(
    ("environment", "setting", "at"),
    [("", "", time(2, 30)), ("04:15", "", time(4, 15)), ("04:15", "23:59", time(23, 59)), ("off", "", None),
     ("off", "00:00", time(0, 0)), (" 03:00 ", "", time(3, 0)), ("04:15", "off", None)],
)  # fmt: skip
def test_the_hour_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, environment: str, setting: str, at: time | None
) -> None:
    monkeypatch.setenv("RX_FLOW_RECONCILE", environment)
    assert read_reconcile(replace(SETTINGS, reconcile=setting)) == at


@pytest.mark.parametrize("given", ["never", "25:00", "2:30 am", "02:30:00"])
def test_an_hour_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("RX_FLOW_RECONCILE", given)
    with pytest.raises(Unfit, match="HH:MM, or off"):
        read_reconcile(SETTINGS)

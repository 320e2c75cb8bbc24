"""
`rx-flow demo`: plays every case and says what became of it. Exit code 1 if any ended otherwise than it should.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
import typer
from rich.console import Console

from rx_flow.app import Embedded
from rx_flow.cli.demo import insured, report, stage
from rx_flow.cli.demo.cases import CASES
from rx_flow.cli.demo.player import SECONDS_MAX, Played, Player
from rx_flow.cli.demo.stage import Stage
from rx_flow.cli.language import tr
from rx_flow.config import Kind

WITNESSED_SECONDS_MAX: Final = 10.0


def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option("--data", help=tr("空目录，默认新建 data/demo-时间", "an empty folder; a new one if none")),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("结果输出 JSON", "the result as JSON on stdout"))] = False,
) -> None:
    """Play, report, and leave with 1 if anything went otherwise than the script says."""
    began = time.monotonic()
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    folder = stage.folder(data, datetime.now(UTC))
    with screen.status(tr("正在生成密钥与数据库…", "making keys and databases ...")):
        clock, app = stage.prepare(folder)
    screen.print(tr(f"密钥与数据库已就绪：{folder}", f"keys and databases are ready in {folder}"))
    played, told = asyncio.run(_play(folder, clock, app, screen))
    if as_json:
        typer.echo(json.dumps(report.as_json(told), ensure_ascii=False, indent=1))
    else:
        report.show(told, folder, seconds=time.monotonic() - began)
    if not all(one.right for one in played):
        raise typer.Exit(1)


async def _play(
    folder: Path, clock: stage.Clock, app: Embedded, screen: Console
) -> tuple[list[Played], list[report.Told]]:
    async with stage.opened(folder, clock, app) as on, httpx2.AsyncClient(timeout=SECONDS_MAX) as client:
        screen.print(
            tr(f"{len(app.sites)} 个机构的服务已启动：{on.address}", f"{len(app.sites)} services run at {on.address}")
        )
        await insured.register(on)
        player = Player(on, client)
        played = [await _one(player, on, at, screen) for at in range(len(CASES))]
        told = [await report.told(on, one) for one in played]
        await _witnessed(on, client, screen)
        return played, told


async def _witnessed(on: Stage, client: httpx2.AsyncClient, screen: Console) -> None:
    """Wait for the witnesses, who are asked every few seconds, and say how far the audit log has come."""
    end = time.monotonic() + WITNESSED_SECONDS_MAX
    logs: list[dict[str, Any]] = []
    with screen.status(tr("等待见证人联署审计日志…", "waiting for the witnesses of the audit log ...")):
        while not logs or (any(one["witnessed_size"] < one["size"] for one in logs) and time.monotonic() < end):
            await asyncio.sleep(0.1)
            logs = (await client.get(f"{on.url(on.site(Kind.PLATFORM).code)}/audit/")).json()["logs"]
    size, seen = (sum(one[name] for one in logs) for name in ("size", "witnessed_size"))
    said = tr(f"审计日志：{size} 条，见证人已联署 {seen} 条", f"audit log: {size} entries, {seen} of them witnessed")
    screen.print(f"{said} (rx-flow audit verify --data {on.data})")


async def _one(player: Player, on: Stage, at: int, screen: Console) -> Played:
    case = CASES[at]
    title = tr(case.zh, case.en)
    with screen.status(title):
        played = await player.play(case, f"MZ{on.clock():%Y%m%d}-{at + 1:04d}")
    mark = "[green]✓[/]" if played.right else "[red]✗[/]"
    screen.print(f"{mark} {at + 1:2d}/{len(CASES)} {title}")
    if played.wrong:
        screen.print(f"      {played.wrong}", style="red", markup=False)
    elif not played.right:
        screen.print(f"      {played.state} ≠ {case.outcome}", style="red", markup=False)
    return played

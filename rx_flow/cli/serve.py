"""
`rx-flow serve`: run the services.
"""

from __future__ import annotations

import gc
import json
import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from rx_flow.app import build, embedded
from rx_flow.cli import sites
from rx_flow.cli.hardening import keep_memory_in
from rx_flow.cli.language import tr
from rx_flow.cli.sites import Data, Keys, Url
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory, Institution, Kind, Mode, Settings
from rx_flow.opening import components
from rx_flow.record.schema import upgrade

Host = Annotated[str, typer.Option(help=tr("监听地址", "the address to listen on"))]

app = typer.Typer(invoke_without_command=True)


@app.callback()
def serve(
    context: typer.Context,
    *,
    data: Data = Path("data"),
    keys: Keys = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help=tr("端口", "the port"))] = 8000,
) -> None:
    """Run everybody in one process, where no institution is named."""
    if context.invoked_subcommand is not None:
        return
    keep_memory_in("development")
    all_of_them = embedded(data, sites.keys_of(data, keys))
    typer.echo(tr(f"数据目录 {data}；接口文档：", f"data in {data}; pages of the services:"), err=True)
    for code, prefix in all_of_them.prefixes.items():
        typer.echo(f"  {code}  http://{host}:{port}{prefix}/docs", err=True)
    run(all_of_them, host=host, port=port)


def _alone(kind: Kind) -> None:
    """Declare `serve KIND CODE`, the same for each kind."""

    @app.command(
        kind.value,
        help=tr(
            f"单独启动一个机构（{kind}）；其他机构按名录地址或 --peers 访问。\n\n"
            f"例：rx-flow serve {kind} {_EXAMPLES[kind]} --data data --peers peers.json",
            f"Run one {kind} alone; it reaches the others by the directory's addresses, or those of --peers.\n\n"
            f"Example: rx-flow serve {kind} {_EXAMPLES[kind]} --data data --peers peers.json",
        ),
    )
    def one(
        code: Annotated[str, typer.Argument(help=tr("机构代码", "the institution's national code"))],
        *,
        data: Data = Path("data"),
        keys: Keys = None,
        peers: Annotated[
            Path | None, typer.Option(help=tr("JSON：机构代码到地址", 'JSON: {"C35990000001": "https://..."}'))
        ] = None,
        database_url: Url = None,
        production: Annotated[
            bool, typer.Option("--production", help=tr("生产模式：拒绝开发密钥", "refuse development keys"))
        ] = False,
        host: Host = "127.0.0.1",
        port: Annotated[int | None, typer.Option(help=tr("端口，默认取自名录", "the directory's if none"))] = None,
    ) -> None:
        folder = sites.keys_of(data, keys)
        me = _of_kind(Directory.load(folder), code, kind)
        mode: Mode = "production" if production else "development"
        settings = Settings(me.code, sites.made(data, me, database_url), folder, mode=mode, urls=_peers(peers))
        if mode == "development" and database_url is None:
            upgrade(settings.database_url, components(kind))
        at = port or _port(me.url)
        typer.echo(tr(f"数据目录 {data}；接口文档：", f"data in {data}; pages of the service:"), err=True)
        typer.echo(f"  {code}  http://{host}:{at}/docs", err=True)
        keep_memory_in(mode)  # before there is a key in it
        run(build(settings), host=host, port=at)


_EXAMPLES = {
    Kind.HOSPITAL: "H35010000001",
    Kind.PLATFORM: "C35990000001",
    Kind.PHARMACY: "P35010000001",
    Kind.SETTLEMENT: "I35990000001",
}
for _kind in Kind:
    _alone(_kind)


def run(application: Any, *, host: str, port: int) -> None:  # noqa: ANN401  Any ASGI application.
    """Serve until interrupted; requests are recorded in the audit log, so that no access log is kept beside it."""
    logging.getLogger("rx_flow").setLevel(logging.INFO)
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    gc.collect()
    gc.freeze()  # What is loaded stays: looking through it again and again takes a fifteenth of the CPU time.
    with _listening(host, port) as listener, suppress(KeyboardInterrupt):  # uvicorn passes Ctrl-C on once all is closed
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        if not server.started:
            raise Trouble("cannot_start", tr("服务未能启动", "the services did not start"))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError:
        title = tr("无法监听该地址，端口可能已被占用", "this address cannot be listened on: is the port taken?")
        raise Trouble("cannot_start", title, f"{host}:{port}") from None


def _of_kind(known: Directory, code: str, kind: Kind) -> Institution:
    found = sites.institution(known, code)
    if found.kind is not kind:
        raise Trouble(
            "not_found", tr("该机构不是这一类", "the institution is of another kind"), f"{code}: {found.kind}"
        )
    return found


def _port(url: str) -> int:
    host = url.split("//", 1)[-1].split("/", 1)[0]
    port = host.rpartition(":")[2]
    return int(port) if port.isdigit() else 8000


def _peers(path: Path | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    try:
        found = json.loads(path.read_text("utf-8"))
        return tuple((str(code), str(url)) for code, url in found.items())
    except (OSError, ValueError, AttributeError):
        raise Trouble("malformed", tr("地址文件无法读取", "the file of addresses cannot be read"), str(path)) from None

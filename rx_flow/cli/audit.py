"""
`rx-flow audit`: every command that reads, verifies, exports or runs a log is assembled here.
"""

from __future__ import annotations

import typer

from rx_flow.cli.auditing import export, listing, operating, telling, verify
from rx_flow.cli.language import tr

app = typer.Typer(no_args_is_help=True, help=tr("查询审计日志", "Read the audit log."))

listing.add_to(app)
telling.add_to(app)
app.command(
    "verify",
    help=tr(
        "核验整个日志：每条记录、瓦片、根、签名、联署、历史检查点、处方链，以及业务数据是否与日志一致；说明哪些未检查。\n\n"
        "例：rx-flow audit verify --data data\n\n"
        "例：rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
        "Verify whole logs: every entry, tile, root, signature, cosignature, earlier checkpoints, each prescription's "
        "chain, and whether the rows agree; says what was not checked.\n\nExample: rx-flow audit verify --data data\n\n"
        "Example: rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
    ),
)(verify.check)
app.command(
    "export",
    help=tr(
        "把各统筹区的日志导出为静态文件（C2SP tlog-tiles），可用他人的工具核验。\n\n"
        "例：rx-flow audit export out --data data",
        "Write every area's log as static files (C2SP tlog-tiles), which other people's tools verify.\n\n"
        "Example: rx-flow audit export out --data data",
    ),
)(export.export)
app.command(
    "bundle",
    help=tr(
        "导出一条、一张处方或一段时间的记录及其证明、检查点、核验说明；导出本身也记入日志。\n\n"
        "例：rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip --format csv --data data",
        "Entries of one prescription, one entry or a time range, with proofs, the checkpoint and how to verify them; "
        "the export itself is logged.\n\nExample: rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip",
    ),
)(export.bundle)
app.command(
    "reconcile",
    help=tr(
        "逐行对照业务数据与日志，指出绕过程序的改动（改、删、插）；各服务每晚自行核对一次"
        "（RX_FLOW_RECONCILE=HH:MM 或 off，默认 02:30）。\n\n例：rx-flow audit reconcile --documents --data data",
        "Hold the rows against the log, and name whatever was changed behind the application; each service does so by "
        "itself once a night (RX_FLOW_RECONCILE=HH:MM or off; 02:30 unless set).\n\n"
        "Example: rx-flow audit reconcile --documents --data data",
    ),
)(verify.compare)
operating.add_to(app)

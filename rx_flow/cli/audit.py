"""
`rx-flow audit`: every command that reads, verifies, exports or runs a log is named here.
"""

from __future__ import annotations

import typer

from rx_flow.cli.later import declare

app = typer.Typer(no_args_is_help=True)
declare(
    app,
    "list",
    "rx_flow.cli.auditing.listing:list_",
    zh="按处方、人员、机构、患者假名、动作、结果、代码、时间、追踪号任意组合查询审计记录，新的在前；查询本身也记入日志"
    "。\n\n例：rx-flow audit list --data data --person D350100000001 --since 2026-11-01 --outcome denied",
    en="List entries by any combination of prescription, person, institution, patient's pseudonym, action, outcome, "
    "code, time and trace, the newest first; that you asked is itself an entry.\n\n"
    "Example: rx-flow audit list --data data --person D350100000001 --since 2026-11-01 --outcome denied",
)
declare(
    app,
    "show",
    "rx_flow.cli.auditing.listing:show",
    zh="一张处方的完整经过，由旧到新。\n\n例：rx-flow audit show 350100-0123456789ABCDEF --data data",
    en="The whole story of one prescription, the oldest first, with the digests of documents and entries.\n\n"
    "Example: rx-flow audit show 350100-0123456789ABCDEF --data data",
)
declare(
    app,
    "denied",
    "rx_flow.cli.auditing.listing:denied",
    zh="被拒绝的操作：谁、何时、做什么、为何。\n\n例：rx-flow audit denied --data data --since 2026-11-23",
    en="Attempts that were refused: who, when, what and why.\n\n"
    "Example: rx-flow audit denied --data data --since 2026-11-23",
)
declare(
    app,
    "accesses",
    "rx_flow.cli.auditing.listing:accesses",
    zh="谁看过一名患者的处方。证件号从标准输入读取或在终端询问（如 01 110101199001011237），绝不写在命令行里。\n\n"
    "例：rx-flow audit accesses --data data < 证件号文件",
    en="Who has read of a patient's prescriptions. The identity number is asked for, or read from stdin (such as 01 "
    "110101199001011237); never on the command line.\n\nExample: rx-flow audit accesses --data data < file",
)
declare(
    app,
    "timeline",
    "rx_flow.cli.auditing.telling:timeline",
    zh="用文字逐条讲述一张处方的经过，分别注明文书签名、日志收录、见证人（几分之几）；无法确定的会说明。\n\n"
    "例：rx-flow audit timeline 350100-0123456789ABCDEF --signatures --data data",
    en="Tell the way of a prescription in words, with separate marks for signature, inclusion in the log and "
    "witnesses; what cannot be determined says so.\n\n"
    "Example: rx-flow audit timeline 350100-0123456789ABCDEF --signatures --data data",
)
declare(
    app,
    "report",
    "rx_flow.cli.auditing.telling:report",
    zh="一天的事件报告：按代码和人员统计的拒绝、口令锁定、密钥口令错误、吊销、告警、缺漏、迟到记录、无后续的查阅。\n\n"
    "例：rx-flow audit report 2026-11-23 --data data",
    en="The report of a day: refusals by code and person, PIN locks, wrong passphrases, revocations, alarms, gaps, "
    "late entries, and reads without a step.\n\nExample: rx-flow audit report 2026-11-23 --data data",
)
declare(
    app,
    "gaps",
    "rx_flow.cli.auditing.telling:gaps",
    zh="缺漏与迟到的记录，默认最近 31 天。\n\n例：rx-flow audit gaps --since 2026-11-01 --data data",
    en="Entries that are missing, wait too long, or came late; of the last 31 days unless told otherwise.\n\n"
    "Example: rx-flow audit gaps --since 2026-11-01 --data data",
)
declare(
    app,
    "verify",
    "rx_flow.cli.auditing.verify:check",
    zh="核验整个日志：每条记录、瓦片、根、签名、联署、历史检查点、处方链，以及业务数据是否与日志一致；说明哪些未检查。"
    "\n\n例：rx-flow audit verify --data data\n\n"
    "例：rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
    en="Verify whole logs: every entry, tile, root, signature, cosignature, earlier checkpoints, each prescription's "
    "chain, and whether the rows agree; says what was not checked.\n\nExample: rx-flow audit verify --data data\n\n"
    "Example: rx-flow audit verify --tree export/350100 --policy policy.txt --saved kept/",
)
declare(
    app,
    "export",
    "rx_flow.cli.auditing.export:export",
    zh="把各统筹区的日志导出为静态文件（C2SP tlog-tiles），可用他人的工具核验。\n\n"
    "例：rx-flow audit export out --data data",
    en="Write every area's log as static files (C2SP tlog-tiles), which other people's tools verify.\n\n"
    "Example: rx-flow audit export out --data data",
)
declare(
    app,
    "bundle",
    "rx_flow.cli.auditing.export:bundle",
    zh="导出一条、一张处方或一段时间的记录及其证明、检查点、核验说明；导出本身也记入日志。\n\n"
    "例：rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip --format csv --data data",
    en="Entries of one prescription, one entry or a time range, with proofs, the checkpoint and how to verify them; "
    "the export itself is logged.\n\nExample: rx-flow audit bundle --rx 350100-0123456789ABCDEF --out rx.zip",
)
declare(
    app,
    "reconcile",
    "rx_flow.cli.auditing.verify:compare",
    zh="逐行对照业务数据与日志，指出绕过程序的改动（改、删、插）；各服务每晚自行核对一次（RX_FLOW_RECONCILE=HH:MM 或 "
    "off，默认 02:30）。\n\n例：rx-flow audit reconcile --documents --data data",
    en="Hold the rows against the log, and name whatever was changed behind the application; each service does so by "
    "itself once a night (RX_FLOW_RECONCILE=HH:MM or off; 02:30 unless set).\n\n"
    "Example: rx-flow audit reconcile --documents --data data",
)
declare(
    app,
    "status",
    "rx_flow.cli.auditing.operating:status",
    zh="各日志的来源名、规模、检查点、见证人、待编号记录和告警；有告警时退出码为 1。\n\n"
    "例：rx-flow audit status --data data",
    en="Each log's origin, size, last checkpoint, witnesses, backlog and alarm; exit code 1 where there is an "
    "alarm.\n\nExample: rx-flow audit status --data data",
)
declare(
    app,
    "vkey",
    "rx_flow.cli.auditing.operating:vkey",
    zh="以签名便笺格式打印日志（每个来源名）与见证人的验证密钥；--policy 打印完整的见证策略文件。\n\n"
    "例：rx-flow audit vkey --data data --policy",
    en="Print the verifier keys of logs, under every origin, and of witnesses in the note format; with --policy, the "
    "whole tlog-policy file.\n\nExample: rx-flow audit vkey --data data --policy",
)
declare(
    app,
    "new-origin",
    "rx_flow.cli.auditing.operating:new_origin",
    zh="日志不能再签时启用新的来源名（纪元）；首条记录写明旧来源名的最后一个检查点。没有告警时须加 --force。\n\n"
    "例：rx-flow audit new-origin 350100 --data data",
    en="Open a new origin (epoch) for a log that is not signed any more; its first entry names the old one's last "
    "checkpoint. Without an alarm --force is needed.\n\nExample: rx-flow audit new-origin 350100 --data data",
)
declare(
    app,
    "reader",
    "rx_flow.cli.auditing.granting:reader",
    zh="为审计人员签发读取审计记录的令牌，并写入审计日志。\n\n例：rx-flow audit reader chen --days 7 --data data",
    en="Make a token with which an auditor reads entries, on the record.\n\n"
    "Example: rx-flow audit reader chen --days 7 --data data",
)

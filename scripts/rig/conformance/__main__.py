"""
`scripts/conformance`: run the batteries and say of every case what became of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from rx_flow.cli.language import LANGUAGE, Language, tr
from scripts.rig.conformance import report
from scripts.rig.conformance.batteries import BATTERIES, at_hand, judge, missing
from scripts.rig.conformance.ours import Ours

_ROOT = Path(__file__).resolve().parents[3]
_PAGES: dict[Language, str] = {"en": "README.md", "zh": "README.zh.md"}
_FAILED, _NOT_RUN = 1, 2


def main() -> int:
    """
    Return 0 when every battery was run and no answer was wrong, 1 for a wrong one, 2 when something was not run.
    """
    asked = _arguments()
    folder: Path | None = asked.vectors
    chosen = [one for one in BATTERIES if not asked.only or one.name in asked.only]
    absent = missing(chosen, folder)
    results = judge([one for one in chosen if one in at_hand(folder)], Ours(), folder)
    if asked.json:
        print(json.dumps(report.machine(results, absent), ensure_ascii=False, indent=1))
    else:
        print(report.table(results, LANGUAGE))
    failed = any(one.failed for one in results)
    if failed:
        print(report.failures(results), file=sys.stderr)
    if absent:
        print(report.needed(absent, LANGUAGE), file=sys.stderr)
    if asked.readme and not failed and not absent and not asked.only:
        for language, page in _PAGES.items():
            report.write(_ROOT / page, results, language)
    if failed:
        return _FAILED
    return _NOT_RUN if absent else 0


def _arguments() -> argparse.Namespace:
    named = os.environ.get("RX_FLOW_VECTORS")
    parser = argparse.ArgumentParser(
        prog="scripts/conformance",
        description=tr(
            "用他人公布的测试向量检验本项目自己的函数，每个用例都有交代。",
            "Runs test vectors made by others against our own functions, and accounts for every case.",
        ),
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        default=Path(named) if named else None,
        metavar="DIR",
        help=tr("测试向量所在文件夹（或用 RX_FLOW_VECTORS）", "the folder of vectors (or RX_FLOW_VECTORS)"),
    )
    parser.add_argument("--json", action="store_true", help=tr("输出 JSON", "print JSON, every verdict in it"))
    parser.add_argument(
        "--readme",
        action="store_true",
        help=tr("全部通过时更新 README 中的表格", "bring the tables in the README up to date, if all is well"),
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[one.name for one in BATTERIES],
        metavar="BATTERY",
        help=tr("只运行这一用例集（可重复）", "run this battery alone (may be repeated)"),
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

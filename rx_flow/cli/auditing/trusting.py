"""
By which keys a site's own log is judged where no policy is given: its own, and those of the province's witnesses.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from rx_flow.auth.log import parties
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory
from rx_flow.platform.log import reading
from rx_flow.record.log import checkpoints
from rx_flow.record.log.store import Log
from rx_flow.tlog.policy import NONE, Policy


def province(keys: Path, known: Directory, code: str, log: Log) -> Policy:
    """
    Return the log's keys with the province's witnesses and their quorum; `Trouble` where the log's key is missing.
    """
    logs = parties.log_keys(keys, code, log.name, log.epoch)
    if not logs:
        raise Trouble("not_found", tr("找不到日志公钥", "the log's public key is missing"), f"{code}.{log.name}")
    return parties.chosen(keys, known, logs)[0]


def trusting(tx: Connection, log: Log, whole: Policy) -> Policy:
    """
    Return `whole` where the newest checkpoint has its quorum; else a policy that asks for no witness.

    The witnesses are a few seconds behind the log: that alone is nothing wrong.
    """
    newest = checkpoints.last(tx, log.name, log.epoch)
    if newest is not None and reading.is_witnessed(newest, whole):
        return whole
    return Policy(logs=whole.logs, quorum=NONE)

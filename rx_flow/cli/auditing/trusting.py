"""
By which keys a site's own log is judged: those of a given policy, or its own with the province's witnesses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from rx_flow.auth.log import parties
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Directory, log_domain
from rx_flow.platform.log import reading
from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.store import FIRST_EPOCH, Log
from rx_flow.tlog.note import Key
from rx_flow.tlog.policy import NONE, Policy


def province(keys: Path, known: Directory, code: str, log: Log) -> Policy:
    """
    Return the log's keys with the province's witnesses and their quorum; `Trouble` where the log's key is missing.
    """
    logs = parties.log_keys(keys, code, log.name, log.epoch)
    if not logs:
        raise Trouble("not_found", tr("找不到日志公钥", "the log's public key is missing"), f"{code}.{log.name}")
    return parties.chosen(keys, known, logs)[0]


def given(policy: Policy, code: str, log: Log) -> Policy:
    """
    Return a policy for one epoch of a platform's log: of its keys, those that the policy names for any epoch of it.

    A policy names a public key once (c2sp.org/tlog-policy), and a log keeps its key when it begins a new origin.
    """
    first = store.origin_of(log_domain(code), log.name, FIRST_EPOCH)
    here = store.origin_of(log_domain(code), log.name, log.epoch)
    mine = (key for key in policy.logs if key.name == first or key.name.removeprefix(f"{first}/").isdigit())
    return replace(policy, logs=tuple(Key(here, key.kind, key.public) for key in mine))


def bare(policy: Policy) -> Policy:
    """
    Return the policy of the same logs that asks for no witness.
    """
    return Policy(logs=policy.logs, quorum=NONE)


def trusting(tx: Connection, log: Log, whole: Policy) -> Policy:
    """
    Return `whole` where the newest checkpoint has its quorum; else a policy that asks for no witness.

    The witnesses are a few seconds behind the log: that alone is nothing wrong.
    """
    newest = checkpoints.last(tx, log.name, log.epoch)
    return whole if newest is not None and reading.cosigned(newest, whole).quorum else bare(whole)

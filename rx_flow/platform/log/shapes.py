"""
What the doors to the logs answer with, where it is JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from rx_flow.platform.log.reading import Listed, Standing, Stands
from rx_flow.platform.wire import local
from rx_flow.tlog.note import Key

_ORIGIN = "c35990000001.rx-flow.example/350100"


class LogListed(BaseModel):
    """One epoch of a log."""

    log: str = Field(examples=["350100"])
    epoch: int = Field(examples=[1])
    origin: str = Field(examples=[_ORIGIN])
    prefix: str = Field(examples=["audit/350100"], description="文件所在路径 / where its files are")
    vkeys: list[str] = Field(description="验证密钥，最新在后 / verifier keys, the newest last")
    size: int = Field(description="最新检查点的规模 / of the newest checkpoint", examples=[1024])
    signed_at: datetime | None
    witnessed_size: int = Field(
        description="最新的、达到见证法定数的规模 / of the newest that is witnessed", examples=[1000]
    )
    backlog: int = Field(description="待编号记录数 / entries that wait for a number", examples=[0])

    @classmethod
    def of(cls, one: Listed, keys: Iterable[Key]) -> Self:
        """Say it of a log."""
        suffix = f"{one.name}/{one.epoch}" if one.epoch > 1 else one.name
        return cls(
            log=one.name,
            epoch=one.epoch,
            origin=one.origin,
            prefix=f"audit/{suffix}",
            vkeys=[str(key) for key in keys],
            size=one.signed.size if one.signed else 0,
            signed_at=local(one.signed.signed_at) if one.signed else None,
            witnessed_size=one.witnessed.published.size if one.witnessed else 0,
            backlog=one.backlog,
        )


class LogList(BaseModel):
    """Every log, by whom it is witnessed, and what is wrong."""

    logs: list[LogListed]
    policy: str = Field(description="c2sp.org/tlog-policy")
    alarms: list[str]


class LogEntry(BaseModel):
    """How far an entry has come."""

    standing: Standing
    recorded_at: datetime
    origin: str | None = Field(examples=[_ORIGIN])
    index: int | None = Field(description="在该日志中的序号 / in its log", examples=[17])
    size: int | None = Field(description="覆盖它的检查点 / of the checkpoint that covers it", examples=[1024])
    witnesses: list[str] = Field(examples=[["H35010000001", "P35010000001"]])
    proof: str | None = Field(description="c2sp.org/tlog-proof")

    @classmethod
    def of(cls, one: Stands) -> Self:
        """Say it of an entry."""
        return cls(
            standing=one.standing,
            recorded_at=local(one.recorded_at),
            origin=one.origin,
            index=one.index,
            size=one.size,
            witnesses=list(one.witnesses),
            proof=one.proof,
        )

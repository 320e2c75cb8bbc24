"""
What hospital and pharmacy show alike: a reviewer's findings, and the documents of a dossier that somebody opened.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rx_flow.auth.doors import Digest
from rx_flow.crypto.documents import Document
from rx_flow.law.review import Finding
from rx_flow.law.standing import SHANGHAI


def examples(*found: dict[str, Any]) -> ConfigDict:
    """Return a model's configuration with examples for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": list(found)})


class FindingOut(BaseModel):
    """
    One thing that a reviewer should know; `line` is null for the whole prescription.
    """

    check: str = Field(examples=["duration"])
    severity: str = Field(examples=["warning"])
    line: int | None
    text_zh: str
    text_en: str

    @classmethod
    def of(cls, one: Finding) -> FindingOut:
        """Return a finding as it is shown."""
        return cls(check=one.check, severity=one.severity, line=one.line, text_zh=one.text_zh, text_en=one.text_en)


class DocumentOut(BaseModel):
    """
    One document of the dossier, opened and verified.
    """

    seq: int
    document: Digest
    doc: str = Field(examples=["opinion1"])
    at: datetime
    by: str = Field(examples=["HY350100000001"])
    body: dict[str, Any]

    @classmethod
    def of(cls, one: Document) -> DocumentOut:
        """Return a document as it is shown."""
        return cls(
            seq=one.seq, document=one.digest, doc=one.doc, at=one.at.astimezone(SHANGHAI), by=one.by, body=one.body
        )

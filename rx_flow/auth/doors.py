"""
What may come in through a door: the strict base of every request model, and the texts and numbers they are made of.

JSON is taken as it stands: no unknown field, no conversion, no control character.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

_V = TypeVar("_V")
# No C0, DEL, C1, no line or paragraph separators; the same pattern is published in the OpenAPI document.
_PLAIN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_SPOKEN: Final = r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]*$"
_CONTROLS: Final = re.compile(r"[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]")


def _plain(value: _V) -> _V:
    """Refuse control characters wherever a text stands, also where a model forgot to say so."""
    if isinstance(value, str):
        if _CONTROLS.search(value):
            raise ValueError("control characters")
    elif isinstance(value, list | tuple):
        for each in value:
            _plain(each)
    return value


class Strict(BaseModel):
    """
    Base of every request body: what is not declared is refused, nothing is converted, no text holds control characters.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Nothing of a request shows in a log or a traceback: it holds PINs, passwords, and who is ill with what."""
        return []

    @field_validator("*", mode="after")
    @classmethod
    def _plain_texts(cls, value: _V, info: ValidationInfo) -> _V:
        """Look at what no pattern has looked at; a package is long, and looking twice costs as much as reading it."""
        field = cls.model_fields[info.field_name or ""]
        return value if any(getattr(one, "pattern", None) for one in field.metadata) else _plain(value)


_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)


def _moment(value: object) -> str:
    """RFC 3339 only: a number, in JSON or as the text of a query, would be taken for seconds since 1970."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be RFC 3339 with its offset")
    return value


def _whole_day(value: object) -> str:
    """A calendar day only: `date` would also take a moment at midnight or a number of seconds."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("must be YYYY-MM-DD")
    return value


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
        raise ValueError("must be a decimal number as text")
    return Decimal(value)


Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_PLAIN)]  # a code, a unit, a number
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]  # a name
Reason = Annotated[str, StringConstraints(max_length=1000, pattern=_SPOKEN)]  # free words; lines may be broken
Pin = Annotated[str, StringConstraints(pattern=r"^[0-9]{6,12}$"), Field(examples=["482915"])]
Rx = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{6}-[0-9A-HJKMNP-TV-Z]{16}$"), Field(examples=["350100-7M2K9Q4T1V8B3XHR"])
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(examples=["9f86d081884c7d65" * 4])]
InstitutionCode = Annotated[str, StringConstraints(pattern=r"^[CHIP][0-9]{11}$"), Field(examples=["P35010000001"])]
PersonCode = Annotated[str, StringConstraints(pattern=r"^(D|HY)[0-9]{12}$"), Field(examples=["D350100000001"])]
AreaCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(examples=["350100"])]
Package = Annotated[str, StringConstraints(min_length=2, max_length=200_000, pattern=r"^\{[\u0020-\u007e]*\}$")]
Fen = Annotated[int, Field(ge=0, le=100_000_000_00, examples=[129_000])]
Count = Annotated[int, Field(ge=1, le=100_000, examples=[1])]
# Strict takes Python's own types; in JSON these are texts, of exactly one form.
Day = Annotated[date, Field(strict=False, examples=["2026-11-23"]), BeforeValidator(_whole_day)]
Moment = Annotated[AwareDatetime, Field(strict=False, examples=["2026-11-23T09:30:00+08:00"]), BeforeValidator(_moment)]
Dose = Annotated[
    Decimal,
    BeforeValidator(_decimal, json_schema_input_type=Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]),
    Field(examples=["80.5"]),
]

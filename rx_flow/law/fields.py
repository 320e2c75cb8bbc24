"""
Checks of single fields, shared by the values of a prescription. A refusal names the field and never its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from rx_flow.law.refusals import Code, Refused

JSON: TypeAlias = bool | int | str | list["JSON"] | dict[str, "JSON"] | None

AREA = re.compile(r"[1-9][0-9]{5}")
HOSPITAL = re.compile(r"H[0-9]{11}")
DOCTOR = re.compile(r"D[0-9]{12}")
DRUG = re.compile(r"[A-Z0-9]{23}")
ID_TYPE = re.compile(r"[0-9]{2}")
RESIDENT_CARD = re.compile(r"[0-9]{17}[0-9X]")
OTHER_CARD = re.compile(r"[0-9A-Z()-]{4,30}")
SEX = re.compile(r"[12]")
NUMBER = re.compile(r"[0-9A-Za-z._-]{1,40}")
ICD10 = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Za-z]{1,8})?[+*]?")
# GB 11643-1999: weights of the first 17 digits, and the check character by the remainder modulo 11.
_CARD_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CARD_CHECKS = "10X98765432"
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def malformed(field: str) -> NoReturn:
    """Refuse `field`, whose content stays unsaid: it could be personal."""
    raise Refused(Code.MALFORMED, field)


def exactly(body: object, names: Iterable[str], field: str) -> Mapping[str, Any]:
    """Return `body` as a mapping that has these names and no other; name what is missing, never what is extra."""
    if not isinstance(body, Mapping):
        malformed(field)
    wanted = {*names}
    if body.keys() != wanted:
        missing = sorted(wanted - body.keys())
        malformed(f"{field}.{missing[0]}" if missing else f"{field}: unknown field")
    return body


def items(value: object, field: str) -> list[Any]:
    """Return a JSON array."""
    if not isinstance(value, list):
        malformed(field)
    return value


def text(value: object, field: str, *, most: int = 100) -> None:
    """One line of 1 to `most` characters, without control characters and without blanks at its ends."""
    if not isinstance(value, str) or not 1 <= len(value) <= most or value != value.strip() or not value.isprintable():
        malformed(field)


def shaped(value: object, field: str, pattern: re.Pattern[str]) -> None:
    """Text that `pattern` matches from end to end."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        malformed(field)


def whole(value: object, field: str, *, least: int, most: int) -> None:
    """A whole number within both bounds; a truth value is not a number."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        malformed(field)


def truth(value: object, field: str) -> None:
    """True or false, nothing that merely resembles it."""
    if not isinstance(value, bool):
        malformed(field)


def aware(value: object, field: str) -> None:
    """An instant that says its offset, before the last year of the calendar: the days after it can be counted."""
    if not isinstance(value, datetime) or value.utcoffset() is None or value.year == MAXYEAR:
        malformed(field)


def day(value: object, field: str) -> None:
    """A calendar day, which an instant is not."""
    if not isinstance(value, date) or isinstance(value, datetime):
        malformed(field)


def card_agrees(number: str, birth: date, sex: str) -> bool:
    """
    Whether an identity number (居民身份证号码) agrees with its check character, day of birth and sex (GB 11643).
    """
    digits = number[:17]
    total = sum(weight * int(digit) for weight, digit in zip(_CARD_WEIGHTS, digits, strict=True))
    return (
        _CARD_CHECKS[total % 11] == number[17]
        and digits[6:14] == birth.isoformat().replace("-", "")
        and int(sex) % 2 == int(digits[16]) % 2
    )


def decimal(value: object, field: str) -> None:
    """A decimal above zero with at most nine digits before and six after the point."""
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0 or not _DECIMAL.fullmatch(f"{value:f}"):
        malformed(field)


def read_decimal(value: object, field: str) -> Decimal:
    """Read a decimal from its text, without sign or exponent."""
    shaped(value, field, _DECIMAL)
    return Decimal(str(value))


def read_day(value: object, field: str) -> date:
    """Read an ISO 8601 day."""
    shaped(value, field, _DATE)
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        malformed(field)


def read_instant(value: object, field: str) -> datetime:
    """Read an RFC 3339 instant in UTC with microseconds, the one spelling that documents use."""
    shaped(value, field, _INSTANT)
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        malformed(field)


def instant(value: datetime) -> str:
    """Write an instant as `read_instant` reads it."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

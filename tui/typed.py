"""What people type, understood: numbers and dates of birth. Pure."""

import datetime
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

from edge.vitals.codes import VITALS, Code

_NOT_SEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
_NUMBER: Final = re.compile(r"^\d{1,5}([.,]\d{1,2})?$")
OLDEST_YEARS: Final = 125


def inert(text: str) -> str:
    """A text from elsewhere as it may be drawn: what is not to be seen becomes a question mark."""
    return "".join(
        " " if character == "\t"
        else character
        if character == "\n" or character in _JOINERS or unicodedata.category(character) not in _NOT_SEEN
        else "?"
        for character in text.replace("\r\n", "\n")
    )  # fmt: skip


def read_number(code: Code, typed: str) -> str | None:
    """A number as the local API takes it, or None.

    A comma is a point. Of what is shown with one decimal, three digits without a point carry it: ``372`` of
    a temperature is 37.2.
    """
    text = typed.strip()
    if not _NUMBER.match(text):
        return None
    if code is Code.TEMPERATURE and len(text) == 3 and text.isdecimal():
        text = f"{text[:2]}.{text[2]}"
    try:
        value = Decimal(text.replace(",", "."))
    except InvalidOperation:  # pragma: no cover  the pattern lets none through
        return None
    places = -int(value.as_tuple().exponent)
    if places > max(1, VITALS[code].decimals):
        return None
    return format(value, "f")


def read_birth(typed: str, today: datetime.date) -> str | None:
    """A date of birth as the local API takes it, or None.

    ``47`` is an age, ``1978`` a year, ``051978`` month and year, ``12051978`` or ``12/05/1978`` a day.
    """
    digits = re.sub(r"[\s/.\-]", "", typed)
    if not digits.isascii() or not digits.isdecimal():
        return None
    if len(digits) <= 3:
        return f"{today.year - int(digits):04}" if int(digits) <= OLDEST_YEARS else None
    day, month, year = "1", "1", digits[-4:]
    if len(digits) == 6:
        month = digits[:2]
    elif len(digits) == 8:
        day, month = digits[:2], digits[2:4]
    elif len(digits) != 4:
        return None
    try:
        born = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
    if born > today or today.year - born.year > OLDEST_YEARS:
        return None
    return {4: f"{born:%Y}", 6: f"{born:%Y-%m}"}.get(len(digits), f"{born:%Y-%m-%d}")


def age_years(birth: str, today: datetime.date) -> int | None:
    """Whole years since a birth of any precision; of a year alone the greater of the two possible."""
    try:
        parts = [int(part) for part in birth.split("-")]
    except ValueError:
        return None
    month_day = (parts[1], parts[2]) if len(parts) == 3 else (1, 1)
    years = today.year - parts[0] - ((today.month, today.day) < month_day)
    return years if 0 <= years <= OLDEST_YEARS else None


def read_time(typed: str, now: datetime.datetime) -> datetime.datetime | None:
    """The last time it was so late, up to now: ``0940``, ``940`` or ``9:40``; None if it is no time."""
    digits = re.sub(r"[\s:hH.]", "", typed)
    if not re.fullmatch(r"\d{3,4}", digits, re.ASCII):
        return None
    hours, minutes = int(digits[:-2]), int(digits[-2:])
    if hours > 23 or minutes > 59:
        return None
    when = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return when if when <= now else when - datetime.timedelta(days=1)

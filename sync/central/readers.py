"""Fields of a payload as rows want them: of the kind they should be, or the row is not made."""

from decimal import Decimal
from typing import Final, TypeAlias, TypeGuard

from edge.cbor import Value
from edge.records.fields import Field

Fields: TypeAlias = dict[int, Value]
_MOST_DIGITS: Final = 18


class Unreadable(Exception):
    """A field is not of the kind it should be. The entry is kept; its rows are not made."""


def hex_or_none(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    return value.hex() if isinstance(value, bytes) else None


def text_or_none(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    return value if isinstance(value, str) and "\0" not in value else None


def identifier(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    if value is not None and (not isinstance(value, bytes) or len(value) != 16):
        raise Unreadable
    return None if value is None else value.hex()


def text(fields: Fields, field: Field) -> str | None:
    value = fields.get(field)
    if value is not None and (not isinstance(value, str) or "\0" in value):  # no database holds a NUL in text
        raise Unreadable
    return value


def integer(fields: Fields, field: Field) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if not is_integer(value):
        raise Unreadable
    return value


def is_integer(value: Value) -> TypeGuard[int]:
    """A whole number that a column of the database holds."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def items(fields: Fields, field: Field) -> list[Value]:
    value = fields.get(field, [])
    if not isinstance(value, list):
        raise Unreadable
    return value


def decimal(fields: Fields, field: Field) -> str | None:
    """``[mantissa, exponent]`` as a plain decimal string; bounded, so that no exponent fills the memory."""
    match fields.get(field):
        case None:
            return None
        case [int(mantissa), int(exponent)] if abs(exponent) <= _MOST_DIGITS:
            return f"{Decimal(mantissa).scaleb(exponent):f}"
        case _:
            raise Unreadable

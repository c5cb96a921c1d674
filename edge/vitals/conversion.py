"""From the units people and devices use to the stored ones, in decimal arithmetic, never binary.

Source: the project's vocabulary, table of conversions; UCUM names.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from edge.vitals.codes import VITALS, Code
from edge.vitals.quantity import Quantity, Unit

_MMHG_IN_PASCAL: Final = Decimal("133.322")

_FACTORS: Final[dict[tuple[Unit, Unit], Callable[[Decimal], Decimal]]] = {
    (Unit.KILOPASCAL, Unit.MILLIMETRE_OF_MERCURY): lambda kpa: kpa * 1000 / _MMHG_IN_PASCAL,
    (Unit.FAHRENHEIT, Unit.CELSIUS): lambda degrees: (degrees - 32) * 5 / 9,
    (Unit.POUND, Unit.KILOGRAM): lambda pounds: pounds * Decimal("0.45359237"),
    (Unit.GRAM_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda grams: grams * 100,
    (Unit.MILLIMOLE_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda mmol: mmol * Decimal("18.0156"),
}
"""How to get from an accepted unit to the stored one."""


def to_stored(code: Code, value: Decimal, unit: Unit) -> Quantity | None:
    """The value in the unit it is stored in, or None when ``unit`` is not accepted for this code.

    A converted value keeps one decimal more than screens show; the value as given is stored beside it.
    """
    vital = VITALS[code]
    if unit == vital.unit:
        return Quantity(value, unit)
    convert = _FACTORS.get((unit, vital.unit))
    if convert is None:
        return None
    step = Decimal(1).scaleb(-vital.decimals - 1)
    return Quantity(convert(value).quantize(step, ROUND_HALF_UP), vital.unit)

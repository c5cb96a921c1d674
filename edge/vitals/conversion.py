"""From the units people and devices use to the stored ones, in decimal arithmetic, never binary.

Source: the project's vocabulary, table of conversions; UCUM names.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from edge.vitals.codes import VITALS, Code
from edge.vitals.quantity import Quantity, Unit

_MMHG_IN_PASCAL: Final = Decimal("133.322")
_GLUCOSE: Final = Decimal("18.0156")
"""mg/dL in one mmol/L: a tenth of its molar mass in grams."""

_FACTORS: Final[dict[tuple[Unit, Unit], Callable[[Decimal], Decimal]]] = {
    (Unit.KILOPASCAL, Unit.MILLIMETRE_OF_MERCURY): lambda kpa: kpa * 1000 / _MMHG_IN_PASCAL,
    (Unit.FAHRENHEIT, Unit.CELSIUS): lambda degrees: (degrees - 32) * 5 / 9,
    (Unit.POUND, Unit.KILOGRAM): lambda pounds: pounds * Decimal("0.45359237"),
    (Unit.INCH, Unit.CENTIMETRE): lambda inches: inches * Decimal("2.54"),
    (Unit.GRAM_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda grams: grams * 100,
    (Unit.MILLIMOLE_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda mmol: mmol * _GLUCOSE,
    (Unit.MOLE_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda mol: mol.scaleb(3) * _GLUCOSE,
    # Bluetooth's unit: meters that count in mg/dL send it with an exponent, so no digit is added or lost.
    (Unit.KILOGRAM_PER_LITRE, Unit.MILLIGRAM_PER_DECILITRE): lambda kilograms: kilograms.scaleb(5),
}
"""How to get from an accepted unit to the stored one."""


def to_stored(code: Code, value: Decimal, unit: Unit) -> Quantity | None:
    """The value in the unit it is stored in, or None when ``unit`` is not accepted for this code.

    A converted value keeps at most one decimal more than screens show; the value as given is stored beside
    it.
    """
    vital = VITALS[code]
    if unit == vital.unit:
        return Quantity(value, unit)
    convert = _FACTORS.get((unit, vital.unit))
    if convert is None:
        return None
    converted = convert(value)
    if unit is Unit.KILOGRAM_PER_LITRE and -int(converted.as_tuple().exponent) <= vital.decimals + 1:
        return Quantity(converted, vital.unit)
    step = Decimal(1).scaleb(-vital.decimals - 1)
    return Quantity(converted.quantize(step, ROUND_HALF_UP), vital.unit)

"""A simulated scale apart from its radio: what it would say of a person. Pure."""

import dataclasses
import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from drivers.codec.gatt_time import DateTime
from drivers.devices.sig_scale.codec import Body, BodyFlag, Weight, encode_body, encode_weight
from drivers.simulation.vitals import Snapshot

_POUND_IN_KILOGRAM: Final = Decimal("0.45359237")
_SHOWN_KILOGRAM: Final = Decimal("0.05")
_SHOWN_POUND: Final = Decimal("0.1")
_OHM_TENTHS: Final = 5000
_HALF_WATER: Final = Decimal("0.55")


@dataclasses.dataclass(slots=True)
class Scale:
    """One scale.

    Attributes:
        imperial: whether it weighs in pounds.
        profile: user and height in centimetres, as somebody typed them in; None for a scale without.
        halves: whether a body composition is sent in two values.
        worn: whether somebody stands on it quietly; it finds nothing otherwise.
    """

    imperial: bool = False
    profile: tuple[int, int] | None = None
    halves: bool = False
    worn: bool = True

    def weight(self, found: Snapshot, at: datetime.datetime | None) -> bytes:
        """A value of 0x2A9D."""
        time = None if at is None else DateTime.of(at)
        if not self.worn:
            return encode_weight(Weight(self.imperial, None, time))
        if self.profile is None:
            return encode_weight(Weight(self.imperial, self._steps(found), time))
        user, height_cm = self.profile
        bmi = round(found.weight_kg / (height_cm / 100) ** 2 * 10)
        return encode_weight(
            Weight(self.imperial, self._steps(found), time, user, bmi, self._height(height_cm))
        )

    def body(self, found: Snapshot, at: datetime.datetime | None) -> list[bytes]:
        """One value of 0x2A9C, or two that go together."""
        time = None if at is None else DateTime.of(at)
        user = None if self.profile is None else self.profile[0]
        if not self.worn:
            return [encode_body(Body(self.imperial, None, time, user))]
        mass = self._steps(found)
        fat = round(found.body_fat * 10)
        lean = mass * (1000 - fat) // 1000
        first = ((BodyFlag.FAT_FREE_MASS, lean), (BodyFlag.BODY_WATER_MASS, int(lean * _HALF_WATER)))
        second = ((BodyFlag.IMPEDANCE, _OHM_TENTHS), (BodyFlag.WEIGHT, mass))
        if not self.halves:
            return [encode_body(Body(self.imperial, fat, time, user, first + second))]
        return [
            encode_body(Body(self.imperial, fat, time, user, first, two_packets=True)),
            encode_body(Body(self.imperial, fat, fields=second, two_packets=True)),
        ]

    def _steps(self, found: Snapshot) -> int:
        kilograms = Decimal(str(found.weight_kg))
        if self.imperial:
            return int(_rounded(kilograms / _POUND_IN_KILOGRAM, _SHOWN_POUND) * 100)
        return int(_rounded(kilograms, _SHOWN_KILOGRAM) * 200)

    def _height(self, centimetres: int) -> int:
        return round(centimetres / 2.54 * 10) if self.imperial else centimetres * 10


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).quantize(Decimal(1), ROUND_HALF_UP) * step

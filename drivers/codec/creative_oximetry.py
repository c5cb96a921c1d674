"""What the oximeters of Creative Medical, Viatom and Lepu devices say, whatever frame carries it.

Parameters, once a second::

    0   1   SpO2 in percent, 0 invalid
    1   2   pulse rate per minute, little endian, 0 to 511, 0 invalid
    3   1   perfusion index in tenths of a percent, 0 invalid
    4   1   bit 1 probe off, bit 2 searching for the pulse

Pleth, 50 samples a second: 7 bits each, bit 7 marks a beat.

Sources: viatomEcho/LepuBle ``ble/cmd/PC60FwBleResponse.kt`` and ``Pc300BleResponse.kt``; ranges, invalid
values and rates: the same library's Android SDK API document, PC-60FW, PC-100 and PC-300.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit

PARAMETER_BYTES: Final = 5
PLETH_RATE: Final = Decimal(50)
HIGHEST_PULSE: Final = 300
"""More is no pulse, although nine bits have room for it."""
NO_PULSE: Final = frozenset({0, 0x1FF, 0xFFFF})
_PROBE_OFF: Final = 0x02
_SEARCHING: Final = 0x04

Values = tuple[tuple[Code, Measured], ...]


class Pleth(NamedTuple):
    """Samples, 0 to 127, and whether a beat fell on any of them."""

    samples: tuple[int, ...]
    beat: bool


def parameters(data: bytes) -> Values:
    """Read the parameters; at least five bytes."""
    why: MissingReason | None = None
    if data[4] & _PROBE_OFF:
        why = MissingReason.SENSOR_OFF
    elif data[4] & _SEARCHING:
        why = MissingReason.SEARCHING
    if why is not None:
        return tuple((code, Missing(why)) for code in _CODES)
    return tuple(
        zip(
            _CODES,
            (
                saturation(data[0]),
                pulse(int.from_bytes(data[1:3], "little")),
                perfusion(data[3]),
            ),
            strict=True,
        )
    )


def pleth(data: Sequence[int]) -> Pleth:
    """Read pleth samples."""
    return Pleth(tuple(sample & 0x7F for sample in data), any(sample & 0x80 for sample in data))


def saturation(sent: int) -> Measured:
    """Percent; 0 is the device's word for none, and so are 7F and FF."""
    if sent in {0, 0x7F, 0xFF}:
        return Missing(MissingReason.INVALID)
    if sent > 100:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PERCENT)


def pulse(sent: int) -> Measured:
    """Per minute."""
    if sent in NO_PULSE:
        return Missing(MissingReason.INVALID)
    if sent > HIGHEST_PULSE:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PER_MINUTE)


def perfusion(sent: int) -> Measured:
    """Tenths of a percent."""
    if sent == 0:
        return Missing(MissingReason.INVALID)
    return Quantity(Decimal(sent).scaleb(-1), Unit.PERCENT)


def encode_parameters(values: tuple[int, int, int], *, off: bool = False, searching: bool = False) -> bytes:
    """The parameters for simulators: SpO2, pulse rate, perfusion index in tenths."""
    saturation_, pulse_, tenths = values
    status = off * _PROBE_OFF | searching * _SEARCHING
    return bytes((saturation_, *pulse_.to_bytes(2, "little"), tenths, status))


_CODES: Final = (Code.OXYGEN_SATURATION, Code.PULSE_OXIMETER, Code.PERFUSION_INDEX)

"""What a PC-60FW says: frames of `drivers.codec.creative`, notified piece by piece.

Data of each, by token and type::

    0F 01   SpO2, pulse rate, perfusion index, status (`drivers.codec.creative_oximetry`), and since a later
            firmware one byte more: bits 7-6 battery, 0 to 3
    0F 02   five samples of pleth
    0F 21   mode (1 spot, 2 continuous, 3 menu) and step of the measurement; not handed on
    F0 03   battery, 0 to 3

Sources: viatomEcho/LepuBle ``ble/cmd/PC60FwBleResponse.kt``; sza2/viatom_pc60fw README, with examples of a
real one.
"""

from typing import Final

from drivers.codec import uuids
from drivers.codec.creative import CreativeFrames, Message, What, encode
from drivers.codec.creative_oximetry import PARAMETER_BYTES, encode_parameters

SERVICE: Final = uuids.full("6E400001-B5A3-F393-E0A9-E50E24DCCA9E")
NOTIFY: Final = uuids.full("6E400003-B5A3-F393-E0A9-E50E24DCCA9E")
WRITE: Final = uuids.full("6E400002-B5A3-F393-E0A9-E50E24DCCA9E")

PARAMETERS: Final[What] = (0x0F, 0x01)
PLETH: Final[What] = (0x0F, 0x02)
WORKING: Final[What] = (0x0F, 0x21)
BATTERY: Final[What] = (0xF0, 0x03)
PLETH_SAMPLES: Final = 5
FULL: Final = 3
"""The highest of the four levels of the battery."""

_LEAST: Final[dict[What, int]] = {PARAMETERS: PARAMETER_BYTES, PLETH: PLETH_SAMPLES, BATTERY: 1}


def frames() -> CreativeFrames:
    """The grammar of what it notifies."""
    return CreativeFrames(_LEAST)


def battery(said: Message) -> int | None:
    """The level of the battery in a frame, 0 to 3, or None when it does not say."""
    if said.what == BATTERY:
        return min(said.data[0], FULL)
    if said.what == PARAMETERS and len(said.data) > PARAMETER_BYTES:
        return said.data[PARAMETER_BYTES] >> 6
    return None


def encode_oximetry(
    values: tuple[int, int, int], *, off: bool = False, searching: bool = False, level: int = FULL
) -> bytes:
    """A frame of parameters, for simulators: SpO2, pulse rate, perfusion index in tenths."""
    return encode(*PARAMETERS, encode_parameters(values, off=off, searching=searching) + bytes((level << 6,)))


def encode_pleth(samples: tuple[int, ...], *, beat: int | None = None) -> bytes:
    """A frame of pleth, for simulators; ``beat`` is the index of the sample that carries the mark."""
    return encode(*PLETH, bytes(sample | (at == beat) << 7 for at, sample in enumerate(samples)))


def encode_battery(level: int) -> bytes:
    """A frame that tells the battery, for simulators."""
    return encode(*BATTERY, bytes((level,)))

"""The five-byte packets of BerryMed and other BCI oximeters: USB-serial, or notified piece by piece.

A hundred packets a second::

    0   bit 7 set; 6 beat; 5 probe unplugged; 4 no signal; 3-0 signal 0 to 8, F invalid
    1   6-0 pleth 1 to 100, 0 invalid
    2   6 bit 7 of the pulse rate; 5 searching; 4 NO FINGER; 3-0 bar graph
    3   6-0 low seven bits of the pulse rate; FF invalid
    4   6-0 SpO2, 7F invalid

There is no checksum: bit 7, set in the first byte alone, is the only check. The packet has the shape of a
five-byte Contec, and the flags have other meanings: neither decoder may be used for the other.

Source: Shanghai Berry, "BCI Protocol V1.2" (zh2x/BCI_Protocol).
"""

import dataclasses
from typing import Final

from drivers.codec import uuids
from drivers.codec.framing import MORE, NOT_A_FRAME, TOO_SHORT, Frame, Look, Outcome
from edge.vitals.quantity import MissingReason

SERVICE: Final = uuids.full("49535343-FE7D-4AE5-8FA9-9FAFD205E455")
NOTIFY: Final = uuids.full("49535343-1E4D-4BD9-BA61-23C647249616")
PACKET_BYTES: Final = 5
PACKETS_PER_SECOND: Final = 100
NO_PULSE: Final = 0xFF
NO_SATURATION: Final = 0x7F
UNKNOWN_SIGNAL: Final = 0x0F

_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)
_PACKET: Final = Look(Outcome.FRAME, PACKET_BYTES)


class Packets:
    """The grammar of such a stream."""

    def look(self, stream: bytes, at: int) -> Look:
        if stream[at] < 0x80:
            return _STRAY
        window = stream[at : at + PACKET_BYTES]
        for length in range(1, len(window)):
            if window[length] >= 0x80:
                return Look(Outcome.GARBAGE, length, TOO_SHORT) if length > 1 else _STRAY
        return _PACKET if len(window) == PACKET_BYTES else MORE


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """What one packet says, as numbers of the device.

    Attributes:
        pulse: per minute, `NO_PULSE` for none.
        saturation: percent, `NO_SATURATION` for none.
        pleth: 0 for none.
        signal: 0 to 8, `UNKNOWN_SIGNAL` for none.
    """

    saturation: int = 97
    pulse: int = 72
    pleth: int = 50
    beat: bool = False
    signal: int = 6
    bar: int = 5
    unplugged: bool = False
    no_signal: bool = False
    searching: bool = False
    no_finger: bool = False

    @property
    def why(self) -> MissingReason | None:
        """Why no number of it counts, whatever stands there."""
        if self.unplugged:
            return MissingReason.PROBE_ERROR
        if self.no_finger:
            return MissingReason.SENSOR_OFF
        if self.searching:
            return MissingReason.SEARCHING
        return MissingReason.INVALID if self.no_signal else None


def decode(frame: Frame) -> Packet:
    """Read a packet."""
    first, pleth, third, pulse, saturation = frame.raw
    return Packet(
        saturation=saturation,
        pulse=pulse | (third & 0x40) << 1,
        pleth=pleth,
        beat=bool(first & 0x40),
        signal=first & 0x0F,
        bar=third & 0x0F,
        unplugged=bool(first & 0x20),
        no_signal=bool(first & 0x10),
        searching=bool(third & 0x20),
        no_finger=bool(third & 0x10),
    )


def encode(said: Packet) -> bytes:
    """The packet that says it, for simulators."""
    return bytes(
        (
            0x80 | said.beat << 6 | said.unplugged << 5 | said.no_signal << 4 | said.signal,
            said.pleth,
            (said.pulse & 0x80) >> 1 | said.searching << 5 | said.no_finger << 4 | said.bar,
            said.pulse & 0x7F,
            said.saturation,
        )
    )

"""From packets to what is handed on: a hundred times a second they repeat what the display shows. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.agreeing import Agreeing
from drivers.codec.framing import Frame, Framer
from drivers.codec.strip import WHOLE, Strip, on_the_skin
from drivers.decoding import Chunk, Decoded, decode_notifications
from drivers.devices.berry_bci.codec import (
    NO_PULSE,
    NO_SATURATION,
    NOTIFY,
    PACKETS_PER_SECOND,
    UNKNOWN_SIGNAL,
    Packet,
    Packets,
    decode,
)
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading, Wave

STRETCH: Final = 25
"""Samples of pleth in a stretch: a quarter of a second."""
WEAK_SIGNAL: Final = 3
"""Up to this strength, of 8, a reading carries ``low-signal``. Our choice: the document names no limit."""
Values = tuple[tuple[Code, Measured], ...]


class Display:
    """What the packets of one session show."""

    def __init__(self) -> None:
        self._agreeing = Agreeing(PACKETS_PER_SECOND)
        self._strip = strip(STRETCH)

    def take(self, frame: Frame) -> list[DeviceEvent]:
        """Take the next packet and give what is due."""
        packet = decode(frame)
        events: list[DeviceEvent] = [*self._strip.add((packet.pleth,), off=no_wave(packet))]
        values = values_of(packet)
        if self._agreeing.is_due(values):
            # A beat mark belongs to a moment of the wave; on a reading a second long it would be chance.
            flags = tuple(flag for flag in flags_of(packet) if flag != "beat")
            device_s = self._agreeing.device_s
            events.append(Reading(values, flags, mode=Mode.CONTINUOUS, device_s=device_s, raw=frame.raw))
        return events

    def lost(self) -> list[Wave]:
        """Bytes were refused: packets may have been among them."""
        self._agreeing.lost()
        return self._strip.lost()

    def end(self) -> list[Wave]:
        """Give the pleth that is left."""
        return self._strip.end()


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some bytes said: a reading for each packet, and the pleth they carry."""
    readings: list[Reading] = []
    waves: list[Wave] = []
    whole = strip(WHOLE)

    def take(frame: Frame) -> None:
        packet = decode(frame)
        waves.extend(whole.add((packet.pleth,), off=no_wave(packet)))
        readings.append(Reading(values_of(packet), flags_of(packet), mode=Mode.CONTINUOUS, raw=frame.raw))

    refused = decode_notifications(Framer(Packets()), chunks, NOTIFY, take)
    return Decoded(tuple(readings), tuple(refused), tuple(on_the_skin([*waves, *whole.end()])))


def strip(size: int) -> Strip:
    """The pleth as the device sends it, without unit."""
    return Strip(Code.PLETH, None, Decimal(PACKETS_PER_SECOND), size)


def no_wave(packet: Packet) -> bool:
    """Whether the pleth of a packet is none: its sensor is off, or it says so by 0."""
    off = {MissingReason.SENSOR_OFF, MissingReason.PROBE_ERROR}
    return not packet.pleth or packet.no_signal or packet.why in off


def values_of(packet: Packet) -> Values:
    """The numbers of a packet, or why there are none."""
    if packet.why is not None:
        return _NO_VALUES[packet.why]
    return (
        (Code.OXYGEN_SATURATION, _SATURATION[packet.saturation]),
        (Code.PULSE_OXIMETER, _PULSE[packet.pulse]),
    )


def flags_of(packet: Packet) -> tuple[str, ...]:
    """What the device says beside the numbers."""
    weak = packet.why not in {MissingReason.SENSOR_OFF, MissingReason.PROBE_ERROR} and (
        packet.signal <= WEAK_SIGNAL or packet.signal == UNKNOWN_SIGNAL
    )
    said = (("low-signal", weak), ("beat", packet.beat))
    return tuple(flag for flag, holds in said if holds)


def _saturation(sent: int) -> Measured:
    if sent in {0, NO_SATURATION}:
        return Missing(MissingReason.INVALID)
    if sent > 100:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PERCENT)


def _pulse(sent: int) -> Measured:
    return (
        Missing(MissingReason.INVALID) if sent in {0, NO_PULSE} else Quantity(Decimal(sent), Unit.PER_MINUTE)
    )


# A hundred packets a second say one of a few hundred things, so each is made once.
_NO_VALUES: Final[dict[MissingReason, Values]] = {
    why: ((Code.OXYGEN_SATURATION, Missing(why)), (Code.PULSE_OXIMETER, Missing(why)))
    for why in MissingReason
}
_SATURATION: Final = tuple(_saturation(sent) for sent in range(128))
_PULSE: Final = tuple(_pulse(sent) for sent in range(256))

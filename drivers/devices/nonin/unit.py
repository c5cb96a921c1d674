"""A Nonin oximeter as it looks from its cable: what it streams. No port, no clock of its own.

The other half of the codec, for the simulator and for tests that join both ends.
"""

import dataclasses
import random
from typing import Final

from drivers.devices.nonin.codec import (
    FRAMES_IN_PACKET,
    FRAMES_PER_SECOND,
    NO_HEART_RATE,
    NO_SATURATION,
    Format,
    More,
    Slow,
    Status,
)
from drivers.simulation.vitals import Vitals

SEARCHING_S: Final = 3.0
"""How long it looks for the pulse of a finger that has just come."""
FIRMWARE: Final = 60
LOW_BATTERY_PERCENT: Final = 10
_WHOLE: Final = {Format.TWO: 1, Format.SEVEN: 256}
"""How many steps of format 7's pleth one step of format 2's is."""
_LOW_PERFUSION: Final = 0.3
"""Perfusion index in percent below which such a unit calls the perfusion low; our choice."""
_MARGINAL_PERFUSION: Final = 0.6


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """What a unit shows at one moment. The defaults are a finger in place and all well.

    Attributes:
        heart_rate: per minute; ``NO_HEART_RATE`` for none.
        saturation: percent; ``NO_SATURATION`` for none.
        disconnected: the sensor's plug is out; formats 1, 2 and 7.
        alarm: no finger in the sensor; formats 2, 7 and 8.
    """

    heart_rate: int = 72
    saturation: int = 97
    disconnected: bool = False
    alarm: bool = False
    out_of_track: bool = False
    artifact: bool = False
    low_perfusion: bool = False
    marginal_perfusion: bool = False
    low_battery: bool = False
    smartpoint: bool = True


def encode_slow(format_: Format, picture: Picture) -> bytes:
    """The frame of format 1 or 8 that says it."""
    first = (
        0x80
        | picture.heart_rate >> 7
        | picture.artifact * Slow.ARTIFACT
        | picture.marginal_perfusion * Slow.MARGINAL_PERFUSION
        | picture.low_perfusion * Slow.LOW_PERFUSION
        | picture.out_of_track * Slow.OUT_OF_TRACK
    )
    numbers = bytes([picture.heart_rate & 0x7F, picture.saturation])
    if format_ is Format.ONE:
        return bytes([first | picture.disconnected * Slow.DISCONNECTED]) + numbers
    return bytes([first]) + numbers + bytes([_more(picture) | picture.alarm * More.SENSOR_ALARM])


def encode_frame(format_: Format, picture: Picture, number: int, pleth: int, counter: int = 0) -> bytes:
    """Frame ``number``, 0 to 24, of the packet of format 2 or 7 that says it."""
    perfusion = 2 if picture.low_perfusion else 3 if picture.marginal_perfusion else 0
    status = (
        0x80
        | (number == 0) * Status.SYNC
        | perfusion << 1
        | picture.alarm * Status.SENSOR_ALARM
        | picture.out_of_track * Status.OUT_OF_TRACK
        | picture.artifact * Status.ARTIFACT
        | picture.disconnected * Status.DISCONNECTED
    )
    value = _value(picture, number, counter)
    if format_ is Format.TWO:
        frame = bytes([1, status, pleth, value])
    else:
        frame = bytes([status, pleth >> 8, pleth & 0xFF, value])
    return frame + bytes([sum(frame) & 0xFF])


def encode_packet(format_: Format, picture: Picture, pleth: list[int], counter: int = 0) -> bytes:
    """The whole packet."""
    return b"".join(
        encode_frame(format_, picture, number, sample, counter) for number, sample in enumerate(pleth)
    )


def _more(picture: Picture) -> int:
    return picture.low_battery * More.LOW_BATTERY | picture.smartpoint * More.SMARTPOINT


def _value(picture: Picture, number: int, counter: int) -> int:
    if number in {0, 13, 19, 21}:
        return picture.heart_rate >> 7
    if number in {1, 14, 20, 22}:
        return picture.heart_rate & 0x7F
    if number in {2, 8, 9, 10, 15, 16}:
        return picture.saturation
    return {3: FIRMWARE, 5: counter >> 7 & 0x7F, 6: counter & 0x7F, 7: _more(picture)}.get(number, 0)


class Unit:
    """One simulated oximeter, switched on; it streams by itself and hears nothing.

    Args:
        vitals: whose finger is put into it.
        at_s: when it was switched on, in the person's time.
    """

    def __init__(self, format_: Format, vitals: Vitals, at_s: float, *, seed: int = 1) -> None:
        self.format: Final = format_
        self._vitals = vitals
        self._start_s = at_s
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret
        self._frames = 0
        self._picture = Picture()
        self._finger_since_s: float | None = at_s - SEARCHING_S
        self._plugged = True
        self._moving = False
        self._battery_percent = 100.0

    @property
    def _frame_s(self) -> float:
        return 1 / FRAMES_PER_SECOND if self.format in _WHOLE else 1.0

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        sent = bytearray()
        while (frame_at_s := self._start_s + (self._frames + 1) * self._frame_s) <= at_s:
            if self.format in _WHOLE:
                number = self._frames % FRAMES_IN_PACKET
                if number == 0:
                    self._picture = self._look(frame_at_s)
                counter = self._frames // FRAMES_IN_PACKET & 0x3FFF
                sent += encode_frame(self.format, self._picture, number, self._pleth(frame_at_s), counter)
            else:
                sent += encode_slow(self.format, self._look(frame_at_s))
            self._frames += 1
        return bytes(sent)

    def hear(self, data: bytes, at_s: float) -> bytes:
        """The plain units take no commands."""
        del data, at_s
        return b""

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        """``sensor on|off``, ``plug in|out`` (of the sensor), ``motion on|off``, ``battery PERCENT``."""
        match order:
            case ["sensor", "on"]:
                self._finger_since_s = at_s if self._finger_since_s is None else self._finger_since_s
            case ["sensor", "off"]:
                self._finger_since_s = None
            case ["plug", "in" | "out" as where]:
                self._plugged = where == "in"
            case ["motion", "on" | "off" as state]:
                self._moving = state == "on"
            case ["battery", percent] if percent.isdecimal():
                self._battery_percent = float(percent)
            case ["power", _]:
                pass
            case _:
                return None
        return b""

    def _look(self, at_s: float) -> Picture:
        low_battery = self._battery_percent <= LOW_BATTERY_PERCENT
        nothing = Picture(
            NO_HEART_RATE, NO_SATURATION, out_of_track=True, smartpoint=False, low_battery=low_battery
        )
        if not self._plugged:
            return dataclasses.replace(nothing, disconnected=True)
        if self._finger_since_s is None:
            return dataclasses.replace(nothing, alarm=True)
        if at_s - self._finger_since_s < SEARCHING_S:
            return nothing
        now = self._vitals.now(at_s)
        moving = self._moving or now.moving
        return Picture(
            heart_rate=min(321, max(18, round(now.pulse))),
            saturation=min(100, max(1, round(now.spo2))),
            artifact=moving,
            low_perfusion=now.perfusion < _LOW_PERFUSION,
            marginal_perfusion=_LOW_PERFUSION <= now.perfusion < _MARGINAL_PERFUSION,
            smartpoint=not moving,
            low_battery=low_battery,
        )

    def _pleth(self, at_s: float) -> int:
        step = _WHOLE[self.format]
        if self._finger_since_s is None or not self._plugged:
            return 0
        height = self._vitals.pleth(at_s)
        if self._moving:
            height += self._random.gauss(0, 0.3)
        return max(0, min(255, round(20 + 200 * height))) * step

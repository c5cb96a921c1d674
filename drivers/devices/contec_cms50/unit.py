"""A CMS50 as it looks from its cable: what it streams and how it answers. No port, no clock of its own.

The other half of the codec, for the simulator and for tests that join both ends.
"""

import dataclasses
import random
from collections.abc import Callable
from typing import Final

from drivers.devices.contec_cms50.codec import (
    PACKETS_PER_SECOND,
    Command,
    Generation,
    Packet,
    stuff,
)
from drivers.devices.contec_cms50.memory import Memory
from drivers.simulation.pulse import Pulse

SEARCHING_S: Final = 2.0
"""How long a unit looks for the pulse of a finger that has just come."""
FORGOTTEN_AFTER_S: Final = 10.0
"""A nine-byte unit that hears nothing from its host for so long stops streaming (our reading of V7.0)."""
INVALID_PERFUSION: Final = 0xFFFF
LITTLE: Final = 2
"""Of 8: the signal of a finger that moves, or is hardly perfused."""
WEAK_PERFUSION: Final = 0.3
"""Percent."""
_COMMAND_LENGTH: Final = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """What one packet of real-time data says. The defaults are a finger in place and all well.

    Attributes:
        saturation: percent; 0x7F for none.
        pulse: per minute; 0xFF for none.
        perfusion: hundredths of a percent; None when the unit does not measure it.
        low: the mark for low (nine-byte) or dropping (five-byte) saturation.
    """

    saturation: int = 97
    pulse: int = 72
    perfusion: int | None = None
    pleth: int = 64
    beat: bool = False
    signal: int = 6
    bar: int = 5
    finger_out: bool = False
    searching: bool = False
    low: bool = False


def encode(generation: Generation, picture: Picture) -> bytes:
    """The packet that says it; `codec.decode` of it gives the same back."""
    status = picture.beat << 6 | picture.low << 5 | picture.signal
    if generation is Generation.FIVE_BYTE:
        more = (picture.pulse >> 7) << 6 | picture.searching << 5 | picture.bar
        return bytes(
            [
                0x80 | status | picture.finger_out << 4,
                picture.pleth,
                more,
                picture.pulse & 0x7F,
                picture.saturation,
            ]
        )
    perfusion = INVALID_PERFUSION if picture.perfusion is None else picture.perfusion
    payload = (
        picture.finger_out << 7 | status,
        picture.searching << 7 | picture.pleth,
        (picture.perfusion is None) << 4 | picture.bar,
        picture.pulse,
        picture.saturation,
        perfusion & 0xFF,
        perfusion >> 8,
    )
    return stuff(Packet.REAL_TIME, bytes(payload))


class Unit:
    """One simulated oximeter, switched on.

    Args:
        perfusion: whether this unit measures the perfusion index, as the E and F do and the D+ does not.
    """

    def __init__(self, generation: Generation, pulse: Pulse, *, seed: int, perfusion: bool = True) -> None:
        self.generation: Final = generation
        self.pulse: Final = pulse
        self._measures_perfusion = perfusion and generation is Generation.NINE_BYTE
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret
        self._streaming = generation is Generation.FIVE_BYTE
        self._searching_s = 0.0
        self._finger = False
        self._heard = b""
        self._heard_at_s = 0.0
        self.memory: Final = Memory(generation)
        self.noisy = False
        self.moving = False

    def record(self, seconds: int) -> None:
        """Have recorded so long what the finger shows now."""
        perfusion = round(100 * self.pulse.shown_perfusion) if self._measures_perfusion else None
        self.memory.record(seconds, self.pulse.shown_saturation, self.pulse.shown_rate, perfusion)

    @property
    def finger(self) -> bool:
        """Whether a finger is in it."""
        return self._finger

    @finger.setter
    def finger(self, inside: bool) -> None:
        if inside and not self._finger:
            self._searching_s = SEARCHING_S
        self._finger = inside

    def stream(self, packets: int, now_s: float) -> bytes:
        """What leaves the unit while so many packets' time passes; nothing when nobody asked for it."""
        if self.generation is Generation.NINE_BYTE and now_s - self._heard_at_s > FORGOTTEN_AFTER_S:
            self._streaming = False
        paused = self.memory.sending
        sent = bytearray(self.memory.take(packets))
        for _ in range(packets):
            picture = self._next_picture()
            if self._streaming and not paused:
                packet = encode(self.generation, picture)
                sent += self._disturb(packet) if self.noisy else packet
        return bytes(sent)

    def hear(self, data: bytes, now_s: float) -> bytes:
        """Take bytes from the host and give the answer; of a five-byte unit only its memory can be asked."""
        if self.generation is Generation.FIVE_BYTE:
            self.memory.hear(data)
            return b""
        self._heard += data
        answer = b""
        while (start := self._heard.find(b"\x7d")) >= 0 and len(self._heard) - start >= _COMMAND_LENGTH:
            asked = self._heard[start : start + _COMMAND_LENGTH]
            if asked[1] < 0x80:
                self._heard = self._heard[start + 1 :]
                continue
            self._heard = self._heard[start + _COMMAND_LENGTH :]
            self._heard_at_s = now_s
            answer += self._answer(asked)
        self._heard = self._heard[-_COMMAND_LENGTH:]
        return answer

    def switch_off(self) -> bytes:
        """What a unit says before it switches itself off; after it, it streams only when asked again."""
        if self.generation is Generation.FIVE_BYTE:
            return b""
        self._streaming = False
        return stuff(Packet.DISCONNECTS, b"\x01")

    def _answer(self, asked: bytes) -> bytes:
        number = asked[2] & 0x7F | (asked[1] & 1) << 7
        if number == Command.START:
            self._streaming = True
            return b""
        if number == Command.STOP:
            self._streaming = False
        stored = self.memory.answer(number, bytes(byte & 0x7F for byte in asked[3:]))
        if stored is not None:
            return stored
        answer = _ANSWERS.get(number)
        if answer is None:
            return stuff(Packet.ANSWER, bytes([number, 5]))  # unsupported
        return answer(self._measures_perfusion)

    def _next_picture(self) -> Picture:
        pleth = self.pulse.step(1 / PACKETS_PER_SECOND)
        if self.moving:
            pleth = self._random.randrange(128)
        if not self._finger:
            return Picture(0x7F, 0xFF, None, 64, signal=0, bar=0, finger_out=True)
        if self._searching_s > 0:
            self._searching_s -= 1 / PACKETS_PER_SECOND
            return Picture(0x7F, 0xFF, None, pleth, signal=3, bar=pleth >> 3, searching=True)
        return Picture(
            saturation=self.pulse.shown_saturation,
            pulse=self.pulse.shown_rate,
            perfusion=round(100 * self.pulse.shown_perfusion) if self._measures_perfusion else None,
            pleth=pleth,
            beat=self.pulse.beat,
            signal=LITTLE if self.moving or self.pulse.shown_perfusion < WEAK_PERFUSION else 6,
            bar=pleth >> 3,
        )

    def _disturb(self, packet: bytes) -> bytes:
        """A bad cable: bytes added between packets, packets cut, packets replaced."""
        chance = self._random.random()
        if chance < 0.06:
            return self._random.randbytes(self._random.randint(1, 12)) + packet
        if chance < 0.09:
            return self._random.randbytes(len(packet))
        if chance < 0.12:
            return packet[: self._random.randrange(len(packet))]
        return packet


_ANSWERS: Final[dict[int, Callable[[bool], bytes]]] = {
    Command.STOP: lambda _: stuff(Packet.STOPPED, b""),
    Command.DEVICE_ID: lambda _: stuff(Packet.DEVICE_ID, b"0000042"),
    Command.MODEL: lambda _: stuff(Packet.MODEL, b"\x00CMS50F") + stuff(Packet.MODEL, b"\x01 sim  "),
    Command.PI_SUPPORT: lambda measured: stuff(Packet.PI_SUPPORT, bytes([not measured])),
    Command.USERS: lambda _: stuff(Packet.USERS, b"\x01"),
    Command.KEEP_ALIVE: lambda _: b"",
    Command.SET_TIME: lambda _: stuff(Packet.ANSWER, bytes([Command.SET_TIME, 0])),
    Command.SET_DATE: lambda _: stuff(Packet.ANSWER, bytes([Command.SET_DATE, 0])),
}
"""What each command is answered with, given whether the unit measures the perfusion index."""

"""A PC-300 as it looks from its link: what it says by itself and what it answers. No port, no clock."""

import random
from decimal import Decimal
from typing import Final

from drivers.codec.creative import CreativeFrames, encode, message
from drivers.codec.framing import Frame, Framer
from drivers.devices.creative_pc300.codec import (
    ECG_RATE,
    ECG_SAMPLES,
    FAILED,
    NAME,
    SET_TIME,
    USUAL_GAIN,
    VERSIONS,
    Ecg,
    Pressures,
    State,
    Temperature,
    Token,
    encode_cuff_pressure,
    encode_ecg,
    encode_oximetry,
    encode_pleth,
    encode_pressures,
    encode_temperature,
)
from drivers.simulation.finger import Feels, Finger
from drivers.simulation.vitals import Rhythm, Vitals

TICKS_PER_SECOND: Final = 6
"""A packet of ECG has a sixth of a second; everything else goes by the same beat."""
PLETH_PER_SECOND: Final = 50
RAMP: Final = (40, 80, 120, 160, 140, 110, 80, 50)
"""What the cuff holds while it measures, a step at each tick."""
_STILL: Final = 5
_BIGGEST: Final = 2047


class Unit:
    """One simulated monitor, switched on."""

    def __init__(
        self, vitals: Vitals, at_s: float, *, probe: bool = True, battery: int = 3, seed: int = 1
    ) -> None:
        self.finger: Final = Finger(vitals, at_s, inside=probe)
        self.battery = battery
        self.times_set = 0
        self._vitals = vitals
        self._sent = int(at_s * TICKS_PER_SECOND)
        self._random = random.Random(seed)  # noqa: S311  noise need not be secret
        self._pleth = int(at_s * PLETH_PER_SECOND)
        self._ecg: int | None = None
        self._number = 0
        self._lead = True
        self._ramp: list[int] = []
        self._result = b""
        self._framer = Framer(CreativeFrames({}))

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        due = int(at_s * TICKS_PER_SECOND)
        first = max(self._sent, due - _STILL * TICKS_PER_SECOND)
        self._sent = due
        return b"".join(self._tick(number) for number in range(first, due))

    def hear(self, data: bytes, at_s: float) -> bytes:  # noqa: ARG002  its answers do not depend on the time
        return b"".join(self._answer(event) for event in self._framer.feed(data) if isinstance(event, Frame))

    def obey(self, order: list[str], at_s: float) -> bytes | None:  # noqa: PLR0911  one case for each order
        match order:
            case ["measure", *numbers] if len(numbers) in {0, 3} and all(map(str.isdecimal, numbers)):
                self._measure([int(number) for number in numbers], at_s)
                return b""
            case ["fail", number] if number.isdecimal() and int(number) < 256:
                return encode(Token.CUFF_RESULT, FAILED, bytes((int(number),)))
            case ["temperature", *celsius]:
                return self._temperature(celsius, at_s)
            case ["ecg", "on" | "off" as state]:
                self._ecg = round(at_s * int(ECG_RATE)) if state == "on" else None
                self._number = 0
                return b""
            case ["lead", "on" | "off" as state]:
                self._lead = state == "on"
                return b""
            case ["battery", level] if level.isdecimal() and int(level) <= 100:
                self.battery = int(level) if int(level) <= 3 else min(int(level) // 25, 3)
                return b""
            case ["power", "off"]:
                return encode(Token.OFF, 0x00)
            case ["probe", "on" | "off" as state]:
                self.finger.obey(["sensor", state], at_s)
                return b""
            case _:
                return b"" if self.finger.obey(order, at_s) else None

    def _tick(self, number: int) -> bytes:
        at_s = (number + 1) / TICKS_PER_SECOND
        said = self._numbers(at_s) if number % TICKS_PER_SECOND == 0 else b""
        said += self._waves(at_s)
        if self._ramp:
            said += encode_cuff_pressure(self._ramp.pop(0), beat=bool(number % 2))
            if not self._ramp:
                said += self._result
        return said

    def _numbers(self, at_s: float) -> bytes:
        feels = self.finger.feels(at_s)
        if feels is not Feels.PULSE:
            off, searching = feels is Feels.NOTHING, feels is Feels.SEARCHING
            return encode_oximetry((0, 0, 0), off=off, searching=searching)
        found = self.finger.numbers(at_s)
        return encode_oximetry((found.saturation, found.pulse, min(found.perfusion, 255)))

    def _waves(self, at_s: float) -> bytes:
        due = int(at_s * PLETH_PER_SECOND)
        off = self.finger.feels(at_s) is Feels.NOTHING
        samples = tuple(
            0 if off else self._one(number / PLETH_PER_SECOND)
            for number in range(max(self._pleth, due - 9), due)
        )
        self._pleth = due
        said = encode_pleth(samples) if samples else b""
        if self._ecg is None:
            return said
        self._number = self._number % 255 + 1
        microvolts = self._vitals.ecg(int(ECG_RATE), self._ecg, ECG_SAMPLES)
        self._ecg += ECG_SAMPLES
        counts = tuple(
            max(-_BIGGEST, min(_BIGGEST, round(Decimal(each) * USUAL_GAIN / 1000))) for each in microvolts
        )
        return said + encode_ecg(Ecg(self._number, counts, fine=True, lead_off=not self._lead))

    def _one(self, at_s: float) -> int:
        return self._random.randrange(128) if self.finger.moving else self.finger.pleth(at_s, 127)

    def _measure(self, numbers: list[int], at_s: float) -> None:
        self._ramp = list(RAMP)
        if not numbers and self.finger.moving:
            self._result = encode(Token.CUFF_RESULT, FAILED, bytes((4,)))
            return
        now = self._vitals.now(at_s)
        systolic, diastolic, pulse = numbers or (round(now.systolic), round(now.diastolic), round(now.pulse))
        mean = round(diastolic + (systolic - diastolic) / 3)
        irregular = not numbers and now.rhythm is Rhythm.ATRIAL_FIBRILLATION
        self._result = encode_pressures(Pressures(systolic, mean, diastolic, min(pulse, 255), irregular))

    def _temperature(self, celsius: list[str], at_s: float) -> bytes | None:
        match celsius:
            case []:
                shown = self._vitals.now(at_s).temperature_c
            case ["off"]:
                return encode_temperature(Temperature(State.STANDING_BY, probe_off=True, hundredths=0))
            case [number] if number.replace(".", "", 1).isdecimal():
                shown = float(number)
            case _:
                return None
        hundredths = max(0, min(1312, round((shown - 30) * 100)))
        return encode_temperature(Temperature(State.FINISHED, probe_off=False, hundredths=hundredths))

    def _answer(self, asked: Frame) -> bytes:
        said = message(asked)
        if said.token != Token.MONITOR:
            return b""
        if said.type == NAME:
            return encode(Token.MONITOR, NAME, b"PC_300SNT")
        if said.type in VERSIONS:
            return encode(Token.MONITOR, said.type, bytes((0x11, 0x20, self.battery)))
        if said.type == SET_TIME:
            self.times_set += 1
            return encode(Token.MONITOR, SET_TIME)
        return b""

"""A ring as it looks from its link: what it answers. No radio, no clock of its own."""

import datetime
import json
from typing import Final

from drivers.codec import crc8
from drivers.devices.wellue_o2ring.codec import (
    REQUEST,
    Command,
    Reply,
    Sensors,
    encode_reply,
    encode_sensors,
)
from drivers.simulation.finger import Feels, Finger
from drivers.simulation.vitals import Vitals
from drivers.simulation.wall_time import WallTime

FORMAT: Final = "%Y-%m-%d,%H:%M:%S"
REFUSED: Final = 1
_AROUND: Final = 8
_LONGEST: Final = 512
_MOST_PULSE: Final = 250


class Unit:
    """One simulated ring, switched on; it says nothing unless asked.

    Args:
        time: its clock.
    """

    def __init__(
        self, vitals: Vitals, at_s: float, time: WallTime, *, inside: bool = True, battery: int = 90
    ) -> None:
        self.finger: Final = Finger(vitals, at_s, inside=inside)
        self.time = time
        self.times_set = 0
        self.battery = battery
        self._heard = b""

    def stream(self, at_s: float) -> bytes:  # noqa: ARG002  it says nothing unless asked
        return b""

    def hear(self, data: bytes, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        self._heard += data
        answers = b""
        while (start := self._heard.find(bytes((REQUEST,)))) >= 0:
            self._heard = self._heard[start:]
            if len(self._heard) < _AROUND:
                break
            size = int.from_bytes(self._heard[5:7], "little")
            if size > _LONGEST or self._heard[1] ^ 0xFF != self._heard[2]:
                self._heard = self._heard[1:]
                continue
            if len(self._heard) < size + _AROUND:
                break
            raw, self._heard = self._heard[: size + _AROUND], self._heard[size + _AROUND :]
            if not crc8.ccitt(raw):
                answers += encode_reply(self._answer(raw[1], raw[7:-1], at_s))
        self._heard = self._heard[-_LONGEST:]
        return answers

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        match order:
            case ["battery", percent] if percent.isdecimal() and int(percent) <= 100:
                self.battery = int(percent)
            case ["clock", seconds] if seconds.removeprefix("-").isdecimal():
                self.time = WallTime(
                    self.time.at + datetime.timedelta(seconds=int(seconds)), self.time.since_s
                )
            case _:
                return b"" if self.finger.obey(order, at_s) else None
        return b""

    def _answer(self, command: int, data: bytes, at_s: float) -> Reply:
        match command:
            case Command.SENSORS:
                return Reply(0, 0, encode_sensors(self._feels(at_s))[7:-1])
            case Command.INFORMATION:
                return Reply(0, 0, self._information(at_s))
            case Command.CONFIGURE:
                return Reply(0 if self._configure(data, at_s) else REFUSED, 0, b"")
            case Command.PING:
                return Reply(0, 0, b"")
            case _:
                return Reply(REFUSED, 0, b"")

    def _feels(self, at_s: float) -> Sensors:
        motion = 120 if self.finger.moving else 3
        match self.finger.feels(at_s):
            case Feels.NOTHING:
                return Sensors(0xFF, 0xFFFF, 0, self.battery, 0, motion, 0, 0xA0)
            case Feels.SEARCHING:
                return Sensors(0, 0, 0, self.battery, 0, motion, 0, 1)
            case Feels.PULSE:
                found = self.finger.numbers(at_s)
                pulse, perfusion = min(found.pulse, _MOST_PULSE), min(found.perfusion, 255)
                return Sensors(found.saturation, pulse, 0, self.battery, 0, motion, perfusion, 1)

    def _information(self, at_s: float) -> bytes:
        told = {
            "Region": "CE",
            "Model": "1652",
            "HardwareVer": "AA",
            "SoftwareVer": "1.4.0",
            "SN": "0000000001",
            "CurTIME": self.time.now(at_s).strftime(FORMAT),
            "CurBAT": f"{self.battery}%",
            "CurBatState": "0",
            "FileVer": "3",
            "FileList": "",
        }
        return json.dumps(told, separators=(",", ":")).encode()

    def _configure(self, data: bytes, at_s: float) -> bool:
        try:
            shown = datetime.datetime.strptime(json.loads(data)["SetTIME"], FORMAT)  # noqa: DTZ007  no zone
        except (ValueError, KeyError, TypeError):
            return False
        self.time = WallTime(shown, at_s)
        self.times_set += 1
        return True

"""A SunTech module as it looks from its cable: pump, measure, answer. No port, no clock of its own."""

import collections
import random
from typing import Final

from drivers.devices.suntech_nibp.codec import (
    ABORT,
    ASKS,
    ERRORS,
    GET_PRESSURE,
    GET_RESULT,
    GET_VERSION,
    REQUESTS,
    RESET,
    State,
    encode_pressure,
    encode_result,
    encode_state,
    encode_version,
    initial_inflation,
)
from drivers.simulation.vitals import Vitals
from edge.ports.driver import CuffMode

PUMPED_TO: Final = {CuffMode.ADULT: 160, CuffMode.CHILD: 120, CuffMode.NEONATE: 90}
INFLATES_MMHG_S: Final = 40.0
DEFLATES_MMHG_S: Final = 6.0
VENTS_MMHG_S: Final = 200.0
VERSION: Final = "LX 3.21 simulated"
_KNOWN: Final = (*REQUESTS.values(), ABORT, GET_PRESSURE, GET_RESULT, GET_VERSION, RESET)
_INFLATION_COMMAND: Final = initial_inflation(0)[:2]


class Unit:
    """One simulated module with its cuff.

    Args:
        vitals: whose arm is in it.
        at_s: when it was switched on, in the person's time.
        deflates_mmhg_s: how fast it lets the air out while it looks for the pressures.

    Attributes:
        heard: every request that was understood, with the time at which it was complete; for tests.
    """

    def __init__(
        self, vitals: Vitals, at_s: float, *, seed: int = 1, deflates_mmhg_s: float = DEFLATES_MMHG_S
    ) -> None:
        self._vitals = vitals
        self._deflates_mmhg_s = deflates_mmhg_s
        self._random = random.Random(seed)  # noqa: S311  a virtual patient needs chance, not secrecy
        self._waiting = b""
        self._cuff_mmhg = 0.0
        self._at_s = at_s
        self._pumping_to: float | None = None
        self._measuring = False
        self._first_inflation: int | None = None
        self._worn = True
        self._moving = False
        self._error_next = 0
        self._result = encode_result(0, 0, 0, 0, error=2)
        self.heard: collections.deque[tuple[float, bytes]] = collections.deque(maxlen=1000)

    @property
    def cuff_mmhg(self) -> float:
        """What the cuff holds."""
        return self._cuff_mmhg

    @property
    def measuring(self) -> bool:
        return self._measuring

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`: nothing but K when it has finished."""
        passed_s = at_s - self._at_s
        self._at_s = at_s
        if not self._measuring:
            self._cuff_mmhg = max(0.0, self._cuff_mmhg - VENTS_MMHG_S * passed_s)
            return b""
        if self._pumping_to is not None:
            self._cuff_mmhg += INFLATES_MMHG_S * passed_s * (1.0 if self._worn else 0.1)
            leaks = not self._worn and self._cuff_mmhg > 15
            if leaks or self._cuff_mmhg >= self._pumping_to:
                self._pumping_to = None
            if leaks:
                return self._finish(at_s, 0x57)
            return b""
        self._cuff_mmhg = max(0.0, self._cuff_mmhg - self._deflates_mmhg_s * passed_s)
        if self._cuff_mmhg > self._vitals.now(at_s).diastolic - 10:
            return b""
        return self._finish(at_s, self._error_next or (0x02 if self._moves(at_s) else 0))

    def hear(self, data: bytes, at_s: float) -> bytes:
        """Take requests, and give the answers."""
        self.stream(at_s)
        self._waiting += data
        answer = b""
        while self._waiting:
            asked = self._request()
            if asked is None:
                break
            if asked:
                self.heard.append((at_s, asked))
                answer += self._answer(asked, at_s)
        return answer

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        """``sensor on|off`` (the cuff), ``motion on|off``, ``error NUMBER`` of the next measurements."""
        del at_s
        match order:
            case ["sensor", "on" | "off" as state]:
                self._worn = state == "on"
            case ["motion", "on" | "off" as state]:
                self._moving = state == "on"
            case ["error", number] if number.isdecimal() and (int(number) in ERRORS or number == "0"):
                self._error_next = int(number)
            case ["power", _]:
                self._measuring = False
            case _:
                return None
        return b""

    def _request(self) -> bytes | None:
        """The next whole request; empty for a byte that begins none, None while more is needed."""
        if self._waiting[0] == ASKS:
            for known in _KNOWN:
                if self._waiting.startswith(known):
                    self._waiting = self._waiting[len(known) :]
                    return known
            if self._waiting.startswith(_INFLATION_COMMAND) and len(self._waiting) >= 5:
                asked, self._waiting = self._waiting[:5], self._waiting[5:]
                return asked if sum(asked) & 0xFF == 0 else b""
            begins = (*_KNOWN, _INFLATION_COMMAND)
            if any(known.startswith(self._waiting) for known in begins) or (
                self._waiting.startswith(_INFLATION_COMMAND)
            ):
                return None
        self._waiting = self._waiting[1:]
        return b""

    def _answer(self, asked: bytes, at_s: float) -> bytes:
        if asked in {ABORT, RESET}:
            self._measuring, self._pumping_to = False, None
            self._result = encode_result(0, 0, 0, 0, error=0x56)
            return encode_state(State.ABORTED)
        if asked == GET_PRESSURE:
            return encode_pressure(round(self._cuff_mmhg))
        if asked == GET_VERSION:
            return encode_version(VERSION)
        if self._measuring:
            return encode_state(State.BUSY)
        return self._result if asked == GET_RESULT else self._begin(asked, at_s)

    def _begin(self, asked: bytes, at_s: float) -> bytes:
        if asked.startswith(_INFLATION_COMMAND):
            self._first_inflation = int.from_bytes(asked[2:4], "little")
            return encode_state(State.RECEIVED)
        mode = next(mode for mode, request in REQUESTS.items() if request == asked)
        usual = max(PUMPED_TO[mode], self._vitals.now(at_s).systolic + 30)
        self._pumping_to = float(self._first_inflation or usual)
        self._first_inflation = None
        self._measuring = True
        return encode_state(State.RECEIVED)

    def _finish(self, at_s: float, error: int) -> bytes:
        self._measuring = False
        now = self._vitals.now(at_s)
        if error:
            self._result = encode_result(0, 0, 0, 0, error)
        else:
            wobble = self._random.randint(-2, 2)
            self._result = encode_result(
                round(now.systolic) + wobble,
                round(now.diastolic) + wobble,
                round(now.mean) + wobble,
                round(now.pulse),
            )
        return encode_state(State.EXECUTED)

    def _moves(self, at_s: float) -> bool:
        return self._moving or self._vitals.now(at_s).moving

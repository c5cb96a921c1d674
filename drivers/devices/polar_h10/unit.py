"""A simulated strap apart from its radio: what it answers, and what its frames hold. Pure."""

import itertools
import math
import random
from typing import Final

from drivers.codec.heart_rate import Flag, HeartRate, encode_heart_rate
from drivers.devices.polar_h10.codec import (
    ECG,
    FEATURES,
    LEAST_MTU,
    Answer,
    EcgFrame,
    Operation,
    Response,
    Setting,
    Settings,
    decode_settings,
    encode_ecg,
    encode_response,
    encode_settings,
)
from drivers.simulation.patient_heart import Beating
from edge.ports.driver import DeviceMisbehaved

OFFERED: Final[Settings] = {Setting.RATE: (130,), Setting.RESOLUTION: (14,)}
MEASURES: Final = bytes((FEATURES, 1 << ECG | 1 << 2)) + bytes(15)
"""ECG and acceleration; 17 bytes, as a real strap's."""
SAMPLES_PER_FRAME: Final = 73
NOMINAL_RATE: Final = 130
POWER_UP_NS: Final = 599_616_000 * 1_000_000_000
"""2019-01-01, where the clock of a strap begins that nobody has set, since 2000."""
BEATS_FOR_THE_RATE: Final = 8
MUSCLES_MICROVOLTS: Final = 250.0
_NS: Final = 1_000_000_000


class Strap:
    """One strap on one chest.

    Args:
        rate: how many samples a second its crystal really gives.
        needs_mtu: whether small packets are refused, as real straps do.

    Attributes:
        contact: whether it is on the skin.
        moves: whether its wearer moves, which shakes the baseline and adds noise of the muscles.
        answer: the error it gives to every start, whatever is asked.
    """

    def __init__(self, heart: Beating, *, rate: float = 130.17, needs_mtu: bool = True) -> None:
        self._heart = heart
        self._random = random.Random(10)  # noqa: S311  noise need not be secret
        self._rate = rate
        self._needs_mtu = needs_mtu
        self._sent = 0
        self._told_s = 0.0
        self._clock_ns = POWER_UP_NS
        self.streams = False
        self.contact = True
        self.moves = False
        self.answer: int | None = None

    @property
    def frame_s(self) -> float:
        """How long the samples of a frame take."""
        return SAMPLES_PER_FRAME / self._rate

    def command(self, raw: bytes, mtu: int) -> bytes:
        """What the control point indicates to a command."""
        operation, type_ = raw[0] if raw else 0, raw[1] if len(raw) > 1 else 0xFF
        answer, parameters = self._obey(operation, type_, raw[2:], mtu)
        return encode_response(Response(operation, type_, answer, parameters=parameters))

    def frame(self) -> bytes:
        """The next samples; the time is that of the last."""
        first = self._sent
        self._sent += SAMPLES_PER_FRAME
        last_ns = self._clock_ns + int((self._sent - 1) / self._rate * _NS)
        samples = self._heart.samples(first, SAMPLES_PER_FRAME)
        if self.moves:
            samples = [sample + self._jolt(first + place) for place, sample in enumerate(samples)]
        return encode_ecg(EcgFrame(last_ns, tuple(samples)))

    def skip_frame(self) -> None:
        """Samples that nobody will ever see."""
        self._sent += SAMPLES_PER_FRAME

    def clock_jump(self, seconds: float) -> None:
        """The strap's clock is set while it measures."""
        self._clock_ns += int(seconds * _NS)

    def heart_rate(self) -> bytes:
        """The heart rate at this point of the ECG, and the intervals that ended since it was last told."""
        if not self.contact:
            return encode_heart_rate(HeartRate(Flag.CONTACT_KNOWN, 0))
        now_s = self._sent / NOMINAL_RATE
        beats = self._heart.beats_before(now_s, BEATS_FOR_THE_RATE + 1)
        pairs = list(itertools.pairwise(beats))
        rate = round(60 * len(pairs) / (beats[-1] - beats[0]))
        ended = [(start, end) for start, end in pairs if self._told_s < end <= now_s]
        self._told_s = now_s
        intervals = tuple(round((end - start) * 1024) for start, end in ended)
        flags = Flag.CONTACT | Flag.CONTACT_KNOWN | (Flag.INTERVALS if intervals else 0)
        return encode_heart_rate(HeartRate(flags, rate, intervals=intervals))

    def _jolt(self, number: int) -> int:
        """What movement adds to a sample, in microvolts."""
        sway = 900 * math.sin(math.tau * 0.6 * number / NOMINAL_RATE)
        return round(sway + self._random.gauss(0, MUSCLES_MICROVOLTS))

    def _obey(self, operation: int, type_: int, rest: bytes, mtu: int) -> tuple[int, bytes]:
        if operation not in set(Operation):
            return Answer.UNKNOWN_OPERATION, b""
        if type_ != ECG:
            return Answer.UNKNOWN_TYPE, b""
        if self._needs_mtu and mtu < LEAST_MTU:
            return Answer.MTU_TOO_SMALL, b""
        match Operation(operation):
            case Operation.GET_SETTINGS:
                return Answer.OK, encode_settings(OFFERED)
            case Operation.START:
                return self._start(rest), b"\x00"
            case Operation.STOP:
                was, self.streams = self.streams, False
                return Answer.OK if was else Answer.ALREADY_SO, b""

    def _start(self, rest: bytes) -> int:
        if self.answer is not None:
            self.streams = self.streams or self.answer == Answer.ALREADY_SO
            return self.answer
        if self.streams:
            return Answer.ALREADY_SO
        try:
            asked = decode_settings(rest)
        except DeviceMisbehaved:
            return Answer.WRONG_LENGTH
        wrong = {Setting.RATE: Answer.WRONG_RATE, Setting.RESOLUTION: Answer.WRONG_RESOLUTION}
        for kind, offered in OFFERED.items():
            if asked.get(kind) != offered:
                return wrong[Setting(kind)]
        self.streams = True
        return Answer.OK

"""From the frames of a spot-check monitor to what is handed on. Pure."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.creative import Message, message
from drivers.codec.creative_oximetry import PLETH_RATE, parameters, pleth
from drivers.codec.framing import Frame, Framer
from drivers.codec.strip import WHOLE, Strip, on_the_skin
from drivers.decoding import Chunk, Decoded, decode_notifications
from drivers.devices.creative_pc300.codec import (
    ECG_RATE,
    ENABLED,
    FAILED,
    GAIN_OF_8_BITS,
    MEASURED,
    NOTIFY,
    USUAL_GAIN,
    State,
    Temperature,
    Token,
    battery,
    decode_cuff_pressure,
    decode_ecg,
    decode_failure,
    decode_heart,
    decode_pressures,
    decode_temperature,
    frames,
    microvolts_in_a_count,
    word_of,
)
from edge.ports.driver import DeviceEvent
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading, Wave

LEAD: Final = "PC-300 single lead"
PLETH_STRETCH: Final = 25
ECG_STRETCH: Final = 75
"""Half a second of either."""
MEASUREMENT_FAILED: Final = "measurement-failed"
LAST_NUMBER: Final = 255
"""Of a packet of ECG."""
COLDEST_C: Final = 30
HIGHEST: Final = 1300
"""Hundredths above 30 °C: 43 °C, and the device says 43.12 for everything hotter."""

_PRESSURES: Final = (Code.SYSTOLIC, Code.DIASTOLIC, Code.MEAN_PRESSURE, Code.PULSE_CUFF)
_INVALID: Final = Missing(MissingReason.INVALID)


class Monitor:
    """What one session says.

    Attributes:
        battery: its level, 0 to 3, as last told; None until then.
        off: whether it has said that it switches off.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._pleth = Strip(Code.PLETH, None, PLETH_RATE, WHOLE if whole else PLETH_STRETCH)
        self._ecg_size = WHOLE if whole else ECG_STRETCH
        self._gain = USUAL_GAIN
        self._fine = True
        self._ecg = self._new_ecg()
        self._number: int | None = None
        self._probe_off = False
        self.battery: int | None = None
        self.off = False
        self._takes: Final[dict[int, Callable[[Message, bytes], list[DeviceEvent]]]] = {
            Token.ECG_WAVE: self._ecg_wave,
            Token.ECG_RESULT: self._heart,
            Token.ECG_GAIN: self._ecg_gain,
            Token.CUFF_PRESSURE: self._cuff_pressure,
            Token.CUFF_RESULT: self._cuff_result,
            Token.PLETH: self._pleth_wave,
            Token.OXIMETER: self._oximeter,
            Token.TEMPERATURE: self._temperature,
        }

    def take(self, frame: Frame) -> list[DeviceEvent]:
        """Take the next frame and give what it completes."""
        said = message(frame)
        level = battery(said)
        if level is not None:
            self.battery = level
        self.off = self.off or said.token == Token.OFF
        take = self._takes.get(said.token)
        return [] if take is None else take(said, frame.raw)

    def lost(self) -> list[Wave]:
        """Bytes were refused: samples may have been among them."""
        return [*self._ecg.lost(), *self._pleth.lost()]

    def end(self) -> list[Wave]:
        """Give the samples that are left."""
        return [*self._ecg.end(), *self._pleth.end()]

    # ── Pressure ─────────────────────────────────────────────────────────────────────────────────

    def _cuff_pressure(self, said: Message, raw: bytes) -> list[DeviceEvent]:
        cuff = decode_cuff_pressure(said.data)
        value = Quantity(Decimal(cuff.mmhg), Unit.MILLIMETRE_OF_MERCURY)
        flags = ("beat",) if cuff.beat else ()
        return [Reading(((Code.CUFF_PRESSURE, value),), flags, mode=Mode.CONTINUOUS, raw=raw)]

    def _cuff_result(self, said: Message, raw: bytes) -> list[DeviceEvent]:
        if said.type == FAILED:
            word = word_of(decode_failure(said.data))
            flags = (MEASUREMENT_FAILED, *((word,) if word else ()))
            return [self._spot(tuple((code, _INVALID) for code in _PRESSURES), flags, raw)]
        if said.type != MEASURED:
            return []
        found = decode_pressures(said.data)
        mean: Measured = _number(found.mean, Unit.MILLIMETRE_OF_MERCURY)
        if isinstance(mean, Missing):
            mean = Missing(MissingReason.NOT_MEASURED)  # a cuff may do without; its pressures stand
        values = (
            (Code.SYSTOLIC, _number(found.systolic, Unit.MILLIMETRE_OF_MERCURY)),
            (Code.DIASTOLIC, _number(found.diastolic, Unit.MILLIMETRE_OF_MERCURY)),
            (Code.MEAN_PRESSURE, mean),
            (Code.PULSE_CUFF, _number(found.pulse, Unit.PER_MINUTE)),
        )
        return [self._spot(values, ("irregular-pulse",) if found.irregular else (), raw)]

    # ── Oximeter ─────────────────────────────────────────────────────────────────────────────────

    def _oximeter(self, said: Message, raw: bytes) -> list[DeviceEvent]:
        values = parameters(said.data)
        self._probe_off = values[0][1] == Missing(MissingReason.SENSOR_OFF)
        return [Reading(values, self._low_battery(), mode=Mode.CONTINUOUS, raw=raw)]

    def _pleth_wave(self, said: Message, _raw: bytes) -> list[DeviceEvent]:
        if said.type != ENABLED:
            return []
        return [*self._pleth.add(pleth(said.data).samples, off=self._probe_off)]

    # ── ECG ──────────────────────────────────────────────────────────────────────────────────────

    def _new_ecg(self) -> Strip:
        gain = self._gain if self._fine else GAIN_OF_8_BITS
        return Strip(
            Code.ECG, LEAD, ECG_RATE, self._ecg_size, unit=Unit.MICROVOLT, step=microvolts_in_a_count(gain)
        )

    def _ecg_gain(self, said: Message, _raw: bytes) -> list[DeviceEvent]:
        gain = int.from_bytes(said.data[:2], "big")
        if not gain or gain == self._gain:
            return []
        self._gain = Decimal(gain)
        return self._change_ecg()

    def _change_ecg(self) -> list[DeviceEvent]:
        waves: list[DeviceEvent] = [*self._ecg.end()]
        self._ecg = self._new_ecg()
        self._ecg.lost()
        return waves

    def _ecg_wave(self, said: Message, _raw: bytes) -> list[DeviceEvent]:
        found = decode_ecg(said.data)
        if not found.number and self._number != LAST_NUMBER:
            self._number = None
            return []  # it prepares: what it shows is not yet a signal
        events: list[DeviceEvent] = []
        if found.fine is not self._fine:
            self._fine = found.fine
            events += self._change_ecg()
        if self._number is not None and found.number not in _after(self._number):
            events += self._ecg.lost()
        self._number = found.number
        return [*events, *self._ecg.add(found.samples, off=found.lead_off)]

    def _heart(self, said: Message, raw: bytes) -> list[DeviceEvent]:
        found = decode_heart(said.data)
        rate = _INVALID if found.poor else _number(found.rate, Unit.PER_MINUTE)
        return [self._spot(((Code.HEART_RATE, rate),), ("low-signal",) if found.poor else (), raw)]

    # ── Temperature ──────────────────────────────────────────────────────────────────────────────

    def _temperature(self, said: Message, raw: bytes) -> list[DeviceEvent]:
        if said.type != MEASURED:
            return []
        found = decode_temperature(said.data)
        values = ((Code.TEMPERATURE, temperature(found)),)
        if found.state is State.MEASURING:
            return [Reading(values, self._low_battery(), mode=Mode.CONTINUOUS, raw=raw)]
        return [self._spot(values, (), raw)]

    def _spot(self, values: tuple[tuple[Code, Measured], ...], flags: tuple[str, ...], raw: bytes) -> Reading:
        return Reading(values, (*flags, *self._low_battery()), mode=Mode.SPOT, raw=raw)

    def _low_battery(self) -> tuple[str, ...]:
        return ("low-battery",) if self.battery == 0 else ()


def temperature(found: Temperature) -> Measured:
    """The temperature, or why there is none."""
    if found.probe_off:
        return Missing(MissingReason.SENSOR_OFF)
    if found.state is State.TOOK_TOO_LONG or (found.state is State.STANDING_BY and not found.hundredths):
        return Missing(MissingReason.NOT_MEASURED)
    if found.hundredths > HIGHEST:
        return Missing(MissingReason.ABOVE_RANGE)
    return Quantity(COLDEST_C + Decimal(found.hundredths).scaleb(-2), Unit.CELSIUS)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some bytes said: a reading for each frame with numbers, and the waves."""
    monitor = Monitor(whole=True)
    events: list[DeviceEvent] = []
    refused = decode_notifications(
        Framer(frames()), chunks, NOTIFY, lambda frame: events.extend(monitor.take(frame))
    )
    readings = tuple(event for event in events if isinstance(event, Reading))
    waves = (event for event in events if isinstance(event, Wave))
    return Decoded(readings, tuple(refused), tuple(on_the_skin([*waves, *monitor.end()])))


def _number(sent: int, unit: Unit) -> Measured:
    return Quantity(Decimal(sent), unit) if sent else _INVALID


def _after(number: int) -> frozenset[int]:
    """What the next packet may be numbered. Nobody says whether 0 or 1 comes when the numbers run out."""
    return frozenset({0, 1} if number == LAST_NUMBER else {number + 1})

"""A Polar H10 chest strap: heart rate and intervals once a second, and its ECG."""

import dataclasses
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate, heart_rate_reading
from drivers.devices.polar_h10.codec import LEAST_MTU, STOP, Setting, decode_ecg, has_ecg
from drivers.devices.polar_h10.control import Control, State
from drivers.devices.polar_h10.readings import NOMINAL_RATE, Strip
from drivers.setup.ear import Ear, Heard, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.session import Family
from drivers.setup.steps import Read, ReadBattery, ReadIdentity, Subscribe
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.reading import Wave

ANSWER_WITHIN_S: Final = 5.0
SILENCE_S: Final = 5.0
"""It says a heart rate every second, strap on or off; so long without one and it has gone."""
REFUSALS_IN_A_ROW: Final = 5
"""So many values without meaning, one after the other, and it is not an H10 that we hear."""

_WORDS: Final = Words(
    "strap",
    silent="wet its electrodes and put it on; change its battery if that does not help.",
    wrong="see that the address in unit.toml is that of a Polar H10.",
)


class StrapEar(Ear):
    """Starts the ECG and hears one wearing; lets no ECG through while the strap is off the skin.

    Args:
        answer_within_s: so long for an answer, and once it streams for the next frame: heart rates alone
            do not hide that there is no ECG.
    """

    def __init__(self, known: Known, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._port = known.port
        self._answer_within_s = answer_within_s
        self._control = Control()
        self._strip = Strip()
        self._due_s = 0.0
        self._open = False
        self._gap = False

    def begin(self, now_s: float) -> Iterable[Said]:
        self._due_s = now_s + self._answer_within_s
        return (Send(self._control.begin(), uuids.POLAR_CONTROL_POINT),)

    def hear(self, heard: Heard) -> Iterable[Said]:
        if heard.channel == uuids.POLAR_DATA and not self._control.waits:
            self._due_s = heard.at_s + self._answer_within_s
        control = heard.channel == uuids.POLAR_CONTROL_POINT
        said = self._control_said(heard) if control else self._events(heard)
        return (*said, self._silent()) if heard.at_s > self._due_s else said

    def goodbye(self) -> Sequence[Send]:
        return (Send(STOP, uuids.POLAR_CONTROL_POINT),)

    def _control_said(self, heard: Heard) -> Sequence[Said]:
        try:
            command = self._control.hear(heard.raw)
        except DeviceMisbehaved as error:
            return (error,)  # a control point that cannot be understood starts nothing
        refusal = self._refusal()
        if refusal is not None:
            return (refusal,)
        if command is None:
            return ()
        self._due_s = heard.at_s + self._answer_within_s
        self._strip = Strip(Decimal(self._control.chosen.get(Setting.RATE, NOMINAL_RATE)))
        return (Send(command, uuids.POLAR_CONTROL_POINT),)

    def _events(self, heard: Heard) -> Sequence[DeviceEvent]:
        if heard.channel == uuids.HEART_RATE_MEASUREMENT:
            said = decode_heart_rate(heard.raw)
            # Off the skin the ECG goes on as noise. Where a strap cannot tell, it is not shut out.
            self._open = said.contact is not False
            # A heart rate has no time of its own; the frames around it have.
            reading = heart_rate_reading(said, heard.raw)
            return (dataclasses.replace(reading, device_s=self._strip.device_s),)
        if heard.channel != uuids.POLAR_DATA:
            return ()
        wave = self._strip.frame(decode_ecg(heard.raw))
        if wave is None:
            return ()
        if not self._open:
            self._gap = True
            return ()
        wave, self._gap = _after(wave, gap=self._gap), False
        return (wave,)

    def _refusal(self) -> DeviceError | None:
        match self._control.state:
            case State.TOO_SMALL:
                return DeviceUnavailable(
                    f"The link with the strap at {self._port} carries packets too small for its ECG"
                    f" (under {LEAST_MTU} bytes).",
                    next_step="it is tried again; if that does not help, use another Bluetooth adapter.",
                    code="mtu-too-small",
                )
            case State.NOT_NOW:
                return DeviceUnavailable(
                    f"The strap at {self._port} cannot measure now.",
                    next_step="end other programs that use it, and take it off its charger.",
                    code="device-busy",
                )
            case State.REFUSED:
                return DeviceMisbehaved(
                    f"The strap at {self._port} refuses to start its ECG.",
                    next_step="see that it is a Polar H10, and update its firmware.",
                    code="ecg-refused",
                )
            case State.ASKING | State.STARTING | State.STREAMING:
                return None

    def _silent(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"The strap at {self._port} sends no ECG.", next_step=_WORDS.silent, code="device-silent"
        )


FAMILY: Final = Family(
    kind="polar-h10",
    words=_WORDS,
    opening=BleOpening(service=uuids.HEART_RATE_SERVICE, acquire=frozenset({uuids.POLAR_DATA})),
    steps=(
        Read(uuids.POLAR_CONTROL_POINT, accept=has_ecg, lacks="sends no ECG", optional=False),
        ReadIdentity(),
        ReadBattery(),
        Subscribe(uuids.HEART_RATE_MEASUREMENT),
        Subscribe(uuids.POLAR_CONTROL_POINT),
        Subscribe(uuids.POLAR_DATA),
    ),
    ear=StrapEar,
    manner=Manner(patience_s=SILENCE_S, refusals_in_a_row=REFUSALS_IN_A_ROW),
)


def _after(wave: Wave, *, gap: bool) -> Wave:
    return dataclasses.replace(wave, gap=True) if gap else wave

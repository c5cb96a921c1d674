"""A Polar H10 chest strap: heart rate and intervals once a second, and its ECG."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate, heart_rate_reading
from drivers.devices.polar_h10.codec import LEAST_MTU, STOP, Setting, decode_ecg, has_ecg
from drivers.devices.polar_h10.control import Control, State
from drivers.devices.polar_h10.readings import NOMINAL_RATE, Strip
from drivers.transport.about import read_battery, read_identity
from drivers.transport.link import BleLink, Radio
from drivers.transport.reach import reach
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.identity import Identity
from edge.vitals.reading import Wave

ANSWER_WITHIN_S: Final = 5.0
SILENCE_S: Final = 5.0
"""It says a heart rate every second, strap on or off; so long without one and it has gone."""
STOP_WITHIN_S: Final = 1.0
REFUSALS_IN_A_ROW: Final = 5
"""So many values without meaning, one after the other, and it is not an H10 that we hear."""


class PolarH10:
    """One configured strap.

    Args:
        key: what the configuration calls it.
        port: ``ble:`` and its address.
        radio: the adapter, shared with other devices.

    Attributes:
        identity: what the strap said of itself, once it has been met.
        battery_percent: at the last meeting, or None.
    """

    def __init__(self, key: str, port: str, radio: Radio | None) -> None:
        self.key: Final = key
        self.kind: Final = "polar-h10"
        self._port = port
        self._radio = radio
        self.identity = Identity()
        self.battery_percent: int | None = None

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        """Wait for the strap, start its ECG, and give ECG and heart rate until it goes away.

        Raises:
            DeviceUnavailable: no radio, it has gone, or it cannot start now.
            DeviceMisbehaved: it is no H10, or refuses what an H10 does.
        """
        async with reach(
            self._radio,
            self._port,
            service=uuids.HEART_RATE_SERVICE,
            acquire=frozenset({uuids.POLAR_DATA}),
        ) as link:
            try:
                async with contextlib.aclosing(self._listen(link)) as events:
                    yield events
            finally:
                with contextlib.suppress(DeviceError, TimeoutError):
                    async with asyncio.timeout(STOP_WITHIN_S):
                        await link.write(uuids.POLAR_CONTROL_POINT, STOP, response=True)

    async def _listen(self, link: BleLink) -> AsyncGenerator[DeviceEvent]:
        await self._check(link)
        self.identity = await read_identity(link)
        self.battery_percent = await read_battery(link)
        control, ear = Control(), Ear()
        await link.subscribe(uuids.HEART_RATE_MEASUREMENT)
        await link.subscribe(uuids.POLAR_CONTROL_POINT)
        await link.subscribe(uuids.POLAR_DATA)
        now_s = asyncio.get_running_loop().time
        await link.write(uuids.POLAR_CONTROL_POINT, control.begin(), response=True)
        due_s = now_s() + ANSWER_WITHIN_S  # an answer, and once it streams the next frame
        async for uuid, raw in self._values(link):
            if uuid == uuids.POLAR_DATA and not control.waits:
                due_s = now_s() + ANSWER_WITHIN_S
            if uuid == uuids.POLAR_CONTROL_POINT:
                command = control.hear(raw)
                if command is not None:
                    await link.write(uuids.POLAR_CONTROL_POINT, command, response=True)
                    due_s = now_s() + ANSWER_WITHIN_S
                    ear.begin(Decimal(control.chosen.get(Setting.RATE, NOMINAL_RATE)))
                self._see_to(control.state)
            else:
                for event in ear.hear(uuid, raw):
                    yield event
            if now_s() > due_s:
                raise self._silent()

    async def _check(self, link: BleLink) -> None:
        if not link.has(uuids.POLAR_CONTROL_POINT) or not has_ecg(await link.read(uuids.POLAR_CONTROL_POINT)):
            raise DeviceMisbehaved(
                f"The device at {self._port} sends no ECG.",
                next_step="see that the address in unit.toml is that of a Polar H10.",
                code="device-not-understood",
            )

    async def _values(self, link: BleLink) -> AsyncGenerator[tuple[str, bytes]]:
        events = link.events()
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    value = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise self._silent() from None
            yield value

    def _see_to(self, state: State) -> None:
        match state:
            case State.TOO_SMALL:
                raise DeviceUnavailable(
                    f"The link with the strap at {self._port} carries packets too small for its ECG"
                    f" (under {LEAST_MTU} bytes).",
                    next_step="it is tried again; if that does not help, use another Bluetooth adapter.",
                    code="mtu-too-small",
                )
            case State.NOT_NOW:
                raise DeviceUnavailable(
                    f"The strap at {self._port} cannot measure now.",
                    next_step="end other programs that use it, and take it off its charger.",
                    code="device-busy",
                )
            case State.REFUSED:
                raise DeviceMisbehaved(
                    f"The strap at {self._port} refuses to start its ECG.",
                    next_step="see that it is a Polar H10, and update its firmware.",
                    code="ecg-refused",
                )
            case State.ASKING | State.STARTING | State.STREAMING:
                return

    def _silent(self) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"The strap at {self._port} says nothing.",
            next_step="wet its electrodes and put it on; change its battery if that does not help.",
            code="device-silent",
        )


class Ear:
    """Turns values into events, and lets no ECG through while the strap is off the skin."""

    def __init__(self) -> None:
        self._strip = Strip()
        self._open = False
        self._refused = 0
        self._gap = False

    def begin(self, nominal: Decimal) -> None:
        """The ECG was started at this rate."""
        self._strip = Strip(nominal)

    def hear(self, uuid: str, raw: bytes) -> list[DeviceEvent]:
        """Take one value.

        Raises:
            DeviceMisbehaved: several in a row had no meaning.
        """
        try:
            events = self._take(uuid, raw)
        except DeviceMisbehaved:
            self._refused += 1
            if self._refused == REFUSALS_IN_A_ROW:
                raise
            return []
        self._refused = 0
        return events

    def _take(self, uuid: str, raw: bytes) -> list[DeviceEvent]:
        if uuid == uuids.HEART_RATE_MEASUREMENT:
            said = decode_heart_rate(raw)
            # Off the skin the ECG goes on as noise. Where a strap cannot tell, it is not shut out.
            self._open = said.contact is not False
            # A heart rate has no time of its own; the frames around it have.
            return [dataclasses.replace(heart_rate_reading(said, raw), device_s=self._strip.device_s)]
        if uuid != uuids.POLAR_DATA:
            return []
        wave = self._strip.frame(decode_ecg(raw))
        if wave is None:
            return []
        if not self._open:
            self._gap = True
            return []
        wave, self._gap = _after(wave, gap=self._gap), False
        return [wave]


def _after(wave: Wave, *, gap: bool) -> Wave:
    return dataclasses.replace(wave, gap=True) if gap else wave

"""A blood pressure cuff on Bluetooth: it wakes up, tells what it measured, and hangs up."""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import (
    CURRENT_TIME_BYTES,
    DATE_TIME_BYTES,
    Adjusted,
    CurrentTime,
    DateTime,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from drivers.devices.sig_bp.codec import decode_features
from drivers.devices.sig_bp.readings import Now, cuff_pressure, measurement
from drivers.transport.about import (
    LOW_BATTERY_PERCENT,
    read_battery,
    read_identity,
    read_if_there,
)
from drivers.transport.link import BleLink, Radio
from drivers.transport.reach import reach
from edge.ports.driver import DeviceEvent, DeviceMisbehaved
from edge.vitals.identity import Identity
from edge.vitals.reading import Reading

SPEAKS_WITHIN_S: Final = 120.0
"""A cuff that connects before it measures has so long; a measurement takes less than a minute."""
QUIET_FOR_S: Final = 5.0
"""After its last measurement a cuff that does not hang up is left."""
SET_WITHIN_S: Final = 3.0
CLOCK_OFF_BY: Final = datetime.timedelta(minutes=10)
"""Omron cuffs refuse to be set for less (open drivers do the same)."""

Wall = Callable[[], datetime.datetime | None]


class SigBloodPressure:
    """One configured cuff.

    Args:
        key: what the configuration calls it.
        port: ``ble:`` and its address.
        radio: the adapter, shared with other devices.
        wall: local wall time while the unit's clock is synchronised, else None.

    Attributes:
        identity: what the cuff said of itself, once it has been met.
        battery_percent: at the last meeting, or None.
    """

    def __init__(self, key: str, port: str, radio: Radio | None, wall: Wall = lambda: None) -> None:
        self.key: Final = key
        self.kind: Final = "sig-bp"
        self._port = port
        self._radio = radio
        self._wall = wall
        self._met = ""
        self.identity = Identity()
        self.battery_percent: int | None = None

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncIterator[DeviceEvent]]:
        """Wait for the cuff, however long, and give what it measured until it hangs up.

        Raises:
            BondLost: it does not know us any more.
            DeviceUnavailable: no radio, or it vanished before it had said anything.
            DeviceMisbehaved: it is no cuff, or a value meant nothing; told after all others.
        """
        async with (
            reach(self._radio, self._port, service=uuids.BLOOD_PRESSURE_SERVICE, bond=True) as link,
            contextlib.aclosing(self._listen(link)) as events,
        ):
            yield events

    async def _listen(self, link: BleLink) -> AsyncGenerator[DeviceEvent]:
        if not link.has(uuids.BLOOD_PRESSURE_MEASUREMENT):
            raise DeviceMisbehaved(
                f"The device at {self._port} measures no blood pressure.",
                next_step="see that the address in unit.toml is the cuff's.",
                code="device-not-understood",
            )
        await self._get_to_know(link)
        features = await _features(link)
        clock = await _Clock.look(link)
        with contextlib.suppress(DeviceMisbehaved, TimeoutError):
            await clock.set_if_simple(self._wall())
        for uuid in (uuids.CURRENT_TIME, uuids.INTERMEDIATE_CUFF_PRESSURE):
            if link.has(uuid):
                with contextlib.suppress(DeviceMisbehaved):
                    await link.subscribe(uuid)
        # The last thing asked: a cuff pours out what it has as soon as somebody listens.
        await link.subscribe(uuids.BLOOD_PRESSURE_MEASUREMENT)
        async with contextlib.aclosing(self._collect(link, features, clock)) as readings:
            async for reading in readings:
                yield reading

    async def _collect(self, link: BleLink, features: int | None, clock: "_Clock") -> AsyncGenerator[Reading]:
        refused: DeviceMisbehaved | None = None
        seen: set[bytes] = set()
        async for uuid, raw in _until_it_hangs_up(link):
            if uuid == uuids.CURRENT_TIME:
                with contextlib.suppress(DeviceMisbehaved, TimeoutError):
                    await clock.told(raw, self._wall())
                continue
            try:
                if uuid == uuids.INTERMEDIATE_CUFF_PRESSURE:
                    yield cuff_pressure(raw)
                elif uuid == uuids.BLOOD_PRESSURE_MEASUREMENT and raw not in seen:
                    seen.add(raw)  # what comes again in one session is not another measurement
                    yield self._with_battery(measurement(raw, Now(self._wall(), clock.now(), features)))
            except DeviceMisbehaved as error:
                refused = error  # those that follow were measured all the same, and come only once
        if refused is not None:
            raise refused

    async def _get_to_know(self, link: BleLink) -> None:
        if self._met != link.address:
            self.identity = await read_identity(link)
            self._met = link.address
        self.battery_percent = await read_battery(link)

    def _with_battery(self, reading: Reading) -> Reading:
        if self.battery_percent is None or self.battery_percent > LOW_BATTERY_PERCENT:
            return reading
        return dataclasses.replace(reading, flags=(*reading.flags, "low-battery"))


async def _features(link: BleLink) -> int | None:
    raw = await read_if_there(link, uuids.BLOOD_PRESSURE_FEATURE)
    try:
        return None if raw is None else decode_features(raw)
    except DeviceMisbehaved:
        return None


async def _until_it_hangs_up(link: BleLink) -> AsyncGenerator[tuple[str, bytes]]:
    """Every value, until the cuff ends the link or has nothing more to say."""
    events = link.events()
    patience_s = SPEAKS_WITHIN_S
    while True:
        try:
            async with asyncio.timeout(patience_s):
                uuid, raw = await anext(events)
        except (TimeoutError, StopAsyncIteration):
            return
        yield uuid, raw
        if uuid == uuids.BLOOD_PRESSURE_MEASUREMENT:
            patience_s = QUIET_FOR_S
        elif uuid == uuids.INTERMEDIATE_CUFF_PRESSURE:
            patience_s = SPEAKS_WITHIN_S


class _Clock:
    """The cuff's own clock: looked at first, set afterwards, and only by a clock worth it.

    Two ways to set it. A&D devices have Date Time inside the measurement service and take it whenever it
    is written. Devices with the Current Time service are set when they tell a wrong time by themselves;
    Omron's refuse it before.
    """

    def __init__(self, link: BleLink, read: datetime.datetime | None) -> None:
        self._link = link
        self._read = read
        self._read_s = asyncio.get_running_loop().time()
        self._set = False

    @classmethod
    async def look(cls, link: BleLink) -> "_Clock":
        for uuid, least in ((uuids.DATE_TIME, DATE_TIME_BYTES), (uuids.CURRENT_TIME, CURRENT_TIME_BYTES)):
            raw = await read_if_there(link, uuid)
            if raw is not None and len(raw) >= least:
                return cls(link, decode_date_time(raw[:DATE_TIME_BYTES]).plausible(None))
        return cls(link, None)

    def now(self) -> datetime.datetime | None:
        """What the clock that stamped the measurements says now, as far as it could be read."""
        if self._read is None:
            return None
        return self._read + datetime.timedelta(seconds=asyncio.get_running_loop().time() - self._read_s)

    async def set_if_simple(self, wall: datetime.datetime | None) -> None:
        if wall is not None and self._link.has(uuids.DATE_TIME):
            await self._write(uuids.DATE_TIME, encode_date_time(DateTime.of(wall)))

    async def told(self, raw: bytes, wall: datetime.datetime | None) -> None:
        """The cuff tells its time by itself; the first time it does, it may be set right."""
        if wall is None or self._set or len(raw) < CURRENT_TIME_BYTES:
            return
        self._set = True
        said = decode_date_time(raw[:DATE_TIME_BYTES]).as_wall()
        if said is None or abs(wall - said) > CLOCK_OFF_BY:
            sent = CurrentTime.of(wall, Adjusted.FROM_REFERENCE)
            await self._write(uuids.CURRENT_TIME, encode_current_time(sent))

    async def _write(self, uuid: str, data: bytes) -> None:
        async with asyncio.timeout(SET_WITHIN_S):
            await self._link.write(uuid, data, response=True)

"""The second wave of Bluetooth devices: their own drivers and simulators, over bleak's own BlueZ backend."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from bleak.backends.bluezdbus import version

from drivers.devices.omron_hem.driver import OmronHem, pair
from drivers.devices.omron_hem.unit import Unit
from drivers.kinds import DriverContext
from drivers.radio.world import World, make_peripheral
from drivers.registry import KINDS
from drivers.transport.ble import AdapterOwner
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable, Driver
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity
from edge.vitals.reading import Flaw, Mode, Reading, Wave
from tests.drivers.radio_stage import chain_b

pytestmark = pytest.mark.system
ADDRESS: Final = "C0:FF:EE:00:00:0A"
KEY: Final = bytes(range(16))
OXIMETERS: Final = ("berry-bci", "viatom-pc60fw", "wellue-o2ring", "creative-pc300")
WITH_PLETH: Final = ("berry-bci", "viatom-pc60fw", "creative-pc300")


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


class Stage:
    """One simulated device, and the radio that reaches it."""

    def __init__(self, owner: AdapterOwner, world: World) -> None:
        self.owner = owner
        self.world = world

    @property
    def context(self) -> DriverContext:
        return DriverContext("device-1", f"ble:{ADDRESS}", self.owner)

    def driver(self, kind: str) -> Driver:
        return KINDS[kind].make_driver(self.context)

    async def order(self, line: str) -> None:
        assert await self.world.obey(f"device {line}")


@contextlib.asynccontextmanager
async def stage(
    directory: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str = ""
) -> AsyncGenerator[Stage]:
    peripherals = dict([make_peripheral(f"{kind}={ADDRESS},key=device{options and ','}{options}")])
    async with asyncio.timeout(150), chain_b(directory, monkeypatch, peripherals) as b:
        yield Stage(b.owner, b.world)


async def first(
    events: AsyncIterator[DeviceEvent], wanted: Callable[[Reading], bool] = lambda _: True
) -> Reading:
    """The first reading that is wanted; what is not is passed over."""
    async for event in events:
        if isinstance(event, Reading) and wanted(event):
            return event
    pytest.fail("it hung up")


async def first_wave(events: AsyncIterator[DeviceEvent], wanted: Callable[[Wave], bool]) -> Wave:
    async for event in events:
        if isinstance(event, Wave) and wanted(event):
            return event
    pytest.fail("it hung up")


def number(reading: Reading, code: Code) -> Decimal | MissingReason | None:
    measured = dict(reading.values).get(code)
    if isinstance(measured, Quantity):
        return measured.value
    return measured.why if isinstance(measured, Missing) else None


def has(code: Code) -> Callable[[Reading], bool]:
    return lambda reading: isinstance(number(reading, code), Decimal)


def lacks(code: Code, why: MissingReason) -> Callable[[Reading], bool]:
    return lambda reading: number(reading, code) is why


@pytest.mark.parametrize("kind", OXIMETERS)
async def test_an_oximeter_on_a_finger_off_it_and_gone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, monkeypatch, kind, "spo2=94,pulse=183") as at:
        driver = at.driver(kind)
        async with driver.session() as events:
            reading = await first(events, has(Code.OXYGEN_SATURATION))
            assert number(reading, Code.OXYGEN_SATURATION) == 94
            assert number(reading, Code.PULSE_OXIMETER) == 183
            assert reading.mode is Mode.CONTINUOUS
            assert reading.raw
            if kind in WITH_PLETH:
                wave = await first_wave(events, lambda wave: not wave.flaws)
                assert (wave.code, max(wave.samples) <= 127) == (Code.PLETH, True)

            await at.order("sensor off")
            off = await first(events, lacks(Code.OXYGEN_SATURATION, MissingReason.SENSOR_OFF))
            assert {measured for _, measured in off.values} == {Missing(MissingReason.SENSOR_OFF)}
            if kind in WITH_PLETH:
                wave = await first_wave(
                    events, lambda wave: sum(each.count for each in wave.flaws) == len(wave.samples)
                )
                assert {each.flaw for each in wave.flaws} == {Flaw.LEAD_OFF}

            await at.order("sensor on")
            if kind != "wellue-o2ring":  # which is asked once in a while, and may have found it meanwhile
                await first(events, lacks(Code.OXYGEN_SATURATION, MissingReason.SEARCHING))
            await first(events, has(Code.OXYGEN_SATURATION))

            await at.order("hang-up")
            with contextlib.suppress(DeviceUnavailable):
                async for _ in events:
                    pass
        async with driver.session() as events:
            await first(events, has(Code.OXYGEN_SATURATION))


async def test_a_ring_says_who_it_is_and_its_clock_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        stage(tmp_path, monkeypatch, "wellue-o2ring", "battery=8") as at,
        at.driver("wellue-o2ring").session() as events,
    ):
        reading = await first(events, has(Code.OXYGEN_SATURATION))
    assert reading.identity is not None
    assert (reading.identity.model, reading.identity.serial) == ("1652", "0000000001")
    assert reading.identity.battery_percent == 8
    assert reading.flags == ("low-battery",)


async def test_the_ring_that_speaks_another_protocol_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, monkeypatch, "wellue-o2ring", "model=o2ring-s") as at:
        with pytest.raises(DeviceMisbehaved) as refused:
            async with at.driver("wellue-o2ring").session() as events:
                await anext(events)
    assert refused.value.stable_code == "model-not-supported"
    assert refused.value.next_step


async def test_a_monitor_tells_pressure_temperature_and_ecg_as_they_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        stage(tmp_path, monkeypatch, "creative-pc300") as at,
        at.driver("creative-pc300").session() as events,
    ):
        await first(events, has(Code.OXYGEN_SATURATION))
        await at.order("measure 186 104 131")
        cuff = await first(events, has(Code.CUFF_PRESSURE))
        assert cuff.mode is Mode.CONTINUOUS
        reading = await first(events, has(Code.SYSTOLIC))
        assert [str(each.value) for _, each in reading.values if isinstance(each, Quantity)] == [
            "186",
            "104",
            "131",
            "131",
        ]
        assert (reading.mode, reading.just_taken) == (Mode.SPOT, None)
        await at.order("fail 4")
        failed = await first(events, lacks(Code.SYSTOLIC, MissingReason.INVALID))
        assert failed.flags == ("measurement-failed", "body-movement")
        await at.order("temperature 38.4")
        assert number(await first(events, has(Code.TEMPERATURE)), Code.TEMPERATURE) == Decimal("38.40")
        await at.order("ecg on")
        ecg = await first_wave(events, lambda wave: wave.code is Code.ECG)
        assert (ecg.rate, str(ecg.step)) == (Decimal(150), "2.538071")
        await at.order("lead off")
        await first_wave(events, lambda wave: wave.code is Code.ECG and bool(wave.flaws))
        await at.order("power off")
        async for _ in events:
            pass  # it ends by itself
    assert reading.identity is not None
    assert reading.identity.model == "PC_300SNT"


# ── Omron's own protocol ─────────────────────────────────────────────────────────────────────────


def with_key(context: DriverContext, key: bytes | None) -> DriverContext:
    return dataclasses.replace(context, secret=lambda: key)


async def readings_of(driver: OmronHem) -> list[Reading]:
    async with driver.session() as events:
        return [event async for event in events if isinstance(event, Reading)]


@pytest.mark.parametrize(("model", "kept"), [("HEM-7322T", 7), ("HEM-7155T", 62)])
async def test_a_cuff_is_paired_once_and_read_whole_oldest_first(
    model: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cuff of 60 records that has made 63 keeps the newest in the middle of the oldest."""
    async with stage(tmp_path, monkeypatch, "omron-hem", f"model={model},kept={kept}") as at:
        await at.order("pairing on")
        await pair(at.context, KEY)
        await at.order("measure 151 93 77")
        readings = await readings_of(OmronHem(with_key(at.context, KEY)))
    assert [number(reading, Code.SYSTOLIC) for reading in readings] == [
        *(110 + back % 40 for back in range(min(kept, 59), 0, -1)),
        151,
    ]
    times = [reading.at for reading in readings if reading.at is not None]
    assert len(times) == min(kept, 59) + 1
    assert times == sorted(times)
    assert all(reading.stored and reading.record == reading.raw for reading in readings)
    assert {reading.identity.model for reading in readings if reading.identity} == {model}
    assert all("from-memory" in reading.flags for reading in readings)  # our clock is not synchronised


async def test_without_its_key_a_cuff_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, monkeypatch, "omron-hem", f"unlock={KEY.hex()},kept=1") as at:
        for key, code in ((None, "key-missing"), (bytes(16), "key-refused")):
            await at.order("wake")
            with pytest.raises(DeviceError) as refused:
                await readings_of(OmronHem(with_key(at.context, key)))
            assert refused.value.stable_code == code
            assert refused.value.next_step
            assert KEY.hex() not in str(refused.value)


async def test_a_cuff_that_is_not_in_pairing_mode_takes_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, monkeypatch, "omron-hem") as at:
        await at.order("wake")
        with pytest.raises(DeviceMisbehaved) as refused:
            await pair(at.context, KEY)
    assert refused.value.stable_code == "not-in-pairing-mode"


async def test_a_cuff_that_stops_answering_keeps_what_it_has_and_is_read_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.devices.omron_hem.driver.ANSWER_WITHIN_S", 0.2)
    async with stage(tmp_path, monkeypatch, "omron-hem", f"unlock={KEY.hex()},kept=2") as at:
        driver = OmronHem(with_key(at.context, KEY))
        await at.order("mute on")
        await at.order("wake")
        with pytest.raises(DeviceUnavailable) as silent:
            await readings_of(driver)
        assert silent.value.stable_code == "device-silent"
        await at.order("mute off")
        await at.order("wake")
        assert len(await readings_of(driver)) == 2


def test_a_cuff_that_was_never_paired_answers_nothing() -> None:
    """What keeps the simulator honest: it is as locked as a real one."""
    from drivers.devices.omron_hem.codec import BEGIN
    from drivers.devices.omron_hem.records import MODELS

    assert Unit(MODELS[0], None).answer(BEGIN) == b""

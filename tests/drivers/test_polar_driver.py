"""The driver of the chest strap, against a link in memory with a simulated strap at its other end."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.devices.polar_h10.codec import STOP, Answer
from drivers.devices.polar_h10.driver import FAMILY, StrapEar
from drivers.devices.polar_h10.readings import LEAD
from drivers.devices.polar_h10.unit import MEASURES, SAMPLES_PER_FRAME, Strap
from drivers.kinds import DriverContext
from drivers.setup.ear import Manner
from drivers.setup.session import Family, SetUpDriver
from drivers.simulation.ecg import Heart
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Reading, Wave
from tests.drivers.radio_fake import FakeLink, FakeRadio

PORT: Final = "ble:C0:FF:EE:00:00:02"
HEART: Final = Heart(130)
OFF_THE_SKIN: Final = bytes.fromhex("04 50")
ON_THE_SKIN: Final = bytes.fromhex("06 48")


class StrapLink(FakeLink):
    """The strap answers its control point at once; frames and heart rate come when a test says so."""

    def __init__(self, strap: Strap | None = None, *, mtu: int = 247, features: bytes = MEASURES) -> None:
        super().__init__(
            {uuids.POLAR_CONTROL_POINT: features},
            (uuids.HEART_RATE_MEASUREMENT, uuids.POLAR_CONTROL_POINT, uuids.POLAR_DATA),
            mtu=mtu,
        )
        self.strap = Strap(HEART) if strap is None else strap
        self.answers = True

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        await super().write(uuid, data, response=response)
        if self.answers:
            self.push(uuid, self.strap.command(data, self.mtu))

    def tell(self, heart_rate: bytes = ON_THE_SKIN) -> None:
        self.push(uuids.HEART_RATE_MEASUREMENT, heart_rate)

    def send(self, frame: bytes | None = None) -> None:
        self.push(uuids.POLAR_DATA, self.strap.frame() if frame is None else frame)


def strap(radio: FakeRadio, family: Family = FAMILY) -> SetUpDriver:
    return SetUpDriver(DriverContext("ecg-1", PORT, radio), family)


class Session:
    """A driver at work."""

    def __init__(self, link: StrapLink, family: Family = FAMILY) -> None:
        self.link = link
        self.driver = strap(FakeRadio(link), family)

    async def begin(self, events: AsyncIterator[DeviceEvent]) -> None:
        """Until it streams and the strap is known to be on."""
        self._events = events
        self.link.subscribed += [uuids.HEART_RATE_MEASUREMENT]
        self.link.tell()
        assert isinstance(await self.next(), Reading)

    async def do(self, *, then: Callable[[], Awaitable[object]] | None = None) -> None:
        """A whole session: begin, then do something, or listen to the next event."""
        async with asyncio.timeout(30), self.driver.session() as events:
            await self.begin(events)
            await (then or self.next)()

    async def next(self) -> DeviceEvent:
        async with asyncio.timeout(30):
            return await anext(self._events)

    async def wave(self) -> Wave:
        event = await self.next()
        assert isinstance(event, Wave)
        return event


async def test_the_ecg_is_started_with_the_settings_it_offers_and_stopped_in_the_end() -> None:
    at = Session(StrapLink())
    async with at.driver.session() as events:
        await at.begin(events)
        at.link.send()
        await at.wave()
    assert [data for _, data, _ in at.link.written] == [
        b"\x01\x00",
        bytes.fromhex("02 00 00 01 82 00 01 01 0E 00"),
        STOP,
    ]


async def test_samples_arrive_as_they_were_recorded_with_the_rate_of_the_strap() -> None:
    at = Session(StrapLink())
    async with at.driver.session() as events:
        await at.begin(events)
        waves: list[Wave] = []
        for _ in range(20):
            at.link.send()
            waves.append(await at.wave())
    samples = [sample for wave in waves for sample in wave.samples]
    assert tuple(samples) == HEART.samples(0, 20 * SAMPLES_PER_FRAME)
    assert str(waves[-1].rate) == "130.17"
    assert {(wave.code, wave.lead, wave.unit) for wave in waves} == {(Code.ECG, LEAD, Unit.MICROVOLT)}
    assert not any(wave.gap for wave in waves)


async def test_a_lost_frame_is_a_gap_and_nothing_is_put_in_its_place() -> None:
    at = Session(StrapLink())
    async with at.driver.session() as events:
        await at.begin(events)
        gaps: list[bool] = []
        for lost in (False, False, True, False):
            if lost:
                at.link.strap.skip_frame()
            at.link.send()
            wave = await at.wave()
            assert len(wave.samples) == SAMPLES_PER_FRAME
            gaps.append(wave.gap)
    assert gaps == [False, False, True, False]


async def test_a_frame_that_comes_twice_is_taken_once() -> None:
    at = Session(StrapLink())
    async with at.driver.session() as events:
        await at.begin(events)
        frame = at.link.strap.frame()
        at.link.send(frame)
        at.link.send(frame)
        at.link.tell()
        assert isinstance(await at.next(), Wave)
        assert isinstance(await at.next(), Reading)


async def test_off_the_skin_there_is_neither_heart_rate_nor_ecg() -> None:
    at = Session(StrapLink())
    async with at.driver.session() as events:
        await at.begin(events)
        at.link.send()
        await at.wave()
        at.link.tell(OFF_THE_SKIN)
        at.link.send()
        at.link.tell()
        at.link.send()
        off, on = await at.next(), await at.next()
        assert isinstance(off, Reading)
        assert off.values == ((Code.HEART_RATE, Missing(MissingReason.SENSOR_OFF)),)
        assert isinstance(on, Reading)
        assert isinstance(on.values[0][1], Quantity)
        assert (await at.wave()).gap  # what was sent meanwhile is left out, and said to be


async def test_before_the_first_heart_rate_no_ecg_is_let_through() -> None:
    link = StrapLink()
    driver = strap(FakeRadio(link))
    async with asyncio.timeout(30), driver.session() as events:
        link.subscribed += [uuids.POLAR_DATA, uuids.HEART_RATE_MEASUREMENT]
        link.send()
        link.tell()
        assert isinstance(await anext(events), Reading)


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (Answer.WRONG_STATE, "device-busy", DeviceUnavailable),
        (Answer.CHARGING, "device-busy", DeviceUnavailable),
        (Answer.NOT_SUPPORTED, "ecg-refused", DeviceMisbehaved),
        (0x77, "ecg-refused", DeviceMisbehaved),
    ],
)
async def test_a_start_that_is_refused(answer: int, code: str, error: type[DeviceError]) -> None:
    at = Session(StrapLink())
    at.link.strap.answer = answer
    with pytest.raises(error) as refused:
        await at.do()
    assert refused.value.stable_code == code
    assert refused.value.next_step


async def test_a_strap_that_streams_already_is_as_good_as_started() -> None:
    at = Session(StrapLink())
    at.link.strap.answer = Answer.ALREADY_SO
    async with at.driver.session() as events:
        await at.begin(events)
        at.link.send()
        await at.wave()


async def test_small_packets_are_for_the_next_connection() -> None:
    at = Session(StrapLink(mtu=23))
    with pytest.raises(DeviceUnavailable) as refused:
        async with asyncio.timeout(30), at.driver.session() as events:
            await anext(events)
    assert refused.value.stable_code == "mtu-too-small"


@pytest.mark.parametrize("features", [b"\x0f\x04", b"\xf0\x01", b"\x0f", b""])
async def test_what_offers_no_ecg_is_no_strap_of_this_kind(features: bytes) -> None:
    with pytest.raises(DeviceMisbehaved):
        async with asyncio.timeout(30), Session(StrapLink(features=features)).driver.session() as events:
            await anext(events)


async def test_another_device_at_the_address_is_not_taken_for_a_strap() -> None:
    driver = strap(FakeRadio(FakeLink()))
    with pytest.raises(DeviceMisbehaved) as refused:
        async with asyncio.timeout(30), driver.session() as events:
            await anext(events)
    assert refused.value.stable_code == "device-not-understood"


async def test_hanging_up_is_the_normal_end() -> None:
    at = Session(StrapLink())
    async with asyncio.timeout(30), at.driver.session() as events:
        await at.begin(events)
        at.link.send()
        await at.wave()
        at.link.hang_up()
        assert [event async for event in events] == []


async def test_a_strap_that_falls_silent_is_told() -> None:
    at = Session(StrapLink(), dataclasses.replace(FAMILY, manner=Manner(patience_s=0.05)))
    with pytest.raises(DeviceUnavailable) as silent:
        await at.do()
    assert silent.value.stable_code == "device-silent"


@pytest.mark.parametrize("answers", [True, False], ids=["no frames", "no answer"])
async def test_a_heart_rate_alone_does_not_hide_that_there_is_no_ecg(answers: bool) -> None:
    at = Session(StrapLink(), dataclasses.replace(FAMILY, ear=lambda known: StrapEar(known, 0.05)))
    at.link.answers = answers

    async def hear_heart_rates_alone() -> None:
        while True:
            await asyncio.sleep(0.02)
            at.link.tell()
            await at.next()

    with pytest.raises(DeviceUnavailable) as silent:
        await at.do(then=hear_heart_rates_alone)
    assert silent.value.stable_code == "device-silent"


async def test_single_values_without_meaning_are_passed_over_and_five_in_a_row_are_not() -> None:
    at = Session(StrapLink())

    async def send_nonsense() -> None:
        for _ in range(4):
            at.link.send(b"\x00\x01")
        at.link.send()
        await at.wave()
        for _ in range(5):
            at.link.send(b"\x00\x01")
        await at.next()

    with pytest.raises(DeviceMisbehaved) as refused:
        await at.do(then=send_nonsense)
    assert (refused.value.stable_code, refused.value.raw) == ("frame-too-short", b"\x00\x01")


async def test_the_strap_is_asked_for_by_address_and_its_ecg_gets_a_socket_of_its_own() -> None:
    radio = FakeRadio(StrapLink(features=b""))
    with pytest.raises(DeviceMisbehaved):
        async with strap(radio).session() as events:
            await anext(events)
    (wanted,) = radio.wanted
    assert dataclasses.asdict(wanted) == {
        "address": "C0:FF:EE:00:00:02",
        "service": None,
        "name_prefix": None,
        "bond": False,
        "acquire": frozenset({uuids.POLAR_DATA}),
    }

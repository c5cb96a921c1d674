"""The session of every device: on a link in memory, on a pty, and on a line of our own."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence

import pytest

from drivers.codec import uuids
from drivers.codec.framing import MORE, Look, Outcome
from drivers.kinds import DriverContext
from drivers.setup.ear import Heard, Manner, Repeat, Said, Send
from drivers.setup.known import Known
from drivers.setup.line import STREAM, BleOpening, Line, Opening, SerialOpening
from drivers.setup.session import ClearingDriver, Family, SetUpDriver
from drivers.setup.steps import (
    Ask,
    FirstThatWorks,
    Frames,
    ReadBattery,
    Recognise,
    Step,
    Subscribe,
    Tune,
    Way,
    Write,
)
from drivers.transport.alongside import alongside
from drivers.transport.serial_port import LineSettings
from edge.ports.driver import (
    ClearsMemory,
    DeviceError,
    DeviceEvent,
    DeviceMisbehaved,
    DeviceUnavailable,
)
from tests.drivers.radio_fake import FakeRadio
from tests.drivers.setup_gauge import (
    CONTROL,
    LISTEN,
    PORT,
    SERIAL,
    VALUE,
    GaugeEar,
    GaugeLink,
    driver_of,
    gauge,
    heard_by,
    numbers,
    reading,
)
from tests.drivers.terminals import Terminal

# ── What an ear may give ─────────────────────────────────────────────────────────────────────────


async def test_a_refused_value_costs_no_other_and_is_told_in_the_end() -> None:
    events: list[DeviceEvent] = []
    driver = driver_of(GaugeLink(b"\x48", b"\xff", b"\x49"), gauge(LISTEN))
    with pytest.raises(DeviceMisbehaved) as refused:
        await heard_by(driver, events)
    assert numbers(events) == [0x48, 0x49]
    assert refused.value.stable_code == "no-number"


@pytest.mark.parametrize(("values", "ends"), [("48 FF FF 49 FF FF", False), ("48 FF FF FF 49", True)])
async def test_so_many_refused_values_in_a_row_are_another_device(values: str, ends: bool) -> None:
    link = GaugeLink(*[bytes([value]) for value in bytes.fromhex(values)])
    driver = driver_of(link, gauge(LISTEN, manner=Manner(patience_s=5, refusals_in_a_row=3)))
    if ends:
        with pytest.raises(DeviceMisbehaved):
            await heard_by(driver)
    else:
        assert numbers(await heard_by(driver)) == [0x48, 0x49]


async def test_an_error_given_ends_the_session_with_it_and_done_without() -> None:
    with pytest.raises(DeviceMisbehaved) as ended:
        await heard_by(driver_of(GaugeLink(b"\x48", b"\xfe", b"\x49"), gauge(LISTEN)))
    assert ended.value.stable_code == "gauge-broken"
    link = GaugeLink(b"\x48", b"\xfd", b"\x49", hangs_up=False)
    assert numbers(await heard_by(driver_of(link, gauge(LISTEN, manner=Manner(patience_s=60))))) == [0x48]


async def test_what_was_held_back_comes_in_the_end_whatever_the_end_is() -> None:
    class Sorting(GaugeEar):
        def __init__(self, known: Known) -> None:
            super().__init__(known)
            self.held: list[bytes] = []

        def hear(self, heard: Heard) -> Iterable[Said]:
            self.held.append(heard.raw)
            return ()

        def end(self) -> Iterable[Said]:
            return [reading(raw) for raw in sorted(self.held)]

    for hangs_up in (True, False):
        link = GaugeLink(b"\x49", b"\x47", b"\x48", hangs_up=hangs_up)
        assert numbers(await heard_by(driver_of(link, gauge(LISTEN, ear=Sorting)))) == [0x47, 0x48, 0x49]


@pytest.mark.parametrize(
    "then", [Subscribe(CONTROL), Subscribe(CONTROL, optional=True), ReadBattery(), Write(CONTROL, b"\x01")]
)
async def test_one_that_pours_and_goes_while_we_still_ask_has_told_what_it_had_to_tell(then: Step) -> None:
    about = {uuids.BATTERY_LEVEL: b"\x50"}
    told = GaugeLink(b"\x48", b"\x49", values=about)
    assert numbers(await heard_by(driver_of(told, gauge(LISTEN, then)))) == [0x48, 0x49]
    with pytest.raises(DeviceUnavailable) as gone:
        await heard_by(driver_of(GaugeLink(values=about), gauge(LISTEN, then)))
    assert gone.value.stable_code == "ble-gone"


@pytest.mark.parametrize("optional", [False, True])
async def test_what_came_before_it_went_is_heard_before_its_going_is_told(optional: bool) -> None:
    class Answering(GaugeEar):
        def hear(self, heard: Heard) -> Iterable[Said]:
            return [*super().hear(heard), Send(b"more", CONTROL, optional=optional)]

    events: list[DeviceEvent] = []
    driver = driver_of(GaugeLink(b"\x48", b"\x49"), gauge(LISTEN, ear=Answering))
    if optional:
        await heard_by(driver, events)
    else:
        with pytest.raises(DeviceUnavailable) as gone:
            await heard_by(driver, events)
        assert gone.value.stable_code == "ble-gone"
    assert numbers(events) == [0x48, 0x49]


async def test_a_device_that_is_lost_and_does_not_hang_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.setup.session.DRAIN_S", 0.02)
    events: list[DeviceEvent] = []
    link = GaugeLink(b"\x48", hangs_up=False)

    async def subscribe(uuid: str) -> None:
        if uuid == CONTROL:
            raise DeviceUnavailable("Keys.", code="ble-keys-refused")
        await GaugeLink.subscribe(link, uuid)

    link.subscribe = subscribe  # type: ignore[method-assign]  # this one refuses our keys for the second
    with pytest.raises(DeviceUnavailable) as lost:
        await heard_by(driver_of(link, gauge(LISTEN, Subscribe(CONTROL))), events)
    assert (lost.value.stable_code, numbers(events)) == ("ble-keys-refused", [0x48])


async def test_silence_is_an_error_of_those_who_should_speak_however_much_they_have_said() -> None:
    link = GaugeLink(*[b"\x48"] * 20, hangs_up=False)
    with pytest.raises(DeviceUnavailable) as silent:
        await heard_by(driver_of(link, gauge(LISTEN, manner=Manner(patience_s=0.05))))
    assert silent.value.stable_code == "device-silent"


async def test_how_long_the_listener_took_is_not_the_devices_silence() -> None:
    link = GaugeLink(b"\x48", b"\x49", hangs_up=False)
    driver = driver_of(link, gauge(LISTEN, manner=Manner(patience_s=0.2)))
    async with asyncio.timeout(20), driver.session() as events:
        await anext(events)
        await asyncio.sleep(0.5)
        await anext(events)
        await asyncio.sleep(0.5)
        asyncio.get_running_loop().call_later(0.02, link.push, VALUE, b"\x4a")
        assert numbers([await anext(events)]) == [0x4A]


async def test_what_keeps_a_device_going_is_written_however_busily_it_speaks() -> None:
    repeat = Repeat(Send(b"go on", CONTROL), every_s=0.01)
    link = GaugeLink(b"\x48", hangs_up=False)
    driver = driver_of(link, gauge(LISTEN, manner=Manner(patience_s=60, repeats=(repeat,), tick_s=0.01)))
    async with asyncio.timeout(20), driver.session() as events:
        while sum(data == b"go on" for _, data, _ in link.written) < 3:
            await anext(events)
            link.push(VALUE, b"\x48")
            await asyncio.sleep(0.001)
        assert isinstance(driver.ear, GaugeEar)
        assert driver.ear.ticks >= 3


async def test_goodbye_is_said_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.setup.session.GOODBYE_WITHIN_S", 0.02)
    link = GaugeLink(b"\x48", hangs_up=False)
    link.ignores.add(CONTROL)
    async with asyncio.timeout(20), driver_of(link, gauge(LISTEN)).session() as events:
        await anext(events)
    assert link.written[-1] == (CONTROL, b"bye", True)


# ── What a device keeps ──────────────────────────────────────────────────────────────────────────


class Clearing(GaugeEar):
    def committed(self, records: Sequence[bytes]) -> Iterable[Send]:
        return [Send(b"clear " + record, CONTROL) for record in records]


async def test_nothing_is_cleared_before_it_is_told_to_be_committed() -> None:
    link = GaugeLink(b"\x48", b"\x49", hangs_up=False)
    family = gauge(LISTEN, ear=Clearing)
    driver = ClearingDriver(DriverContext("gauge-1", PORT, FakeRadio(link)), family)
    assert isinstance(driver, ClearsMemory)
    assert not isinstance(driver_of(link, family), ClearsMemory)
    async with asyncio.timeout(20), driver.session() as events:
        await anext(events)
        assert link.written == []
        await driver.committed([b"\x48"])
        await anext(events)
    assert [data for _, data, _ in link.written] == [b"clear \x48", b"bye"]
    await driver.committed([b"\x49"])  # it has gone meanwhile: it sends it again
    link.refuses.add(CONTROL)


# ── On a cable ───────────────────────────────────────────────────────────────────────────────────


class Pairs:
    """``7E``, a byte, its complement."""

    def look(self, stream: bytes, at: int) -> Look:
        if stream[at] != 0x7E:
            return Look(Outcome.GARBAGE)
        if len(stream) < at + 3:
            return MORE
        return Look(Outcome.FRAME, 2) if stream[at + 1] ^ stream[at + 2] == 0xFF else Look(Outcome.GARBAGE)


class Triples(Pairs):
    def look(self, stream: bytes, at: int) -> Look:
        look = super().look(stream, at)
        return Look(Outcome.FRAME, 3) if look.outcome is Outcome.FRAME else look


def triple(number: int) -> bytes:
    return bytes([0x7E, number, number ^ 0xFF])


class TripleEar(GaugeEar):
    def hear(self, heard: Heard) -> Iterable[Said]:
        return [] if heard.garbage else [reading(heard.raw[1:2])]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.pull()


def on_cable(terminal: Terminal, *steps: Step, patience_s: float = 5) -> SetUpDriver:
    family = gauge(*steps, opening=SERIAL, ear=TripleEar, manner=Manner(patience_s))
    return SetUpDriver(DriverContext("gauge-1", terminal.path), family)


@contextlib.asynccontextmanager
async def streaming(terminal: Terminal, data: bytes, every_s: float = 0.005) -> AsyncGenerator[None]:
    """The device speaks all the time."""

    async def speak() -> None:
        while True:
            with contextlib.suppress(OSError):
                os.write(terminal.near, data)
            await asyncio.sleep(every_s)

    async with alongside({"device": speak()}):
        yield


async def test_a_stream_is_recognised_and_read_through_noise(terminal: Terminal) -> None:
    driver = on_cable(terminal, Frames(Triples), Recognise(frames=3, within_s=5))
    data = b"\x00\x11" + triple(72) + triple(73) + triple(74)
    async with asyncio.timeout(20), streaming(terminal, data), driver.session() as events:
        seen = {number for _ in range(9) for number in numbers([await anext(events)])}
    assert seen == {72, 73, 74}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x01\x02\x03\x04", "device-not-understood"),
        (triple(72) + b"\x01" + triple(73) + b"\x02", "device-not-understood"),
        (b"", "device-silent"),
    ],
)
async def test_what_is_not_the_device_is_told_from_what_is_silent(
    terminal: Terminal, data: bytes, code: str
) -> None:
    driver = on_cable(terminal, Frames(Triples), Recognise(frames=3, within_s=0.3))
    async with streaming(terminal, data):
        with pytest.raises(DeviceError) as refused:
            await heard_by(driver)
    assert refused.value.stable_code == code
    assert refused.value.next_step


async def test_a_device_that_turns_into_noise_is_not_listened_to_for_ever(terminal: Terminal) -> None:
    driver = on_cable(terminal, Frames(Triples), patience_s=0.2)
    async with streaming(terminal, b"\x55\x66"):
        with pytest.raises(DeviceMisbehaved) as refused:
            await heard_by(driver)
    assert refused.value.stable_code == "device-not-understood"
    assert 0 < len(getattr(refused.value, "raw", b"")) <= 64


async def test_ways_are_tried_in_turn_and_the_one_that_worked_first_the_next_time(terminal: Terminal) -> None:
    tried: list[str] = []

    def way(name: str, baud: int, last: Step) -> Way:
        def look_up() -> Triples:
            tried.append(name)
            return Triples()

        return Way(name, (Tune(LineSettings(baud)), Frames(look_up), last))

    asks = Ask("who", b"?", lambda raw: raw == b"x", within_s=0.1)
    listens = Recognise(frames=2, within_s=5)
    driver = on_cable(terminal, FirstThatWorks((way("slow", 9600, asks), way("fast", 115_200, listens))))
    for _ in range(2):
        async with asyncio.timeout(20), streaming(terminal, triple(72)), driver.session() as events:
            await anext(events)
        assert driver.known is not None
        assert driver.known.way == "fast"
    assert tried == ["slow", "fast", "fast"]


async def test_a_cable_pulled_out_is_told(terminal: Terminal) -> None:
    driver = on_cable(terminal, Frames(Triples), Recognise(frames=1, within_s=5))

    async def listen() -> None:
        async with asyncio.timeout(20), driver.session() as events:
            async for _ in events:
                terminal.pull()

    async with streaming(terminal, triple(72)):
        with pytest.raises(DeviceUnavailable) as gone:
            await listen()
    assert gone.value.stable_code == "device-unplugged"


# ── Whatever the line is ─────────────────────────────────────────────────────────────────────────


class Scripted:
    """A line that says what was recorded, to whoever opens it."""

    address = "trace"
    mtu = 0

    def __init__(self, *said: tuple[str, bytes]) -> None:
        self.said = list(said)

    @contextlib.asynccontextmanager
    async def open(self, port: str, opening: Opening, *, bond: bool) -> AsyncIterator[Line]:
        assert (port, bond) == (PORT, False)
        assert isinstance(opening, BleOpening | SerialOpening)
        yield self

    def has(self, channel: str) -> bool:
        return channel in {VALUE, STREAM}

    async def read(self, channel: str) -> bytes:
        raise DeviceMisbehaved(channel)

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:
        """Nobody is there to take it."""

    async def subscribe(self, channel: str) -> None:
        """It speaks anyhow."""

    async def hear(self) -> tuple[str, bytes] | None:
        return self.said.pop(0) if self.said else None

    def tune(self, settings: LineSettings) -> None:
        """It has no speed."""


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (gauge(LISTEN), [(VALUE, b"\x48"), (VALUE, b"\x49")]),
        (
            gauge(Tune(LineSettings(9600)), Frames(Triples), opening=SERIAL, ear=TripleEar),
            [(STREAM, triple(72)[:2]), (STREAM, triple(72)[2:] + triple(73))],
        ),
    ],
    ids=["values", "stream"],
)
async def test_a_driver_plays_a_recording(family: Family, said: list[tuple[str, bytes]]) -> None:
    driver = SetUpDriver(DriverContext("gauge-1", PORT, lines=Scripted(*said)), family)
    assert numbers(await heard_by(driver)) == [72, 73]

"""A trace is what passed, and playing it lets the driver meet the same device again."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from drivers.setup import replay as replay_module
from drivers.setup import trace as traces
from drivers.setup.line import STREAM, BleOpening, Line, Opening
from drivers.setup.replay import OVER, ReplayLines
from drivers.setup.tap import TappedLines
from drivers.setup.trace import Event, NoTrace, Trace, What
from drivers.transport.serial_port import LineSettings, Parity
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.codes import Code
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Reading

ADDRESS = "C0:FF:EE:00:00:01"
READING = bytes.fromhex("00780050006400")  # 120/80, mean 100, no time


class Device:
    """A device's own line: it answers, refuses and speaks as a test says."""

    address = ADDRESS
    mtu = 185

    def __init__(
        self,
        values: Mapping[str, bytes],
        says: Sequence[tuple[str, bytes] | DeviceError],
        *,
        after: int = 1,
        refuses: Mapping[str, DeviceError] | None = None,
    ) -> None:
        self._values = values
        self._says = list(says)
        self._after = after
        self._refuses = refuses or {}
        self.done: list[tuple[str, bytes]] = []
        self._asked = asyncio.Event()

    def has(self, channel: str) -> bool:
        return channel in self._values

    async def read(self, channel: str) -> bytes:
        self._may(channel)
        return self._values[channel]

    async def write(self, channel: str, data: bytes, *, response: bool) -> None:  # noqa: ARG002
        self._may(channel)
        self._do(channel, data)

    async def subscribe(self, channel: str) -> None:
        self._may(channel)
        self._do(channel, b"subscribed")

    async def hear(self) -> tuple[str, bytes] | None:
        await self._asked.wait()
        if not self._says:
            return None
        said = self._says.pop(0)
        if isinstance(said, DeviceError):
            raise said
        return said

    def tune(self, settings: LineSettings) -> None:
        pass

    def _may(self, channel: str) -> None:
        if channel in self._refuses:
            raise self._refuses[channel]

    def _do(self, channel: str, data: bytes) -> None:
        self.done.append((channel, data))
        if len(self.done) >= self._after:
            self._asked.set()


class OwnLines:
    """Opens the device's line, once for each."""

    def __init__(self, *devices: Line) -> None:
        self._devices = list(devices)

    @contextlib.asynccontextmanager
    async def open(self, port: str, opening: Opening, *, bond: bool) -> AsyncGenerator[Line]:  # noqa: ARG002
        yield self._devices.pop(0)


def cuff_line(*readings: bytes) -> Device:
    values = {
        uuids.BLOOD_PRESSURE_MEASUREMENT: b"",
        uuids.SERIAL_NUMBER: b"5180100001",
        uuids.BATTERY_LEVEL: b"\x5a",
        uuids.DATE_TIME: bytes.fromhex("EA070B16101E00"),
    }
    says = [(uuids.BLOOD_PRESSURE_MEASUREMENT, each) for each in readings]
    refused = DeviceMisbehaved("no", code="ble-refused")
    return Device(values, says, refuses={uuids.BATTERY_LEVEL: refused})


async def told(make: Callable[[DriverContext], Any], lines: Any, sessions: int = 1) -> list[DeviceEvent]:  # noqa: ANN401  a driver, and lines of any sort
    driver = make(DriverContext("cuff-1", f"ble:{ADDRESS}", lines=lines))
    events: list[DeviceEvent] = []
    for _ in range(sessions):
        async with asyncio.timeout(20), driver.session() as source:
            events += [event async for event in source]
    return events


def told_of(events: list[DeviceEvent]) -> list[tuple[Any, ...]]:
    """What matters of readings; a clock's difference depends on when it is looked at."""
    return [
        (each.values, each.flags, each.raw, each.identity, each.at)
        for each in events
        if isinstance(each, Reading)
    ]


def record(lines: OwnLines) -> tuple[TappedLines, list[bytes]]:
    loop = asyncio.get_running_loop()
    tapped, heard = TappedLines(lines, "sig-bp", loop.time), list[bytes]()
    tapped.sink = heard.append
    return tapped, heard


async def test_a_recorded_cuff_says_the_same_when_it_is_played() -> None:
    first, second = bytes.fromhex("00780050006400"), bytes.fromhex("007B0052006600")
    tapped, lines = record(OwnLines(cuff_line(first), cuff_line(second)))
    make = KINDS["sig-bp"].make_driver
    live = await told(make, tapped, 2)
    assert [
        value.value
        for each in live
        if isinstance(each, Reading)
        for code, value in each.values
        if code is Code.SYSTOLIC and isinstance(value, Quantity)
    ] == [120, 123]
    trace = traces.read(b"".join(lines))
    assert (trace.kind, len(trace.sessions)) == ("sig-bp", 2)
    player = ReplayLines(trace)
    again = await told(make, player, 2)
    assert told_of(again) == told_of(live)
    assert player.differences == 0
    with pytest.raises(DeviceUnavailable) as over:
        await told(make, player)
    assert over.value.stable_code == OVER


async def test_what_happened_is_written_down_as_it_happened() -> None:
    tapped, lines = record(OwnLines(cuff_line(READING)))
    await told(KINDS["sig-bp"].make_driver, tapped)
    events = [Event.of_line(line) for line in lines[1:]]
    assert events[0] == Event(
        events[0].at_s, What.OPEN, more=(("bond", True), ("address", ADDRESS), ("mtu", 185))
    )
    whats = [(event.what, event.channel) for event in events]
    assert (What.READ, uuids.SERIAL_NUMBER) in whats
    refused = next(event for event in events if event.what is What.REFUSED)
    assert (refused.channel, refused.get("of"), refused.get("code")) == (
        uuids.BATTERY_LEVEL,
        "read",
        "ble-refused",
    )
    assert whats.index((What.SUBSCRIBED, uuids.BLOOD_PRESSURE_MEASUREMENT)) < whats.index(
        (What.HEARD, uuids.BLOOD_PRESSURE_MEASUREMENT)
    )
    assert whats[-1] == (What.ENDED, "")
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


async def test_a_tap_without_a_sink_leaves_the_line_alone() -> None:
    line = cuff_line(READING)
    tapped = TappedLines(OwnLines(line), "sig-bp", asyncio.get_running_loop().time)
    async with tapped.open("ble:x", BleOpening(), bond=True) as opened:
        assert opened is line


async def test_what_unlocks_a_device_stands_in_no_trace_and_its_options_do() -> None:
    secret, heard = bytes(range(0x40, 0x50)), list[bytes]()
    line, loop = Device({STREAM: b""}, ()), asyncio.get_running_loop()
    tapped = TappedLines(OwnLines(line), "omron-hem", loop.time, {"model": "HEM-7322T"}, lambda: secret)
    tapped.sink = heard.append
    async with tapped.open("ble:any", BleOpening(service="any"), bond=False) as opened:
        await opened.write(STREAM, b"\x01" + secret, response=True)
        await opened.write(STREAM, b"\x02" + secret[:-1], response=True)
    assert line.done[0] == (STREAM, b"\x01" + secret)  # the device is told the truth
    trace = traces.read(b"".join(heard))
    wrote = [event.data for event in trace.sessions[0] if event.what is What.WROTE]
    assert wrote == [b"\x01" + bytes(16), b"\x02" + secret[:-1]]
    assert (trace.kind, trace.options) == ("omron-hem", {"model": "HEM-7322T"})
    assert traces.read(traces.write(trace)) == trace


async def test_a_sink_taken_away_hears_no_more() -> None:
    tapped, lines = record(OwnLines(cuff_line(READING)))
    async with tapped.open("ble:x", BleOpening(), bond=True) as opened:
        await opened.read(uuids.SERIAL_NUMBER)
        before = len(lines)
        tapped.sink = None
        await opened.read(uuids.SERIAL_NUMBER)
        assert len(lines) == before


def stream(*events: Event) -> Trace:
    first = Event(0.0, What.OPEN, more=(("bond", False), ("address", "/dev/x"), ("mtu", 0)))
    return Trace("contec-cms50", ((first, *events),))


@contextlib.asynccontextmanager
async def playing(player: ReplayLines) -> AsyncGenerator[Line]:
    async with asyncio.timeout(20), player.open("/dev/x", BleOpening(), bond=False) as line:
        yield line


async def test_an_answer_comes_after_its_question() -> None:
    trace = stream(
        Event(0.0, What.WROTE, STREAM, b"a"),
        Event(0.1, What.HEARD, STREAM, b"1"),
        Event(0.2, What.WROTE, STREAM, b"b"),
        Event(0.3, What.HEARD, STREAM, b"2"),
    )
    player = ReplayLines(trace)
    async with playing(player) as line, asyncio.TaskGroup() as group:
        early = group.create_task(line.hear())
        await asyncio.sleep(0)
        assert not early.done()
        await line.write(STREAM, b"a", response=False)
        assert await early == (STREAM, b"1")
        await line.write(STREAM, b"b", response=False)
        assert await line.hear() == (STREAM, b"2")
        with pytest.raises(DeviceUnavailable):
            await line.hear()
    assert player.differences == 0


async def test_a_driver_that_writes_otherwise_hears_the_same_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_module, "LATE_S", 0.01)
    trace = stream(
        Event(0.0, What.WROTE, STREAM, b"a"),
        Event(0.1, What.HEARD, STREAM, b"1"),
        Event(0.2, What.WROTE, STREAM, b"b"),
        Event(0.3, What.HEARD, STREAM, b"2"),
    )
    player = ReplayLines(trace)
    async with playing(player) as line:
        await line.write(STREAM, b"A", response=False)
        assert await line.hear() == (STREAM, b"1")
        assert await line.hear() == (STREAM, b"2")  # though nothing was written
    assert player.differences == 2


async def test_a_driver_that_looks_at_its_clock_meanwhile_waits_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_module, "LATE_S", 0.05)
    trace = stream(Event(0.0, What.WROTE, STREAM, b"a"), Event(0.1, What.HEARD, STREAM, b"1"))
    player = ReplayLines(trace)
    heard: tuple[str, bytes] | None = None
    async with playing(player) as line, asyncio.timeout(30):
        while heard is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    heard = await line.hear()
    assert heard == (STREAM, b"1")
    assert player.differences == 1


async def test_what_is_written_again_and_again_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "LATE_S", 3600.0)
    alive = Event(0.0, What.WROTE, STREAM, b"keep")
    heard = [Event(0.1, What.HEARD, STREAM, bytes([n])) for n in range(3)]
    player = ReplayLines(stream(alive, heard[0], alive, heard[1], alive, heard[2], Event(0.2, What.ENDED)))
    async with playing(player) as line:
        await line.write(STREAM, b"keep", response=False)
        assert [await line.hear() for _ in range(4)] == [
            (STREAM, b"\0"),
            (STREAM, b"\1"),
            (STREAM, b"\2"),
            None,
        ]
        await line.write(STREAM, b"keep", response=False)
    assert player.differences == 0


async def test_refusals_come_where_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "LATE_S", 0.01)
    refused = (("of", "write"), ("code", "ble-refused"), ("gone", False))
    gone = (("of", "hear"), ("code", "ble-gone"), ("gone", True))
    trace = stream(
        Event(0.0, What.WROTE, "x", b"1"),
        Event(0.0, What.WROTE, "x", b"2"),
        Event(0.0, What.REFUSED, "x", more=refused),
        Event(0.0, What.WROTE, "x", b"3"),
        Event(0.0, What.READ, "y", b"v"),
        Event(0.0, What.HAS, "z", more=(("yes", False),)),
        Event(0.0, What.HEARD, "x", b"h"),
        Event(0.0, What.REFUSED, "", more=gone),
    )
    async with playing(ReplayLines(trace)) as line:
        await line.write("x", b"1", response=True)
        with pytest.raises(DeviceMisbehaved) as no:
            await line.write("x", b"2", response=True)
        await line.write("x", b"3", response=True)
        assert no.value.stable_code == "ble-refused"
        assert [line.has(channel) for channel in "xyzw"] == [True, True, False, False]
        assert [await line.read("y"), await line.read("y")] == [b"v", b"v"]
        with pytest.raises(DeviceMisbehaved):
            await line.read("w")
        assert await line.hear() == ("x", b"h")
        with pytest.raises(DeviceUnavailable) as left:
            await line.hear()
        assert left.value.stable_code == "ble-gone"


async def test_a_wait_that_is_given_up_loses_nothing() -> None:
    trace = stream(Event(0.0, What.HEARD, STREAM, b"1"), Event(0.05, What.HEARD, STREAM, b"2"))
    async with playing(ReplayLines(trace, pace=0.2)) as line:
        assert await line.hear() == (STREAM, b"1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await line.hear()
        assert await line.hear() == (STREAM, b"2")


# ── the text of a trace ──────────────────────────────────────────────────────────────────────────

EVENTS = st.builds(
    Event,
    st.floats(0, 1e6).map(lambda at_s: round(at_s, 6)),
    st.sampled_from([What.READ, What.WROTE, What.HEARD]),
    st.sampled_from([STREAM, uuids.BATTERY_LEVEL]),
    st.binary(max_size=40),
    st.sampled_from([(), (("response", True),)]),
)


@given(sessions=st.lists(st.lists(EVENTS, max_size=4), max_size=3))
def test_a_trace_comes_back_from_its_text(sessions: list[list[Event]]) -> None:
    opened = Event(0.0, What.OPEN, more=(("bond", True),))
    trace = Trace("sig-bp", tuple((opened, *each) for each in sessions))
    assert traces.read(traces.write(trace)) == trace


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"trace":1}',
        b'{"trace":2,"kind":"sig-bp"}',
        b'{"trace":1,"kind":1}',
        *(
            b'{"trace":1,"kind":"sig-bp"}\n' + line
            for line in (
                b"no",
                b"[]",
                b'{"s":1}',
                b'{"s":"1","t":"heard"}',
                b'{"s":true,"t":"heard"}',
                b'{"s":1,"t":"other"}',
                b'{"s":1,"t":"heard","c":1}',
                b'{"s":1,"t":"heard","c":"","d":"0"}',
                b'{"s":1,"t":"heard","c":"","d":"00","x":[1]}',
                b"\xff",
            )
        ),
    ],
)
def test_what_is_no_trace_is_refused_and_never_repeated(text: bytes) -> None:
    with pytest.raises(NoTrace) as refused:
        traces.read(text)
    assert "00" not in str(refused.value)


def test_how_long_it_lasts() -> None:
    at = [dataclasses.replace(Event(0.0, What.OPEN), at_s=s) for s in (1.0, 3.5)]
    assert Trace("x", ((at[0],), (at[1],))).lasts_s == 2.5
    assert Trace("x", ()).lasts_s == 0.0


def test_a_tuned_line_is_written_down() -> None:
    class Tunes(Device):
        pass

    heard: list[bytes] = []

    async def run() -> None:
        tapped = TappedLines(OwnLines(Tunes({}, ())), "contec-cms50", asyncio.get_running_loop().time)
        tapped.sink = heard.append
        async with tapped.open("/dev/x", BleOpening(), bond=False) as line:
            line.tune(LineSettings(19_200, Parity.ODD))

    asyncio.run(run())
    tuned = Event.of_line(heard[-1])
    assert (tuned.what, tuned.get("baud"), tuned.get("parity")) == (What.TUNED, 19_200, "O")

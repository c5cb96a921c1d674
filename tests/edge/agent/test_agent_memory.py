"""Readings out of a device's memory: whose they are, when they were taken, when it may forget them."""

import asyncio
import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge import cbor
from edge.agent.commit import OpenStore
from edge.agent.parts import Device
from edge.agent.supervisor import Supervisor
from edge.clock import SystemClock
from edge.ports.driver import ClearsMemory
from edge.records.fields import Field, Kind, Stream
from edge.store.store import Store
from edge.vitals.identity import Identity
from edge.vitals.place import NoPosition, Place, Position
from edge.vitals.reading import Reading
from tests.edge.agent.agent_world import (
    PIN,
    Card,
    Centre,
    ScriptedDriver,
    World,
    pressure,
    until,
)
from tests.edge.agent.workshop_stage import Shop

AT = datetime.datetime(2026, 11, 20, 7, 31)  # noqa: DTZ001  a device's own clock has no zone
CUFF = Identity("A&D", "UA-651BLE", "5180100001", "1.02", 90)


class Remembering(ScriptedDriver):
    """A device with a memory: it tells all of it in every session, until it may forget."""

    def __init__(self, *memory: Reading) -> None:
        super().__init__("cuff-1")
        self.memory = list(memory)
        self.told: list[bytes] = []
        self.on_committed: Callable[[bytes], None] = lambda _: None

    async def committed(self, records: Sequence[bytes]) -> None:
        for record in records:
            self.on_committed(record)
            self.told.append(record)
        self.memory = [each for each in self.memory if each.record not in records]

    async def _listen(self) -> Any:  # noqa: ANN401  an async generator, as in the parent
        for reading in tuple(self.memory):
            yield reading
        async for event in super()._listen():
            yield event


def stored(systolic: int, record: bytes | None = None, **more: Any) -> Reading:  # noqa: ANN401  any field
    made = pressure(systolic, 80, record if record is not None else f"record {systolic}".encode())
    return dataclasses.replace(made, stored=True, at=AT, raw=b"raw", **more)


def world_with(tmp_path: Path, driver: ScriptedDriver) -> World:
    world = World(tmp_path, Centre(), [Device(driver)])
    world.make()
    return world


async def test_stored_readings_wait_in_the_tray_with_their_own_time(tmp_path: Path) -> None:
    cuff = Remembering()
    world = world_with(tmp_path, cuff)
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        visit = await nurse.visit()
        cuff.say(stored(118, clock_off_s=-3599.7), stored(119, just_taken=True), pressure(121, 80))
        shown = [await nurse.event("reading") for _ in range(3)]
        assert [(s["old"], s["device_time"], s["clock_off_s"]) for s in shown] == [
            (True, "2026-11-20T07:31:00", -3600),
            (True, "2026-11-20T07:31:00", None),
            (False, None, None),
        ]
        assert shown[0]["flags"] == ["from-memory"]
        await until(lambda: world.store().watermark(Stream.VITALS).tip >= 9)
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [(o["value"], o["old"]) for o in tray if o["code"] == "bp.sys"] == [
            ("118", True),
            ("119", True),
        ]
        assert (tray[0]["device_time"], tray[0]["clock_off_s"]) == ("2026-11-20T07:31:00", -3600)
        now_ms = (await nurse.ask("status"))["clock"]["wall_ms"]
        assert abs(now_ms - tray[0]["wall_ms"]) < 60_000  # when it came stays beside when it was taken
        [live] = [o for o in (await nurse.ask("encounter.show", encounter=visit))["observations"]
                  if o["code"] == "bp.sys"]  # fmt: skip
        assert (live["value"], live["old"], live["device_time"]) == ("121", False, None)
        await nurse.ask(
            "tray.assign", encounter=visit, observations=[tray[0]["seq"], tray[1]["seq"]], reason="hers"
        )
        given = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [(o["value"], o["old"]) for o in given] == [
            ("118", True),
            ("80", True),
            ("121", False),
            ("80", False),
        ]


async def test_a_device_may_forget_only_what_is_committed(tmp_path: Path) -> None:
    cuff = Remembering(stored(118), stored(119))
    world = world_with(tmp_path, cuff)

    def is_durable(record: bytes) -> None:
        store = world.store()
        try:
            values = {str(each.value) for each in store.tray()}
        finally:
            store.close()
        assert record.decode().removeprefix("record ") in values

    cuff.on_committed = is_durable
    assert isinstance(cuff, ClearsMemory)
    async with world.nurse():
        await until(lambda: cuff.told == [b"record 118", b"record 119"])
    assert cuff.memory == []


async def test_a_locked_store_lets_no_device_forget_and_sign_in_asks_again(tmp_path: Path) -> None:
    cuff = Remembering(stored(118))
    world = world_with(tmp_path, cuff)
    async with world.nurse() as nurse:
        await until(lambda: cuff.told == [b"record 118"])
        await nurse.ask("lock")
        cuff.memory = [stored(119)]
        cuff.say(stored(119))
        await until(cuff._events.empty)
        sessions = cuff.sessions
        assert cuff.told == [b"record 118"]
        await nurse.ask("sign-in", user="amina", pin=PIN)
        await until(lambda: cuff.told == [b"record 118", b"record 119"])
        assert cuff.sessions == sessions + 1
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["value"] for o in tray] == ["118", "80", "119", "80"]


async def test_a_full_disk_lets_no_device_forget_and_room_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    cuff = Remembering()
    world = world_with(tmp_path, cuff)
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings"])
        card.full = True
        many = [stored(100 + n) for n in range(30)]
        cuff.memory = list(many)
        cuff.say(*many)
        assert (await nurse.event("not-saved"))["code"] == "store-full"
        await until(cuff._events.empty)
        card.full = False
        cuff.say(pressure(121, 80))
        await until(lambda: {each.record for each in many} <= set(cuff.told))
        tray = (await nurse.ask("tray.list"))["observations"]
        systolics = [o["value"] for o in tray if o["code"] == "bp.sys" and o["old"]]
        assert sorted(systolics) == [str(100 + n) for n in range(30)]


async def test_what_the_device_sends_again_is_kept_once_and_may_be_forgotten(tmp_path: Path) -> None:
    cuff = Remembering()
    world = world_with(tmp_path, cuff)
    async with world.nurse() as nurse:
        unnamed = dataclasses.replace(stored(130), record=None)
        cuff.say(stored(118), stored(118), unnamed, unnamed, stored(118))
        await until(lambda: cuff.told == [b"record 118"] * 3)
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["value"] for o in tray] == ["118", "80", "130", "80"]


async def test_a_device_is_opened_anew_only_when_its_event_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlocking again while a record is being written: the commit ends, the device hears of it, then anew."""
    cuff = Remembering(stored(118))
    world = world_with(tmp_path, cuff)
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()
    genuine = OpenStore.commit

    def slow(opened: OpenStore, work: Callable[..., object], *, begins: bool = False) -> object:
        loop.call_soon_threadsafe(writing.set)
        return genuine(opened, work, begins=begins)

    made: list[Supervisor] = []
    init = Supervisor.__init__

    def remember(self: Supervisor, *args: Any, **more: Any) -> None:  # noqa: ANN401  handed through
        made.append(self)
        init(self, *args, **more)

    monkeypatch.setattr(Supervisor, "__init__", remember)
    async with world.nurse() as nurse:
        await until(lambda: cuff.told == [b"record 118"])
        monkeypatch.setattr(OpenStore, "commit", slow)
        sessions = cuff.sessions
        cuff.say(stored(119))
        await writing.wait()
        made[0].again("cuff-1")
        await until(lambda: cuff.sessions == sessions + 1)
        assert cuff.told == [b"record 118", b"record 119"]
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["value"] for o in tray] == ["118", "80", "119", "80"]


# ── which device it was ──────────────────────────────────────────────────────────────────────────


def said(store: Store) -> list[tuple[str, int | None]]:
    rows = store._connection.execute("SELECT serial, battery FROM devices ORDER BY entry").fetchall()
    return [tuple(row) for row in rows]


async def test_a_device_is_noted_when_it_changes_and_before_its_reading(
    world: World, oximeter: ScriptedDriver
) -> None:
    def from_(identity: Identity | None, systolic: int) -> Reading:
        return dataclasses.replace(pressure(systolic, 80), identity=identity)

    other = dataclasses.replace(CUFF, serial="5180100002")
    async with world.nurse() as nurse:
        oximeter.say(
            from_(None, 110),
            from_(CUFF, 111),
            from_(dataclasses.replace(CUFF, battery_percent=85), 112),
            from_(dataclasses.replace(CUFF, battery_percent=80), 113),
            from_(other, 114),
            from_(Identity(battery_percent=9), 115),
            from_(CUFF, 116),
        )
        await until(lambda: len(world.store().tray()) == 14)
        store = world.store()
        assert said(store) == [
            ("5180100001", 90),
            ("5180100001", 80),
            ("5180100002", 90),
            ("5180100002", 9),
            ("5180100001", 90),
        ]
        made_by = {
            str(each.value): None if (found := store.device_of(each.entry)) is None else found.identity
            for each in store.tray()
            if each.code == "bp.sys"
        }
        assert made_by["110"] is None
        assert made_by["112"] == CUFF
        assert made_by["115"] == dataclasses.replace(other, battery_percent=9)
        store.close()
        [device] = (await nurse.ask("status"))["devices"]
        assert device["identity"]["serial"] == "5180100001"
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_a_repeated_record_notes_no_device(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse():
        again = dataclasses.replace(stored(118), identity=dataclasses.replace(CUFF, serial="X"))
        oximeter.say(stored(118, identity=CUFF), again, pressure(121, 80))
        await until(lambda: len(world.store().tray()) == 4)
        assert said(world.store()) == [("5180100001", 90)]


# ── where the unit stands ────────────────────────────────────────────────────────────────────────


async def test_a_receivers_time_is_noted_once_and_nothing_is_changed(
    world: World, oximeter: ScriptedDriver
) -> None:
    utc = datetime.datetime(2031, 5, 1, 12, 0, 0, tzinfo=datetime.UTC)
    said = [
        Place(NoPosition.NO_FIX, utc + datetime.timedelta(seconds=second), second + 1)
        for second in (0, 1, 2, 2, 2)
    ]
    async with world.nurse():
        oximeter.say(pressure(110, 80), *said, pressure(111, 80))
        await until(lambda: len(world.store().tray()) == 4)
        store = world.store()
        entries = store.entries(Stream.VITALS, 2, 100)
        walls = [each.wall_ms or 0 for each in store.tray()]
        store.close()
    [noted] = [cbor.decode(each.payload or b"") for each in entries if each.kind == Kind.CLOCK]
    assert isinstance(noted, dict)
    offset_ms = noted[Field.CLOCK_OFFSET]
    assert isinstance(offset_ms, int)
    assert noted[Field.CLOCK_SOURCE] == 4
    assert abs(offset_ms - (utc.timestamp() * 1000 - walls[0])) < 60_000
    assert max(walls) - min(walls) < 60_000


@pytest.mark.parametrize(("days", "quality"), [(0, "gnss"), (4000, "none")])
async def test_a_clock_is_called_good_only_while_it_agrees_with_the_receivers(
    tmp_path: Path, days: int, quality: str
) -> None:
    shop, gps = Shop(), ScriptedDriver("gps-1")
    world = World(tmp_path, Centre(), [Device(gps)], workshop=shop)
    world.make()
    async with world.nurse() as nurse:
        assert (await nurse.ask("status"))["clock"]["off_ms"] is None
        visit = await nurse.visit()
        clock: dict[str, Any] = {"quality": None}
        async with asyncio.timeout(60):
            while clock["quality"] != quality or clock["off_ms"] is None:
                utc = datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000, datetime.UTC)
                gps.say(Place(NoPosition.NO_FIX, utc + datetime.timedelta(days=days), 100))
                clock = (await nurse.ask("status"))["clock"]
        assert shop.off_ms is not None
        assert abs(clock["off_ms"] - days * 86_400_000) < 60_000
        await nurse.observe(visit)
        [kept] = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert abs(kept["wall_ms"] - clock["wall_ms"]) < 60_000  # what is written is the box's own time
    store = world.store()
    assert store._rows("SELECT DISTINCT clock_quality FROM observations") == [(4 if days == 0 else 0,)]
    store.close()


async def test_entries_say_where_the_unit_stands(world: World, oximeter: ScriptedDriver) -> None:
    ifrane = Position(Decimal("33.5333331"), Decimal("-5.1"))
    async with world.nurse() as nurse:
        oximeter.say(
            pressure(110, 80),
            Place(ifrane),
            pressure(111, 80),
            Place(Position(Decimal("33.5333"), Decimal("-5.1"))),  # the same parking place
            Place(NoPosition.NO_FIX),
            pressure(112, 80),
        )
        await until(lambda: len(world.store().tray()) == 6)
        store = world.store()
        entries = store.entries(Stream.VITALS, 2, 100)
        places = [
            decoded.get(Field.PLACE)
            for each in entries
            if each.kind == Kind.OBSERVATION and isinstance(decoded := cbor.decode(each.payload or b""), dict)
        ]
        store.close()
        assert places == [None, None, *[[335333331, -51000000]] * 4]
        assert (await nurse.ask("status"))["place"] == {"latitude": "33.533", "longitude": "-5.100"}
        await nurse.ask("sign-out")
        assert (await nurse.ask("status"))["place"] is None

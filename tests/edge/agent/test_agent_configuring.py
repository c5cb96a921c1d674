"""The centre configures a unit: tried, kept when the link works with it, left by itself when it does not."""

import dataclasses
from collections.abc import Generator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edge import cbor
from edge.config import Places, write_initial
from edge.config.keeper import UnitConfiguration, begin, effective
from edge.config.reading import load
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Stream
from edge.scoring.installed import IN_FORCE, limit_table
from sync.uplink.notes import LinkNote
from sync.wire.keyset import Use
from tests.edge.agent.agent_world import QUICK, UNIT, Centre, World, until

TEXT = """
[keeping]
values_days = 200
waves_days = 3
frames_days = 30
[locks]
screen_s = 60
[tables]
limits = "l.toml"
"""
LIMITS = (
    (resources.files("edge.scoring") / "tables" / "limits.toml")
    .read_text("utf-8")
    .replace('version = "2026-1"', 'version = "azilal-3"')
    .replace('"34.0 .. 40.5"', '"35.0 .. 39.0"')
)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    made = World(tmp_path, Centre(), [])
    made.make()
    places = Places.at(tmp_path)
    write_initial(places, UNIT, "training")
    made.configuration = UnitConfiguration(places, load(places.config))
    yield made
    IN_FORCE.put({})


def patient_enough(world: World, trial_s: float = 600.0) -> None:
    world.pace = dataclasses.replace(QUICK, trial_s=trial_s, probe_s=0.05)


def link(world: World) -> None:
    LinkNote(world.home / "in").write(
        connected=True, since_ms=1, connection="a", sent=(), broker="mqtt5", code="", waiting={}
    )


def configure(world: World, number: int, text: str = TEXT, *, use: Use = Use.CONFIG, **more: Any) -> bytes:  # noqa: ANN401  as wide as CBOR
    tables: list[cbor.Value] = more.pop("tables", [["limits", LIMITS]])
    message: bytes = more.setdefault("message", number.to_bytes(16))
    store = world.store()
    raw = world.centre.says(store, use, "configure", [number, text, tables], dseq=number, **more)
    store.close()
    world.deliver(raw, "down", f"down-{raw[-8:].hex()}")
    return message


def told(world: World, kind: Kind = Kind.CONFIGURED) -> list[tuple[bytes, str]]:
    """What the unit has said of messages, in order."""
    store = world.store()
    try:
        found: list[tuple[bytes, str]] = []
        for entry in store.entries(Stream.VITALS, 1, store.watermark(Stream.VITALS).tip):
            payload = cbor.decode(entry.payload or b"\xa0")
            assert isinstance(payload, dict)
            if entry.kind == kind:
                message, outcome = payload[Field.MESSAGE], payload[Field.OUTCOME]
                assert isinstance(message, bytes)
                assert isinstance(outcome, str)
                found.append((message, outcome))
        return found
    finally:
        store.close()


def receive(world: World) -> None:
    world.deliver(world.receipt_for("landed"), "landed")


async def test_what_the_centre_sets_holds_at_once_and_stays_once_the_link_has_worked_with_it(
    world: World,
) -> None:
    patient_enough(world)
    link(world)
    places = Places.at(world.home)
    async with world.nurse() as nurse:
        assert limit_table().version == "2026-1"
        message = configure(world, 7)
        await until(lambda: told(world) == [(message, "on-trial")])
        assert (await nurse.ask("status"))["screen_lock_s"] == 60
        keeping = effective(places).config.keeping
        assert (keeping.waves_days, keeping.frames_days, keeping.values_days) == (3, 30, 200)
        assert world.configuration is not None
        tried = world.configuration.settings()
        kept = (tried.values_days, tried.waves_days, tried.frames_days)
        assert kept == (400, 7, 30), "nothing is purged sooner while it is tried"
        visit = await nurse.visit()
        with pytest.raises(CallRefused) as error:
            await nurse.observe(visit, "temp", "39.5")
        assert error.value.stable_code == "value-needs-confirmation"
        receive(world)
        await until(lambda: told(world)[1:] == [(message, "applied")])
        await until(
            lambda: world.configuration is not None and world.configuration.settings().waves_days == 3
        )
        assert (await nurse.ask("status"))["refusals"] == {}
    assert begin(places).locks.screen_s == 60, "it holds for the next agent"


async def test_without_a_receipt_what_was_before_holds_again_and_measuring_never_stops(world: World) -> None:
    patient_enough(world, trial_s=0.5)
    link(world)
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("subscribe", topics=["link"])
        message = configure(world, 7)
        await until(lambda: len(told(world)) == 2)
        assert told(world) == [(message, "on-trial"), (message, "no-receipt")]
        assert (await nurse.ask("status"))["screen_lock_s"] == 120
        await nurse.observe(visit, "temp", "39.5")  # the project's own limits hold again
        again = configure(world, 7, message=bytes(16))
        other = configure(world, 8)
        await until(lambda: (again, "older") in told(world, Kind.RECEIVED))
        await until(lambda: (other, "applied") in told(world, Kind.RECEIVED))


async def test_where_no_link_was_it_stays_since_nothing_got_worse(world: World) -> None:
    patient_enough(world, trial_s=0.3)
    async with world.nurse():
        message = configure(world, 7)
        await until(lambda: (message, "applied") in told(world))


@pytest.mark.parametrize(
    ("text", "more", "code"),
    [
        (TEXT, {"use": Use.ADVICE}, "use"),
        ("[radio]\nadapter = 'hci1'\n", {"tables": []}, "refused"),
        ("[unit]\nid = 'van-08'\n", {"tables": []}, "refused"),
        ("[locks]\nscreen_s = 5\n", {"tables": []}, "refused"),
        ("[lok", {"tables": []}, "refused"),
        (TEXT, {"tables": []}, "refused"),
        (TEXT, {"tables": [["limits", "rule ="]]}, "table-refused"),
        (TEXT, {"tables": [["limits"]]}, "form"),
        ("x" * 32_001, {}, "form"),
    ],
)
async def test_what_does_not_fit_is_refused_whole_and_the_centre_is_told(
    world: World, text: str, more: dict[str, Any], code: str
) -> None:
    async with world.nurse() as nurse:
        message = configure(world, 7, text, **more)
        await until(lambda: told(world, Kind.RECEIVED) == [(message, code)])
        assert (await nurse.ask("status"))["screen_lock_s"] == 120
        assert not Places.at(world.home).configuration.exists()


async def test_an_old_one_is_refused_also_where_what_lay_beside_the_store_is_lost(world: World) -> None:
    patient_enough(world)
    async with world.nurse():
        configure(world, 7)
        await until(lambda: told(world) != [])
        folder = Places.at(world.home).configuration
        for path in folder.iterdir():
            path.unlink()
        old = configure(world, 6)
        await until(lambda: (old, "older") in told(world, Kind.RECEIVED))


async def test_what_lay_beside_the_store_and_is_lost_is_tried_anew_from_it(world: World) -> None:
    patient_enough(world, trial_s=0.3)
    places = Places.at(world.home)
    async with world.nurse():
        message = configure(world, 7)
        await until(lambda: (message, "applied") in told(world))
    for path in places.configuration.iterdir():
        path.unlink()
    world.configuration = UnitConfiguration(places, load(places.config))
    IN_FORCE.put({})
    async with world.nurse() as nurse:
        await until(lambda: told(world).count((message, "applied")) == 2)
        assert (await nurse.ask("status"))["screen_lock_s"] == 60

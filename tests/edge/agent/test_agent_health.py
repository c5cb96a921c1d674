"""How the unit is: in the status, as metrics, and in the audit trail, never with a patient in it."""

from typing import Any, Self

import pytest

from edge import cbor
from edge.agent import health, openmetrics
from edge.agent.health import EVERY_S, SETTLED_S, HealthLog
from edge.clock import SystemClock
from edge.records.fields import Field, Kind, Stream
from tests.edge.agent.agent_world import World, until

FAMILY = "Zzubenali"


def said(world: World) -> list[dict[str, Any]]:
    """Every time the audit trail heard how the unit is."""
    store = world.store()
    try:
        entries = store.entries(Stream.AUDIT, 1, store.watermark(Stream.AUDIT).tip)
    finally:
        store.close()
    found = [each for each in entries if each.kind == Kind.HEALTH]
    maps: list[Any] = [cbor.decode(each.payload or b"") for each in found]
    return [dict(each[Field.HEALTH]) for each in maps]


async def test_the_status_says_what_waits_since_when_and_what_the_disk_holds(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit, value="36.9")
        status = await nurse.ask("status")
    now_ms = status["clock"]["wall_ms"]
    assert 0 <= now_ms - status["streams"]["vitals"]["oldest_ms"] < 60_000
    assert status["disk"]["store_bytes"] > 10_000
    assert status["disk"]["free_bytes"] > 0
    assert status["disk"]["days"] is None, "after one day nobody knows how long the disk lasts"
    assert status["certificate_days"] is None
    assert status["receipt_ms"] is None


async def test_metrics_need_no_session_and_name_nobody(world: World) -> None:
    async with world.nurse() as nurse:
        visit = (await nurse.ask("encounter.open", patient=await nurse.patient(FAMILY)))["encounter"]
        await nurse.observe(visit, value="36.9")
        text = (await nurse.ask("metrics"))["text"]
    assert text.endswith("# EOF\n")
    assert 'qafila_info{unit="van-07",realm="training",version="' in text
    assert 'qafila_entries_saved{unit="van-07",stream="vitals"} ' in text
    assert 'qafila_device_state{unit="van-07",device="oximeter-1"' in text
    assert FAMILY not in text
    assert visit not in text


async def test_the_centre_hears_how_the_unit_is_once_the_store_is_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SETTLED_S", 0.0)
    async with world.nurse() as nurse:
        visit = (await nurse.ask("encounter.open", patient=await nurse.patient(FAMILY)))["encounter"]
        await nurse.observe(visit, value="36.9")

        await until(lambda: bool(said(world)))
    (first, *_) = said(world)
    assert first["version"]
    assert first["store_bytes"] > 0
    assert [device[:2] for device in first["devices"]] == [["oximeter-1", "contec-cms50"]]
    assert "disk_days" not in first, "what nobody knows is left out"
    assert FAMILY not in repr(said(world))


class _Opened:
    """A store of which only its being another one counts."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def write(self) -> "_Opened":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def append(self, *entry: Any) -> None:  # noqa: ANN401  whatever is written
        self.entries.append(entry)


def test_it_is_told_at_each_unlock_when_what_is_wrong_changes_and_every_six_hours() -> None:
    log: Any = HealthLog()
    opened = _Opened()

    assert not log.due(opened, [], -SETTLED_S), "the devices are still being looked for"
    assert log.due(opened, [], 0.0)
    log.tell(opened, {"version": "1"}, [], SystemClock().now(), 0.0)
    assert len(opened.entries) == 1
    assert not log.due(opened, [], 100.0)
    assert not log.due(opened, ["store-full"], 30.0), "within a minute it may come and go"
    assert log.due(opened, ["store-full"], 61.0)
    assert log.due(opened, [], EVERY_S)
    again = _Opened()
    assert not log.due(again, [], 100.0)
    assert log.due(again, [], 100.0 + SETTLED_S), "the store was closed and opened again"


def test_openmetrics_have_each_family_once_with_its_type_before_its_samples() -> None:
    status: dict[str, Any] = {
        "unit": 'van-"7"\n',
        "realm": "training",
        "version": "0.1.0",
        "locked": True,
        "enrolled": False,
        "clock": {"wall_ms": 10_000, "quality": "rtc"},
        "link": {"connected": False, "waiting": {"urgent_bytes": 5, "backlog_bytes": 0, "held_bytes": 0}},
        "streams": {"vitals": {"tip": 9, "landed": 4, "opened": 3, "stopped": None, "oldest_ms": 4_000}},
        "devices": [],
        "refusals": {"receipt-kid": 2},
        "problem": "store-full",
        "notes": ["swap-on"],
        "disk": {"store_bytes": 1, "free_bytes": 2, "days": 3},
        "receipt_ms": None,
        "certificate_days": -1,
    }
    lines = openmetrics.text(status).splitlines()
    assert lines[-1] == "# EOF"
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    for line in lines[:-1]:
        if not line.startswith("#"):
            name = line.partition("{")[0]
            assert any(name in {family, f"{family}_total", f"{family}_info"} for family in families), line
    assert 'qafila_queue_age_seconds{unit="van-\\"7\\"\\n",stream="vitals"} 6' in lines
    assert 'qafila_refused_total{unit="van-\\"7\\"\\n",code="receipt-kid"} 2' in lines
    assert 'qafila_certificate_days{unit="van-\\"7\\"\\n"} -1' in lines
    assert not any("receipt_timestamp" in line for line in lines), "what is not known has no line"

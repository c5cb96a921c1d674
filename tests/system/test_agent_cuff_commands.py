"""Starting a cuff without a button by command: a real agent, a module behind a pseudo-terminal."""

import asyncio
import json
from pathlib import Path
from typing import Final

import pytest

from edge.config import Places
from edge.localapi.client import connect
from tests.drivers.terminals import simulator
from tests.system.test_ble_commands import PIN, Done, Technician, unit

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DEVICE: Final = """
[[device]]
key = "nibp-1"
kind = "suntech-nibp"
port = "{port}"
simulated = true

[[device]]
key = "oximeter-1"
kind = "contec-cms50"
port = "{port}-none"
simulated = true
"""


async def measures(technician: Technician, *words: str) -> Done:
    return await technician.types(
        "devices", "measure", *words, "--user", "fatima", "--pin-stdin", "--json", typed=f"{PIN}\n"
    )


async def test_a_nurse_starts_a_cuff_sees_its_result_and_stops_it(tmp_path: Path) -> None:
    port = tmp_path / "nibp"
    with simulator(port, "--speed", "8", "--systolic", "131", "--diastolic", "84", folder="suntech_nibp"):
        async with unit(tmp_path / "van", DEVICE.format(port=port)) as technician:
            measured = await measures(technician, "nibp-1")
            assert measured.status == 0, measured
            values = {each["code"]: each.get("value") for each in measured.json["values"]}
            assert 121 <= int(values["bp.sys"]) <= 141
            assert 76 <= int(values["bp.dia"]) <= 92
            async with connect(Places.at(technician.home).socket) as api:
                await api.call("sign-in", user="fatima", pin=PIN)
                tray = (await api.call("tray.list"))["observations"]
                assert {each["code"]: each["value"] for each in tray} == values
                async with asyncio.TaskGroup() as group:
                    running = group.create_task(measures(technician, "nibp-1", "--mode", "child"))
                    await api.call("subscribe", topics=["readings"])
                    async for name, data in api.events():
                        if name == "reading" and data["values"][0]["code"] == "bp.cuff":
                            break  # the cuff is being pumped up
                    stopped = await measures(technician, "nibp-1", "--stop")
                assert (stopped.status, json.loads(stopped.out)["stopped"]) == (0, True)
                ended = running.result()
            assert ended.status == 1
            assert (ended.json["measured"], ended.json["mode"]) == (False, "child")
            assert "measurement-failed" in ended.json["flags"]
            refused = await measures(technician, "oximeter-1")
            assert (refused.status, refused.json["error"]["code"]) == (1, "cannot-measure")
            not_theirs = await technician.devices("measure", "nibp-1")
            assert (not_theirs.status, "not-allowed" in not_theirs.err) == (1, True)


async def test_a_production_agent_listens_to_no_program_that_nobody_marked(tmp_path: Path) -> None:
    """A simulator behind a pseudo-terminal, which unit.toml takes for a device."""
    port = tmp_path / "nibp"
    devices = DEVICE.format(port=port).replace("simulated = true\n", "")
    async with unit(tmp_path / "van", devices, "production") as technician, asyncio.timeout(60):
        with simulator(port, folder="suntech_nibp"):
            async with connect(Places.at(technician.home).socket) as api:
                while True:
                    found = {each["key"]: each for each in (await api.call("status"))["devices"]}["nibp-1"]
                    if found["code"] == "port-not-real":
                        break
                    assert found["state"] != "present"
                    await asyncio.sleep(0.1)

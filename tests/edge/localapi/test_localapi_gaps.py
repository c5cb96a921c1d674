"""A wave that broke reaches a screen as broken, however late the screen reads."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.edge.localapi.test_localapi_server import Desk, serving, stuck_client


@pytest.fixture
def sock(tmp_path: Path) -> Path:
    return tmp_path / "agent.sock"


def stretch(number: int, *, gap: bool = False, off: bool = False) -> dict[str, Any]:
    return {
        "device": "ecg-1",
        "code": "ecg",
        "lead": "Polar H10 single lead",
        "rate": "130",
        "samples": [number],
        "gap": gap,
        "off": off,
    }


async def test_samples_are_not_joined_across_a_gap_nor_with_those_of_a_sensor_that_is_off(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk):
        client, caller = await stuck_client(sock, desk)
        for number in range(10):
            caller.post("wave", stretch(number, gap=number in {2, 4}, off=number > 6))
        client.settimeout(0)
        raw = b""
        async with asyncio.timeout(30):
            while raw.count(b'"wave"') < 4 or not raw.endswith(b"\n"):
                with suppress(BlockingIOError):
                    raw += client.recv(65536)
                await asyncio.sleep(0.001)
        client.close()
    waves = [m["data"] for m in map(json.loads, raw.splitlines()) if m.get("event") == "wave"]
    assert [(wave["samples"], wave["gap"], wave["off"]) for wave in waves] == [
        ([0, 1], False, False),
        ([2, 3], True, False),
        ([4, 5, 6], True, False),
        ([7, 8, 9], False, True),
    ]

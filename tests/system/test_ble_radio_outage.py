"""A radio that was gone and is back: what is asleep is waited for again, and no longer called absent."""

import asyncio
from pathlib import Path

import pytest

from edge.agent import supervisor
from tests.system.test_ble_faults import Box, box

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

FOR_EVER = 1_000_000


def stands(made: Box) -> tuple[str, str | None]:
    [it] = [each for each in made.supervisor.shown() if isinstance(each, dict) and each["key"] == "it"]
    return str(it["state"]), None if it["code"] is None else str(it["code"])


async def test_a_sleeping_cuff_is_waited_for_as_soon_as_the_radio_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "WAITED_FOR_S", 1.0)
    async with asyncio.timeout(150), box(tmp_path, "sig-bp") as made:
        # Left alone for longer than a way that is there takes to be seen, and for ten seconds in a van.
        monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 2.5)
        await made.until(lambda: stands(made) == ("gone", "device-ended"))
        faults = made.chain.bluez.faults
        faults.start_discovery_in_progress = FOR_EVER
        for on in (False, True):
            await made.chain.bluez.power(on=on)
        await made.until(lambda: stands(made) == ("gone", "radio-down"))
        heard = len(made.heard)
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + 3.0
        while now_s() < until_s:
            assert stands(made) == ("gone", "radio-down")
            await asyncio.sleep(0.02)
        faults.start_discovery_in_progress = 0
        await made.until(lambda: stands(made) == ("starting", None))
        assert len(made.heard) == heard
        await made.use()
        assert len(made.heard) > heard


def test_it_takes_longer_to_be_waited_for_than_to_be_refused() -> None:
    from drivers.transport.ble import REFUSED_WITHIN_S

    assert 2 * REFUSED_WITHIN_S <= supervisor.WAITED_FOR_S

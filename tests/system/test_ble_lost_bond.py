"""A lost bond under every name that the real BlueZ was heard to give it; see ``tests/bluez``."""

import asyncio
from pathlib import Path

import pytest

from drivers.transport.errors import BondLost
from edge.ports.driver import DeviceUnavailable
from tests.drivers.radio_cuff import Cuff
from tests.drivers.radio_stage import chain_b, take_reading

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "text",
    [
        "le-connection-abort-by-local",  # 5.66, whenever the kernel is first to tell
        "br-connection-canceled",  # 5.66, whenever the daemon is
        "br-connection-key-missing",  # from 5.83
    ],
)
async def test_whatever_bluez_calls_it_a_lost_bond_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    async with asyncio.timeout(30), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        chain.bluez.faults.refused_keys = text
        assert await take_reading(chain.owner) == [b"1"]
        assert await chain.world.obey("cuff forget")
        with pytest.raises(DeviceUnavailable) as refused:
            await take_reading(chain.owner)
        assert refused.value.stable_code == "ble-keys-refused"
        with pytest.raises(BondLost):
            await take_reading(chain.owner)


async def test_one_link_that_falls_is_interference_and_no_lost_bond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(30), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.abort_by_local = 5
        assert await take_reading(chain.owner) == [b"2"]

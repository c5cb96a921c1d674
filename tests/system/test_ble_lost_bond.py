"""A lost bond under every name that the real BlueZ was heard to give it; see ``tests/bluez``."""

import asyncio
from pathlib import Path

import pytest
from bleak import BleakScanner

from drivers.radio import fake_device
from drivers.transport import attempt
from drivers.transport.errors import BondLost
from edge.ports.driver import DeviceError
from tests.drivers.radio_cuff import Cuff
from tests.drivers.radio_stage import ChainB, chain_b, take_reading

pytestmark = pytest.mark.system


async def lose(chain: ChainB) -> list[str]:
    """Take one reading, lose the bond, and tell how each session ends until it is called lost."""
    assert await take_reading(chain.owner) == [b"1"]
    assert await chain.world.obey("cuff forget")
    ends: list[str] = []
    while BondLost.code not in ends:
        with pytest.raises(DeviceError) as failed:
            await take_reading(chain.owner)
        ends.append(failed.value.stable_code)
    return ends


@pytest.mark.parametrize(
    "text",
    [
        "",  # with a real radio and 5.66: connected, and then no more
        "le-connection-abort-by-local",  # 5.66, when the link falls otherwise
        "br-connection-canceled",  # 5.66, when the daemon hears of the fall first
    ],
)
async def test_a_link_that_falls_three_times_in_a_row_is_a_lost_bond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        chain.bluez.faults.refused_keys = text
        assert await lose(chain) == ["ble-unreachable", "ble-unreachable", "bond-lost"]


async def test_a_bluez_that_names_the_keys_is_believed_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        chain.bluez.faults.refused_keys = "br-connection-key-missing"  # from 5.83
        assert await lose(chain) == ["ble-keys-refused", "bond-lost"]


async def test_a_rest_that_ends_while_a_scan_is_started_is_not_slept_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BlueZ reports a device once in a scan; that was during the rest, and the scan began after it."""
    monkeypatch.setattr(attempt, "CONNECT_WITHIN_S", 1.0)
    monkeypatch.setattr(fake_device, "SEEN_AGAIN_S", 3600.0)
    start = BleakScanner.start

    async def start_slowly(scanner: BleakScanner) -> None:
        await start(scanner)
        await asyncio.sleep(0.6)  # longer than the first rest

    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.never_resolves = 1
        with pytest.raises(DeviceError):
            await take_reading(chain.owner)
        monkeypatch.setattr(BleakScanner, "start", start_slowly)
        assert await take_reading(chain.owner) == [b"2"]


async def test_one_link_that_falls_is_interference_and_no_lost_bond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(150), chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1", b"2")}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        chain.bluez.faults.abort_by_local = 5
        assert await take_reading(chain.owner) == [b"2"]

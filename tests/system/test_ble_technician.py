"""What a technician asks of the radio, through chain B: what is near, what is paired, a passkey."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from bleak.backends.bluezdbus import version
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate

from drivers.transport.errors import RadioDown
from drivers.transport.pairing import Reply
from edge.ports.driver import DeviceUnavailable
from tests.drivers.radio_cuff import ADDRESS, SERVICE, Cuff
from tests.drivers.radio_stage import CUFF, ChainB, chain_b, open_window, take_reading

pytestmark = pytest.mark.system
OTHER: Final = "C0:FF:EE:00:00:02"


@pytest.fixture(autouse=True)
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bleak looks for bluetoothctl once, and misses it where BlueZ is not installed."""
    monkeypatch.setattr(version.BlueZFeatures, "checked_bluez_version", True)


class CuffWithDisplay(Cuff):
    """A cuff that shows six digits when somebody pairs with it."""

    def __init__(self, *readings: bytes) -> None:
        super().__init__(*readings)
        self.shown: asyncio.Queue[int] = asyncio.Queue()

    async def live(self, device: Device) -> None:
        device.pairing_config_factory = self._with_display
        await super().live(device)

    def _with_display(self, _connection: Connection) -> PairingConfig:
        return PairingConfig(sc=True, mitm=True, bonding=True, delegate=_Display(self.shown))


class _Display(PairingDelegate):
    def __init__(self, shown: asyncio.Queue[int]) -> None:
        keys = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_ONLY, keys, keys)
        self._shown = shown

    async def display_number(self, number: int, digits: int) -> None:
        assert digits == 6
        self._shown.put_nowait(number)


async def near(chain: ChainB, *addresses: str) -> dict[str, tuple[str, bool]]:
    """Name and whether paired of what is near, looked for until these are among it."""
    while True:
        found = {one.address: one for one in await chain.owner.nearby(0.5)}
        if set(addresses) <= set(found):
            assert all(SERVICE in found[address].services for address in addresses)
            return {address: (found[address].name, found[address].paired) for address in addresses}


async def test_what_is_near_is_told_with_what_it_offers_and_whether_it_is_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuffs = {"cuff": Cuff(b"1", b"2"), "other": Cuff(b"3", address=OTHER)}
    async with asyncio.timeout(60), chain_b(tmp_path, monkeypatch, cuffs) as chain:
        assert await near(chain, ADDRESS, OTHER) == {
            ADDRESS: ("Test Cuff", False),
            OTHER: ("Test Cuff", False),
        }
        await _falls_quiet(chain)
        assert await take_reading(chain.owner) == [b"1"]
        assert await near(chain, ADDRESS) == {ADDRESS: ("Test Cuff", True)}
        assert (await chain.owner.paired(ADDRESS), await chain.owner.paired(OTHER)) == (True, False)


async def _falls_quiet(chain: ChainB) -> None:
    """Nobody looks and nobody waits: no scan drains the battery."""
    while chain.bluez.scanning:
        await asyncio.sleep(0.01)


async def test_looking_around_does_not_keep_a_device_from_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        asyncio.timeout(60),
        chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1")}) as chain,
        asyncio.TaskGroup() as group,
    ):
        looking = group.create_task(chain.owner.nearby(3600))
        assert await take_reading(chain.owner) == [b"1"]
        looking.cancel()


async def test_without_an_adapter_looking_around_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(60), chain_b(tmp_path, monkeypatch, {}) as chain:
        await chain.stop_daemon()
        with pytest.raises(RadioDown):
            await chain.owner.nearby(30)
        with pytest.raises(RadioDown):
            await chain.owner.paired(ADDRESS)
        await chain.start_daemon()
        while (found := await _or_radio_down(chain)) is None:
            pass
        assert found == []


async def _or_radio_down(chain: ChainB) -> list[str] | None:
    try:
        return [one.address for one in await chain.owner.nearby(0.5)]
    except RadioDown:
        return None


async def test_what_is_forgotten_is_not_paired_any_more_and_pairs_only_when_enrolled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = Cuff(b"1", b"2")
    async with asyncio.timeout(60), chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain:
        assert await take_reading(chain.owner) == [b"1"]
        await chain.owner.forget(ADDRESS)
        assert await chain.owner.paired(ADDRESS) is False
        chain.window.open(ADDRESS, 60)
        with pytest.raises(DeviceUnavailable) as refused:
            await take_reading(chain.owner)
        assert refused.value.stable_code == "ble-not-paired"
        await chain.world.obey("cuff forget")
        chain.window.enrol(ADDRESS)
        chain.window.open(ADDRESS, 60)
        chain.owner.try_again(ADDRESS)
        assert await take_reading(chain.owner) == [b"2"]


@pytest.mark.parametrize("right", [True, False])
async def test_a_passkey_is_asked_of_the_technician(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    cuff = CuffWithDisplay(b"1")
    window = open_window()
    asked: list[str] = []
    replies: asyncio.Queue[Reply] = asyncio.Queue()

    def ask(address: str, reply: Reply) -> None:
        asked.append(address)
        replies.put_nowait(reply)

    async with (
        asyncio.timeout(60),
        chain_b(tmp_path, monkeypatch, {"cuff": cuff}, window=window) as chain,
        asyncio.TaskGroup() as group,
    ):
        await near(chain, ADDRESS)
        window.ask_passkey = ask  # from now on somebody is there
        reading = group.create_task(_reading_or_code(chain))
        reply = await replies.get()
        shown = await cuff.shown.get()
        reply(shown if right else (shown + 1) % 1_000_000)
        assert await reading == ([b"1"] if right else "ble-pairing-failed")
        assert asked == [ADDRESS]
        assert await chain.owner.paired(ADDRESS) is right


async def _reading_or_code(chain: ChainB) -> list[bytes] | str:
    try:
        return await take_reading(chain.owner, CUFF)
    except DeviceUnavailable as error:
        return error.stable_code


async def test_with_somebody_at_the_keys_a_cuff_without_display_pairs_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    window.ask_passkey = lambda _address, _reply: pytest.fail("there is no passkey")
    async with (
        asyncio.timeout(60),
        chain_b(tmp_path, monkeypatch, {"cuff": Cuff(b"1")}, window=window) as chain,
    ):
        assert await take_reading(chain.owner) == [b"1"]


async def test_when_nobody_stands_by_a_passkey_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    window.ask_passkey = lambda _address, reply: reply(None)
    async with (
        asyncio.timeout(60),
        chain_b(tmp_path, monkeypatch, {"cuff": CuffWithDisplay(b"1")}, window=window) as chain,
    ):
        assert await _reading_or_code(chain) == "ble-pairing-failed"

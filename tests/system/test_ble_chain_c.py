"""The cuff through chain C: bleak's public interface on bumble, and a world that outlives who listens."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.transport.errors import BondLost, RadioDown
from drivers.transport.link import Wanted
from drivers.transport.peer import State
from edge.ports.driver import DeviceUnavailable
from tests.drivers.radio_cuff import ADDRESS, FEATURE, MEASUREMENT, SERVICE, STREAM, Cuff
from tests.drivers.radio_stage import CUFF, chain_c, open_window, take_reading

pytestmark = pytest.mark.system

WORLD: Final = """
import asyncio, sys
from pathlib import Path
from drivers.radio.world import run
from tests.drivers.radio_cuff import Cuff
asyncio.run(run(sys.argv[1], {"cuff": Cuff()}, bonds=Path(sys.argv[2])))
"""
LISTENER: Final = """
import asyncio, sys
from pathlib import Path
from drivers.radio.bumble_backend import VirtualRadio
from drivers.transport.ble import AdapterOwner
from edge.clock import SystemClock
from tests.drivers.radio_stage import open_window, take_reading

async def main():
    window = open_window(is_open=sys.argv[3] == "open")
    owner = AdapterOwner(VirtualRadio(sys.argv[1], "van-07", Path(sys.argv[2])), window, SystemClock())
    async with owner.running():
        while True:
            for value in await take_reading(owner):
                print(value.hex(), flush=True)

asyncio.run(main())
"""


async def test_a_cuff_pairs_hangs_up_and_comes_back_on_its_bond(tmp_path: Path) -> None:
    cuff = Cuff(b"first", b"second", b"third")
    window = open_window()
    async with asyncio.timeout(150), chain_c(tmp_path, window, {"cuff": cuff}) as (owner, _):
        assert await take_reading(owner) == [b"first"]
        window.close()
        assert await take_reading(owner) == [b"second"]
        assert await take_reading(owner) == [b"third"]
        assert cuff.connections == 3


async def test_a_device_is_found_by_what_it_offers_or_is_called(tmp_path: Path) -> None:
    cuff = Cuff(b"first", b"second", b"third")
    async with asyncio.timeout(150), chain_c(tmp_path, open_window(), {"cuff": cuff}) as (owner, _):
        assert await take_reading(owner, Wanted.at("ble:any", service=SERVICE, bond=True)) == [b"first"]
        assert await take_reading(owner, Wanted.at("ble:name:Test", bond=True)) == [b"second"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await take_reading(owner, Wanted.at("ble:name:Other", bond=True))
        assert await take_reading(owner) == [b"third"]


async def test_two_devices_share_the_adapter(tmp_path: Path) -> None:
    cuff, other = Cuff(b"reading"), Cuff(address="C0:FF:EE:00:00:02", stays=True)
    wanted = Wanted(address=other.address)
    async with (
        asyncio.timeout(150),
        chain_c(tmp_path, open_window(), {"cuff": cuff, "other": other}) as (owner, _),
        owner.session(wanted) as link,
    ):
        await link.subscribe(STREAM)
        await other.stream(b"before")
        assert await take_reading(owner) == [b"reading"]
        await other.stream(b"after")
        other.hang_up()
        assert [value async for _, value in link.events()] == [b"before", b"after"]


async def test_a_lost_bond_is_told_and_not_repaired_silently(tmp_path: Path) -> None:
    cuff = Cuff(b"1", b"2")
    async with asyncio.timeout(150), chain_c(tmp_path, open_window(), {"cuff": cuff}) as (owner, world):
        assert await take_reading(owner) == [b"1"]
        assert await world.obey("cuff forget")
        with pytest.raises(DeviceUnavailable):
            await take_reading(owner)
        with pytest.raises(BondLost):
            await take_reading(owner)
        await owner.pair_again(ADDRESS, 60)
        assert await take_reading(owner) == [b"2"]


async def test_a_device_that_leaves_the_air_ends_its_session_and_is_found_again(tmp_path: Path) -> None:
    cuff = Cuff(stays=True)
    async with asyncio.timeout(150), chain_c(tmp_path, open_window(), {"cuff": cuff}) as (owner, world):
        async with owner.session(CUFF) as link:
            await link.subscribe(STREAM)
            await cuff.stream(b"here")
            assert await world.obey("cuff leave")
            assert [value async for _, value in link.events()] == [b"here"]
            with pytest.raises(DeviceUnavailable) as gone:
                await link.read(FEATURE)
            assert gone.value.stable_code == "ble-gone"
        assert await world.obey("cuff return")
        async with owner.session(CUFF) as link:
            assert await link.read(FEATURE) == b"\x07\x00"
            assert link.has(MEASUREMENT)


async def test_a_device_that_fails_again_and_again_is_left_alone_until_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # bumble's side of a pairing that ends with its link can stay silent
    monkeypatch.setattr("drivers.radio.central.PAIR_WITHIN_S", 2.0)
    cuff = Cuff(b"1")
    cuff.hang_up_at_once = 5
    async with asyncio.timeout(150), chain_c(tmp_path, open_window(), {"cuff": cuff}) as (owner, _):
        for _ in range(5):
            with pytest.raises(DeviceUnavailable) as failed:
                await take_reading(owner)
            assert failed.value.stable_code in {"ble-unreachable", "ble-pairing-failed"}
        for _ in range(3):
            with pytest.raises(DeviceUnavailable) as aside:
                await take_reading(owner)
            assert aside.value.stable_code == "ble-quarantined"
        assert cuff.connections == 5
        owner.try_again(ADDRESS)
        assert await take_reading(owner) == [b"1"]


async def test_a_driver_that_gives_up_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up at any moment of waiting, connecting or pairing, and the next session works."""
    # bumble's side of a pairing that ends with its link can stay silent in the next one
    monkeypatch.setattr("drivers.radio.central.PAIR_WITHIN_S", 2.0)
    cuff = Cuff(*(bytes([number]) for number in range(12)))
    async with asyncio.timeout(150), chain_c(tmp_path, open_window(), {"cuff": cuff}) as (owner, _):
        for tenths in range(10):
            with contextlib.suppress(TimeoutError, DeviceUnavailable):
                async with asyncio.timeout(tenths / 25):
                    await take_reading(owner)
        assert len(await take_reading(owner)) == 1
        assert owner.state(CUFF) is State.ABSENT


async def test_without_a_world_the_radio_is_down_and_comes_up_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.3)
    async with asyncio.timeout(150), contextlib.AsyncExitStack() as worlds:
        world = await worlds.enter_async_context(
            _process(WORLD, f"unix:{tmp_path}/air", f"{tmp_path}/theirs")
        )
        async with _process(LISTENER, f"unix:{tmp_path}/air", f"{tmp_path}/ours", "open") as listener:
            await _line(world)
            await _order(world, "cuff measure aa")
            assert await _line(listener) == "aa"
            world.kill()
            await world.wait()
            again = await worlds.enter_async_context(
                _process(WORLD, f"unix:{tmp_path}/air", f"{tmp_path}/theirs")
            )
            await _line(again)
            await _order(again, "cuff measure bb")
            # RadioDown ends a listener; the agent's supervisor would open the next session
            if (line := await _line(listener)) == "":
                async with _process(
                    LISTENER, f"unix:{tmp_path}/air", f"{tmp_path}/ours", "closed"
                ) as another:
                    line = await _line(another)
            assert line == "bb"


async def test_the_world_outlives_the_agent_which_comes_back_to_its_bond(tmp_path: Path) -> None:
    where = f"unix:{tmp_path}/air"
    async with asyncio.timeout(150), _process(WORLD, where, f"{tmp_path}/theirs") as world:
        ready = json.loads(await _line(world))
        assert ready["event"] == "ready"
        assert ready["devices"] == ["cuff"]
        async with _process(LISTENER, where, f"{tmp_path}/ours", "open") as listener:
            await _order(world, "cuff measure aa")
            assert await _line(listener) == "aa"
            os.kill(listener.pid, signal.SIGKILL)
            await listener.wait()
        await _order(world, "cuff measure bb")
        # nothing may be paired any more: only the bond of before can bring this reading
        async with _process(LISTENER, where, f"{tmp_path}/ours", "closed") as listener:
            assert await _line(listener) == "bb"
        assert world.returncode is None


async def test_an_order_that_nobody_understands_is_named(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(150),
        _process(WORLD, f"unix:{tmp_path}/air", f"{tmp_path}/bonds", errors=asyncio.subprocess.PIPE) as world,
    ):
        await _line(world)
        await _order(world, "cuff fly")
        assert world.stderr is not None
        assert b"order-unknown" in await world.stderr.readline()
        await _order(world, "quit")
        assert await world.wait() == 0


async def test_no_radio_is_said_at_once_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivers.radio.bumble_backend import VirtualRadio
    from drivers.transport.ble import AdapterOwner
    from edge.clock import SystemClock

    monkeypatch.setattr("drivers.transport.ladder.LONGEST_PAUSE_S", 0.1)
    owner = AdapterOwner(VirtualRadio(f"unix:{tmp_path}/nothing", "van-07"), open_window(), SystemClock())
    async with asyncio.timeout(150), owner.running():
        with pytest.raises(RadioDown):
            await take_reading(owner)


@contextlib.asynccontextmanager
async def _process(
    script: str, *arguments: str, errors: int | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        transport: Any = process._transport  # type: ignore[attr-defined]  # what a killed child leaves open
        transport.close()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def _order(process: asyncio.subprocess.Process, order: str) -> None:
    assert process.stdin is not None
    process.stdin.write(order.encode() + b"\n")
    await process.stdin.drain()

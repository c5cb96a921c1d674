"""The simulated air: where bumble's link and controller are put right, and hosts that come and go."""

import asyncio
from pathlib import Path

import pytest
from bumble import core, hci
from bumble.device import Device, Peer
from bumble.host import Host

from drivers.radio.air import Air, key_store, make_device
from drivers.radio.central import Central, open_transport
from drivers.radio.world import living, make_peripheral
from tests.drivers.radio_cuff import ADDRESS, Cuff


async def host(where: str, address: str) -> Device:
    transport = await open_transport(where)
    device = make_device("host", address, Host(transport.source, transport.sink), key_store(address, None))
    await device.power_on()
    return device


async def leave(device: Device) -> None:
    sink = device.host.hci_sink
    assert sink is not None
    sink.close()  # type: ignore[attr-defined]  # the protocol does not name it
    await asyncio.sleep(0.05)


@pytest.mark.parametrize("own", [hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RANDOM])
async def test_data_comes_from_the_address_that_the_connection_was_made_from(
    tmp_path: Path, own: hci.OwnAddressType
) -> None:
    """A Linux host connects from its public address, and has a random one merely to scan."""
    air = Air()
    async with (
        asyncio.timeout(50),
        living(air, {"cuff": Cuff(stays=True)}),
        air.serve(f"unix:{tmp_path}/air") as where,
    ):
        device = await host(where, "C0:00:00:00:00:01")
        connection = await device.connect_le(hci.Address(ADDRESS), own_address_type=own, timeout=30)
        peer = Peer(connection)
        async with asyncio.timeout(30):
            await peer.discover_services()
        assert len(peer.services) >= 2
        await leave(device)


async def test_an_attempt_that_is_given_up_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    air = Air()
    async with (
        asyncio.timeout(50),
        living(air, {"cuff": Cuff(stays=True)}),
        air.serve(f"unix:{tmp_path}/air") as where,
    ):
        device = await host(where, "C0:00:00:00:00:01")
        with pytest.raises(core.TimeoutError):
            await device.connect_le(hci.Address("C0:FF:EE:00:00:09"), timeout=0.2)
        connection = await device.connect_le(hci.Address(ADDRESS), timeout=30)
        assert connection.peer_address == hci.Address(ADDRESS)
        await leave(device)


async def test_an_attempt_can_be_cancelled_while_the_controller_has_not_answered(tmp_path: Path) -> None:
    """Bumble takes the late answer to what was cut short for the answer to the cancellation."""
    air, cuff = Air(), Cuff(stays=True)
    async with asyncio.timeout(50), air.serve(f"unix:{tmp_path}/air") as where:
        central = Central(where, "C0:00:00:00:00:01")
        await central.device()
        for steps in range(12):
            async with asyncio.TaskGroup() as group:
                attempt = group.create_task(central.connect(hci.Address(ADDRESS), 30))
                for _ in range(steps):
                    await asyncio.sleep(0)
                attempt.cancel()
            assert attempt.cancelled()
        async with living(air, {"cuff": cuff}):
            connection = await central.connect(hci.Address(ADDRESS), 30)
            assert connection.peer_address == hci.Address(ADDRESS)
            await central.close()


async def test_a_host_that_dies_frees_the_device_for_the_next() -> None:
    cuff = Cuff(stays=True)
    air = Air()
    async with asyncio.timeout(50), living(air, {"cuff": cuff}), air.serve("tcp:127.0.0.1:0") as where:
        for expected in (1, 2):
            device = await host(where, "C0:00:00:00:00:01")
            await device.connect_le(hci.Address(ADDRESS), timeout=30)
            await leave(device)
            assert cuff.connections == expected


def test_what_names_no_simulated_device_is_refused() -> None:
    key, cuff = make_peripheral("sig-bp=c0:ff:ee:00:00:01,key=cuff-1,seed=7")
    assert (key, cuff.address) == ("cuff-1", ADDRESS)
    for text in ("sig-bp", "sig-bp=", "contec-cms50=C0:FF:EE:00:00:01", "nothing=C0:FF:EE:00:00:01"):
        with pytest.raises(ValueError, match=r"simulator|ADDRESS"):
            make_peripheral(text)

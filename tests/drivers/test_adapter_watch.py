"""What ends a scan in silence, and who waits for what a scan hears."""

import asyncio
import random
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from dbus_fast import Message, MessageType, Variant

from drivers.transport.adapter_watch import ADAPTER, AdapterWatch
from drivers.transport.backend import Trouble
from drivers.transport.errors import RadioDown
from drivers.transport.link import Wanted
from drivers.transport.link_watch import DEVICE
from drivers.transport.pairing_agent import BLUEZ
from drivers.transport.peer import Peer, State
from drivers.transport.refusals import radio_down
from drivers.transport.waiting import Request, WaitingRoom

HCI0 = "/org/bluez/hci0"
CUFF = "C0:FF:EE:00:00:01"
NO = Variant(signature="b", value=False)


def signal(member: str, body: list[Any], path: str = "/") -> Message:
    return Message(
        message_type=MessageType.SIGNAL,
        path=path,
        interface="a.b",
        member=member,
        signature={"PropertiesChanged": "sa{sv}as", "InterfacesRemoved": "oas", "NameOwnerChanged": "sss"}[
            member
        ],
        body=body,
    )


def powered(*, on: bool, path: str = HCI0, interface: str = ADAPTER) -> Message:
    return signal("PropertiesChanged", [interface, {"Powered": Variant("b", on)}, []], path)


ENDS = [
    pytest.param(powered(on=False), Trouble.ADAPTER, id="switched off"),
    pytest.param(signal("InterfacesRemoved", [HCI0, ["a.b", ADAPTER]]), Trouble.ADAPTER, id="unplugged"),
    pytest.param(signal("NameOwnerChanged", [BLUEZ, ":1.7", ""]), Trouble.DAEMON, id="daemon gone"),
]
IS_NO_END = [
    pytest.param(powered(on=True), id="switched on"),
    pytest.param(powered(on=False, path="/org/bluez/hci1"), id="another adapter"),
    pytest.param(powered(on=False, interface=DEVICE), id="another interface"),
    pytest.param(
        signal("PropertiesChanged", [ADAPTER, {"Discovering": NO}, []], HCI0),
        id="our own scan stopped",
    ),
    pytest.param(signal("InterfacesRemoved", [f"{HCI0}/dev_1", [ADAPTER]]), id="another object"),
    pytest.param(signal("InterfacesRemoved", [HCI0, [DEVICE]]), id="not the adapter of it"),
    pytest.param(signal("NameOwnerChanged", [":1.7", ":1.7", ""]), id="another client"),
]


@pytest.mark.parametrize(("news", "trouble"), ENDS)
def test_what_ends_a_scan_stays_known_until_a_new_one_begins(news: Message, trouble: Trouble) -> None:
    watch = AdapterWatch(HCI0)
    watch.hear(news)
    watch.hear(powered(on=True))
    assert watch.trouble is trouble
    watch.begin()
    assert watch.trouble is None


@pytest.mark.parametrize("news", IS_NO_END)
def test_what_ends_no_scan_is_passed_over(news: Message) -> None:
    watch = AdapterWatch(HCI0)
    watch.hear(news)
    assert watch.trouble is None


def test_a_daemon_that_is_gone_is_the_greater_trouble() -> None:
    watch = AdapterWatch(HCI0)
    watch.hear(signal("NameOwnerChanged", [BLUEZ, ":1.7", ""]))
    watch.hear(powered(on=False))
    assert watch.trouble is Trouble.DAEMON


# ── Who waits ────────────────────────────────────────────────────────────────────────────────────


def request() -> Request:
    return Request(
        Wanted(address=CUFF),
        Peer(random.Random(7)),  # noqa: S311  spreads waits
        asyncio.get_running_loop().create_future(),
    )


def advertise(room: WaitingRoom) -> bool:
    heard = AdvertisementData("cuff", {}, {}, [], None, -50, ())
    return room.hear(BLEDevice(CUFF, "cuff", {}), heard, 0.0)


async def test_a_driver_whose_device_was_heard_waits_on_when_the_adapter_fails_before_the_connection() -> (
    None
):
    room, one = WaitingRoom(), request()
    room.requests.append(one)
    assert advertise(room)
    found = room.take()
    assert found is not None
    assert room.requests == []
    room.put_back(found)
    assert room.requests == [one]
    assert advertise(room)


async def test_a_driver_that_stopped_waiting_when_its_device_was_heard_leaves_it_to_the_next() -> None:
    room, one = WaitingRoom(), request()
    room.requests.append(one)
    assert advertise(room)
    room.requests.remove(one)
    assert room.take() is None
    assert one.peer.state is State.ABSENT
    room.requests.append(one)
    assert advertise(room)


async def test_everybody_is_told_when_the_adapter_is_down() -> None:
    room, one = WaitingRoom(), request()
    room.requests.append(one)
    room.dismiss(radio_down())
    assert room.requests == []
    with pytest.raises(RadioDown):
        await one.answer

"""How a lost bond looks to whoever connects: as the real BlueZ told it in ``tests/bluez``."""

import pytest
from dbus_fast import Message, MessageType, Variant

from drivers.transport.link_watch import DEVICE, ENOUGH, LinkWatch
from drivers.transport.pairing_agent import BLUEZ

CUFF = "/org/bluez/hci0/dev_C0_FF_EE_00_00_01"
STRAP = "/org/bluez/hci0/dev_C0_FF_EE_00_00_02"


def link(*, up: bool, path: str = CUFF) -> Message:
    return Message(
        message_type=MessageType.SIGNAL,
        path=path,
        interface="org.freedesktop.DBus.Properties",
        member="PropertiesChanged",
        signature="sa{sv}as",
        body=[DEVICE, {"Connected": Variant("b", up)}, []],
    )


def owner(new: str) -> Message:
    return Message(
        message_type=MessageType.SIGNAL,
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member="NameOwnerChanged",
        signature="sss",
        body=[BLUEZ, ":1.7", new],
    )


@pytest.fixture
def watch() -> LinkWatch:
    watch = LinkWatch()
    watch.begin(CUFF)
    return watch


def fall(watch: LinkWatch, times: int, path: str = CUFF) -> None:
    for _ in range(times):
        watch.hear(link(up=True, path=path))
        watch.hear(link(up=False, path=path))


def test_one_fall_is_how_every_attempt_ends(watch: LinkWatch) -> None:
    fall(watch, 1)
    assert not watch.kept_falling


def test_a_link_that_falls_again_and_again_is_told(watch: LinkWatch) -> None:
    fall(watch, 2)
    assert watch.kept_falling


def test_a_new_attempt_begins_anew(watch: LinkWatch) -> None:
    fall(watch, 2)
    watch.begin(CUFF)
    assert not watch.kept_falling


def test_other_devices_may_fall_as_they_like(watch: LinkWatch) -> None:
    fall(watch, 9, STRAP)
    assert not watch.kept_falling


def test_a_daemon_that_dies_of_the_link_is_told(watch: LinkWatch) -> None:
    watch.hear(link(up=True))
    watch.hear(owner(""))
    assert watch.kept_falling


def test_a_daemon_that_dies_without_a_link_says_nothing(watch: LinkWatch) -> None:
    watch.hear(owner(""))
    watch.hear(owner(":1.8"))
    assert not watch.kept_falling


def test_a_hopeless_attempt_is_ended_once(watch: LinkWatch) -> None:
    told: list[None] = []
    watch.when_enough(lambda: told.append(None))
    fall(watch, ENOUGH - 1)
    assert told == []
    fall(watch, 3)
    assert told == [None]


def test_what_is_no_news_of_a_link_is_passed_over(watch: LinkWatch) -> None:
    watch.hear(Message(path=CUFF, interface=DEVICE, member="Connect", destination=BLUEZ))
    watch.hear(
        Message(
            message_type=MessageType.SIGNAL,
            path=CUFF,
            interface="org.freedesktop.DBus.Properties",
            member="PropertiesChanged",
            signature="sa{sv}as",
            body=[DEVICE, {"RSSI": Variant("n", -50)}, []],
        )
    )
    assert not watch.kept_falling

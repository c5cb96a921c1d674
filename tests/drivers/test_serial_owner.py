"""Serial ports by the names that stay, several at once, one device each, and the wrong device told so."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from drivers import looks
from drivers.devices.contec_cms50.codec import Generation
from drivers.devices.contec_cms50.unit import Picture as Shown
from drivers.devices.contec_cms50.unit import encode
from drivers.devices.nmea_gps.codec import sentence
from drivers.devices.nonin.codec import Format
from drivers.devices.nonin.unit import Picture, encode_packet
from drivers.kinds import DriverContext
from drivers.registry import KINDS
from drivers.transport.serial_nodes import serial_nodes, udev_rule
from drivers.transport.serial_port import LineSettings, open_port
from edge.ports.driver import DeviceError, DeviceEvent, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.place import Place
from tests.drivers.terminals import Terminal, simulator

LINE: Final = LineSettings(9600)
GIVE_UP_S: Final = 30.0


class Machine:
    """A made-up /dev and /sys."""

    def __init__(self, at: Path) -> None:
        self.dev, self.sys = at / "dev", at / "sys"
        (self.dev / "serial" / "by-id").mkdir(parents=True)
        (self.dev / "serial" / "by-path").mkdir()

    def plug(self, node: str, place: str, *, usb: str = "", name: str = "", interface: int = 0) -> None:
        (self.dev / node).touch()
        device = self.sys / "devices" / f"usb-{place}"
        tty = device / f"1-{place}:1.{interface}" / node
        tty.mkdir(parents=True, exist_ok=True)
        (self.sys / "class" / "tty" / node).mkdir(parents=True)
        (self.sys / "class" / "tty" / node / "device").symlink_to(tty)
        if usb:
            for file, word in zip(("idVendor", "idProduct", "serial"), usb.split(":"), strict=True):
                (device / file).write_text(f"{word}\n")
        by_path = self.dev / "serial" / "by-path" / f"pci-0000:00:14.0-usb-0:{place}:1.{interface}-port0"
        by_path.symlink_to(self.dev / node)
        if name:
            by_id = self.dev / "serial" / "by-id" / f"usb-{name}-if{interface:02x}-port0"
            by_id.unlink(missing_ok=True)
            by_id.symlink_to(self.dev / node)

    def nodes(self) -> dict[str, tuple[str, str, bool]]:
        return {
            Path(each.names[-1]).name: (Path(each.best).parent.name, each.usb, each.twin)
            for each in serial_nodes(self.dev, self.sys)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# ── Names ────────────────────────────────────────────────────────────────────────────────────────


def test_an_adapter_with_a_number_is_known_by_it(machine: Machine) -> None:
    machine.plug("ttyUSB0", "1", usb="0403:6001:AB0K1F2D", name="FTDI_FT232R_USB_UART_AB0K1F2D")
    machine.plug("ttyACM0", "2")
    assert machine.nodes() == {
        "ttyUSB0": ("by-id", "0403:6001:AB0K1F2D", False),
        "ttyACM0": ("by-path", "", False),
    }


def test_two_adapters_with_one_number_are_known_by_their_place(machine: Machine) -> None:
    for node, place in (("ttyUSB0", "1"), ("ttyUSB1", "2")):
        machine.plug(node, place, usb="10c4:ea60:0001", name="Silicon_Labs_CP2102_0001")
    machine.plug("ttyUSB2", "3", usb="10c4:ea60:0002", name="Silicon_Labs_CP2102_0002")
    assert machine.nodes() == {
        "ttyUSB0": ("by-path", "10c4:ea60:0001", True),
        "ttyUSB1": ("by-path", "10c4:ea60:0001", True),
        "ttyUSB2": ("by-id", "10c4:ea60:0002", False),
    }


def test_two_ports_of_one_adapter_are_no_twins(machine: Machine) -> None:
    for interface in (0, 1):
        machine.plug(
            f"ttyUSB{interface}", "1", usb="0403:6010:FT5", name="FTDI_Dual_FT5", interface=interface
        )
    assert machine.nodes() == {
        "ttyUSB0": ("by-id", "0403:6010:FT5", False),
        "ttyUSB1": ("by-id", "0403:6010:FT5", False),
    }


@pytest.mark.parametrize(
    ("port", "match"),
    [
        (
            "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_AB0K1F2D-if00-port0",
            'ENV{ID_SERIAL}=="FTDI_FT232R_USB_UART_AB0K1F2D", ENV{ID_USB_INTERFACE_NUM}=="00"',
        ),
        (
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0",
            'ENV{ID_PATH}=="pci-0000:00:14.0-usb-0:2:1.0"',
        ),
    ],
)
def test_a_rule_names_the_port_gives_it_to_the_agent_and_keeps_modemmanager_away(
    port: str, match: str
) -> None:
    rule = udev_rule("oximeter-1", port)
    assert rule is not None
    comment, line = rule.splitlines()
    assert comment.startswith("#")
    assert line.startswith(f'SUBSYSTEM=="tty", {match}, ')
    for word in ('SYMLINK+="qafila/oximeter-1"', 'GROUP="qafila"', 'MODE="0660"', "ID_MM_PORT_IGNORE"):
        assert word in line


@pytest.mark.parametrize(
    "port",
    [
        "/dev/ttyUSB0",
        "/dev/serial/by-id/usb-x",
        '/dev/serial/by-id/usb-a", RUN+="rm-if00',
        "/dev/serial/by-path/a*b",
    ],
)
def test_no_rule_for_a_name_that_does_not_last_or_would_say_more_than_a_name(port: str) -> None:
    assert udev_rule("oximeter-1", port) is None


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="no udevadm on this machine")
def test_udev_understands_the_rule(tmp_path: Path) -> None:
    rule = udev_rule("oximeter-1", "/dev/serial/by-id/usb-FTDI_AB0K1F2D-if00-port0")
    assert rule is not None
    file = tmp_path / "60-qafila-oximeter-1.rules"
    file.write_text(rule)
    subprocess.run([str(shutil.which("udevadm")), "verify", str(file)], check=True)


# ── One device each ──────────────────────────────────────────────────────────────────────────────


def test_two_names_of_one_port_are_no_two_ports(tmp_path: Path) -> None:
    terminal = Terminal()
    by_path = tmp_path / "by-path"
    by_path.symlink_to(terminal.path)
    try:
        with open_port(terminal.path, LINE):
            with pytest.raises(DeviceUnavailable) as refused, open_port(str(by_path), LINE):
                pass
            assert refused.value.stable_code == "port-busy"
            assert terminal.path in refused.value.sentence
            assert refused.value.next_step
        with open_port(str(by_path), LINE):
            pass  # given back
    finally:
        terminal.pull()


async def test_several_devices_on_several_ports_each_come_and_go_alone(tmp_path: Path) -> None:
    plan = {
        "old": ("contec-cms50", "contec_cms50", ("--generation", "old", "--finger", "on")),
        "new": ("contec-cms50", "contec_cms50", ("--generation", "new", "--finger", "on")),
        "clinical": ("nonin", "nonin", ("--format", "7", "--finger", "on")),
        "cuff": ("suntech-nibp", "suntech_nibp", ()),
        "place": ("nmea-gps", "nmea_gps", ()),
    }
    told = dict.fromkeys(plan, 0)
    ended: dict[str, str] = {}

    async def listen(key: str) -> None:
        driver = KINDS[plan[key][0]].make_driver(DriverContext(key, str(tmp_path / key)))
        try:
            async with driver.session() as events:
                async for _ in events:
                    told[key] += 1
        except DeviceError as error:
            ended[key] = error.stable_code

    async def all_say_more(keys: set[str]) -> None:
        before = {key: told[key] for key in keys}
        while any(told[key] <= before[key] for key in keys):
            await asyncio.sleep(0.02)

    with contextlib.ExitStack() as stack:
        units = {
            key: stack.enter_context(simulator(tmp_path / key, *options, folder=folder))
            for key, (_, folder, options) in plan.items()
        }
        async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
            tasks = [group.create_task(listen(key)) for key in plan]
            await all_say_more(plan.keys() - {"cuff"})
            while not told["cuff"]:
                await asyncio.sleep(0.02)
            units["clinical"].say("unplug")
            while "clinical" not in ended:
                await asyncio.sleep(0.02)
            await all_say_more({"old", "new", "place"})
            assert ended == {"clinical": "device-unplugged"}
            for task in tasks:
                task.cancel()


# ── The wrong device ─────────────────────────────────────────────────────────────────────────────

SPEAKS: Final = {
    "contec-cms50": encode(Generation.NINE_BYTE, Shown()) * 6,
    "nonin": encode_packet(Format.TWO, Picture(), [100] * 25),
    "nmea-gps": sentence("GPRMC,093000.00,A,3335.0412,N,00735.2301,W,0.42,118.3,140326,,,A"),
}


@pytest.mark.parametrize(
    ("configured", "speaker"),
    [
        ("contec-cms50", "nonin"),
        ("contec-cms50", "nmea-gps"),
        ("nonin", "contec-cms50"),
        ("suntech-nibp", "nonin"),
        ("suntech-nibp", "nmea-gps"),
    ],
)
async def test_an_error_says_what_is_plugged_in_instead(configured: str, speaker: str) -> None:
    terminal = Terminal()
    os.set_blocking(terminal.near, False)
    context = DriverContext("device-1", terminal.path, looks_like=lambda heard: looks.kinds_of(KINDS, heard))

    async def speak() -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                os.write(terminal.near, SPEAKS[speaker])
            await asyncio.sleep(0.1)

    try:
        async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as group:
            task = group.create_task(speak())
            with pytest.raises(DeviceMisbehaved) as refused:
                async with KINDS[configured].make_driver(context).session() as events:
                    await _drain(events)
            task.cancel()
    finally:
        terminal.pull()
    assert refused.value.stable_code == "device-not-understood"
    assert f"looks like a {speaker}" in refused.value.sentence
    assert "GPRMC" not in str(refused.value)


async def _drain(events: AsyncIterator[DeviceEvent]) -> None:
    async for event in events:
        assert not isinstance(event, Place)


def test_noise_looks_like_nothing() -> None:
    assert looks.kinds_of(KINDS, b"") == ()
    assert looks.kinds_of(KINDS, bytes(range(256)) * 4) == ()
    assert looks.kinds_of(KINDS, b"login: " * 100) == ()

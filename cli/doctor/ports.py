"""The serial ports of the configured devices, and the rules that give each to its device."""

import dataclasses
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.doctor.asked import Asked
from cli.doctor.finding import Finding, failed, passed, warned
from drivers.transport.serial_nodes import serial_nodes
from edge.config import UnitConfig

NAMES: Final = ("serial-ports", "serial-rules")
_RULES: Final = (Path("/etc/udev/rules.d"), Path("/run/udev/rules.d"), Path("/usr/lib/udev/rules.d"))
_OWN: Final = "/dev/qafila/"
_LASTING: Final = ("/dev/serial/by-id/", "/dev/serial/by-path/", _OWN)
_MOST_BYTES: Final = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """One configured serial device.

    Attributes:
        there: whether its port is a character device that is there; None where that cannot be seen.
        usable: whether this user may read and write it.
        lasting: whether the port's name stays when adapters are plugged in in another order.
        twin: whether another adapter has the same number.
        ruled: whether a udev rule names it.
    """

    key: str
    simulated: bool
    there: bool | None
    usable: bool
    lasting: bool
    twin: bool
    ruled: bool


def look(config: UnitConfig, rules: Sequence[Path] = _RULES) -> list[Port]:
    """See every serial port that unit.toml names; none is opened."""
    serial = [device for device in config.device if not device.bluetooth]
    if not serial:
        return []
    twins = {name for node in serial_nodes() if node.twin for name in node.names}
    text = "".join(_text(file) for folder in rules for file in sorted(folder.glob("*qafila*.rules")))
    return [
        Port(
            device.key,
            device.simulated,
            _there(Path(device.port)),
            os.access(device.port, os.R_OK | os.W_OK),
            device.port.startswith(_LASTING),
            bool({device.port, os.path.realpath(device.port)} & twins),  # a name by-id may lead to either
            f'SYMLINK+="qafila/{device.key}"' in text,
        )
        for device in serial
    ]


def judge(ports: Sequence[Port], asked: Asked) -> list[Finding]:
    return [_ports(ports, asked), _rules([port for port in ports if not port.simulated])]


def _ports(ports: Sequence[Port], asked: Asked) -> Finding:
    name = "serial-ports"
    if not ports:
        return passed(name, "unit.toml names no serial device.")
    heard = {
        device["key"] for device in (asked.status or {}).get("devices", ()) if device["state"] == "present"
    }
    unseen = [port.key for port in ports if port.there is None and port.key not in heard]
    gone = [port.key for port in ports if port.there is False]
    barred = [port.key for port in ports if port.there and not port.usable and port.key not in heard]
    if gone:
        return failed(
            name,
            "{count} ports are not there: {devices}.",
            "Plug the adapter in; qafila devices scan lists the ports that are there.",
            count=len(gone),
            devices=", ".join(gone),
        )
    if barred:
        return warned(
            name,
            "Not known: this user may not use the ports of {devices}.",
            "Run it as the unit's user; if it still says so install the udev rule (qafila devices pair).",
            devices=", ".join(barred),
        )
    if unseen:
        step = "Run it as root."
        return warned(
            name, "Not known: the ports of {devices} cannot be seen.", step, devices=", ".join(unseen)
        )
    return passed(name, "{count} are there and may be used.", count=len(ports))


def _rules(ports: Sequence[Port]) -> Finding:
    name = "serial-rules"
    if not ports:
        return passed(name, "No real serial device needs one.")
    loose = [port.key for port in ports if port.twin or not port.lasting]
    if loose:
        return warned(
            name,
            "Which adapter {devices} get depends on what is plugged in first.",
            "Name the port by its place: qafila devices scan shows /dev/serial/by-path.",
            devices=", ".join(loose),
        )
    without = [port.key for port in ports if not port.ruled]
    if without:
        return warned(
            name,
            "No udev rule keeps other programs from {devices}.",
            "Copy the rule that qafila devices pair has written to /etc/udev/rules.d/.",
            devices=", ".join(without),
        )
    return passed(name, "Each of {count} has its own.", count=len(ports))


def _there(port: Path) -> bool | None:
    try:
        return stat.S_ISCHR(port.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return ""

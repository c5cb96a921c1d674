"""Serial ports of this machine by the names that stay: the adapter's own number, or where it is plugged in.

``/dev/ttyUSB0`` is whichever adapter was plugged in first; udev keeps links beside it that say which it is
(``/dev/serial/by-id``) or where (``/dev/serial/by-path``, for adapters without a number of their own).
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

DEV: Final = Path("/dev")
_NODES: Final = ("ttyUSB*", "ttyACM*", "ttyAMA*", "rfcomm*")
_BY_ID: Final = re.compile(r"^(?P<bus>usb)-(?P<id>.+?)-if(?P<interface>[0-9a-f]{2})(?:-port(?P<port>\d+))?$")
_BY_PATH: Final = re.compile(r"^(?P<path>.+?)(?:-port(?P<port>\d+))?$")
_SAFE: Final = re.compile(r"^[A-Za-z0-9._:,@%+=/-]+$")


@dataclasses.dataclass(frozen=True, slots=True)
class SerialNode:
    """One port.

    Attributes:
        best: the name that stays, for unit.toml.
        names: all its names, the best first.
        title: what the adapter calls itself; empty where it says nothing.
    """

    best: str
    names: tuple[str, ...]
    title: str


def serial_nodes(dev: Path = DEV) -> Sequence[SerialNode]:
    """Every port that a device may be on, in the order of their best names."""
    links: dict[Path, list[tuple[str, str]]] = {}
    for folder in ("by-id", "by-path"):
        for link in sorted((dev / "serial" / folder).glob("*")):
            links.setdefault(link.resolve(), []).append((folder, str(link)))
    nodes = {node.resolve() for pattern in _NODES for node in dev.glob(pattern)} | links.keys()
    found = [_node(node, links.get(node, [])) for node in nodes if node.exists()]
    return sorted(found, key=lambda each: each.best)


def udev_rule(key: str, port: str) -> str | None:
    """A rule that gives the agent this port under ``/dev/qafila/KEY``; None for a port with no lasting name.

    It also keeps ModemManager, where there is one, from speaking to the device.
    """
    name = Path(port).name
    folder = Path(port).parent.name
    found = _BY_ID.match(name) if folder == "by-id" else _BY_PATH.match(name) if folder == "by-path" else None
    if found is None or not _SAFE.match(name):
        return None
    if folder == "by-id":
        match = f'ENV{{ID_SERIAL}}=="{found["id"]}", ENV{{ID_USB_INTERFACE_NUM}}=="{found["interface"]}"'
    else:
        match = f'ENV{{ID_PATH}}=="{found["path"]}"'
    return (
        f"# {key}: written when it was paired; qafila devices forget says when it may go.\n"
        f'SUBSYSTEM=="tty", {match}, SYMLINK+="qafila/{key}", GROUP="qafila", MODE="0660",'
        ' ENV{ID_MM_DEVICE_IGNORE}="1"\n'
    )


def _node(node: Path, links: Sequence[tuple[str, str]]) -> SerialNode:
    names = (*(name for _, name in links), str(node))
    by_id = next((_BY_ID.match(Path(name).name) for folder, name in links if folder == "by-id"), None)
    title = "" if by_id is None else by_id["id"].replace("_", " ")
    return SerialNode(names[0], names, title)

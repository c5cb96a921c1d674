"""Serial ports of this machine by the names that stay: the adapter's own number, or where it is plugged in.

``/dev/ttyUSB0`` is whichever adapter was plugged in first; udev keeps links beside it that say which it is
(``/dev/serial/by-id``) or where (``/dev/serial/by-path``, for adapters without a number of their own).

Cheap adapters are all made with one number. Of two such the link by-id leads to whichever came last, so it
would give one patient the readings of another: then only the place tells them apart.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DEV: Final = Path("/dev")
SYS: Final = Path("/sys")
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
        usb: vendor, product and number of the adapter, as ``0403:6001:AB0K1F2D``; empty where it is none.
        twin: whether another adapter here has the same number.
    """

    best: str
    names: tuple[str, ...]
    title: str
    usb: str = ""
    twin: bool = False


def serial_nodes(dev: Path = DEV, sys: Path = SYS) -> Sequence[SerialNode]:
    """Every port that a device may be on, in the order of their best names."""
    links: dict[Path, list[tuple[str, str]]] = {}
    for folder in ("by-id", "by-path"):
        for link in sorted((dev / "serial" / folder).glob("*")):
            links.setdefault(link.resolve(), []).append((folder, str(link)))
    nodes = {node.resolve() for pattern in _NODES for node in dev.glob(pattern)} | links.keys()
    usb = {node: _usb(sys, node.name) for node in nodes if node.exists()}
    found = [
        _node(node, links.get(node, []), name, twin=_is_twin(name, device, usb))
        for node, (name, device) in usb.items()
    ]
    return sorted(found, key=lambda each: each.best)


def _is_twin(name: str, device: Path | None, usb: Mapping[Path, tuple[str, Path | None]]) -> bool:
    """Whether another adapter has this number; one adapter may well have several ports."""
    return bool(name) and any(other == name and where != device for other, where in usb.values())


def _usb(sys: Path, node: str) -> tuple[str, Path | None]:
    """Vendor, product and number of the adapter that a port belongs to, and where the kernel keeps it."""
    device = (sys / "class" / "tty" / node / "device").resolve()
    for place in (device, *device.parents):
        if (place / "idVendor").is_file() and (place / "idProduct").is_file():
            return ":".join(_word(place / name) for name in ("idVendor", "idProduct", "serial")), place
    return "", None


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


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
        ' ENV{ID_MM_DEVICE_IGNORE}="1", ENV{ID_MM_PORT_IGNORE}="1"\n'
    )


def _node(node: Path, links: Sequence[tuple[str, str]], usb: str, *, twin: bool) -> SerialNode:
    if twin:
        links = [link for link in links if link[0] != "by-id"]
    names = (*(name for _, name in links), str(node))
    by_id = next((_BY_ID.match(Path(name).name) for folder, name in links if folder == "by-id"), None)
    title = "" if by_id is None else by_id["id"].replace("_", " ")
    return SerialNode(names[0], names, title, usb, twin)

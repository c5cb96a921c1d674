"""The hashed requirement files: what is pinned, for which machine."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packaging.markers import Marker

ROOT: Final = Path(__file__).resolve().parent.parent
UNIT: Final = ROOT / "requirements" / "unit.txt"
"""Everything that a unit installs; nothing of it is a tool."""
_LINE: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+))?")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True, slots=True)
class Pin:
    """One package.

    Attributes:
        hashes: SHA-256, in hex, of every file that may be installed for it.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def machine(architecture: str, python: str) -> Mapping[str, str]:
    """A Linux machine as markers see it.

    Args:
        architecture: as the kernel says it, such as ``aarch64``.
        python: ``3.11``.
    """
    return {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": architecture,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def read(path: Path, where: Mapping[str, str]) -> list[Pin]:
    """What the file pins for a machine, in its order.

    Raises:
        ValueError: a block is not understood; nothing is left out silently.
    """
    pins: list[Pin] = []
    for block in re.split(r"\n(?=\S)", path.read_text().strip()):
        found = _LINE.match(block)
        hashes = tuple(_HASH.findall(block))
        if found is None or not hashes:
            raise ValueError(f"{path.name} has a line that is not understood: {block.splitlines()[0]}")
        if found["marker"] is None or Marker(found["marker"].strip()).evaluate(dict(where)):
            pins.append(Pin(found["name"], found["version"], hashes))
    return pins

"""Packages of other people, laid out on disk as an installer leaves them."""

from pathlib import Path
from typing import Final

KIND: Final = """
from drivers.decoding import Decoded
from drivers.kinds import DeviceKind, Evidence, Medium

def make(context):
    raise NotImplementedError

SURE = Evidence.SPECIFICATION
KIND = DeviceKind("{kind}", "A thing", Medium.SERIAL, SURE, ("T1",), lambda _: Decoded(), make)
"""


def install(
    site: Path,
    package: str,
    code: str,
    points: str,
    *,
    version: str = "1.0",
    group: str = "qafila.drivers",
) -> None:
    """Put a distribution of one module into ``site``; its module's name is the package's with underscores."""
    site.mkdir(parents=True, exist_ok=True)
    module = package.replace("-", "_").lower()
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")


def offer(site: Path, package: str, kind: str, code: str | None = None, *, version: str = "1.0") -> None:
    """Install a package that offers one kind as ``KIND``."""
    module = package.replace("-", "_").lower()
    code = KIND.format(kind=kind) if code is None else code
    install(site, package, code, f"{kind} = {module}:KIND", version=version)

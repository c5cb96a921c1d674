"""What the registry promises of every device kind, the ones to come included."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import drivers
from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Medium
from drivers.registry import BUILT_IN, KINDS
from tests.drivers.radio_fake import FakeRadio

ROOT: Final = Path(drivers.__file__).parent
PURE: Final = sorted(
    [*ROOT.glob("codec/*.py"), *ROOT.glob("devices/*/codec.py"), ROOT / "decoding.py"]
    + [ROOT / "devices/contec_cms50" / name for name in ("display.py", "memory.py", "stored.py", "unit.py")]
    + [ROOT / "devices/sig_bp" / name for name in ("readings.py", "unit.py")]
    + [ROOT / "devices/nonin" / name for name in ("display.py", "unit.py")]
    + [ROOT / "devices/nmea_gps" / name for name in ("fixes.py", "unit.py")]
    + [ROOT / "devices/suntech_nibp" / name for name in ("machine.py", "readings.py", "unit.py")]
    + [ROOT / "devices/polar_h10" / name for name in ("control.py", "readings.py", "unit.py")]
    + [ROOT / "devices/sig_glucose" / name for name in ("memory.py", "readings.py", "unit.py")]
    + [ROOT / "devices/sig_heart_rate/readings.py"]
    + [ROOT / "devices/sig_oximeter" / name for name in ("readings.py", "unit.py")]
    + [ROOT / "simulation" / name for name in ("kept_records.py", "wall_time.py")]
)
"""import-linter holds the shared codecs; of a device folder only these modules are pure, so they are read."""
FORBIDDEN: Final = {
    "asyncio",
    "socket",
    "time",
    "os",
    "logging",
    "serial",
    "subprocess",
    "pathlib",
    "threading",
}


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_codec_knows_no_port_clock_or_file(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert not imported & FORBIDDEN


def test_listing_the_kinds_loads_no_driver() -> None:
    script = "import sys, drivers.registry; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"asyncio", "serial", "drivers.devices.contec_cms50.driver"} & set(done.stdout.split())


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.kind)
def test_a_kind_is_described_documented_and_has_vectors(kind: DeviceKind) -> None:
    assert KINDS[kind.kind] is kind
    assert kind.title
    assert kind.models
    folder = kind.kind.replace("-", "_")
    assert kind.kind in (ROOT / "devices" / folder / "README.md").read_text()
    assert kind.evidence.value in (ROOT / "devices" / folder / "README.md").read_text()
    assert list((Path(__file__).parents[1] / "vectors" / folder).iterdir())


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.kind)
def test_a_kind_decodes_and_makes_a_driver_without_touching_a_port(kind: DeviceKind) -> None:
    assert kind.decode([]) == Decoded()
    assert isinstance(kind.decode([Chunk(b"\x00" * 100)]), Decoded)
    port = "ble:AA:BB:CC:DD:EE:FF" if kind.transport is Medium.BLE else "/nowhere"
    driver = kind.make_driver(DriverContext("device-1", port, FakeRadio()))
    assert (driver.key, driver.kind) == ("device-1", kind.kind)


def test_the_reference_names_every_option_of_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "devices.md").read_text(encoding="utf-8")
    rows = [
        f"| `{kind.kind}` | `{option.name}` | {', '.join(f'`{value}`' for value in option.values)} |"
        f" {option.meaning} |"
        for kind in KINDS.values()
        for option in kind.options
    ]
    assert rows
    assert [row for row in rows if row not in page] == []

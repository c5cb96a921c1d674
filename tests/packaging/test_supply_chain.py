"""What is shipped: named, pinned, allowed, and built the same by everybody."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ship import bill, licences, pins

ROOT = Path(__file__).resolve().parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MACHINES = [pins.machine("x86_64", HERE), pins.machine("aarch64", HERE)]


@pytest.mark.parametrize("where", MACHINES, ids=["amd64", "arm64"])
def test_everything_a_unit_installs_is_named_with_an_allowed_licence(where: dict[str, str]) -> None:
    made: dict[str, Any] = bill.make(where, metadata.distributions())
    named = {(each["name"], each["version"]) for each in made["components"]}
    pinned = pins.read(pins.UNIT, where)
    assert named == {(pin.name, pin.version) for pin in pinned}
    assert {"cryptography", "sqlcipher3", "textual"} <= {pin.name for pin in pinned}
    assert not {"pytest", "hatchling", "colorama", "pyobjc-core"} & {pin.name for pin in pinned}
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])
    references = [each["bom-ref"] for each in made["components"]]
    assert len(set(references)) == len(references) == len(made["dependencies"][0]["dependsOn"])
    assert bill.written(made) == bill.written(bill.make(where, metadata.distributions()))
    assert json.loads(bill.written(made)) == made


def test_the_central_extra_is_under_allowed_licences_too() -> None:
    for name in ("psycopg", "psycopg-binary"):
        assert licences.allowed(licences.of(metadata.distribution(name)))


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("BSD-3-Clause AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later OR GPL-2.0-only", False),
        ("(MIT)", False),
        ("", False),
        ("MIT WITH something", False),
    ],
)
def test_a_licence_is_allowed_by_the_list_alone(expression: str, *, may: bool) -> None:
    assert licences.allowed(expression) is may


def test_a_package_without_a_licence_or_of_another_version_ships_nothing() -> None:
    others = [each for each in metadata.distributions() if each.metadata["Name"] != "bleak"]
    with pytest.raises(bill.NotShipped, match="bleak"):
        bill.make(MACHINES[0], others)


def test_a_line_that_is_not_understood_is_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "unit.txt"
    path.write_text("bleak==3.1.0 \\\n    --hash=sha256:" + "0" * 64 + "\nsomething @ file:///tmp/x\n")
    with pytest.raises(ValueError, match="something"):
        pins.read(path, MACHINES[0])


def test_the_wheel_is_the_same_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    """Built twice: in two places, at other times, with other modes, from files made in another order."""
    listing = ["git", "ls-files", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    files = [
        name
        for name in names.split("\0")
        if name.split("/")[0] in {"edge", "drivers", "sync", "tui", "cli"} or "/" not in name
    ]
    made: list[str] = []
    for number, order in enumerate((files, files[::-1])):
        place = tmp_path / f"{'deeper/' * number}tree"
        for name in order:
            if (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, place / name)
                os.utime(place / name, (10**9 + number, 10**9 + number))
                (place / name).chmod(0o644 if number else 0o600)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place / "dist")]
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(number),
            "TZ": ("UTC", "Africa/Casablanca")[number],
        }
        environment.pop("SOURCE_DATE_EPOCH", None)
        subprocess.run(build, cwd=place, capture_output=True, check=True, env=environment, timeout=120)
        wheels = list((place / "dist").glob("*.whl"))
        assert len(wheels) == 1
        made.append(hashlib.sha256(wheels[0].read_bytes()).hexdigest())
    assert made[0] == made[1]

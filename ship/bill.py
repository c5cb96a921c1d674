"""The list of everything that is installed on a unit, as CycloneDX 1.6 in JSON.

``python -m ship.bill FILE`` writes it for this machine's architecture. The same tree gives the same bytes.
Source: CycloneDX 1.6, bom-1.6.schema.json.
"""

import json
import platform
import sys
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from ship import licences, pins

_NAMESPACE: Final = uuid.UUID("b5c1f0de-6c39-4a8e-9f0b-7f2e9d1c5a44")


class NotShipped(Exception):
    """Something may not be shipped, or is not known well enough to be."""


def make(where: Mapping[str, str], installed: Iterable[metadata.Distribution]) -> dict[str, Any]:
    """The list for one kind of machine.

    Args:
        where: the machine, as `pins.machine` gives it.
        installed: where licences are read; at least every package that is pinned for the machine.

    Raises:
        NotShipped: a pinned package is not installed as pinned, or its licence is not allowed or unknown.
    """
    project = tomllib.loads((pins.ROOT / "pyproject.toml").read_text())["project"]
    found = {_name(each.metadata["Name"]): each for each in installed}
    components: list[dict[str, Any]] = []
    for pin in pins.read(pins.UNIT, where):
        there = found.get(pin.name)
        if there is None or there.version != pin.version:
            raise NotShipped(f"{pin.name} {pin.version} is pinned and not what is installed")
        components.append(_component(pin, _licence(there)))
    own = f"pkg:generic/{project['name']}@{project['version']}"
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"expression": project["license"]}],
            },
            "properties": [{"name": "qafila:machine", "value": where["platform_machine"]}],
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [each["bom-ref"] for each in components]}],
    }
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(bill, sort_keys=True))}"
    return bill


def written(bill: Mapping[str, Any]) -> bytes:
    """As it stands in a file."""
    return (json.dumps(bill, indent=1, sort_keys=True) + "\n").encode()


def _component(pin: pins.Pin, licence: str) -> dict[str, Any]:
    reference = f"pkg:pypi/{pin.name}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": pin.name,
        "version": pin.version,
        "purl": reference,
        "licenses": [{"expression": licence}],
        # of each file that may be installed for it; one of them is, and pip checks that it is one of them
        "properties": [{"name": "qafila:sha256", "value": each} for each in pin.hashes],
    }


def _licence(distribution: metadata.Distribution) -> str:
    try:
        licence = licences.of(distribution)
    except licences.LicenceUnknown as unknown:
        raise NotShipped(str(unknown)) from None
    if not licences.allowed(licence):
        raise NotShipped(f"{distribution.metadata['Name']} is under {licence}, which is not on the list")
    return licence


def _name(said: str) -> str:
    return said.lower().replace("_", "-").replace(".", "-")


def main() -> int:
    where = pins.machine(platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}")
    try:
        raw = written(make(where, metadata.distributions()))
    except NotShipped as refused:
        print(f"{refused}. Next: see ship/licences.py. (code: not-shipped)", file=sys.stderr)
        return 1
    Path(sys.argv[1]).write_bytes(raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Every device folder's README says what a technician has to know before buying one, and says it truly."""

import re
from pathlib import Path
from typing import Final

import pytest

import drivers
from drivers.kinds import DeviceKind, Evidence, Medium
from drivers.registry import BUILT_IN

FOLDERS: Final = Path(drivers.__file__).parent / "devices"
KINDS: Final = pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.kind)
EVIDENCE: Final = re.compile(r"How sure we are: (\w+)")
ALL_SEVENTEEN: Final = frozenset(
    {
        "sig-bp", "sig-oximeter", "sig-thermometer", "sig-scale", "sig-glucose", "sig-heart-rate",
        "polar-h10", "contec-cms50", "nonin", "suntech-nibp", "healthypi", "nmea-gps",
        "berry-bci", "wellue-o2ring", "viatom-pc60fw", "creative-pc300", "omron-hem",
    }
)  # fmt: skip


def sections(kind: DeviceKind) -> dict[str, str]:
    """What stands under each heading of the second level."""
    text = (FOLDERS / kind.kind.replace("-", "_") / "README.md").read_text()
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {heading: body.strip() for heading, _, body in (part.partition("\n") for part in parts)}


def of_models(kind: DeviceKind) -> set[str]:
    """The words of the models' names, without those that say no more than "and others"."""
    words = {word.strip("(),") for model in kind.models for word in model.split()}
    return {word for word in words if any(letter.isdigit() for letter in word)}


def test_every_kind_that_was_promised_is_there_and_has_a_folder_and_every_folder_a_kind() -> None:
    assert set(BUILT_IN) == ALL_SEVENTEEN
    folders = {path.parent.name.replace("_", "-") for path in FOLDERS.glob("*/__init__.py")}
    assert folders == ALL_SEVENTEEN


@KINDS
def test_it_names_models_evidence_what_it_cannot_do_and_how_it_is_simulated(kind: DeviceKind) -> None:
    found = sections(kind)
    for heading in ("Models", "What it cannot do", "Simulator"):
        assert found.get(heading), f"{heading} is missing, or says nothing"
    (evidence,) = [heading for heading in found if EVIDENCE.match(heading)]
    assert found[evidence], "on what the evidence rests"
    assert f"Kind `{kind.kind}`" in (FOLDERS / kind.kind.replace("-", "_") / "README.md").read_text()


@KINDS
def test_the_evidence_it_claims_is_that_of_the_registry(kind: DeviceKind) -> None:
    claimed = [match[1] for heading in sections(kind) if (match := EVIDENCE.match(heading))]
    assert [Evidence(word) for word in claimed] == [kind.evidence]


@KINDS
def test_the_models_of_the_registry_stand_in_it(kind: DeviceKind) -> None:
    told = " ".join(sections(kind)["Models"].split())
    assert {word for word in of_models(kind) if word.removeprefix("CMS") not in told} == set()


@KINDS
def test_its_simulator_is_started_as_it_says(kind: DeviceKind) -> None:
    told = " ".join(sections(kind)["Simulator"].split())
    module = f"drivers.devices.{kind.kind.replace('-', '_')}.simulator"
    world = f"drivers.radio.world --listen unix:/tmp/air --device {kind.kind}=C0:"
    assert world in told if kind.transport is Medium.BLE else f"python -m {module} --link" in told

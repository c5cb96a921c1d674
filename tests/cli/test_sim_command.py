"""`qafila sim`: scenarios listed, refused outside training, and what they do to unit.toml and to devices."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from cli.commands.sim import app
from cli.rehearsal import simulators
from cli.unit_file import UnitFileRefused, add_devices, device_lines
from drivers.simulation import kept_secret
from drivers.simulation.scenario import Scenario, shipped
from drivers.simulation.scenario_file import load as load_scenario
from edge.config import DeviceSection, Places, load
from edge.errors import QafilaError

UNIT: Final = """\
# Written by a person.
[unit]
id = "van-07"   # the seventh
realm = "{realm}"
"""
CUFF: Final = DeviceSection(key="cuff-1", kind="sig-bp", port="ble:C0:FF:EE:00:01:02", simulated=True)
FINGER: Final = DeviceSection(
    key="oximeter-1", kind="contec-cms50", port='/dev/serial/with "quotes", ça 🩺', simulated=True
)


def say(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refusal(result: Result) -> QafilaError:
    assert isinstance(result.exception, QafilaError), result.output
    assert result.exception.next_step
    return result.exception


def unit(home: Path, realm: str = "training", more: str = "") -> Path:
    home.mkdir(exist_ok=True)
    (home / "unit.toml").write_text(UNIT.format(realm=realm) + more)
    return home


# ── Where it may run ─────────────────────────────────────────────────────────────────────────────


def test_a_production_unit_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    home = unit(tmp_path / "van", "production")
    error = refusal(say("run", "normal-adult", "--home", str(home)))
    assert error.stable_code == "simulation-in-production"
    assert "unit init --realm training" in error.next_step
    assert [each.name for each in home.iterdir()] == ["unit.toml"]


def test_a_production_unit_of_this_very_machine_is_refused_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = unit(tmp_path / "van", "production")
    monkeypatch.setattr("edge.config.places._ETC", home)
    assert refusal(say("run", "normal-adult")).stable_code == "simulation-in-production"


def test_a_unit_whose_realm_nobody_can_read_is_refused(tmp_path: Path) -> None:
    home = unit(tmp_path / "van", "production", "realm = 7")
    assert refusal(say("run", "normal-adult", "--home", str(home))).stable_code == "config-refused"
    assert [each.name for each in home.iterdir()] == ["unit.toml"]


def test_a_folder_without_a_unit_is_refused(tmp_path: Path) -> None:
    assert refusal(say("run", "normal-adult", "--home", str(tmp_path))).stable_code == "config-missing"
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_that_is_not_there_or_wrong_is_refused(tmp_path: Path) -> None:
    home = unit(tmp_path / "van")
    assert refusal(say("run", "normal-adlt", "--home", str(home))).stable_code == "scenario-missing"
    own = tmp_path / "own.toml"
    own.write_text("scenario = 1\ntitel = 'x'\n")
    error = refusal(say("run", str(own), "--home", str(home)))
    assert error.stable_code == "scenario-refused"
    assert "line 2" in error.sentence


def test_one_run_at_a_time_has_the_folder(tmp_path: Path) -> None:
    home = unit(tmp_path / "van")
    with simulators.folder_of_its_own(home / "sim"):
        error = refusal(say("run", "normal-adult", "--home", str(home)))
    assert error.stable_code == "simulation-running"
    with simulators.folder_of_its_own(home / "sim"):
        pass


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 25)
    with pytest.raises(simulators.SimulationRefused, match="too long"), simulators.folder_of_its_own(home):
        pass


# ── Scenarios ────────────────────────────────────────────────────────────────────────────────────


def test_list_names_every_scenario_with_its_sources() -> None:
    listed: list[dict[str, Any]] = json.loads(say("list", "--json").output)
    assert [each["name"] for each in listed] == shipped()
    assert all(each["sources"] and each["devices"] and Path(each["file"]).is_file() for each in listed)
    lines = say("list").output.splitlines()
    assert lines[0].split() == ["name", "patient", "minutes", "devices"]
    assert all(len(line) <= 80 for line in lines)


def scenario_with(text: str, tmp_path: Path) -> Scenario:
    own = tmp_path / "own.toml"
    own.write_text(Path(json.loads(say("list", "--json").output)[0]["file"]).read_text() + text)
    return load_scenario(str(own))


def test_what_happens_begins_and_ends_in_time(tmp_path: Path) -> None:
    text = """
[[fault]]
at_min = 2
what = "unplug"
device = "oximeter-1"
lasts_s = 30

[[fault]]
at_min = 1
what = "low-battery"
device = "cuff-1"
percent = 7

[[fault]]
at_min = 1.5
what = "bond-lost"
device = "cuff-1"

[[fault]]
at_min = 30
what = "motion"

[[order]]
at_min = 0.5
device = "cuff-1"
say = "measure 120 80 70"
"""
    events = simulators.events_of(scenario_with(text, tmp_path), pace=2)
    told = [(event.at_s, event.device, event.order) for event in events]
    for expected in (
        (15.0, "cuff-1", "measure 120 80 70"),
        (30.0, "cuff-1", "battery 7"),
        (45.0, "cuff-1", "forget"),
        (60.0, "oximeter-1", "unplug"),
        (90.0, "oximeter-1", "replug"),  # what a person does lasts as long at any pace
        (900.0, simulators.ALL, "motion on"),
    ):
        assert expected in told
    assert told == sorted(told)
    assert not any(order == "motion off" and at_s > 900 for at_s, _, order in told)


def test_what_waits_to_be_paired_is_named_until_it_was(tmp_path: Path) -> None:
    devices = simulators.placed(load_scenario("every-device"), tmp_path)
    assert simulators.to_be_paired(devices, tmp_path) == ["cuff-3"]
    [cuff] = [each for each in devices if each.device.key == "cuff-3"]
    kept_secret.keep(kept_secret.secret_file(tmp_path / "x", cuff.port.removeprefix("ble:")), bytes(16))
    assert simulators.to_be_paired(devices, tmp_path) == []


class Recorder(simulators.Simulators):
    """Devices that only listen."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def tell(self, key: str, order: str) -> bool:
        self.heard.append((key, order))
        return True


async def test_events_are_told_in_their_order() -> None:
    recorder = Recorder()
    events = [simulators.Event(at_s / 100, f"device-{at_s}", "x") for at_s in (3, 1, 2)]
    happened: list[simulators.Event] = []
    async with asyncio.timeout(30):
        await recorder.play(events, happened.append)
    assert happened == sorted(events)
    assert recorder.heard == [("device-1", "x"), ("device-2", "x"), ("device-3", "x")]


# ── unit.toml ────────────────────────────────────────────────────────────────────────────────────


def test_devices_are_added_once_and_nothing_else_is_touched(tmp_path: Path) -> None:
    places = Places.at(unit(tmp_path / "van"))
    before = places.config.read_text()
    assert add_devices(places, [CUFF, FINGER], virtual="unix:/tmp/air") == ["cuff-1", "oximeter-1"]
    config = load(places.config)
    assert config.device == (CUFF, FINGER)
    assert config.radio.virtual == "unix:/tmp/air"
    after = places.config.read_text()
    assert after.startswith(before.rstrip())
    assert add_devices(places, [CUFF, FINGER], virtual="unix:/tmp/air") == []
    assert places.config.read_text() == after
    assert [each.name for each in places.config.parent.iterdir()] == ["unit.toml"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (device_lines([CUFF.model_copy(update={"port": "ble:C0:FF:EE:00:01:09"})]), "device-key-taken"),
        ('[radio]\nbackend = "virtual"\nvirtual = "tcp:127.0.0.1:9"\n', "radio-taken"),
        ("[radio]\npairing_window_s = 5\n", "radio-taken"),
    ],
)
def test_what_contradicts_unit_toml_changes_nothing(tmp_path: Path, more: str, code: str) -> None:
    radio = "" if "[radio]" in more else '[radio]\nbackend = "virtual"\nvirtual = "unix:/tmp/air"\n'
    places = Places.at(unit(tmp_path / "van", more=radio + more))
    before = places.config.read_text()
    with pytest.raises(UnitFileRefused) as caught:
        add_devices(places, [CUFF], virtual="unix:/tmp/air")
    assert caught.value.stable_code == code
    assert places.config.read_text() == before


def test_what_the_agent_would_refuse_never_reaches_unit_toml(tmp_path: Path) -> None:
    places = Places.at(unit(tmp_path / "van", "production"))
    before = places.config.read_text()
    with pytest.raises(QafilaError) as caught:
        add_devices(places, [FINGER])
    assert caught.value.stable_code == "config-refused"
    assert places.config.read_text() == before
    assert [each.name for each in places.config.parent.iterdir()] == ["unit.toml"]

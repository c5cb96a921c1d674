"""What an operator types at the centre, and what the commands answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.commands.central import app
from edge.errors import QafilaError
from edge.records.fields import Stream
from sync.central.home import CentreHome
from sync.wire import enrolment
from tests.sync.central_world import Centre, SetClock, Unit

pytestmark = pytest.mark.system


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def say(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home)])


def refusal(result: Result) -> str:
    assert isinstance(result.exception, QafilaError)
    assert result.exception.next_step
    return result.exception.stable_code


def made(home: Path) -> Centre:
    assert say(home, "init", "--realm", "training").exit_code == 0
    return Centre(CentreHome(home / "central"), SetClock())


def test_init_tells_where_the_cold_root_is_and_what_comes_next(home: Path) -> None:
    result = say(home, "init", "--realm", "training")
    assert str(home / "central" / "root-cold.key") in result.output
    assert "Take" in result.output
    assert "central enrol" in result.output
    assert refusal(say(home, "init", "--realm", "training")) == "centre-exists"


def test_init_asks_for_the_realm(home: Path) -> None:
    assert say(home, "init").exit_code == 2
    assert say(home, "init", "--realm", "practice").exit_code == 2
    assert not home.exists()


def test_init_answers_machines(home: Path) -> None:
    answer = json.loads(say(home, "init", "--realm", "training", "--broker", "127.0.0.1:9", "--json").output)
    assert answer["realm"] == "training"
    assert answer["broker"] == "127.0.0.1:9"
    assert answer["processes_run"] is True


@pytest.mark.parametrize(
    ("realm", "broker"), [("production", "127.0.0.1:1883"), ("training", "10.0.0.1:1883")]
)
def test_init_refuses_a_broker_that_its_processes_would_refuse(home: Path, realm: str, broker: str) -> None:
    assert refusal(say(home, "init", "--realm", realm, "--broker", broker)) == "broker-without-tls"
    assert not home.exists()


def test_a_production_centre_is_made_and_says_what_it_waits_for(home: Path) -> None:
    assert "TLS" in say(home, "init", "--realm", "production").output
    assert refusal(say(home, "collect")) == "broker-without-tls"
    assert refusal(say(home, "explode")) == "broker-without-tls"


def test_enrol_writes_a_bundle_that_the_unit_takes(home: Path, tmp_path: Path) -> None:
    centre = made(home)
    unit = Unit("van-07", centre.keyset)
    (tmp_path / "request").write_bytes(unit.request())
    words = ("enrol", str(tmp_path / "request"), "--out")
    answer = json.loads(say(home, *words, str(tmp_path / "bundle"), "--json").output)
    assert answer["unit"] == "van-07"
    assert answer["fingerprint"] == enrolment.fingerprint(unit.request())
    bundle = enrolment.read_bundle((tmp_path / "bundle").read_bytes(), unit.request())
    assert bundle.keyset == centre.keyset
    # An existing file is never written over; the same request under another name is answered the same.
    assert refusal(say(home, *words, str(tmp_path / "bundle"))) == "file-exists"
    assert say(home, *words, str(tmp_path / "again")).exit_code == 0
    assert (tmp_path / "again").read_bytes() == (tmp_path / "bundle").read_bytes()


def test_enrol_names_no_broker_that_the_unit_would_refuse(home: Path, tmp_path: Path) -> None:
    centre = made(home)
    (tmp_path / "request").write_bytes(Unit("van-07", centre.keyset).request())
    words = ("enrol", str(tmp_path / "request"), "--out", str(tmp_path / "bundle"))
    assert refusal(say(home, *words, "--broker", "broker.example:1883")) == "broker-without-tls"
    assert not (tmp_path / "bundle").exists()


def test_enrol_refuses_what_is_no_request(home: Path, tmp_path: Path) -> None:
    made(home)
    (tmp_path / "request").write_bytes(b"\x01 no request")
    out = str(tmp_path / "bundle")
    assert refusal(say(home, "enrol", str(tmp_path / "request"), "--out", out)) == "request-form"
    assert refusal(say(home, "enrol", str(tmp_path / "absent"), "--out", out)) == "file-missing"
    assert not Path(out).exists()


def test_without_a_centre_every_command_says_so(home: Path, tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(b"")
    for words in (["collect"], ["explode"], ["patients"]):
        assert refusal(say(home, *words)) == "centre-missing", words


def test_a_missing_key_is_named(home: Path) -> None:
    centre = made(home)
    centre.home.landed_key.unlink()
    assert refusal(say(home, "collect")) == "centre-key-missing"
    centre.home.seal_to_key.unlink()
    assert refusal(say(home, "explode")) == "centre-key-missing"


def test_patients_shows_who_was_received(home: Path) -> None:
    centre = made(home)
    assert "Nobody" in say(home, "patients").output
    assert json.loads(say(home, "patients", "--json").output) == []
    unit = centre.unit()
    patient = unit.visit("Zahraoui")
    unit.visit("Alaoui")
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 19))
    first, second = json.loads(say(home, "patients", "--json").output)
    assert (first["family"], second["family"]) == ("Alaoui", "Zahraoui")
    assert second["patient"] == patient.hex()
    assert second["identifiers"][0]["system"] == "cin"
    assert (second["unit"], second["encounters"], second["observations"]) == ("van-07", 1, 6)
    lines = say(home, "patients").output.splitlines()
    assert "name" in lines[0]
    assert lines[1].startswith("Alaoui Amina")


def test_a_name_cannot_steer_the_terminal(home: Path) -> None:
    centre = made(home)
    unit = centre.unit()
    unit.visit("\x1b[2J\u202eevil\n")
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    shown = say(home, "patients").output
    assert "evil" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert len(shown.splitlines()) == 2


@pytest.mark.parametrize("command", ["init", "enrol", "collect", "explode", "patients"])
def test_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: qafila central {command}" in result.output.replace("\n", " ")

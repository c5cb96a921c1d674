"""What an operator types about the broker and who may connect to it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.commands.central import app
from cli.unit_tls import make_key
from edge.config import Places
from edge.errors import QafilaError
from sync.central.home import CentreHome
from sync.wire import enrolment
from tests.sync.central_world import Unit

pytestmark = pytest.mark.system

BROKER = ("--broker", "mosquitto", "--host", "broker.example.org")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def say(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home)])


def answer(home: Path, *words: str) -> dict[str, object] | list[dict[str, object]]:
    result = say(home, *words, "--json")
    assert result.exit_code == 0, result.output
    read: dict[str, object] | list[dict[str, object]] = json.loads(result.output)
    return read


def refusal(result: Result) -> str:
    assert isinstance(result.exception, QafilaError)
    assert result.exception.next_step
    return result.exception.stable_code


def enrolled(home: Path, tmp_path: Path, name: str = "van-07", realm: str = "production") -> None:
    places = Places.at(tmp_path / name)
    places.uplink.mkdir(parents=True)
    unit = Unit(name, CentreHome(home / "central").read_keyset(realm), realm)
    request = enrolment.make_request(
        *(name, realm, unit.sign_private, unit.recv_public, 1), make_key(places, name)
    )
    (tmp_path / f"{name}.request").write_bytes(request)
    out = tmp_path / f"{name}.bundle"
    assert say(home, "enrol", str(tmp_path / f"{name}.request"), "--out", str(out)).exit_code == 0
    assert enrolment.read_bundle(out.read_bytes(), request).certificate is not None


def test_a_centre_of_real_patients_is_made_with_its_broker(home: Path) -> None:
    made = answer(home, "init", "--realm", "production", *BROKER)
    assert isinstance(made, dict)
    assert (made["broker"], made["tls"], made["processes_run"]) == ("broker.example.org:8883", True, True)
    folder = home / "central" / "mosquitto"
    assert made["broker_configuration"] == str(folder / "mosquitto.conf")
    assert {path.name for path in folder.iterdir()} == {
        *("mosquitto.conf", "acl", "extra", "server.crt", "server.key", "units.crt", "units.crl", "hosts.crt")
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in (home / "central").rglob("*") if path.is_file())
    assert str(folder) in (folder / "mosquitto.conf").read_text()


def test_a_broker_is_set_up_for_a_centre_that_is_there(home: Path) -> None:
    assert say(home, "init", "--realm", "training").exit_code == 0
    told = answer(home, "broker", "mosquitto", "--host", "192.0.2.7", "--port", "18883")
    assert isinstance(told, dict)
    assert told["reloaded"] is False
    settings = CentreHome(home / "central").read_settings()
    assert [(each.host, each.port, each.tls) for each in settings.brokers] == [("192.0.2.7", 18883, True)]
    assert settings.reachable(None).port == 8884


def test_certificates_are_shown_renewed_and_revoked(home: Path, tmp_path: Path) -> None:
    answer(home, "init", "--realm", "production", *BROKER)
    assert "No unit" in say(home, "certificates").output
    enrolled(home, tmp_path)
    enrolled(home, tmp_path, "van-08")
    shown = answer(home, "certificates")
    assert isinstance(shown, list)
    assert [(each["unit"], each["due"], each["revoked"]) for each in shown] == [
        ("van-07", False, False),
        ("van-08", False, False),
    ]
    assert answer(home, "renew", "--due") == {"renewed": []}
    assert answer(home, "renew", "van-07") == {"renewed": ["van-07"]}
    assert refusal(say(home, "renew", "van-99")) == "unit-unknown"
    out = answer(home, "disconnect", "van-07")
    assert out == {"unit": "van-07", "certificates": 2, "told": False, "ended": False}
    assert "revoked" in say(home, "certificates").output
    assert refusal(say(home, "renew", "van-07")) == "unit-revoked"
    assert "units.crl" in say(home, "disconnect", "van-07").output
    request = str(tmp_path / "van-07.request")
    assert refusal(say(home, "enrol", request, "--out", str(tmp_path / "again"))) == "unit-revoked"


def test_a_unit_that_asked_for_no_certificate_gets_none(home: Path, tmp_path: Path) -> None:
    answer(home, "init", "--realm", "training", *BROKER)
    unit = Unit("van-07", CentreHome(home / "central").read_keyset("training"))
    (tmp_path / "request").write_bytes(unit.request())
    assert say(home, "enrol", str(tmp_path / "request"), "--out", str(tmp_path / "bundle")).exit_code == 0
    assert enrolment.read_bundle((tmp_path / "bundle").read_bytes(), unit.request()).certificate is None
    assert refusal(say(home, "renew", "van-07")) == "request-certificate"
    assert answer(home, "renew") == {"renewed": []}


def test_a_request_for_another_name_is_refused(home: Path, tmp_path: Path) -> None:
    answer(home, "init", "--realm", "training", *BROKER)
    places = Places.at(tmp_path / "van")
    places.uplink.mkdir(parents=True)
    unit = Unit("van-07", CentreHome(home / "central").read_keyset("training"))
    asked = make_key(places, "van-08")
    for tls in (asked, asked[:-1] + bytes([asked[-1] ^ 1]), b"junk"):
        request = enrolment.make_request("van-07", "training", unit.sign_private, unit.recv_public, 1, tls)
        (tmp_path / "request").write_bytes(request)
        told = say(home, "enrol", str(tmp_path / "request"), "--out", str(tmp_path / "bundle"))
        assert refusal(told) == "request-certificate"
    assert answer(home, "certificates") == []


@pytest.mark.parametrize("command", ["broker", "renew", "certificates", "disconnect"])
def test_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert f"Example: qafila central {command}" in result.output.replace("\n", " ")

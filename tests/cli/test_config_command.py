"""`qafila config`: mistakes with their lines, and what holds with where it comes from."""

import json
from importlib import resources
from pathlib import Path

import pytest

from cli.doctor.examination import _configuration
from cli.doctor.finding import Result
from cli.screen import configured_language
from edge.config import Places
from edge.config.slots import Document, Slots
from edge.scoring.installed import IN_FORCE
from tests.cli.units import make_unit, qafila_here


def own(name: str) -> str:
    return (resources.files("edge.scoring") / "tables" / f"{name}.toml").read_text("utf-8")


def test_what_is_wrong_is_said_line_by_line_and_nothing_is_changed(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    path = home / "unit.toml"
    good = qafila_here("config", "check", "--json", home=home)
    assert good.returncode == 0
    assert json.loads(good.stdout)["ok"] is True
    wrong = path.read_text() + (
        "\n[locks]\nscren_s = 60\n"
        '\n[[device]]\nkey = "oximeter-1"\nkind = "contec-cms5"\nport = "/dev/ttyUSB0"\n'
    )
    path.write_text(wrong)
    lines = wrong.splitlines()
    said = qafila_here("config", "check", "--json", home=home)
    assert said.returncode == 1
    [mistake] = json.loads(said.stdout)["mistakes"]
    assert (mistake["key"], mistake["next"]) == ("locks.scren_s", "Did you mean `screen_s`?")
    assert lines[mistake["line"] - 1] == "scren_s = 60"
    path.write_text(wrong.replace("scren_s", "screen_s"))
    said = qafila_here("config", "check", home=home)
    assert said.returncode == 1
    number = lines.index('kind = "contec-cms5"') + 1
    assert f"line {number}:" in said.stdout
    assert "Did you mean contec-cms50?" in said.stdout
    other = qafila_here("config", "check", str(tmp_path / "none.toml"), home=home)
    assert other.returncode == 1
    assert "config-missing" in other.stderr


def test_what_holds_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    path = home / "unit.toml"
    path.write_text(path.read_text() + "\n[keeping]\nwaves_days = 30\n")
    shown = json.loads(qafila_here("config", "show", "--effective", "--json", home=home).stdout)
    assert shown["keeping"]["waves_days"] == {"value": 30, "from": "unit.toml"}
    assert shown["keeping"]["values_days"] == {"value": 400, "from": "default"}
    assert shown["unit"]["id"] == {"value": "van-07", "from": "unit.toml"}
    written = json.loads(qafila_here("config", "show", "--json", home=home).stdout)
    assert written["keeping"] == {"waves_days": {"value": 30, "from": "unit.toml"}}
    assert "keeping.values_days" in qafila_here("config", "show", "--effective", home=home).stdout


def test_what_the_centre_names_holds_over_the_file_and_is_shown_as_its(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    path, places = home / "unit.toml", Places.at(home)
    path.write_text(path.read_text() + "\n[keeping]\nwaves_days = 30\nframes_days = 20\n")
    table = own("limits").replace('version = "2026-1"', 'version = "azilal-3"')
    text = '[keeping]\nwaves_days = 3\n[[broker]]\nhost = "mqtt.example"\n[tables]\nlimits = "l.toml"\n'
    Slots(places.configuration).try_out(Document(9, "00", text, {"limits": table}), needs_receipt=True)
    shown = json.loads(qafila_here("config", "show", "--effective", "--json", home=home).stdout)
    assert shown["keeping"]["waves_days"] == {"value": 3, "from": "centre 9, on trial"}
    assert shown["keeping"]["frames_days"] == {"value": 20, "from": "unit.toml"}
    assert shown["broker"]["mqtt.example:8883"]["value"] == {"tls": True}
    assert shown["tables"]["limits"]["value"] == "azilal-3"
    scored = json.loads(qafila_here("score", "limits", "temp=37", "--json", home=home).stdout)
    assert scored["version"] == "azilal-3"
    IN_FORCE.put({})


def test_settings_of_the_centre_that_do_not_go_with_the_file_any_more_are_said(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    places = Places.at(home)
    Slots(places.configuration).try_out(
        Document(9, "00", "[locks]\nscreen_s = 3600\n", {}), needs_receipt=True
    )
    assert qafila_here("config", "check", home=home).returncode == 0
    _, finding = _configuration(places)
    assert (finding.result, finding.said["number"]) == (Result.PASS, 9)
    places.config.write_text(places.config.read_text().replace('"training"', '"production"'))
    said = qafila_here("config", "check", home=home)
    assert said.returncode == 1
    assert "What the centre has set" in said.stdout
    config, finding = _configuration(places)
    assert config is not None
    assert (finding.result, config.locks.screen_s) == (Result.WARN, 120)


def test_the_screen_begins_in_the_language_that_is_configured(tmp_path: Path) -> None:
    home = make_unit(tmp_path / "van")
    path, places = home / "unit.toml", Places.at(home)
    assert configured_language(places) == "fr"
    path.write_text(path.read_text() + '\n[screen]\nlanguage = "en"\n')
    assert configured_language(places) == "en"
    Slots(places.configuration).try_out(
        Document(9, "00", '[screen]\nlanguage = "fr"\n', {}), needs_receipt=True
    )
    assert configured_language(places) == "fr"
    path.write_text(path.read_text().replace('"en"', '"xx"'))
    assert configured_language(places) == "fr"
    said = qafila_here("config", "check", home=home)
    assert "choose one of fr" in said.stdout


@pytest.mark.parametrize(
    ("text", "table", "code", "says"),
    [
        ("[keeping]\nwaves_day = 3\n", "", "configuration-refused", "line 2: the key `keeping.waves_day`"),
        ("[unit]\nid = 'van-08'\n", "", "configuration-refused", "line 1: the key `unit` is unknown"),
        ("", "", "configuration-refused", "sets nothing"),
        ("[tables]\nlimits = 't.toml'\n", "rule = 3", "table-refused", "line 2: the table t.toml for limits"),
        ("[tables]\ntriage = 't.toml'\n", "rule = 3", "table-refused", "no rule of this name"),
        ("[locks]\nscreen_s = 60\n[[broker]]\nhost = 'a b'\n", "", "configuration-refused", "broker.0.host"),
    ],
)
def test_at_the_centre_what_a_unit_would_refuse_is_not_sent(
    tmp_path: Path, text: str, table: str, code: str, says: str
) -> None:
    assert qafila_here("central", "init", "--realm", "training", home=tmp_path).returncode == 0
    (tmp_path / "c.toml").write_text(text)
    (tmp_path / "t.toml").write_text(table)
    said = qafila_here("central", "configure", "van-07", str(tmp_path / "c.toml"), home=tmp_path)
    assert said.returncode == 1
    assert code in said.stderr
    assert says in said.stderr
    (tmp_path / "c.toml").write_text("[locks]\nscreen_s = 60\n")
    said = qafila_here("central", "configure", "van-07", str(tmp_path / "c.toml"), home=tmp_path)
    assert "unit-unknown" in said.stderr

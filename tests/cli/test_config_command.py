"""`qafila config`: mistakes with their lines, and what holds with where it comes from."""

import json
from pathlib import Path

from tests.cli.units import make_unit, qafila_here


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

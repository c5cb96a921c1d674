"""The telephone unlock as two people do it: one at the unit, one at the centre, by their commands alone."""

import json
from pathlib import Path

from tests.cli.test_commands import agent, error_of, qafila
from tests.cli.units import PIN, qafila_here

NEW = "739164"
WHY = ("--user", "fatima", "--reason", "forgotten-pin")


def test_a_unit_is_opened_by_telephone(tmp_path: Path) -> None:
    van, centre = tmp_path / "van", tmp_path / "centre"
    unit = ("--realm", "training", "--id", "van-07", "--user", "fatima", "--pin-stdin")
    made = qafila("unit", "init", *unit, stdin=PIN + "\n", home=van)
    assert "Recovery sheet of van-07" in made.stdout
    assert PIN not in made.stdout
    key = json.loads(qafila_here("central", "init", "--realm", "training", "--json", home=centre).stdout)[
        "recovery_key"
    ]
    safe = Path(key).rename(tmp_path / "safe.key")
    request, bundle = str(tmp_path / "request"), str(tmp_path / "bundle")
    for words, home in (
        (("unit", "csr", request), van),
        (("central", "enrol", request, "--out", bundle), centre),
        (("unit", "enrol", bundle), van),
    ):
        assert qafila_here(*words, home=home).returncode == 0, words
    assert (
        error_of(qafila_here("unit", "recover", *WHY, "--ask", "--json", home=van))["code"]
        == "agent-unreachable"
    )
    with agent(van):
        refused = qafila_here("unit", "recover", *WHY, "--ask", "--json", home=van)
        assert error_of(refused)["code"] == "no-recovery-slot"
        assert qafila_here(
            "users", "list", "--by", "fatima", "--pin-stdin", stdin=PIN + "\n", home=van
        ).stdout
        asked = json.loads(qafila_here("unit", "recover", *WHY, "--ask", "--json", home=van).stdout)
        answered = qafila_here(
            *("central", "recover", "--unit", asked["unit"], *WHY, "--key", str(safe), "--by", "hakim"),
            *("--challenge", asked["challenge"], "--json"),
            home=centre,
        )
        code = json.loads(answered.stdout)["code"]
        done = qafila_here(
            "unit", "recover", *WHY, "--code-stdin", "--json", stdin=f"{code}\n{NEW}\n", home=van
        )
        assert json.loads(done.stdout) == {"user": "fatima", "rotated": True}, done.stderr
        again = qafila_here(
            "unit", "recover", *WHY, "--code-stdin", "--json", stdin=f"{code}\n{NEW}\n", home=van
        )
        assert error_of(again)["code"] == "recovery-code-wrong"
        assert qafila_here(
            "users", "list", "--by", "fatima", "--pin-stdin", stdin=NEW + "\n", home=van
        ).stdout
    verified = qafila_here(
        "store", "verify", "--user", "fatima", "--pin-stdin", "--json", stdin=NEW + "\n", home=van
    )
    assert json.loads(verified.stdout)["valid"] is True
    assert json.loads((centre / "central" / "recoveries.log").read_text())["by"] == "hakim"


def test_who_makes_a_centre_is_told_all_that_the_recovery_key_reads(tmp_path: Path) -> None:
    said = qafila_here("central", "init", "--realm", "training", home=tmp_path / "centre").stdout
    told = said.split("recovery.key:")[1].split("records-1.key")[0]
    assert "every backup" in told
    assert "device secret" in told

"""`qafila sync …` and `central keys|revoke|held|approve|quarantine …`: what they say, how they refuse."""

import json
from pathlib import Path
from typing import Any

from edge.records.fields import Stream
from edge.spool.files import names_in
from tests.cli.test_commands import agent, error_of
from tests.cli.units import PIN, make_unit, qafila_here
from tests.sync.central_world import Centre, make_centre


def asked(home: Path, *words: str, stdin: str = "") -> Any:  # noqa: ANN401  as wide as JSON
    """What a command answers, or the code of its refusal."""
    done = qafila_here(*words, "--json", stdin=stdin, home=home)
    return json.loads(done.stdout) if done.returncode == 0 else error_of(done)["code"]


def told(home: Path, *words: str) -> str:
    done = qafila_here(*words, home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def enrolled(tmp_path: Path) -> tuple[Path, Path]:
    """A unit and its centre."""
    van, centre = make_unit(tmp_path / "van"), tmp_path / "centre"
    request, bundle = str(tmp_path / "request"), str(tmp_path / "bundle")
    told(centre, "central", "init", "--realm", "training")
    told(van, "unit", "csr", request)
    told(centre, "central", "enrol", request, "--out", bundle)
    told(van, "unit", "enrol", bundle)
    return van, centre


def test_a_rotated_key_reaches_a_unit_by_stick_and_the_unit_says_so(tmp_path: Path) -> None:
    van, centre = enrolled(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    pin = f"{PIN}\n"
    with agent(van):
        people = asked(van, "users", "list", "--by", "fatima", "--pin-stdin", stdin=pin)
        assert [each["user"] for each in people] == ["fatima"]
        status = asked(van, "sync", "status")
        assert (status["keyset_version"], status["enrolled"]) == (1, True)
        assert asked(van, "sync", "now", "--user", "fatima", "--pin-stdin", stdin=pin) == {}
        now = ("sync", "now", "--user", "fatima", "--pin-stdin", "--wait", "1")
        assert asked(van, *now, stdin=pin) == "not-received-yet"
        found = asked(van, "sync", "quarantine", "list", "--user", "fatima", "--pin-stdin", stdin=pin)
        assert found == {"ranges": []}
        retry = ("sync", "quarantine", "retry", "--user", "fatima", "--pin-stdin")
        assert asked(van, *retry, stdin=pin) == "nothing-quarantined"
        [first] = [key for key in asked(centre, "central", "keys", "list")["keys"] if key["use"] == "seal-to"]
        made = asked(centre, "central", "keys", "rotate", "seal-to")
        assert made["version"] == 2
        assert asked(centre, "central", "keys", "retire", first["kid"])["version"] == 3
        told(van, "store", "courier-out", str(stick))
        told(centre, "central", "import", str(stick))
        told(centre, "central", "export-receipts", str(stick))
        assert asked(van, "store", "courier-in", str(stick))["keyset"] == 3
        while list(names_in(van / "spool" / "in")):
            asked(van, "sync", "now", "--user", "fatima", "--pin-stdin", stdin=pin)
        asked(van, "sync", "now", "--user", "fatima", "--pin-stdin", stdin=pin)
        assert asked(van, "sync", "status")["keyset_version"] == 3
        assert asked(van, "unit", "show")["keyset_version"] == 3
        told(van, "store", "courier-out", str(stick))
    told(centre, "central", "import", str(stick))
    told(centre, "central", "explode", "--once")
    assert asked(centre, "central", "keys", "list")["units"] == {"van-07": 3}
    assert "van-07 has keyset 3" in told(centre, "central", "keys", "list")
    assert "keyset    version 3" in told(centre, "central", "keys", "list")


def test_keys_refuse_by_code(tmp_path: Path) -> None:
    centre = tmp_path / "centre"
    told(centre, "central", "init", "--realm", "training")
    keys = ("central", "keys")
    landed = next(key for key in asked(centre, *keys, "list")["keys"] if key["use"] == "landed")
    assert asked(centre, *keys, "retire", "0" * 16) == "key-unknown"
    assert asked(centre, *keys, "retire", landed["kid"]) == "key-needed"
    assert asked(centre, *keys, "add", "landed") == "key-there"
    assert asked(centre, *keys, "rotate", "recovery") == "key-not-taken-away"
    assert asked(centre, *keys, "rotate", "landed", "--root", landed["file"]) == "root-wrong"
    assert asked(centre, *keys, "list")["version"] == 1


def test_a_unit_is_revoked_its_messages_held_and_approved(tmp_path: Path) -> None:
    world: Centre = make_centre(tmp_path)
    home = world.home.directory.parent
    unit = world.unit()
    unit.visit()
    revoke = ("central", "revoke", "van-07", "--reason", "stolen", "--by", "hakim")
    assert asked(home, *revoke) == "revocation-unclear"
    assert asked(home, *revoke, "--retired", "--compromised") == "revocation-unclear"
    assert asked(home, "central", "revoke", "van-99", *revoke[3:], "--retired") == "unit-unknown"
    assert asked(home, *revoke, "--compromised")["state"] == "compromised"
    assert asked(home, *revoke, "--retired") == "unit-revoked"
    assert asked(home, "central", "approve", "van-07", "--by", "leila") == "nothing-held"
    world.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 4), unit.batch(Stream.VITALS, 5, 10))
    held = asked(home, "central", "held")["held"]
    assert [(each["first"], each["last"]) for each in held] == [(1, 4), (5, 10)]
    assert "stolen" in told(home, "central", "held")
    approve = ("central", "approve", "van-07", "--by", "leila", "--stream", "vitals", "--to", "4")
    assert asked(home, *approve) == {"unit": "van-07", "landed": 1, "held": 1}
    told(home, "central", "explode", "--once")
    assert world.value("SELECT count(*) FROM entries") == 4
    [stands] = asked(home, "central", "units")
    assert (stands["revoked"], stands["held"]) == ("compromised", 1)


def test_what_was_not_opened_is_listed_and_tried_again(tmp_path: Path) -> None:
    world: Centre = make_centre(tmp_path)
    home = world.home.directory.parent
    assert asked(home, "central", "quarantine", "list") == []
    assert asked(home, "central", "quarantine", "retry") == "nothing-quarantined"
    unit = world.unit()

    unit.new_session()  # its key message never comes
    world.land(unit.batch(Stream.VITALS, 1, 1))
    world.clock.wall_ms += 60_000
    world.explode()
    [found] = asked(home, "central", "quarantine", "list", "--unit", "van-07")
    assert (found["stream"], found["reason"], found["code"]) == ("vitals", "key", "key-missing")
    assert found["sentence"]
    assert asked(home, "central", "quarantine", "retry") == {"batches": 1}
    assert told(home, "central", "quarantine", "list") == "Nothing is quarantined.\n"  # until it was tried
    world.explode()
    assert "has not come" in told(home, "central", "quarantine", "list")


def test_who_is_not_known_is_not_said_to_be_put_out(tmp_path: Path) -> None:
    _, centre = enrolled(tmp_path)
    assert asked(centre, "central", "disconnect", "van-70") == "unit-unknown"
    assert asked(centre, "central", "disconnect", "van-07")["unit"] == "van-07"


def test_who_was_revoked_after_the_copy_stays_revoked_when_it_is_put_back(tmp_path: Path) -> None:
    _, centre = enrolled(tmp_path)
    copy = str(tmp_path / "copy.db")
    revoke = ("central", "revoke", "van-07", "--compromised", "--reason", "stolen", "--by", "hakim")
    told(centre, "central", "backup", copy)
    told(centre, *revoke)
    said = told(centre, "central", "restore", copy)
    assert "Done again, as decided since: 1 revocations of units." in said
    assert "may be missing" not in said
    [held] = asked(centre, "central", "held")["units"]
    assert (held["unit"], held["state"], held["reason"], held["given_by"]) == (
        *("van-07", "compromised", "stolen", "hakim"),
    )
    (centre / "central" / "decisions.log").unlink()
    assert "may be missing" in told(centre, "central", "restore", copy)
    assert asked(centre, "central", "held")["units"] == [], "what nobody wrote down is said, not known"

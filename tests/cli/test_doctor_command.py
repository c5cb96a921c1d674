"""``qafila doctor`` on a whole unit: what it prints, how it ends, and what a support file never holds."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest

from cli import main
from cli.doctor import bluetooth, broker, examination, machine, media, ports, stores
from cli.doctor.asked import ask
from cli.doctor.finding import Finding, Word, passed, warned
from cli.doctor.side_by_side import WITHIN_S
from edge.config import Places, UnitConfig, load
from edge.localapi.server import serve
from edge.ports.caller import Answer, Call
from edge.security import device_secret
from sync.uplink.notes import LinkNote
from tests.cli.units import PIN, make_unit, qafila_here

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs/howto/read-doctor.md"
OWNER: Final = "khadija"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A unit whose folder, name, people and devices are all somebody's."""
    return make_unit(tmp_path / OWNER, "van-benslimane", "fatima")


def checks(home: Path, *words: str) -> tuple[dict[str, dict[str, str]], int]:
    done = qafila_here("doctor", "--json", *words, home=home)
    told = json.loads(done.stdout)
    assert list(told) == ["checks"], done.stderr
    assert all(list(each) == ["name", "result", "detail", "next"] for each in told["checks"])
    named = {each["name"]: each for each in told["checks"]}
    assert len(named) == len(told["checks"])
    return named, done.returncode


def test_a_unit_that_was_just_made(home: Path) -> None:
    found, status = checks(home)
    assert status == 2
    results = {name: each["result"] for name, each in found.items()}
    assert results["agent"] == "fail"
    assert {name for name, result in results.items() if result == "pass"} >= {
        *("configuration", "store", "store-lock", "slots", "device-secret", "versions", "serial-ports"),
        "bluetoothd",
    }
    assert {name for name, result in results.items() if result == "warn"} >= {
        *("chain", "store-schema", "device-secret-copy", "enrolment", "certificate", "core-dumps"),
    }
    assert not [each for each in found.values() if "the check itself" in each["detail"]]
    assert all(bool(each["next"]) == (each["result"] != "pass") for each in found.values())
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    people = qafila_here("doctor", home=home).stdout
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before, "it changes nothing"
    assert re.search(
        r"^fail  agent +No agent runs here.*\n +Next: Start it: qafila agent\.$", people, re.MULTILINE
    )


def test_where_there_is_no_unit(tmp_path: Path) -> None:
    found, status = checks(tmp_path)
    assert (found["configuration"]["result"], status) == ("fail", 2)
    assert "qafila unit init" in found["configuration"]["next"]


def test_a_wrong_word_is_a_usage_error_and_no_judgement(home: Path) -> None:
    done = qafila_here("doctor", "--json", "--bundel", "x", home=home)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "usage")


def test_what_is_broken_is_found(home: Path) -> None:
    places = Places.at(home)
    (home / "media" / "device.secret").rename(home / "away")
    places.database.unlink()
    found, _ = checks(home)
    assert [found[name]["result"] for name in ("store", "device-secret", "slots")] == ["fail", "fail", "warn"]
    places.config.write_text(places.config.read_text() + "\n[radoi]\n")
    assert checks(home)[0]["configuration"]["result"] == "fail"


def test_one_file_of_the_slots_that_is_damaged(home: Path) -> None:
    slots = Places.at(home).slots
    slots.write_bytes(slots.read_bytes()[:-1])
    assert checks(home)[0]["slots"]["result"] == "warn"


def test_the_second_copy_is_looked_at_and_not_noted(home: Path) -> None:
    places = Places.at(home)
    copy = home / "second" / "device.secret"
    copy.parent.mkdir()
    done = qafila_here("unit", "copy-secret", str(copy), home=home)
    assert done.returncode == 0, done.stderr
    seen = places.store / "secret-copy.seen"
    seen.unlink(missing_ok=True)
    assert checks(home)[0]["device-secret-copy"]["result"] == "pass"
    assert not seen.exists()
    copy.unlink()
    assert checks(home)[0]["device-secret-copy"]["result"] == "warn"
    day_ms = 86_400_000
    now_ms = time.time_ns() // 1_000_000
    for days, result in ((29, "pass"), (32, "warn")):
        seen.write_text(json.dumps({"copy": str(copy), "seen_ms": now_ms - days * day_ms}))
        assert checks(home)[0]["device-secret-copy"]["result"] == result
    device_secret.make(copy)
    assert "two secrets" in checks(home)[0]["device-secret-copy"]["detail"]


STATUS: Final[dict[str, Any]] = {
    "unit": "van-benslimane",
    "realm": "training",
    "locked": False,
    "version": "0.1.0",
    "clock": {"wall_ms": 1_790_000_000_000, "quality": "ntp"},
    "devices": [],
    "streams": {"vitals": {"tip": 3, "sent": 3, "landed": 3, "opened": 2, "stopped": None}},
    "enrolled": True,
    "link": {"connected": False, "since_ms": None, "broker": None},
    "visit_open": False,
    "refusals": {},
    "problem": "fatima-saidi",
}


def test_the_running_agent_is_asked(home: Path) -> None:
    places = Places.at(home)
    told = STATUS | {"problem": None}

    async def answer(_call: Call) -> Answer:
        return dict(told)

    async def both() -> tuple[dict[str, dict[str, str]], int]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(places.socket, {"status": answer}))
            while not places.socket.exists():
                await asyncio.sleep(0.01)
            found = await asyncio.to_thread(checks, home)
            task.cancel()
        return found

    found, _ = asyncio.run(both())
    assert {found[name]["result"] for name in ("agent", "store", "chain", "store-schema")} == {"pass"}
    assert "3 of 3" in found["chain"]["detail"]


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes a connection and says nothing."""
    path = tmp_path / "run" / "agent.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


def test_an_agent_that_is_silent_is_not_waited_for(deaf: Path, tmp_path: Path) -> None:
    begun_s = time.monotonic()
    assert ask(Places.at(tmp_path)).why == "agent-silent"
    assert time.monotonic() - begun_s < 10
    assert deaf.exists()


def test_all_that_hang_together_take_less_than_five_seconds(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    for module in (stores, media, broker):
        monkeypatch.setattr(
            module, "look" if module is not broker else "look_at_uplink", lambda *_: over.wait(60)
        )
    begun_s = time.process_time(), time.monotonic()
    found = examination.examine(Places.at(home))
    took_s, busy_s = time.monotonic() - begun_s[1], time.process_time() - begun_s[0]
    over.set()
    silent = {each.name for each in found if "no answer" in each.text}
    assert silent == {*stores.NAMES, *media.NAMES, *broker.NAMES}
    assert WITHIN_S <= took_s < 5 + 20 * busy_s, "on a machine that has other work it may take as much longer"


AS_NOBODY: Final = """
import json, os, sys
from pathlib import Path
from cli.doctor import examination
from edge.config import Places
places = Places.at(Path(sys.argv[1]))
examination.examine(places)  # loads what this user could not
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps({each.name: each.shown() for each in examination.examine(places)}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_see_little_is_told_so_and_no_pass() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = make_unit(Path(folder) / "unit")
        for path in (Path(folder), home):
            path.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(home)], capture_output=True, text=True, check=True, cwd=ROOT
        )
    found = json.loads(done.stdout)
    assert not [each for each in found.values() if "the check itself" in each["detail"]]
    unseen = {"agent", "disk", "store", "store-lock", "slots", "device-secret", "chain", "core-dumps"}
    assert {name for name, each in found.items() if each["detail"].startswith("Not known")} >= unseen - {
        "disk"
    }
    assert {found[name]["result"] for name in unseen} == {"warn"}


def test_the_systems_bus_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    config = UnitConfig.model_validate(
        {
            "unit": {"id": "van-07", "realm": "training"},
            "device": [{"key": "cuff", "kind": "sig-bp", "port": "ble:AA:BB:CC:DD:EE:FF"}],
        }
    )
    seen = bluetooth.look(config)
    assert seen is not None
    assert not seen.bus


def test_serial_ports_and_their_rules_are_looked_at(tmp_path: Path) -> None:
    mine, device = os.openpty()
    try:
        blocks = [
            {"key": key, "kind": "contec-cms50", "port": port}
            for key, port in (
                ("there", os.ttyname(device)),
                ("gone", "/dev/serial/by-id/usb-none-if00"),
                ("a-file", str(tmp_path)),
            )
        ]
        config = UnitConfig.model_validate({"unit": {"id": "van-07", "realm": "training"}, "device": blocks})
        rule = 'SUBSYSTEM=="tty", SYMLINK+="qafila/gone", GROUP="qafila"'
        (tmp_path / "70-qafila-gone.rules").write_text(rule)
        seen = {each.key: (each.there, each.lasting, each.ruled) for each in ports.look(config, [tmp_path])}
    finally:
        os.close(mine)
        os.close(device)
    assert seen == {
        "there": (True, False, False),
        "gone": (False, True, True),
        "a-file": (False, False, False),
    }


def test_system_units_are_found_where_systemd_has_them(tmp_path: Path) -> None:
    for name in ("qafila-agent.service", "qafila-@.service", "other.service"):
        (tmp_path / name).touch()
    assert list(machine.look_at_units({"here": tmp_path})) == ["qafila-agent.service"]
    assert machine.look_at_units({"here": tmp_path / "none"}) == {}


def test_a_running_uplink_is_believed_and_a_dead_one_is_not(home: Path) -> None:
    from edge.clock import SystemClock

    places = Places.at(home)
    assert broker.look_at_uplink(places) == broker.Uplink(runs=False)
    note = LinkNote(places.spool_in)
    said: dict[str, Any] = {"since_ms": SystemClock().now().wall_ms, "connection": "x", "sent": ()}
    note.write(connected=True, broker="mqtt5", code="", waiting={}, **said)
    assert broker.look_at_uplink(places) == broker.Uplink(runs=True, connected=True)
    note.write(connected=False, broker="", code="broker-refused", waiting={}, **said)
    assert broker.look_at_uplink(places) == broker.Uplink(runs=True, why="broker-refused")
    note.close()
    assert broker.look_at_uplink(places) == broker.Uplink(runs=False)


def test_what_is_said_of_the_unit_stays_in_the_unit() -> None:
    finding = warned(
        "x", "{count} of {names} ({code}).", "Look at {names}.", count=3, names="fatima", code=Word("y")
    )
    assert finding.shown()["detail"] == "3 of fatima (y)."
    assert finding.redacted() == {
        "name": "x",
        "result": "warn",
        "detail": "3 of … (y).",
        "next": "Look at ….",
    }
    assert passed("x", "{yes}.", yes=True).redacted()["detail"] == "…."


PLANTED: Final = """
[[device]]
key = "zineb-cuff"
kind = "sig-bp"
port = "ble:AA:BB:CC:DD:EE:FF"

[[device]]
key = "oximeter-of-amina"
kind = "contec-cms50"
port = "/dev/serial/by-id/usb-hamza-A50285BI-if00"
"""


def test_a_support_file_names_nobody_and_nothing(home: Path, tmp_path: Path) -> None:
    places = Places.at(home)
    places.config.write_text(places.config.read_text() + PLANTED)
    secret = device_secret.read(load(places.config).device_secret(places))
    patient = ("Yasmine Tazi", "AB123456")

    async def answer(_call: Call) -> Answer:
        devices = [{"key": "zineb-cuff", "kind": "sig-bp", "state": "gone", "code": "karim-code"}]
        return STATUS | {"devices": devices, "unit": patient[0], "version": patient[1]}

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(places.socket, {"status": answer}))
            while not places.socket.exists():
                await asyncio.sleep(0.01)
            words = ["doctor", "--json", "--bundle", str(tmp_path / "support.json")]
            found.append(await asyncio.to_thread(qafila_here, *words, home=home))
            task.cancel()

    found: list[Any] = []
    asyncio.run(both())
    text = (tmp_path / "support.json").read_text()
    assert (tmp_path / "support.json").stat().st_mode & 0o777 == 0o600
    held = json.loads(text)
    shown = json.loads(found[0].stdout)["checks"]
    assert [each["name"] for each in held["checks"]] == [each["name"] for each in shown]
    assert len(held["checks"]) > 20
    planted = [
        *(
            OWNER,
            str(home),
            "benslimane",
            "fatima",
            "zineb",
            "amina",
            "hamza",
            "A50285BI",
            "AA:BB:CC",
            "karim",
        ),
        *("saidi", *patient, PIN, secret.hex(), socket.gethostname(), "Yasmine", "serial/by-id"),
    ]
    assert [word for word in planted if word.lower() in text.lower()] == []
    seen = [word for word in planted if word in found[0].stdout]
    assert "oximeter-of-amina" in found[0].stdout, "the search finds what is there"
    assert seen


def test_a_support_file_is_never_written_over_another(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "support.json"
    file.write_text("mine")
    done = qafila_here("doctor", "--json", "--bundle", str(file), home=home)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "file-exists")
    assert file.read_text() == "mine"


def _commands() -> list[str]:
    return re.findall(r"^qafila doctor.*$", DOCUMENT.read_text(), re.MULTILINE)


def test_every_command_of_the_document_runs(home: Path, tmp_path: Path) -> None:
    commands = _commands()
    assert len(commands) >= 3
    for at, command in enumerate(commands):
        words = command.replace("/media/stick/", f"{tmp_path}/{at}-").split()[1:]
        assert qafila_here(*words, home=home).returncode == 2, command


def test_the_document_has_a_row_for_every_check(home: Path) -> None:
    rows = set(re.findall(r"^\| `([a-z-]+)`", DOCUMENT.read_text(), re.MULTILINE))
    known: set[str] = set()

    def note(groups: list[Any]) -> list[Finding]:
        known.update(name for group in groups for name in group.names)
        return []

    with mock.patch.object(examination, "run_all", note):
        examination.examine(Places.at(home))
    assert rows == known | {"configuration"}


def test_the_program_starts_it_by_its_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch.object(sys, "argv", ["qafila", "doctor", "--help"]), pytest.raises(SystemExit) as ended:
        main.run()
    assert (ended.value.code, home.exists()) == (0, True)
    assert "Example: qafila doctor" in capsys.readouterr().out

"""``qafila devices``: kinds, list, decode, as a technician and a script meet them."""

import asyncio
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from cli import main
from drivers.registry import KINDS
from edge.config import Places
from edge.localapi.server import serve
from edge.ports.caller import Answer, Call

CAPTURED: Final = ("01E085B396C1E1FFFF", "01E085B096C1E1FFFF")  # headrotor/contec_data stream_data.py
CONFIGURED: Final = """
[unit]
id = "van-07"
realm = "training"

[[device]]
key = "oximeter-1"
kind = "contec-cms50"
port = "/dev/serial/by-id/one"

[[device]]
key = "oximeter-2"
kind = "contec-cms50"
port = "/dev/serial/by-id/two"
simulated = true
"""


@dataclasses.dataclass(frozen=True)
class Done:
    status: int
    stdout: str
    stderr: str


class Devices(Protocol):
    def __call__(self, *words: str) -> Done: ...


@pytest.fixture
def devices(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Devices:
    """The command as the console script runs it, without the price of a process for each."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["qafila", "devices", *words])
        with pytest.raises(SystemExit) as ended:
            main.run()
        status = ended.value.code or 0
        assert isinstance(status, int)
        return Done(status, *capsys.readouterr())

    return run


def test_it_is_a_command_of_qafila() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("qafila"), "devices", "decode", "contec-cms50", "zz"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad-hex" in done.stderr


def decoded(devices: Devices, *given: str) -> dict[str, Any]:
    done = devices("decode", "contec-cms50", *given, "--json")
    assert (done.status, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


# ── decode ───────────────────────────────────────────────────────────────────────────────────────


def test_decode_prints_the_object_that_others_rely_on(devices: Devices) -> None:
    reading = {
        "at": None,
        "values": [
            {"code": "spo2", "value": "97", "unit": "%"},
            {"code": "pulse.spo2", "value": "65", "unit": "/min"},
            {"code": "pi", "missing": "not-measured"},
        ],
        "flags": [],
    }
    assert decoded(devices, *CAPTURED) == {
        "kind": "contec-cms50",
        "readings": [reading, reading],
        "refused": [],
        "waves": [{"code": "pleth", "lead": None, "unit": "1", "rate": "60", "samples": [51, 48]}],
    }


def test_chunks_are_one_stream(devices: Devices) -> None:
    whole = "".join(CAPTURED)
    assert decoded(devices, whole[:6], whole[6:20].lower(), " ".join((whole[20:24], whole[24:]))) == decoded(
        devices, *CAPTURED
    )


def test_what_is_refused_is_told_with_its_place(devices: Devices) -> None:
    answer = decoded(devices, "FFFF", CAPTURED[0], "DEADBEEF", CAPTURED[1], CAPTURED[0][:14])
    assert len(answer["readings"]) == 2
    assert answer["refused"] == [
        {"offset": 0, "length": 2, "code": "not-a-frame"},
        {"offset": 11, "length": 4, "code": "not-a-frame"},
        {"offset": 24, "length": 7, "code": "frame-too-short"},
    ]


def test_bytes_that_say_nothing_are_no_fault_of_the_command(devices: Devices) -> None:
    assert decoded(devices, "0C80") == {"kind": "contec-cms50", "readings": [], "refused": [], "waves": []}
    assert decoded(devices, "") == decoded(devices, "0C80")
    assert decoded(devices, "00")["refused"] == [{"offset": 0, "length": 1, "code": "not-a-frame"}]


@pytest.mark.parametrize("given", ["0", "0x01", "zz", "01E0-85B3", "2A5F=01", "é9"])
def test_bad_hex_is_a_mistake_of_use(devices: Devices, given: str) -> None:
    done = devices("decode", "contec-cms50", CAPTURED[0], given)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Argument 2 ")
    assert "(code: " in done.stderr
    assert CAPTURED[0] not in done.stderr.replace("such as 01E085B396C1E1FFFF", "")


def test_an_unknown_kind_is_a_mistake_of_use(devices: Devices) -> None:
    done = devices("decode", "contec-cms5", "00")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        "There is no device kind contec-cms5. Next: did you mean contec-cms50? (code: unknown-kind)\n"
    )


def test_a_person_reads_what_it_means(devices: Devices) -> None:
    done = devices("decode", "contec-cms50", *CAPTURED, "01E980C090FFFFFFFF", "0000")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "contec-cms50: 3 readings in 29 bytes",
        "     1 to 2  SpO2 97 %   pulse 65 /min   perfusion index — (not-measured)",
        "          3  SpO2 — (sensor-off)   pulse — (sensor-off)   perfusion index — (sensor-off)",
        "wave pleth: 2 samples, 60 a second: 51 48",
        "refused: 2 bytes at offset 27, not-a-frame: no frame begins like this",
    ]


def test_a_person_is_not_left_with_an_empty_answer(devices: Devices) -> None:
    assert "none of them carries a reading" in devices("decode", "contec-cms50", "0C80").stdout


# ── kinds ────────────────────────────────────────────────────────────────────────────────────────


def test_kinds_are_listed_for_machines_and_for_people(devices: Devices) -> None:
    listed = json.loads(devices("kinds", "--json").stdout)
    assert [kind["kind"] for kind in listed] == list(KINDS)
    (contec,) = [kind for kind in listed if kind["kind"] == "contec-cms50"]
    assert contec == {
        "kind": "contec-cms50",
        "title": "Contec CMS50 finger oximeter",
        "transport": "serial",
        "evidence": "specification",
        "models": ["CMS50D+", "CMS50E", "CMS50F"],
    }
    lines = [line.split() for line in devices("kinds").stdout.splitlines()]
    for kind in KINDS.values():
        told = [kind.kind, kind.transport.value, kind.evidence.value, *kind.title.split()]
        assert [line for line in lines if line[: len(told) - 1] == told[:-1]], kind.kind


@pytest.mark.parametrize("command", ["kinds", "list", "decode"])
def test_help_comes_with_an_example(devices: Devices, command: str) -> None:
    assert f"Example: qafila devices {command}" in devices(command, "--help").stdout


# ── list ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "unit.toml").write_text(CONFIGURED)
    return tmp_path


def test_without_an_agent_the_configuration_is_listed(devices: Devices, home: Path) -> None:
    done = devices("list", "--home", str(home), "--json")
    assert (done.status, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "agent": False,
        "devices": [
            {
                "key": key,
                "kind": "contec-cms50",
                "port": port,
                "simulated": simulated,
                "state": None,
                "code": None,
            }
            for key, port, simulated in (
                ("oximeter-1", "/dev/serial/by-id/one", False),
                ("oximeter-2", "/dev/serial/by-id/two", True),
            )
        ],
    }
    people = devices("list", "--home", str(home)).stdout
    assert "agent not running" in people
    assert "qafila agent" in people


async def test_with_an_agent_its_word_is_listed(devices: Devices, home: Path) -> None:
    known = {"key": "oximeter-1", "kind": "contec-cms50", "state": "gone", "code": "port-missing"}

    async def status(call: Call) -> Answer:
        del call
        return {"devices": [known]}

    socket = Places.at(home).socket
    async with asyncio.TaskGroup() as group:
        agent = group.create_task(serve(socket, {"status": status}))
        while not socket.exists():
            await asyncio.sleep(0.01)
        as_json = await asyncio.to_thread(devices, "list", "--home", str(home), "--json")
        people = await asyncio.to_thread(devices, "list", "--home", str(home))
        agent.cancel()
    answer = json.loads(as_json.stdout)
    assert answer["agent"] is True
    assert [(device["key"], device["state"], device["code"]) for device in answer["devices"]] == [
        ("oximeter-1", "gone", "port-missing"),
        ("oximeter-2", "not-loaded", None),
    ]
    assert "gone (port-missing)" in people.stdout
    assert "restart the agent" in people.stdout


def test_a_unit_without_devices_is_told_how_to_get_one(devices: Devices, tmp_path: Path) -> None:
    (tmp_path / "unit.toml").write_text('[unit]\nid = "van-07"\nrealm = "training"\n')
    done = devices("list", "--home", str(tmp_path))
    assert done.status == 0
    assert "[[device]]" in done.stdout


def test_a_unit_that_is_none_is_told_so(devices: Devices, tmp_path: Path) -> None:
    done = devices("list", "--home", str(tmp_path))
    assert done.status == 1
    assert "(code: config-missing)" in done.stderr

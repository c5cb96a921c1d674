"""``qafila status``: every code it shows comes with a sentence and a next step."""

import ast
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from cli import main
from cli.wiring import what_is_wrong
from edge.agent.history import AHEAD
from edge.agent.receipts import BEYOND_TIP, HEAD_MISMATCH, Refused
from edge.agent.supervisor import ENDED
from edge.config import Places, UnitConfig
from edge.i18n.catalogue import LANGUAGES, load
from edge.localapi.messages import METHODS
from edge.localapi.server import serve
from edge.ports.caller import Answer, Call
from edge.security import device_secret, slot_file, slots
from sync.wire.errors import REFUSALS

ROOT: Final = Path(__file__).resolve().parents[2]
STREAM: Final = {"tip": 12, "sent": 12, "landed": 9, "opened": 7}
TROUBLED: Final[dict[str, Any]] = {
    "unit": "van-07",
    "realm": "training",
    "locked": False,
    "version": "0.1.0",
    "clock": {"wall_ms": 1_790_000_000_000, "quality": "none"},
    "devices": [
        {"key": "oximeter-1", "kind": "contec-cms50", "state": "gone", "code": "port-missing"},
        {"key": "oximeter-2", "kind": "contec-cms50", "state": "gone", "code": "of-tomorrow"},
    ],
    "streams": {"vitals": {**STREAM, "stopped": "head-mismatch"}, "alert": {**STREAM, "stopped": None}},
    "enrolled": True,
    "link": {"connected": False, "since_ms": None, "broker": None},
    "visit_open": False,
    "refusals": {"receipt-signature": 3, "down-kid": 1},
    "problem": "store-full",
    "forked": {"reason": "beyond-tip", "at_ms": 1_790_000_000_000, "again": 31},
}


def shown(home: Path, status: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run the command beside an agent that gives this answer."""
    METHODS["status"].answers.model_validate_json(json.dumps(status))

    async def answer(_call: Call) -> Answer:
        return dict(status)

    def run() -> None:
        monkeypatch.setattr(sys, "argv", ["qafila", "status", "--home", str(home), *words])
        with pytest.raises(SystemExit) as ended:
            main.run()
        assert not ended.value.code

    async def both() -> None:
        socket = Places.at(home).socket
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(socket, {"status": answer}))
            while not socket.exists():
                await asyncio.sleep(0.01)
            await asyncio.to_thread(run)
            task.cancel()

    asyncio.run(both())


def test_a_device_that_sleeps_or_has_not_spoken_yet_is_not_called_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = [
        {"key": "cuff-1", "kind": "sig-bp", "state": "gone", "code": "device-ended"},
        {"key": "cuff-2", "kind": "sig-bp", "state": "starting", "code": None},
    ]
    shown(tmp_path, TROUBLED | {"devices": devices}, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("device")] == [
        "device    cuff-1: sig-bp, at rest",
        "device    cuff-2: sig-bp, waited for",
    ]
    assert "device-ended" not in "\n".join(lines)


def test_every_code_is_followed_by_its_sentence_and_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(tmp_path, TROUBLED, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    say = load("en")
    for beginning, code in (
        ("device    oximeter-1: contec-cms50, gone (port-missing)", "port-missing"),
        ("device    oximeter-2: contec-cms50, gone (of-tomorrow)", "device-error"),
        ("refused   receipt-signature: 3", "receipt-signature"),
        ("refused   down-kid: 1", "down-refused"),
        ("history   went back in time (beyond-tip); journalled again: 31", "beyond-tip"),
        ("problem   store-full", "store-full"),
        ("stopped   head-mismatch", "head-mismatch"),
    ):
        sentence, next_step = say.error(code, "")
        assert lines[lines.index(beginning) + 1] == f"          {sentence} Next: {next_step}"


def test_nobody_is_asked_to_sign_in_where_that_cannot_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = {**TROUBLED, "locked": True, "streams": {}}
    shown(tmp_path, {**locked, "problem": "store-missing"}, monkeypatch)
    assert "sign in" not in capsys.readouterr().out
    shown(tmp_path, {**locked, "problem": None}, monkeypatch)
    assert "locked: sign in to measure" in capsys.readouterr().out


def test_a_script_gets_the_codes_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(tmp_path, TROUBLED, monkeypatch, "--json")
    assert json.loads(capsys.readouterr().out) == TROUBLED


def _of_devices() -> set[str]:
    """Every ``code="…"`` and ``code: ClassVar = "…"`` of what a driver raises."""
    found: set[str] = set()
    for path in [
        *(ROOT / "drivers").rglob("*.py"),
        ROOT / "edge/ports/driver.py",
        ROOT / "edge/ports/sealing.py",
    ]:
        if ROOT / "drivers/simulation" in path.parents:
            continue  # what a technician's command says, and no agent
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = ""
            if isinstance(node, ast.keyword):
                named = node.arg or ""
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                named = node.target.id
            value = node.value if isinstance(node, ast.keyword | ast.AnnAssign) else None
            if named == "code" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.add(value.value)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_status_can_show_has_a_sentence_and_a_next_step(language: str) -> None:
    of_devices = _of_devices()
    assert len(of_devices) > 20
    codes = {
        *of_devices,
        *Refused,
        *(f"receipt-{code}" for code in REFUSALS),
        *("mail-unknown", "mail-unreadable", "receipt-refused", "no-recipient", "nonce-exhausted"),
        *(HEAD_MISMATCH, BEYOND_TIP, AHEAD, ENDED),
    }
    catalogue = load(language)
    missing = {c for c in codes if not catalogue.codes >= {f"error.{c}.sentence", f"error.{c}.next"}}
    assert missing == set()


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Places, UnitConfig]:
    """A unit that somebody could sign in to."""
    monkeypatch.setattr(slots, "ARGON2", (1, 1, 64))
    places = Places.at(tmp_path)
    config = UnitConfig.model_validate({"unit": {"id": "van-07", "realm": "training"}})
    secret = device_secret.make(config.device_secret(places))
    slots.create(
        places.slots, unit="van-07", user="amina", name="", role="nurse", pin="482913", key=bytes(32),
        device_secret=secret,
    )  # fmt: skip
    places.database.write_bytes(bytes(8192))  # what may be known of a store without its key
    return places, config


def flipped(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def both(places: Places, breaks: Callable[[Path], object]) -> None:
    for copy in slot_file.copies_of(places.slots):
        breaks(copy)


def other_secret(places: Places, config: UnitConfig) -> None:
    config.device_secret(places).unlink()
    device_secret.make(config.device_secret(places))


WRONG: dict[str, list[Callable[[Places, UnitConfig], object]]] = {
    "store-missing": [lambda places, _: places.database.unlink()],
    "store-damaged": [lambda places, _: places.database.write_bytes(b"")],
    "store-unprotected": [lambda places, _: places.database.write_bytes(b"SQLite format 3\0" + bytes(8192))],
    "slots-missing": [lambda places, _: both(places, Path.unlink)],
    "slots-damaged": [
        lambda places, _: both(places, flipped),
        lambda places, _: both(places, lambda copy: copy.write_bytes(b"")),
        lambda places, _: both(places, lambda copy: copy.write_bytes(bytes(4096))),
        lambda places, _: both(places, lambda copy: os.truncate(copy, 20)),
    ],
    "device-secret-missing": [lambda places, config: config.device_secret(places).unlink()],
    "device-secret-damaged": [
        lambda places, config: flipped(config.device_secret(places), 30),
        lambda places, config: config.device_secret(places).write_bytes(b""),
    ],
    "device-secret-wrong": [other_secret],
}


@pytest.mark.parametrize(
    ("code", "breaks"), [(code, breaks) for code, ways in WRONG.items() for breaks in ways]
)
def test_what_keeps_everybody_from_signing_in_is_known_before_anybody_tries(
    unit: tuple[Places, UnitConfig], code: str, breaks: Callable[[Places, UnitConfig], object]
) -> None:
    assert what_is_wrong(*unit) is None
    breaks(*unit)
    wrong = what_is_wrong(*unit)
    assert wrong is not None
    assert wrong.stable_code == code
    assert wrong.next_step
    assert load("en").codes >= {f"error.{code}.sentence", f"error.{code}.next"}


def test_one_damaged_copy_of_the_slots_keeps_nobody_out(unit: tuple[Places, UnitConfig]) -> None:
    flipped(unit[0].slots)
    assert what_is_wrong(*unit) is None

"""A technician at a real agent: commands as processes, bleak on its own BlueZ backend, a pseudo-terminal."""

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.radio.private_bus import ADDRESS_VARIABLE
from edge.config import Places, load
from edge.localapi.client import AgentUnreachable, connect
from tests.drivers.radio_cuff import ADDRESS, Cuff
from tests.drivers.radio_stage import chain_b
from tests.drivers.terminals import simulator
from tests.system.test_ble_technician import CuffWithDisplay

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
QAFILA: Final = str(Path(sys.executable).with_name("qafila"))
PIN: Final = "482913"
TECHNICIANS_PIN: Final = "615243"
PORT: Final = f"ble:{ADDRESS}"
READINGS: Final = tuple(bytes.fromhex(f"00{systolic:02x}0050006400") for systolic in range(120, 140)) * 50


@dataclasses.dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  as wide as JSON
        return json.loads(self.out)


class Technician:
    """Types commands on a unit of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def types(self, *words: str, typed: str = "") -> Done:
        process = await self._start(*words)
        out, err = await process.communicate(typed.encode())
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def devices(self, *words: str) -> Done:
        """A command on devices, signed in."""
        return await self.types(
            "devices", *words, "--user", "tariq", "--pin-stdin", typed=f"{TECHNICIANS_PIN}\n"
        )

    async def does(self, *words: str) -> Any:  # noqa: ANN401  as wide as JSON
        """One that has to succeed; its answer."""
        done = await self.devices(*words, "--json")
        assert done.status == 0, done
        return done.json

    async def _start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            QAFILA,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "QAFILA_HOME": str(self.home)},
        )

    async def pairs_with_passkey(self, shown: "asyncio.Queue[int]") -> Done:
        """Type the PIN, and when the device shows six digits, those."""
        process = await self._start(
            *("devices", "pair", "cuff-1", "sig-bp", PORT, "--user", "tariq", "--pin-stdin", "--json"),
            *("--simulated", "--seconds", "60"),
        )
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(f"{TECHNICIANS_PIN}\n".encode())
        said = b""
        while b"passkey" not in said:
            more = await process.stderr.read(200)
            assert more, said
            said += more
        process.stdin.write(f"{await shown.get():06}\n".encode())
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), (said + err).decode())


@contextlib.asynccontextmanager
async def unit(home: Path, devices: str = "", realm: str = "training") -> AsyncGenerator[Technician]:
    """A unit with a technician, and its agent in a process of its own.

    ``devices`` stands in its unit.toml beside.
    """
    technician = Technician(home)
    made = await technician.types(
        *("unit", "init", "--realm", realm, "--id", "van-07", "--user", "fatima", "--pin-stdin"),
        typed=f"{PIN}\n",
    )
    assert made.status == 0, made
    added = await technician.types(
        *("users", "add", "tariq", "--role", "technician", "--by", "fatima", "--pin-stdin"),
        typed=f"{PIN}\n{TECHNICIANS_PIN}\n",
    )
    assert added.status == 0, added
    with (home / "unit.toml").open("a") as config:
        config.write(devices)
    with (home / "agent.log").open("wb") as log:
        agent = await asyncio.create_subprocess_exec(QAFILA, "agent", "--home", str(home), stderr=log)
        try:
            await _until_it_listens(home, agent)
            yield technician
            assert agent.returncode is None, (home / "agent.log").read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                agent.terminate()
            await agent.wait()


async def _until_it_listens(home: Path, agent: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(AgentUnreachable):
                async with connect(Places.at(home).socket):
                    return
            assert agent.returncode is None, (home / "agent.log").read_text()
            await asyncio.sleep(0.05)


async def seen(technician: Technician) -> dict[str, Any]:
    """The cuff, as a scan shows it."""
    while True:
        found = (await technician.does("scan", "--seconds", "2", "--no-cables"))["found"]
        cuff = next((each for each in found if each["port"] == PORT), None)
        if cuff is not None:
            return dict(cuff)


async def recorded_meeting(technician: Technician, directory: Path) -> tuple[Path, Any]:
    """A recording in which the cuff says something, and what it says when it is played."""
    for number in range(20):
        file = directory / f"{number}.qrec"
        await technician.does("record", "cuff-1", str(file), "--seconds", "5")
        done = await technician.devices("replay", str(file), "--json")
        if done.status and "recording-empty" in done.out + done.err:
            continue  # on a busy machine it was not met in time
        assert done.status == 0, done
        if done.json["readings"]:
            return file, done.json
    pytest.fail("the cuff says nothing")


async def test_a_cuff_with_a_passkey_from_the_shelf_to_the_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuff = CuffWithDisplay(*READINGS)
    async with chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain, unit(tmp_path / "van") as technician:
        assert os.environ[ADDRESS_VARIABLE] == chain.bus.address
        near = await seen(technician)
        assert (near["kinds"], near["paired"], near["device"]) == (["sig-bp"], False, None)
        paired = await technician.pairs_with_passkey(cuff.shown)
        assert paired.status == 0, paired
        assert paired.json["paired"] is True
        [section] = load(technician.home / "unit.toml").device
        assert (section.key, section.kind, section.port, section.simulated) == (
            "cuff-1",
            "sig-bp",
            PORT,
            True,
        )
        near = await seen(technician)
        assert (near["paired"], near["device"]) == (True, "cuff-1")
        tested = await technician.does("test", "cuff-1", "--seconds", "60")
        assert {step["step"]: step["result"] for step in tested["steps"]} == {
            **dict.fromkeys(("way", "there", "paired", "understood", "battery", "value"), "passed"),
            "clock": "unknown",
        }
        file, played = await recorded_meeting(technician, tmp_path)
        assert b"sig-bp" in file.read_bytes()
        assert all(reading.hex().encode() not in file.read_bytes() for reading in READINGS)
        values = {int(value["value"]) for each in played["readings"] for value in each["values"][:1]}
        assert values <= set(range(120, 140))
        assert (played["ended"], played["whole"]) == ("recording-over", True)
        again = await technician.devices("record", "cuff-1", str(file))
        assert (again.status, "file-exists" in again.err) == (1, True)
        forgotten = await technician.devices("forget", "cuff-1")
        assert forgotten.status == 0
        assert "clear the pairing on the device too" in forgotten.out
        assert load(technician.home / "unit.toml").device == ()
        near = await seen(technician)
        assert (near["paired"], near["device"]) == (False, None)


async def test_a_lost_bond_is_found_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuff = Cuff(*READINGS)
    async with chain_b(tmp_path, monkeypatch, {"cuff": cuff}) as chain, unit(tmp_path / "van") as technician:
        await technician.does("pair", "cuff-1", "sig-bp", PORT, "--simulated", "--seconds", "60")
        await chain.world.obey("cuff forget")
        while True:
            tested = await technician.devices("test", "cuff-1", "--seconds", "10", "--json")
            failed = [step for step in tested.json["steps"] if step["result"] == "failed"]
            if [step["code"] for step in failed] == ["bond-lost"]:
                break
        assert tested.status == 1
        assert failed[0]["step"] == "paired"
        assert "pair" in failed[0]["hint"]
        mended = await technician.does("pair", "cuff-1", "--seconds", "60")
        assert mended["paired"] is True
        assert (await technician.does("test", "cuff-1", "--seconds", "60"))["passed"] is True


async def test_a_cable_is_paired_by_what_comes_on_it(tmp_path: Path) -> None:
    async with unit(tmp_path / "van") as technician:
        with simulator(tmp_path / "ox") as oximeter:
            port = str(tmp_path / "ox")
            paired = await technician.does(
                *("pair", "oximeter-1", "contec-cms50", port, "--simulated", "--seconds", "60")
            )
            assert paired["udev_file"] is None
            oximeter.say("finger on")
            heard = await technician.devices("listen", "oximeter-1", "--seconds", "4", "--json")
            assert heard.status == 0
            lines = [json.loads(line) for line in heard.out.splitlines()]
            assert any(line["event"] == "reading" for line in lines)
            taken = await technician.devices("pair", "oximeter-2", "contec-cms50", port, "--simulated")
            assert (taken.status, "device-taken" in taken.err) == (1, True)
        tested = await technician.devices("test", "oximeter-1", "--seconds", "5")
        assert tested.status == 1
        assert "FAIL" in tested.out
        assert "Next: " in tested.out


REFUSED: Final = (
    (("test", "cuff-9"), "no-device"),
    (("forget", "cuff-9"), "no-device"),
    (("listen", "cuff-9"), "no-device"),
    (("record", "cuff-9", "FILE"), "no-device"),
    (("pair", "cuff-9"), "no-device"),
    (("pair", "cuff-9", "sig-bpp", PORT), "unknown-kind"),
    (("pair", "cuff-9", "sig-bp", "/dev/x"), "port-unusable"),
    (("pair", "cuff-9", "nonin", PORT), "port-unusable"),
    (("pair", "cuff-9", "nonin", "/dev/nowhere", "--seconds", "10"), "port-missing"),
    (("pair", "Cuff_9", "nonin", "/dev/nowhere"), "bad-key"),
    (("pair", "cuff-9", "nonin"), "usage"),
    (("replay", "FILE"), "file-missing"),
)


async def test_every_failure_is_a_sentence_with_a_code_and_a_next_step(tmp_path: Path) -> None:
    async with unit(tmp_path / "van") as technician:
        file = tmp_path / "x.qrec"
        for words, code in REFUSED:
            done = await technician.devices(*(str(file) if word == "FILE" else word for word in words))
            assert done.status in {1, 2}, words
            last = done.err.strip().splitlines()[-1]
            assert last.endswith(f"(code: {code})"), words
            assert " Next: " in last
            assert not file.exists()
        assert load(technician.home / "unit.toml").device == ()


async def test_roles_locks_and_a_missing_agent(tmp_path: Path) -> None:
    async with unit(tmp_path / "van") as technician:
        wrong = await technician.types(
            *("devices", "scan", "--user", "tariq", "--pin-stdin"), typed="000000\n"
        )
        assert (wrong.status, "wrong-pin" in wrong.err) == (1, True)
        added = await technician.types(
            *("users", "add", "amina", "--by", "fatima", "--pin-stdin"), typed=f"{PIN}\n739154\n"
        )
        assert added.status == 0, added
        nurse = await technician.types(
            *("devices", "scan", "--user", "amina", "--pin-stdin"), typed="739154\n"
        )
        assert (nurse.status, "not-allowed" in nurse.err) == (1, True)
    nobody = await technician.devices("scan")
    assert (nobody.status, "agent-unreachable" in nobody.err) == (1, True)
    nowhere = await Technician(tmp_path / "none").devices("scan")
    assert (nowhere.status, "config-missing" in nowhere.err) == (1, True)

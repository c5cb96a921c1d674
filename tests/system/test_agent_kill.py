"""SIGKILL at any moment: nothing the agent has acknowledged is lost, nothing is done twice."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.config import Places
from edge.localapi.client import AgentUnreachable, Api, connect, new_request_id
from edge.ports.caller import CallRefused
from edge.spool import Outbox
from tests.system.agent_crash_runner import POINTS

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

QAFILA = str(Path(sys.executable).with_name("qafila"))
PIN = "482913"
ROUNDS = int(os.environ.get("QAFILA_KILL_ROUNDS", "30"))
SEED = 20261122


def qafila(*words: str, typed: str = "") -> None:
    subprocess.run([QAFILA, *words], input=typed, text=True, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An enrolled training unit and its centre, made by the commands a technician types."""
    base = tmp_path_factory.mktemp("kill")
    unit, centre = base / "unit", base / "centre"
    qafila(
        *("unit", "init", "--realm", "training", "--id", "van-07", "--user", "amina", "--pin-stdin"),
        *("--home", str(unit)),
        typed=PIN + "\n",
    )
    qafila("unit", "csr", str(base / "request.cbor"), "--home", str(unit))
    qafila("central", "init", "--realm", "training", "--broker", "127.0.0.1:1", "--home", str(centre))
    qafila(
        *("central", "enrol", str(base / "request.cbor"), "--out", str(base / "bundle.cbor")),
        *("--home", str(centre)),
    )
    qafila("unit", "enrol", str(base / "bundle.cbor"), "--home", str(unit))
    return unit


class Process:
    """The real agent in a process of its own."""

    def __init__(self, home: Path, *command: str) -> None:
        self.socket = Places.at(home).socket
        self._log = (home / "agent.log").open("ab")
        words = command or (QAFILA, "agent", "--home", str(home))
        self.popen = subprocess.Popen(words, stderr=self._log)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(30)
        self._log.close()

    def terminate(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        code = self.popen.wait(30)
        self._log.close()
        return code

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[Api]:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(AgentUnreachable):
                    async with connect(self.socket):
                        break
                assert self.popen.poll() is None, "the agent has ended by itself"
                await asyncio.sleep(0.02)
        async with connect(self.socket) as api:
            await api.call("sign-in", user="amina", pin=PIN)
            yield api


class Nurse:
    """Asks without pause; what stays unanswered is asked again under its id after the restart."""

    def __init__(self) -> None:
        self.acknowledged: set[tuple[Any, ...]] = set()
        self.patients: set[str] = set()
        self.visits = 0
        self.pending: tuple[str, dict[str, Any]] | None = None
        self._next = self._work()
        self._answer: dict[str, Any] = {}

    def _work(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while True:
            yield "patient.register", {"family": f"Family {self.visits}", "given": "Zahra", "sex": "female"}
            patient = self._answer["patient"]
            self.patients.add(patient)
            yield "encounter.open", {"patient": patient}
            encounter = self._answer["encounter"]
            for tenth in range(5):
                values = [{"code": "temp", "value": f"36.{tenth}"}, {"code": "pain", "value": str(tenth)}]
                yield "observe", {"encounter": encounter, "values": values}
            yield "alert.raise", {"patient": patient, "encounter": encounter, "code": "news2.7"}
            yield "encounter.close", {"encounter": encounter}
            assert self._answer["count"] == 10
            self.visits += 1

    async def ask(self, api: Api) -> None:
        if self.pending is None:
            method, fields = next(self._next)
            self.pending = (method, {**fields, "request_id": new_request_id()})
        method, fields = self.pending
        self._answer = await api.call(method, **fields)
        self.acknowledged |= {tuple(identity) for identity in self._answer["saved"]}
        self.pending = None

    async def ask_what_is_open(self, api: Api) -> None:
        if self.pending is not None:
            await self.ask(api)

    async def ask_until_it_dies(self, api: Api) -> None:
        with contextlib.suppress(AgentUnreachable):
            while True:
                await self.ask(api)


async def everything(api: Api) -> set[tuple[Any, ...]]:
    """All that is committed, by the snapshot."""
    seen: set[tuple[Any, ...]] = set()
    after = {"alert": 0, "vitals": 0}
    while True:
        page = await api.call("snapshot", after=after)
        for identity in page["saved"]:
            seen.add(tuple(identity))
            after[identity[2]] = identity[3]
        if not page["more"]:
            return seen


def covered(home: Path, word: str) -> set[int]:
    names = [name for name in Outbox(Places.at(home).spool_out).list() if name.word == word]
    return {seq for name in names for seq in range(name.first, name.first + name.n)}


async def one_round(home: Path, nurse: Nurse, after_s: float) -> None:
    process = Process(home)
    try:
        async with process.signed_in() as api:
            assert nurse.acknowledged <= await everything(api)
            asyncio.get_running_loop().call_later(after_s, process.popen.kill)
            await nurse.ask_until_it_dies(api)
    finally:
        process.kill()


async def test_nothing_acknowledged_is_lost_whenever_the_agent_is_killed(home: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311  a seed, so that a round can be played again
    nurse = Nurse()
    for round_ in itertools.count():
        if round_ >= ROUNDS and nurse.visits > ROUNDS // 5:
            break
        assert round_ < 5 * ROUNDS, "hardly anything was ever acknowledged: the test shows nothing"
        await one_round(home, nurse, dice.uniform(0.0, 0.3))
    process = Process(home)
    try:
        async with process.signed_in() as api:
            await nurse.ask_what_is_open(api)
            committed = await everything(api)
            assert nurse.acknowledged <= committed
            # Beyond what was told there are only the two genesis entries: every request was done once.
            assert len(committed - nurse.acknowledged) == 2
            verified = await api.call("store.verify")
            assert verified["valid"] is True
            for word in ("alert", "vitals"):
                tip = verified["entries"][word]
                async with asyncio.timeout(60):
                    while covered(home, word) != set(range(1, tip + 1)):
                        await asyncio.sleep(0.05)
            visit = (await api.call("snapshot"))["encounter"]
            if visit is not None:
                await api.call("encounter.close", encounter=visit)
        assert process.terminate() == 0
        assert not process.socket.exists()
    finally:
        process.popen.kill()


@pytest.mark.parametrize("point", POINTS)
async def test_nothing_is_lost_or_done_twice_at_any_named_point(home: Path, point: str) -> None:
    runner = str(Path(__file__).with_name("agent_crash_runner.py"))
    nurse = Nurse()
    before: set[tuple[Any, ...]] = set()
    process = Process(home, sys.executable, runner, str(home), point, "9")
    try:
        async with process.signed_in() as api:
            before = await everything(api)
            await nurse.ask_until_it_dies(api)
        assert process.popen.wait(30) == -signal.SIGKILL
        assert nurse.pending is not None
        process.kill()
        process = Process(home)
        async with process.signed_in() as api:
            assert nurse.acknowledged <= await everything(api)
            await nurse.ask_what_is_open(api)
            assert await everything(api) - before == nurse.acknowledged
            visit = (await api.call("snapshot"))["encounter"]
            await api.call("encounter.close", encounter=visit)
            assert (await api.call("store.verify"))["valid"] is True
    finally:
        process.kill()


async def test_a_killed_agent_is_locked_until_somebody_signs_in(home: Path) -> None:
    process = Process(home)
    try:
        async with process.signed_in() as api:
            status = await api.call("status")
            assert status["locked"] is False
        process.kill()
        process = Process(home)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(AgentUnreachable):
                    async with connect(process.socket) as api:
                        assert (await api.call("status"))["locked"] is True
                        with pytest.raises(CallRefused) as error:
                            await api.call("patient.list")
                        assert error.value.stable_code == "store-locked"
                        break
                await asyncio.sleep(0.02)
    finally:
        process.kill()

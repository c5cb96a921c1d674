"""Seat and recorder survive an agent that goes away, and miss nothing it says; at the real socket."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli.rehearsal.oracle import captured
from cli.rehearsal.recorder import Recorder, RecorderLog
from cli.rehearsal.seat import Seat
from edge.localapi.server import serve
from edge.ports.caller import Call, Caller

EPOCH = "00" * 8


class Agent:
    """Answers as the agent would, from a list of what is committed; two identities a page."""

    def __init__(self) -> None:
        self.committed = [("vitals", seq) for seq in (1, 2, 3, 4)] + [("alert", 1)]
        self.asked: list[tuple[str, str]] = []
        self.listeners: list[Caller] = []
        self.silent = False

    def handlers(self) -> dict[str, Any]:
        return {
            "sign-in": self.sign_in,
            "subscribe": self.subscribe,
            "encounter.open": self.open,
            "snapshot": self.snapshot,
        }

    async def sign_in(self, call: Call, user: str, pin: str) -> dict[str, Any]:
        assert (call.method, pin) == ("sign-in", "482913")
        return {"user": user, "name": "Amina", "role": "supervisor"}

    async def subscribe(self, call: Call, topics: list[str]) -> dict[str, Any]:
        assert list(topics) == ["saved"]
        self.listeners.append(call.caller)
        return {}

    async def open(self, call: Call, patient: uuid.UUID) -> dict[str, Any]:
        self.asked.append((call.method, call.request))
        if self.silent:
            await asyncio.Event().wait()
        return {"encounter": str(patient), "saved": []}

    async def snapshot(self, call: Call, after: dict[str, int]) -> dict[str, Any]:
        assert call.method == "snapshot"
        left = [(stream, seq) for stream, seq in self.committed if seq > after[stream]]
        saved = [["van-07", EPOCH, stream, seq] for stream, seq in left[:2]]
        return {"unit": "van-07", "epoch": EPOCH, "encounter": None, "saved": saved, "states": {},
                "more": len(left) > 2}  # fmt: skip

    @asynccontextmanager
    async def running(self, socket: Path) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(socket, self.handlers()))
            try:
                yield
            finally:
                task.cancel()


def seat(socket: Path) -> Seat:
    return Seat(socket, user="amina", pin="482913", topics=["saved"])


async def test_a_request_whose_answer_was_lost_is_asked_again_under_its_id(tmp_path: Path) -> None:
    agent, socket = Agent(), tmp_path / "agent.sock"
    patient = "0190a0a0-0000-7000-8000-000000000001"
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        async with agent.running(socket):
            place = await seat(socket).__aenter__()
            agent.silent = True
            asking = group.create_task(place.ask("encounter.open", patient=patient))
            while not agent.asked:
                await asyncio.sleep(0.01)
        agent.silent = False
        async with agent.running(socket):
            assert (await asking)["encounter"] == patient
            await place.__aexit__()
    assert len(agent.asked) == 2
    assert agent.asked[0] == agent.asked[1]


async def test_the_recorder_takes_every_page_then_listens_and_starts_over_after_a_kill(
    tmp_path: Path,
) -> None:
    agent, socket = Agent(), tmp_path / "agent.sock"
    file = tmp_path / "recorder.jsonl"
    log = RecorderLog(file)

    async def heard(count: int) -> None:
        while len(captured(file)) < count:
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        async with agent.running(socket):
            place = await seat(socket).__aenter__()
            listening = group.create_task(Recorder(place, log).listen())
            await heard(5)
            agent.listeners[-1].post("saved", {"saved": [["van-07", EPOCH, "vitals", 5]], "what": "x"})
            await heard(6)
        agent.committed.append(("alert", 2))  # committed, and told to nobody
        async with agent.running(socket):
            await heard(7)
            listening.cancel()
            await place.__aexit__()
    log.close()
    assert {json.loads(line)["in"] for line in file.read_text().splitlines()} == {"snapshot", "event"}

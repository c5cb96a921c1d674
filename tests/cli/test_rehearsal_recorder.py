"""Seat and recorder survive an agent that goes away, and miss nothing it says; at the real socket."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from cli.rehearsal.oracle import Centre, captured
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
        self.states: dict[str, dict[str, int]] = {}

    def handlers(self) -> dict[str, Any]:
        return {
            "sign-in": self.sign_in,
            "subscribe": self.subscribe,
            "encounter.open": self.open,
            "snapshot": self.snapshot,
        }

    async def sign_in(self, call: Call, user: str, pin: str, *, brief: bool) -> dict[str, Any]:
        assert (call.method, pin, brief) == ("sign-in", "482913", False)
        return {"user": user, "name": "Amina", "role": "supervisor"}

    async def subscribe(self, call: Call, topics: list[str]) -> dict[str, Any]:
        assert list(topics) == ["saved", "streams"]
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
        then = dict(after) | dict(left[:2])
        return {"unit": "van-07", "epoch": EPOCH, "encounter": None, "saved": saved, "states": self.states,
                "more": len(left) > 2, "next": then}  # fmt: skip

    @asynccontextmanager
    async def running(self, socket: Path) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(socket, self.handlers()))
            try:
                yield
            finally:
                task.cancel()


def seat(socket: Path) -> Seat:
    return Seat(socket, user="amina", pin="482913", topics=Recorder.TOPICS)


async def test_a_request_whose_answer_was_lost_is_asked_again_under_its_id(tmp_path: Path) -> None:
    agent, socket = Agent(), tmp_path / "agent.sock"
    patient = "0190a0a0-0000-7000-8000-000000000001"
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
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


def centre(folder: Path, *, opened: int, landed: list[tuple[int, int]]) -> Centre:
    database = folder / "central.db"
    database.unlink(missing_ok=True)
    connection = dbapi2.connect(database)
    connection.execute("CREATE TABLE entries (unit, epoch, stream, seq)")
    connection.execute("CREATE TABLE landing (unit, epoch, stream, first, last)")
    key = ("van-07", EPOCH, "vitals")
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", [(*key, n + 1) for n in range(opened)])
    connection.executemany("INSERT INTO landing VALUES (?, ?, ?, ?, ?)", [(*key, *span) for span in landed])
    connection.commit()
    connection.close()
    return Centre(database)


async def test_the_recorder_takes_every_page_then_listens_and_starts_over_after_a_kill(
    tmp_path: Path,
) -> None:
    agent, socket = Agent(), tmp_path / "agent.sock"
    file = tmp_path / "recorder.jsonl"
    log = RecorderLog(file)

    async def heard(count: int) -> None:
        while len(captured(file)) < count:
            await asyncio.sleep(0.01)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        async with agent.running(socket):
            place = await seat(socket).__aenter__()
            recorder = Recorder(place, log, centre(tmp_path, opened=0, landed=[]))
            listening = group.create_task(recorder.listen())
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


@pytest.mark.parametrize(
    ("landed", "opened", "too_early"),
    [
        ([(1, 3), (3, 5)], 4, []),
        ([(1, 2), (4, 5)], 4, ["vitals landed through 5"]),
        ([(2, 5)], 4, ["vitals landed through 5"]),
        ([(1, 5)], 3, ["vitals opened through 4"]),
        ([], 0, ["vitals landed through 5", "vitals opened through 4"]),
    ],
    ids=str,
)
async def test_a_claim_that_the_centre_does_not_bear_out_is_noted(
    tmp_path: Path, landed: list[tuple[int, int]], opened: int, too_early: list[str]
) -> None:
    agent, socket = Agent(), tmp_path / "agent.sock"
    agent.states = {"vitals": {"tip": 6, "sent": 6, "landed": 5, "opened": 4}}
    log = RecorderLog(tmp_path / "recorder.jsonl")
    async with asyncio.timeout(30), agent.running(socket), seat(socket) as place:
        recorder = Recorder(place, log, centre(tmp_path, opened=opened, landed=landed))
        await recorder.take_snapshot()
    log.close()
    assert recorder.claims == 2
    assert recorder.too_early == too_early

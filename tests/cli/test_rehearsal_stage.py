"""A fault counts only when it struck something at work; at a real link, with a real process behind it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from cli.rehearsal.processes import Keeper
from cli.rehearsal.script import Fault, write
from cli.rehearsal.stage import Breakages, Stage

ECHO = """
import asyncio
async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Way:
    """A link with an echo behind it, and a centre's table of landed batches."""

    def __init__(self, home: Path, keeper: Keeper) -> None:
        self._keeper = keeper
        self._database = home / "central" / "central.db"
        self._database.parent.mkdir()
        (home / "rehearsal").mkdir()
        self.story = home / "rehearsal" / "story.txt"
        self._execute("CREATE TABLE landing (first)")
        self.stage = Stage(home, write(3, 1), "embedded", keeper)
        self._port = self._connections = 0
        self._asking: asyncio.Task[None] | None = None
        self._note = home / "spool" / "in" / "link"
        self._note.parent.mkdir(parents=True)

    async def build(self) -> None:
        self._keeper.start("echo", [sys.executable, "-c", ECHO])
        echo = await self._first_line("echo")
        command = [sys.executable, "-m", "cli.rehearsal.link_cutter", "--to", echo]
        self._keeper.start("link", command)
        self._port = int((await self._first_line("link")).partition('"port": ')[2].rstrip("}"))
        self._keeper.start("collector", [sys.executable, "-c", "import time; time.sleep(60)"])

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """A unit on the link, which has had an answer and goes on asking."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def ask() -> None:
            with contextlib.suppress(ConnectionError):  # the link is cut
                while True:  # the first answers are a greeting, and prove nothing
                    writer.write(b"anybody there? " * 2)
                    await reader.read(100)
                    await asyncio.sleep(0.05)

        writer.write(b"it is me")
        await reader.read(100)
        self._connections += 1
        self._note.write_text(json.dumps({"connected": True, "connection": str(self._connections)}))
        try:
            async with asyncio.TaskGroup() as group:
                self._asking = group.create_task(ask())
                yield
                self._asking.cancel()
        finally:
            writer.transport.abort()
            await asyncio.sleep(0.2)  # the link hears of it

    def fall_silent(self) -> None:
        """The unit has no more to ask, and gets no more answers."""
        assert self._asking is not None
        self._asking.cancel()

    def land(self) -> None:
        """A batch arrives at the centre."""
        self._execute("INSERT INTO landing VALUES (1)")

    async def _first_line(self, name: str) -> str:
        log = self._keeper.log(name)
        await self._keeper.wait(lambda: log.read_text().endswith("\n"), name)
        return log.read_text().splitlines()[0]

    def _execute(self, statement: str) -> None:
        connection = dbapi2.connect(self._database)
        connection.execute(statement)
        connection.commit()
        connection.close()


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    monkeypatch.setattr("cli.rehearsal.stage.AT_WORK_WITHIN_S", 0.5)
    with Keeper(tmp_path / "log", lambda _: None) as keeper:
        yield Way(tmp_path, keeper)


@pytest.mark.parametrize("fault", [Fault.CUT_LINK, Fault.KILL_COLLECTOR])
async def test_a_fault_on_a_dead_link_is_not_counted(way: Way, fault: Fault) -> None:
    await way.build()
    async with way.connected():
        pass  # it was there, and has gone
    way.land()
    await way.stage.do(fault)
    assert way.stage.breakages == Breakages()
    assert "in vain" in way.story.read_text()


async def test_a_cut_while_nothing_arrives_is_not_counted(way: Way) -> None:
    await way.build()
    async with way.connected():
        await way.stage.do(Fault.CUT_LINK)
    assert way.stage.breakages == Breakages()


async def test_a_cut_waits_for_the_unit_and_is_counted_once_something_arrived(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.rehearsal.stage.AT_WORK_WITHIN_S", 10)
    await way.build()
    async with asyncio.TaskGroup() as group:
        cutting = group.create_task(way.stage.do(Fault.CUT_LINK))
        await asyncio.sleep(0.2)
        assert not cutting.done()
        async with way.connected():
            way.land()
            await cutting
    assert way.stage.breakages == Breakages(link_cuts=1)


async def test_what_arrived_before_the_last_fault_does_not_count_for_the_next(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    await way.build()
    begin_again = way.stage._begin_again_from_acknowledgements

    async def in_silence() -> None:
        way.fall_silent()
        await asyncio.sleep(0.2)  # what is on its way back comes
        await begin_again()

    monkeypatch.setattr(way.stage, "_begin_again_from_acknowledgements", in_silence)
    async with way.connected():
        way.land()
        await way.stage.do(Fault.KILL_COLLECTOR)
        await way.stage.do(Fault.CUT_LINK)
    assert way.stage.breakages == Breakages(collector_kills=1)


def test_a_script_of_any_length_plans_each_fault() -> None:
    for patients in (1, 2, 12):
        planned = Breakages.planned(write(7, patients))
        assert planned == Breakages(link_cuts=2, agent_kills=1, broker_kills=1, collector_kills=1)


@pytest.mark.parametrize("patients", range(1, 60))
def test_between_two_faults_that_need_work_something_is_saved(patients: int) -> None:
    visits = write(7, patients).visits
    at = [
        (number, pause)
        for number, visit in enumerate(visits)
        for pause, fault in visit.faults
        if fault in {Fault.CUT_LINK, Fault.KILL_BROKER, Fault.KILL_COLLECTOR}
    ]
    assert len(set(at)) == len(at) == 4

"""From an urgent question in the van to *read* at the centre, and back in time, over a real broker.

What people type goes through the shipped commands; the unit is also written to while nobody is signed in.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import central, inbox, requests
from cli.rehearsal import broker
from cli.rehearsal.processes import Keeper, qafila
from edge.config import Places
from edge.localapi.client import connect
from tests.edge.agent.agent_world import Nurse
from tests.edge.agent.test_agent_attachments import attach
from tests.edge.attachments.attachment_files import photo
from tests.system import test_store_courier
from tests.system.test_link_reseal import PIN, enrolled_unit, rows, until
from torture.unit import Agent

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]


class World:
    """A unit, its centre, and whoever sits at them."""

    def __init__(self, home: Path) -> None:
        self.home, self.places = home, Places.at(home)

    async def at_the_centre(self, *words: str, status: int = 0) -> Any:  # noqa: ANN401  as wide as JSON
        return await asyncio.to_thread(self._run, central.app, words, "", status)

    async def in_the_van(self, app: typer.Typer, *words: str, stdin: str = "") -> Any:  # noqa: ANN401  JSON
        signed = (*words, "--user", "fatima", "--pin-stdin")
        return await asyncio.to_thread(self._run, app, signed, f"{PIN}\n{stdin}", 0)

    def _run(self, app: typer.Typer, words: tuple[str, ...], stdin: str, status: int) -> Any:  # noqa: ANN401  JSON
        done = CliRunner().invoke(app, [*words, "--home", str(self.home), "--json"], input=stdin)
        assert done.exit_code == status, (words, done.output, done.exception)
        return json.loads(done.stdout) if status == 0 else done.exception

    async def patient(self) -> tuple[str, str]:
        """Somebody who has agreed, and their closed visit with one value."""
        async with connect(self.places.socket) as api:
            await api.call("sign-in", user="fatima", pin=PIN)
            agreed = [{"scope": "tele-expertise", "decision": "given"}]
            named: dict[str, Any] = {"family": "Benali", "given": "Zoé", "sex": "female"}
            patient = (await api.call("patient.register", **named, consents=agreed))["patient"]
            visit = (await api.call("encounter.open", patient=patient))["encounter"]
            await api.call("observe", encounter=visit, values=[{"code": "spo2", "value": "96"}])
            await api.call("encounter.close", encounter=visit)
        return str(patient), str(visit)

    async def asked(self, wanted: str, state: str) -> dict[str, Any]:
        """A request at the centre, once something said about it has got so far."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            if not rows(self.places, f"SELECT 1 FROM requests WHERE request = '{wanted.replace('-', '')}'"):  # noqa: S608  ours
                return False
            found.append(await self.at_the_centre("requests", wanted))
            return state in {found[-1]["state"], *(each["state"] for each in found[-1]["said"])}

        for _ in range(1200):
            if await there():
                return found[-1]
            await asyncio.sleep(0.05)
        raise AssertionError((state, found[-1:]))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(tmp_path / "log", lambda _pid: None) as kept:
        yield kept


@pytest.fixture
async def world(tmp_path: Path, keeper: Keeper) -> World:
    if shutil.which("mosquitto") is None:
        pytest.skip("needs Mosquitto")
    port = broker.free_port()
    keeper.start("broker", broker.command(broker.choose("mosquitto"), port, tmp_path))
    await until(lambda: broker.listening(port), "the broker")
    await enrolled_unit(keeper, tmp_path, port)
    for words in (("central", "collect"), ("central", "explode"), ("uplink", "--backoff-max", "0.5")):
        keeper.start(words[-1] if words[0] == "central" else words[0], qafila(tmp_path, *words))
    keeper.start("agent", qafila(tmp_path, "agent"))
    made = World(tmp_path)
    await until(made.places.socket.exists, "the agent")
    return made


async def test_an_urgent_question_is_answered_and_the_answer_is_read(world: World, tmp_path: Path) -> None:
    patient, visit = await world.patient()
    words = ("ask", patient, "--visit", visit, "--specialty", "cardiology", "--urgency", "urgent")
    request = (await world.in_the_van(
        requests.app, *words, "--question-file", "-", stdin="Douleur ?\nDepuis hier."
    ))["request"]  # fmt: skip
    asked = await world.asked(request, "asked")
    assert (asked["urgency"], asked["question"]) == ("urgent", "Douleur ?\nDepuis hier.")
    assert [value[:2] for value in asked["values"]] == [["spo2", "96"]]

    async with connect(world.places.socket) as api:  # a command leaves the store open for a moment
        await api.call("sign-in", user="fatima", pin=PIN)
        await api.call("lock")
    answer = tmp_path / "answer.txt"
    answer.write_text("Aspirine 250 mg.\nTransférer à Béni Mellal.\n")
    sent = ("reply", request, "--text", str(answer), "--from", "Dr Leila Amrani, cardiologie")
    said = await world.at_the_centre(*sent)
    assert said["state"] == "sent"
    # Nobody is signed in: it waits, sealed, until somebody is.
    await until(lambda: any(world.places.spool_in.glob("down-*")), "the reply in the spool")

    async def unread() -> list[dict[str, Any]]:
        listed = await world.in_the_van(inbox.app, "list")
        return [each for each in listed["messages"] if each["read_ms"] is None]

    came: list[dict[str, Any]] = []
    for _ in range(100):
        came = await unread()
        if came:
            break
    [message] = came
    assert "text" not in message
    await world.asked(request, "on-unit")
    whole = await world.in_the_van(inbox.app, "read", message["message"])
    assert whole["text"] == answer.read_text()
    read = await world.asked(request, "read")
    assert (read["state"], read["said"][0]["read_by"]) == ("answered", "fatima")
    await world.in_the_van(requests.app, "close", request)
    assert (await world.asked(request, "closed"))["said"][0]["state"] == "read"
    assert await world.at_the_centre("requests", "--waiting") == []
    # What the unit has is taken back from the broker, and nothing of it lies there for anybody.
    state = "SELECT DISTINCT state FROM outbox_sealed"
    await until(lambda: rows(world.places, state) == [("done",)], "the broker to be cleared")


async def test_a_message_that_was_on_its_way_reaches_a_store_that_went_back_in_time(
    world: World, keeper: Keeper, tmp_path: Path
) -> None:
    """It came and was lost with the newer store; the centre seals it again, and it is there once."""
    await world.patient()
    chains = "SELECT 1 FROM chains WHERE stream = 'vitals' AND through > 4"
    await until(lambda: rows(world.places, chains), "what the unit has sent")
    async with connect(world.places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        await api.call("lock")
    old = tmp_path / "old.db"
    keeper.kill("agent")
    world.places.socket.unlink(missing_ok=True)
    shutil.copy(world.places.database, old)
    log = world.places.database.with_name(world.places.database.name + "-wal")
    old_log = log.read_bytes() if log.exists() else b""
    keeper.start("agent", qafila(tmp_path, "agent"))
    await until(world.places.socket.exists, "the agent")

    text = tmp_path / "text.txt"
    text.write_text("Rentrez avant la neige.")
    await world.at_the_centre("message", "van-07", "--text", str(text), "--from", "Coordination")
    await until(lambda: any(world.places.spool_in.glob("down-*")), "the message in the spool")
    assert (await came(world))[0]["sender"] == "Coordination"
    news = "SELECT count(*) FROM down_news WHERE event = 'received'"
    await until(lambda: rows(world.places, news) == [(1,)], "that the centre knows")

    keeper.kill("agent")
    world.places.socket.unlink(missing_ok=True)
    shutil.copy(old, world.places.database)
    log.unlink(missing_ok=True)
    if old_log:
        log.write_bytes(old_log)
    keeper.start("agent", qafila(tmp_path, "agent"))
    await until(world.places.socket.exists, "the agent")
    messages = await came(world)
    assert [each["sender"] for each in messages] == ["Coordination"]
    await until(lambda: rows(world.places, news) == [(2,)], "both histories at the centre")
    assert rows(world.places, "SELECT count(*) FROM lineage") == [(1,)]
    assert rows(world.places, "SELECT count(*) FROM outbox_sealed") == [(2,)]


async def came(world: World) -> list[dict[str, Any]]:
    """What lies in the inbox, once something does."""
    async with connect(world.places.socket) as api:
        await api.call("sign-in", user="fatima", pin=PIN)
        for _ in range(1200):
            found = (await api.call("inbox.list"))["messages"]
            if found:
                return list(found)
            await asyncio.sleep(0.05)
    raise AssertionError("nothing came in a minute")


async def test_by_stick_alone_a_question_is_answered_and_the_answer_is_read(tmp_path: Path) -> None:
    """No link at all: question and photo, answer and that it was read are carried."""
    by_stick = test_store_courier.World(tmp_path)
    agent = Agent(by_stick.van)
    answer = tmp_path / "answer.txt"
    answer.write_text("Repos.")

    def carried() -> None:
        by_stick.out()
        by_stick.at_the_centre("import", str(by_stick.stick))
        by_stick.at_the_centre("explode", "--once")

    try:
        async with agent.signed_in() as api:
            agreed = [{"scope": "tele-expertise", "decision": "given"}]
            named: dict[str, Any] = {"family": "Benali", "given": "Zahra", "sex": "female"}
            patient = (await api.call("patient.register", **named, consents=agreed))["patient"]
            asked: dict[str, Any] = {"patient": patient, "specialty": "dermatology", "question": "?"}
            request = str((await api.call("request.ask", **asked))["request"])
            await attach(Nurse(api), request, photo((400, 300)))
            await asyncio.to_thread(carried)
            [file] = by_stick.at_the_centre("requests", request)["attachments"]
            out = tmp_path / "photo.jpg"
            by_stick.at_the_centre("attachment", file["attachment"], "--out", str(out))
            assert hashlib.sha256(out.read_bytes()).hexdigest() == file["hash"]
            sent = ("reply", request, "--text", str(answer), "--from", "Dr Leila")
            assert by_stick.at_the_centre(*sent)["state"] == "sent"
            by_stick.at_the_centre("export-receipts", str(by_stick.stick))
            by_stick.back_in()
            async with asyncio.timeout(60):
                while not (inbox_ := await api.call("inbox.list"))["messages"]:
                    await asyncio.sleep(0.05)
            whole = await api.call("inbox.read", message=inbox_["messages"][0]["message"])
            assert whole["text"] == "Repos."
            await asyncio.to_thread(carried)
        assert by_stick.at_the_centre("requests", request)["said"][0]["state"] == "read"
    finally:
        agent.kill()

"""The local API over real Unix sockets."""

import asyncio
import gc
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge.localapi import connection
from edge.localapi.client import AgentUnreachable, Api, connect, new_request_id
from edge.localapi.server import SocketTaken, _Server, bind, serve
from edge.localapi.unix import short_path
from edge.ports.caller import Answer, Call, Caller, CallRefused, Handler

NOTHING: Answer = {}


class Desk:
    """Handlers that remember who called and with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.callers: list[Caller] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def handlers(self) -> dict[str, Handler]:
        return {
            "status": self.status,
            "sign-in": self.sign_in,
            "subscribe": self.subscribe,
            "observe": self.observe,
            "device.measure": self.measure,
            "device.stop": self.stop,
        }

    async def measure(self, call: Call, *, device: str, mode: str) -> Answer:
        await self.gate.wait()
        self.calls.append((call.method, {"device": device, "mode": mode}))
        return NOTHING

    async def stop(self, call: Call, *, device: str) -> Answer:
        self.calls.append((call.method, {"device": device}))
        self.gate.set()
        return NOTHING

    async def status(self, call: Call) -> Answer:
        await self.gate.wait()
        self.calls.append((call.request, {}))
        return {"unit": "van-07"}

    async def sign_in(self, call: Call, *, user: str, pin: str, brief: bool) -> Answer:
        assert not brief
        self.calls.append((call.request, {"user": user, "pin": pin}))
        raise CallRefused("The PIN is wrong.", next_step="Try again.", code="wrong-pin", about=("pin",))

    async def subscribe(self, call: Call, *, topics: tuple[str, ...]) -> Answer:
        self.callers.append(call.caller)
        del topics
        return NOTHING

    async def observe(self, call: Call, **fields: object) -> Answer:
        self.calls.append((call.request, fields))
        raise ZeroDivisionError


@asynccontextmanager
async def serving(path: Path, desk: Desk, *, refused_uids: Collection[int] = ()) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(path, desk.handlers(), refused_uids=refused_uids))
        await until(lambda: path.exists() and listens(path))
        yield
        task.cancel()


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, short_path(path) as address:
        return probe.connect_ex(address) == 0


@pytest.fixture
def sock(tmp_path: Path) -> Path:
    return tmp_path / "run" / "agent.sock"


async def raw_lines(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Write bytes as they are and no more, and what comes until the server closes."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = []
    with suppress(ConnectionError):
        while line := await reader.readline():
            answers.append(json.loads(line))
    writer.close()
    return answers


def request(do: str, **fields: object) -> bytes:
    return json.dumps({"v": 1, "id": new_request_id(), "do": do, "with": fields}).encode() + b"\n"


async def test_a_request_is_answered_under_its_id(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk), connect(sock) as api:
        request_id = new_request_id()
        assert await api.call("status", request_id=request_id) == {"unit": "van-07"}
    assert desk.calls == [(request_id, {})]


async def test_two_spellings_of_one_id_are_one_request(sock: Path) -> None:
    desk = Desk()
    request_id = new_request_id()
    async with serving(sock, desk):
        line = json.dumps({"v": 1, "id": request_id.replace("-", "").upper(), "do": "status"}).encode()
        [answer] = await raw_lines(sock, line + b"\n")
    assert desk.calls == [(request_id, {})]
    assert answer["re"] == request_id.replace("-", "").upper()


async def test_a_refusal_carries_code_sentence_next_step_and_what_it_is_about(sock: Path) -> None:
    async with serving(sock, Desk()), connect(sock) as api:
        with pytest.raises(CallRefused) as refused:
            await api.call("sign-in", user="amina", pin="482913")
    error = refused.value
    assert (error.stable_code, error.sentence, error.next_step, error.about) == (
        "wrong-pin",
        "The PIN is wrong.",
        "Try again.",
        ("pin",),
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"hello\n", "not-understood"),
        (b"[1,2]\n", "not-understood"),
        (b'{"v":1,"id":"x","do":"status","with":{"a":NaN}}\n', "not-understood"),
        (b"\xff\xfe\n", "not-understood"),
        (b"[" * 60_000 + b"\n", "not-understood"),
        (b'{"v":1,"x":"' + b"a" * 70_000 + b'"}\n', "line-too-long"),
    ],
)
async def test_what_is_no_line_of_ours_ends_the_connection_with_a_code(
    sock: Path, line: bytes, code: str
) -> None:
    async with serving(sock, Desk()):
        answers = await raw_lines(sock, line)
    assert [a["data"]["code"] for a in answers] == [code]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"v": 2, "id": new_request_id(), "do": "status"}, "version-unknown"),
        ({"v": 1, "id": "4b3e0c50-9a4b-4ad2-8d21-3f0f6f0f7f10", "do": "status"}, "request-refused"),
        ({"v": 1, "id": new_request_id(), "do": "format-disk"}, "method-unknown"),
        ({"v": 1, "id": new_request_id(), "do": "status", "with": {"x": 1}}, "field-refused"),
        ({"v": 1, "id": new_request_id(), "do": "sign-in", "with": {"user": "amina"}}, "field-refused"),
        ({"v": 1, "id": new_request_id(), "do": "status", "extra": 1}, "request-refused"),
    ],
)
async def test_a_request_out_of_form_is_refused_and_the_connection_goes_on(
    sock: Path, message: dict[str, Any], code: str
) -> None:
    async with serving(sock, Desk()):
        answers = await raw_lines(sock, json.dumps(message).encode() + b"\n", request("status"))
    assert answers[0]["error"]["code"] == code
    assert answers[1]["ok"] == {"unit": "van-07"}


@pytest.mark.parametrize(
    ("do", "fields", "sentence"),
    [
        ("site.arrive", {"name": "Imil\u0007chil"}, "The name holds a character that cannot be seen"),
        ("site.arrive", {"name": " "}, "The name is empty."),
        ("site.arrive", {"name": "x" * 121}, "The name is longer than 120 characters."),
        ("site.arrive", {"site": "Imilchil"}, "The site is no id."),
        ("patient.find", {"text": ""}, "The text is empty."),
        ("sign-in", {"user": "amina", "pin": ""}, "The pin is too short: 1 at least."),
        ("sign-in", {"user": "amina", "pin": "x" * 200}, "The pin is too long: 128 at most."),
        ("device.measure", {"device": "cuff", "mode": "horse"}, "The mode is not one of 'adult', 'child'"),
    ],
)
async def test_what_a_person_mistyped_is_said_in_a_sentence(
    sock: Path, do: str, fields: dict[str, object], sentence: str
) -> None:
    async with serving(sock, Desk()):
        [answer] = await raw_lines(sock, request(do, **fields))
    assert answer["error"]["code"] == "field-refused"
    assert answer["error"]["sentence"].startswith(sentence)
    assert answer["error"]["next"]


async def test_what_cannot_be_sent_is_refused_before_it_leaves_and_the_connection_goes_on(
    sock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(sock, Desk()), connect(sock) as api:
        for user, code in (("a" * 70_000, "line-too-long"), ("amina\udcff", "not-text")):
            with pytest.raises(CallRefused) as refused:
                await api.call("sign-in", user=user, pin="1")
            assert refused.value.stable_code == code
        assert await api.call("status") == {"unit": "van-07"}
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_refusal_never_repeats_what_stood_in_the_field(sock: Path) -> None:
    async with serving(sock, Desk()):
        [answer] = await raw_lines(sock, request("sign-in", user="AMINA BENALI", pin="x" * 200))
    assert "AMINA" not in json.dumps(answer)
    assert "xxx" not in json.dumps(answer)


async def test_a_lone_surrogate_is_refused_before_it_reaches_anything(sock: Path) -> None:
    line = (
        b'{"v":1,"id":"%s","do":"sign-in","with":{"user":"amina","pin":"\\ud800"}}\n'
        % new_request_id().encode()
    )
    async with serving(sock, Desk()):
        [answer] = await raw_lines(sock, line)
    assert answer["data"]["code"] == "not-understood"


async def test_requests_cut_anywhere_and_sent_together_are_answered_in_order(sock: Path) -> None:
    desk = Desk()
    lines = [request("status") for _ in range(20)]
    async with serving(sock, desk):
        reader, writer = await asyncio.open_unix_connection(str(sock))
        for byte in b"".join(lines):
            writer.write(bytes([byte]))
        answers = [json.loads(await reader.readline())["re"] for _ in lines]
        writer.close()
    assert answers == [json.loads(line)["id"] for line in lines]


async def test_a_user_that_is_refused_hears_so_and_is_cut_off(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk, refused_uids={os.getuid()}):
        answers = await raw_lines(sock, request("status"))
    assert [a["data"]["code"] for a in answers] == ["peer-refused"]
    assert desk.calls == []


async def test_the_socket_is_closed_to_others(sock: Path) -> None:
    async with serving(sock, Desk()):
        assert stat.S_IMODE(sock.stat().st_mode) == 0o660
    assert not sock.exists()


async def test_a_path_longer_than_an_address_works_at_both_ends(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 20) / ("deeper" * 15) / "agent.sock"
    assert len(str(path)) > 108
    async with serving(path, Desk()), connect(path) as api:
        assert await api.call("status") == {"unit": "van-07"}


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not(sock: Path) -> None:
    bind(sock).close()
    assert sock.exists()
    async with serving(sock, Desk()):
        with pytest.raises(SocketTaken):
            bind(sock)
    sock.write_text("a file")
    with pytest.raises(SocketTaken):
        bind(sock)


async def test_nobody_listening_is_said_with_the_next_step(sock: Path) -> None:
    with pytest.raises(AgentUnreachable) as error:
        async with connect(sock):
            pass
    assert "qafila agent" in error.value.next_step


async def test_a_bug_in_a_handler_ends_the_server(sock: Path) -> None:
    observe = {"encounter": new_request_id(), "values": [{"code": "spo2", "value": "97"}]}
    with pytest.raises(ExceptionGroup) as bug:
        async with serving(sock, Desk()):
            await raw_lines(sock, request("observe", **observe))
    assert bug.group_contains(ZeroDivisionError)


async def subscribed(api: Api, desk: Desk) -> Caller:
    await api.call("subscribe", topics=["readings", "waves"])
    return desk.callers[-1]


async def test_events_arrive_in_order(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk), connect(sock) as api:
        caller = await subscribed(api, desk)
        for number in range(5):
            caller.post("heartbeat", {"wall_ms": number})
        events = api.events()
        assert [(await anext(events))[1]["wall_ms"] for _ in range(5)] == [0, 1, 2, 3, 4]


async def until(true: Callable[[], bool], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


async def stuck_client(sock: Path, desk: Desk) -> tuple[socket.socket, Caller]:
    """A subscribed client that has stopped reading, with the kernel's buffer already full."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(str(sock))
    client.sendall(request("subscribe", topics=["waves"]))
    await until(lambda: bool(desk.callers))
    caller = desk.callers[-1]
    for number in range(200):
        caller.post("heartbeat", {"wall_ms": number, "padding": "x" * 4000})
        await asyncio.sleep(0)
    return client, caller


def read_all(client: socket.socket) -> list[dict[str, Any]]:
    client.settimeout(30)
    raw = b""
    while chunk := client.recv(65536):
        raw += chunk
    return [json.loads(line) for line in raw.splitlines()]


async def test_waves_for_a_client_that_lags_are_joined_and_bounded(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk):
        client, caller = await stuck_client(sock, desk)
        for number in range(5_000):
            caller.post(
                "wave",
                {"device": "oximeter-1", "code": "pleth", "lead": None, "rate": "60", "samples": [number]},
            )
        assert not caller.closed
        client.settimeout(0)
        raw = b""
        async with asyncio.timeout(30):
            while b"wave" not in raw or not raw.endswith(b"\n"):
                with suppress(BlockingIOError):
                    raw += client.recv(65536)
                await asyncio.sleep(0.001)
        client.close()
    [joined] = [m for m in map(json.loads, raw.splitlines()) if m.get("event") == "wave"]
    expected = list(range(5_000 - connection.MAX_WAITING_SAMPLES, 5_000))
    assert joined["data"]["samples"] == expected


async def test_a_client_that_never_reads_is_cut_off_and_told_why(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk):
        client, caller = await stuck_client(sock, desk)
        for number in range(connection.MAX_PENDING + 1):
            caller.post("heartbeat", {"wall_ms": number})
        assert caller.closed
        messages = await asyncio.to_thread(read_all, client)
        client.close()
        async with connect(sock) as other:
            assert await other.call("status") == {"unit": "van-07"}
    assert messages[-1]["event"] == "error"
    assert messages[-1]["data"]["code"] == "slow-client"


async def test_a_client_that_goes_away_mid_request_harms_nobody(sock: Path) -> None:
    desk = Desk()
    async with serving(sock, desk):
        desk.gate.clear()
        _, writer = await asyncio.open_unix_connection(str(sock))
        writer.write(request("status"))
        writer.transport.abort()
        await asyncio.sleep(0.05)
        desk.gate.set()
        async with connect(sock) as api:
            assert await api.call("status") == {"unit": "van-07"}


async def test_a_client_whose_agent_dies_hears_it(sock: Path) -> None:
    desk = Desk()
    desk.gate.clear()

    async def ask(connected: asyncio.Event) -> None:
        async with connect(sock) as api:
            connected.set()
            with pytest.raises(AgentUnreachable):
                await api.call("status")

    async with asyncio.TaskGroup() as group, serving(sock, desk):
        connected = asyncio.Event()
        group.create_task(ask(connected))
        await connected.wait()
        await asyncio.sleep(0.05)


async def accepted(group: asyncio.TaskGroup) -> tuple[asyncio.StreamWriter, socket.socket]:
    """A client that the server accepts into a group of tasks, and its other end."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=near)
    _Server({}, frozenset(), group).accept(reader, writer)
    return writer, far


async def test_a_client_that_comes_when_the_server_has_ended_is_closed() -> None:
    async with asyncio.TaskGroup() as group:
        pass
    writer, far = await accepted(group)
    assert writer.transport.is_closing()
    far.close()


async def test_a_client_that_was_never_served_is_closed() -> None:
    far = None
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            writer, far = await accepted(group)
            raise asyncio.CancelledError  # before its task has begun
    await asyncio.sleep(0)
    assert writer.transport.is_closing()
    if far is not None:
        far.close()


async def test_a_cuff_is_stopped_though_it_has_not_said_yet_that_it_began(sock: Path) -> None:
    desk = Desk()
    desk.gate.clear()
    async with serving(sock, desk), connect(sock) as api, asyncio.timeout(30), asyncio.TaskGroup() as group:
        for mode in ("child", "adult"):
            group.create_task(api.call("device.measure", device="cuff-1", mode=mode))
        await asyncio.sleep(0)
        await api.call("device.stop", device="cuff-1")
    assert [method for method, _ in desk.calls] == ["device.stop", "device.measure", "device.measure"]

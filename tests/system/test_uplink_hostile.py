"""A broker that refuses, misbehaves or means harm: the uplink says so once, stays small and tries again."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from sync.wire import topics
from tests.sync.uplink_rig import UNIT, Box, CentreKeys
from tests.system.uplink_process import Uplink, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind << 4 | flags]) + length + body


def read_packet(stream: BinaryIO) -> tuple[int, bytes]:
    def read(size: int) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    kind = read(1)[0] >> 4
    length = shift = 0
    while (digit := read(1)[0]) & 128:
        length |= (digit & 127) << shift
        shift += 7
    return kind, read(length | digit << shift)


def publish(topic: str, payload: bytes, *, qos: int = 0, mid: int = 1) -> bytes:
    number = struct.pack(">H", mid) if qos else b""
    name = topic.encode()
    return packet(PUBLISH, struct.pack(">H", len(name)) + name + number + b"\x00" + payload, qos << 1)


ACCEPT = packet(CONNACK, b"\x00\x00\x00")


class Scripted:
    """A broker of MQTT 5 on a real socket that does what a test tells it.

    Args:
        connack: what it answers to CONNECT.
        puback: the reason code for every PUBLISH of QoS 1, or None for no answer.
        then: what it sends once it has granted the subscriptions.

    Attributes:
        protocols: the protocol level of each CONNECT.
        publishes: topics of what it was sent.
        pings: how many PINGREQ came.
    """

    def __init__(
        self, connack: bytes, puback: int | None = 0, then: Callable[[], Iterator[bytes]] | None = None
    ) -> None:
        self.protocols: list[int] = []
        self.publishes: list[str] = []
        self.pings = 0
        self._connack, self._puback, self._then = connack, puback, then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with near, contextlib.suppress(OSError, EOFError):
                    near.settimeout(20)
                    self._answer(near)

    def _answer(self, near: socket.socket) -> None:
        stream = near.makefile("rb")
        while True:
            kind, body = read_packet(stream)
            match kind:
                case 1:
                    self.protocols.append(body[6])
                    near.sendall(self._connack)
                case 8:
                    near.sendall(packet(SUBACK, body[:2] + b"\x00\x01\x01\x01"))
                    for message in self._then() if self._then else ():
                        near.sendall(message)
                case 12:
                    self.pings += 1
                    near.sendall(packet(PINGRESP, b""))
                case 3:
                    size = struct.unpack(">H", body[:2])[0]
                    self.publishes.append(body[2 : 2 + size].decode())
                    if self._puback is not None:
                        near.sendall(packet(PUBACK, body[2 + size : 4 + size] + bytes([self._puback, 0])))


@pytest.fixture
def uplink(tmp_path: Path) -> Iterator[Uplink]:
    made = Uplink(tmp_path, CentreKeys(), [])
    yield made
    made.kill()


@contextlib.contextmanager
def scripted(uplink: Uplink, *arguments: object) -> Iterator[Scripted]:
    broker = Scripted(*arguments)  # type: ignore[arg-type]  # handed through
    uplink.settings["brokers"] = [{"host": "127.0.0.1", "port": broker.port, "tls": False}]
    uplink.start()
    try:
        yield broker
    finally:
        uplink.kill()
        broker.close()


def peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_a_broker_that_refuses_is_told_once_and_not_asked_in_an_older_tongue(uplink: Uplink) -> None:
    with scripted(uplink, packet(CONNACK, b"\x00\x87\x00")) as broker:  # 0x87: not authorized
        until(lambda: len(broker.protocols) >= 4)
        assert set(broker.protocols) == {5}
        assert len(uplink.lines("broker-refused")) == 1
        assert "reason=Not authorized" in uplink.lines("broker-refused")[0]
        assert uplink.link()["code"] == "broker-refused"


@pytest.mark.parametrize(
    "answer", [packet(CONNACK, b"\x00\x84\x00"), packet(CONNACK, b"\x00\x01"), b"HTTP/1.1 400 Bad"]
)
def test_a_broker_that_does_not_know_mqtt_5_is_asked_in_3_1_1(uplink: Uplink, answer: bytes) -> None:
    with scripted(uplink, answer) as broker:
        until(lambda: len(broker.protocols) >= 2)
        assert broker.protocols[:2] == [5, 4]


def test_garbage_is_no_broker(uplink: Uplink) -> None:
    with scripted(uplink, b"\x00\xff" * 100) as broker:
        until(lambda: len(broker.protocols) >= 4)
        assert uplink.process.poll() is None
        assert len(uplink.lines("code=broker-")) == 1


def test_a_packet_larger_than_any_we_asked_for_is_not_read(uplink: Uplink) -> None:
    def giant() -> Iterator[bytes]:
        yield b"\x30\xff\xff\xff\x7f"  # 256 MiB announced
        for _ in range(64):
            yield bytes(1 << 20)

    with scripted(uplink, ACCEPT, 0, giant) as broker:
        until(lambda: len(broker.protocols) >= 3)
        assert peak_kib(uplink.pid) < 60 * 1024


def test_a_flood_leaves_no_trace(uplink: Uplink) -> None:
    def flood() -> Iterator[bytes]:
        for number in range(2000):
            yield publish(topics.receipt(UNIT, "landed"), b"\x01" + bytes(number % 900))
            yield publish("elsewhere/" + "x" * 50, bytes(1000))
        yield publish(topics.receipt(UNIT, "landed"), b"end")

    with scripted(uplink, ACCEPT, 0, flood):
        until(lambda: uplink.link().get("connected"))
        until(lambda: uplink.lines("code=topic"))
        assert peak_kib(uplink.pid) < 60 * 1024
        assert uplink.receipts() == []
        assert len(uplink.lines("message refused")) <= 4


def test_messages_nobody_asked_for_are_not_hoarded(uplink: Uplink) -> None:
    def qos_2() -> Iterator[bytes]:
        for number in range(1, 400):
            yield publish(topics.down(UNIT), bytes(200_000), qos=2, mid=number)

    with scripted(uplink, ACCEPT, 0, qos_2) as broker:
        until(lambda: len(broker.protocols) >= 2)
        assert peak_kib(uplink.pid) < 60 * 1024


def test_a_broker_that_refuses_messages_is_told_once(uplink: Uplink) -> None:
    box = Box(CentreKeys(), uplink.spool_out)
    box.save()
    with scripted(uplink, ACCEPT, 0x87) as broker:
        until(lambda: len(broker.protocols) >= 3)
        assert len(uplink.lines("broker-refused-message")) == 1


def test_the_brokers_limits_are_kept(uplink: Uplink) -> None:
    """Receive Maximum 2, Maximum Packet Size 1,500: two unacknowledged at most, and none larger."""
    box = Box(CentreKeys(), uplink.spool_out)
    box.begin_session()
    for size in (10, 5000, 10, 10, 10):
        box.save(size=size)
    limits = b"\x21\x00\x02" + b"\x27" + struct.pack(">I", 1500)
    connack = packet(CONNACK, b"\x00\x00" + bytes([len(limits)]) + limits)
    with scripted(uplink, connack, None) as broker:
        until(lambda: len(broker.publishes) >= 2)
        until(lambda: len(broker.publishes) >= 3)
        assert uplink.lines("receipt-overdue")
        assert broker.publishes[:2] == [topics.state(UNIT), topics.up(UNIT, "key")]
        assert broker.publishes[2] == topics.state(UNIT)  # the next connection: nothing came between
    with scripted(uplink, connack, 0) as broker:
        until(lambda: uplink.lines("broker-packet-too-large"))
        assert uplink.process.poll() is None


def test_the_servers_keep_alive_is_kept(uplink: Uplink) -> None:
    with scripted(uplink, packet(CONNACK, b"\x00\x00\x03\x13\x00\x01")) as broker:
        until(lambda: broker.pings >= 2, 5)


def test_another_uplink_of_the_same_name_is_noticed(uplink: Uplink) -> None:
    def taken_over() -> Iterator[bytes]:
        yield packet(DISCONNECT, b"\x8e\x00")

    with scripted(uplink, ACCEPT, 0, taken_over):
        until(lambda: uplink.lines("code=broker-taken-over"))


def test_a_link_that_flaps_is_told_once_each_way(uplink: Uplink) -> None:
    def hang_up() -> Iterator[bytes]:
        yield from ()
        raise EOFError

    with scripted(uplink, ACCEPT, 0, hang_up) as broker:
        until(lambda: len(broker.protocols) >= 8)
        assert len(uplink.lines("code=broker-closed")) == 1
        assert len(uplink.lines("link up")) <= 2

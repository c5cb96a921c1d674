"""Two centres on one broker, and a stranger under a centre's own name."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.records.fields import Stream
from sync.central import broker as central_broker
from sync.central.broker import Link, client_id
from sync.central.home import read_file
from sync.central.sentences import BROKER
from sync.wire import keys, topics
from tests.sync.central_world import make_centre
from tests.system.brokers import Mosquitto
from tests.system.test_centre_processes import Process, Van, subscribed, until

pytestmark = pytest.mark.system
SHARED_S = 3.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def test_two_centres_share_a_broker_and_both_work(tmp_path: Path, broker: Mosquitto) -> None:
    centres = [make_centre(tmp_path / name) for name in ("north", "south")]
    units = [centre.unit(name) for centre, name in zip(centres, ("van-07", "van-08"), strict=True)]
    homes = [centre.home.directory.parent for centre in centres]
    processes = [Process(word, home, broker.port) for home in homes for word in ("collect", "explode")]
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.callback(process.kill)
            process.start()
        for collector in processes[::2]:
            subscribed(collector)
        vans = [
            Van(unit, centre, broker.port, speaks_5=True) for unit, centre in zip(units, centres, strict=True)
        ]
        for van in vans:
            stack.callback(van.disconnect)
            van.unit.visit()
            van.send(van.unit.key_message(), van.unit.batch(Stream.VITALS, 1, 10))
        for van in vans:
            until(lambda van=van: van.through("opened") == 10, "opened")  # type: ignore[misc]  # bound now
        time.sleep(SHARED_S)
        for process in processes:
            assert process.said().count("broker-connected") == 1, process.said()
            assert "broker-away" not in process.said()


def test_a_copy_of_a_centre_does_not_fight(tmp_path: Path, broker: Mosquitto) -> None:
    """A copy of a centre runs elsewhere: each comes back more and more rarely.

    Mosquitto 2.0.11 closes the older connection without a word why.
    """
    centre = make_centre(tmp_path)
    name = client_id("collect", "training", read_file(centre.home.landed_key))
    collector = Process("collect", tmp_path, broker.port, backoff_max_s=30)
    rival = Link("127.0.0.1", broker.port, name, (), backoff_max_s=30)
    collector.start()
    try:
        subscribed(collector)
        end = time.monotonic() + SHARED_S
        while time.monotonic() < end:
            rival.poll(0.05)
        assert "broker-away" in collector.said()
        assert 2 <= rival.connections + collector.said().count("broker-connected") <= 12
    finally:
        rival.close()
        collector.kill()


def test_a_broker_that_says_who_took_over_is_understood(caplog: pytest.LogCaptureFixture) -> None:
    """CONNACK, then DISCONNECT with reason 0x8E (MQTT 5.0, section 3.14.2.1), from a socket of ours."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(bytes.fromhex("2003000000"))
                time.sleep(0.2)
                connection.sendall(bytes.fromhex("e0028e00"))

        answering = threading.Thread(target=serve)
        answering.start()
        link = Link("127.0.0.1", server.getsockname()[1], "qafila-test", (), backoff_max_s=30)
        link.poll(0.1)
        assert link.connected
        until(lambda: link.poll(0.01) or not link.connected, "the takeover")
        answering.join()
    codes = [getattr(record, "code", None) for record in caplog.records if record.message == "broker-away"]
    assert codes == ["broker-taken-over"]


@pytest.mark.parametrize(("granted", "told"), [("87", ["broker-deaf"]), ("01", [])])
def test_a_broker_that_lets_us_hear_nothing_is_no_connection(
    caplog: pytest.LogCaptureFixture, granted: str, told: list[str]
) -> None:
    """CONNACK, then SUBACK with reason 0x87, not authorized (MQTT 5.0, section 3.9.3), or 0x01, granted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(bytes.fromhex("2003000000"))
                subscribe = connection.recv(1000)
                connection.sendall(bytes.fromhex("9004") + subscribe[2:4] + bytes.fromhex("00" + granted))
                heard.wait(30)

        answering = threading.Thread(target=serve)
        answering.start()
        link = Link("127.0.0.1", server.getsockname()[1], "qafila-test", [topics.UP_ALL], backoff_max_s=30)
        link.poll(0.1)
        assert link.connected is (told == [])
        heard.set()
        answering.join()
    away = [vars(record) for record in caplog.records if record.message == "broker-away"]
    assert [each["code"] for each in away] == told
    assert [(each["sentence"], each["next"]) for each in away] == [BROKER[code] for code in told]
    link.close()


def test_waits_begin_anew_only_after_a_connection_that_stood(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(central_broker, "STEADY_S", 0.5)
    link = Link("127.0.0.1", broker.port, "qafila-test", (), backoff_max_s=1.0)

    def connected_then_taken_after(stood_s: float) -> float:
        """How long it then took to come back."""
        until(lambda: link.poll(0.01) or link.connected, "a connection")
        end = time.monotonic() + stood_s
        while time.monotonic() < end:
            link.poll(0.01)
        rival = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="qafila-test", protocol=MQTTProtocolVersion.MQTTv5
        )
        rival.connect("127.0.0.1", broker.port)
        until(lambda: link.poll(0.01) or not link.connected, "the takeover")
        began = time.monotonic()
        until(lambda: link.poll(0.01) or link.connected, "the return")
        rival.loop_read()
        return time.monotonic() - began

    assert connected_then_taken_after(0.0) >= 0.1
    assert connected_then_taken_after(0.0) >= 0.2
    assert connected_then_taken_after(0.0) >= 0.4
    assert connected_then_taken_after(1.1) < 0.5  # 0.1 to 0.2 s again, and a margin to connect
    link.close()


def test_a_name_tells_process_realm_and_centre() -> None:
    private, other = keys.make_signing(), keys.make_signing()
    names = {
        client_id(process, realm, key)
        for process in ("collect", "explode")
        for realm in ("training", "production")
        for key in (private, other)
    }
    assert len(names) == 8
    assert client_id("collect", "training", private) in names

"""Collector and exploder as processes, on real brokers, killed where it hurts most."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.ports.sealing import Receipt
from edge.records.fields import Stream
from sync.central import setup
from sync.central.landing import Upward
from sync.central.sentences import BROKER
from sync.wire import receipts, topics
from sync.wire.enrolment import Broker as BrokerPlace
from tests.sync.central_world import Centre, Unit, make_centre
from tests.system.brokers import ROOT, Broker, EmbeddedBroker, Mosquitto, free_port

pytestmark = pytest.mark.system
PATIENCE_S = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s in vain for {what}")


class Process:
    """`qafila central collect` or `explode`, its log kept."""

    def __init__(self, word: str, home: Path, port: int, backoff_max_s: float = 0.3) -> None:
        self._command = (
            *(sys.executable, "-m", "cli.main", "central", word, "--home", str(home)),
            *("--broker", f"127.0.0.1:{port}", "--backoff-max", str(backoff_max_s)),
        )
        self.log = home / f"{word}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(30)
        self._process = None
        return status

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def wait_for(self, event: str, times: int) -> None:
        until(lambda: self.said().count(event) >= times, f"{event} in {self.log.name}")


class Van:
    """What a unit's uplink sees: publishes up, hears receipts; keeps the last of each level."""

    def __init__(self, unit: Unit, centre: Centre, port: int, *, speaks_5: bool) -> None:
        self.unit = unit
        self._centre = centre
        self._port = port
        self._speaks_5 = speaks_5
        self.heard: list[Receipt] = []
        self._connected = threading.Event()
        self.connect()

    def connect(self) -> None:
        self._connected.clear()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"qafila-{self.unit.name}-up",
            protocol=MQTTProtocolVersion.MQTTv5 if self._speaks_5 else MQTTProtocolVersion.MQTTv311,
        )
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._connected.wait(30)

    def disconnect(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, *messages: Upward) -> None:
        for message in messages:
            self._client.publish(message.topic, message.payload, qos=1).wait_for_publish(30)

    def through(self, level: str, stream: Stream = Stream.VITALS) -> int:
        found = [receipt for receipt in self.heard if receipt.level == level and stream in receipt.streams]
        return max((receipt.streams[stream].through for receipt in found), default=0)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        for level in topics.LEVELS:
            client.subscribe(topics.receipt(self.unit.name, level), qos=1)
        self._connected.set()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append(receipts.verify(bytes(message.payload), self._centre.keyset, self.unit.name))


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Mosquitto, or what the test asks for."""
    running = EmbeddedBroker() if getattr(request, "param", None) == "embedded" else Mosquitto(tmp_path)
    with running:
        yield running


both_brokers = pytest.mark.parametrize("broker", ["mosquitto", "embedded"], indirect=True)


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()
    return unit


@pytest.fixture
def collector(centre: Centre, broker: Broker) -> Iterator[Process]:
    process = Process("collect", centre.home.directory.parent, broker.port)
    yield process
    process.kill()


@pytest.fixture
def exploder(centre: Centre, broker: Broker) -> Iterator[Process]:
    process = Process("explode", centre.home.directory.parent, broker.port)
    yield process
    process.kill()


@pytest.fixture
def van(centre: Centre, unit: Unit, broker: Broker) -> Iterator[Van]:
    van = Van(unit, centre, broker.port, speaks_5=broker.speaks_5)
    yield van
    van.disconnect()


def subscribed(collector: Process) -> None:
    """Said only once the broker has granted its topics."""
    until(lambda: "broker-connected" in collector.said(), "the collector to connect")


@both_brokers
def test_what_is_sent_arrives_and_is_received(
    van: Van, unit: Unit, centre: Centre, collector: Process, exploder: Process, broker: Broker
) -> None:
    collector.start()
    exploder.start()
    subscribed(collector)
    van.send(unit.key_message(), *unit.batches(Stream.VITALS, 3, 6, 10))
    until(lambda: van.through("landed") == 10, "landed")
    until(lambda: van.through("opened") == 10, "opened")
    assert centre.value("SELECT count(*) FROM observations") == 6
    spoken = "MQTTv5" if broker.speaks_5 else "MQTTv311"
    assert f"protocol={spoken}" in collector.said()
    # Receipts are retained: a van that was away hears them when it is back.
    van.heard.clear()
    van.disconnect()
    van.connect()
    until(lambda: van.through("landed") == 10 and van.through("opened") == 10, "retained receipts")
    assert collector.stop() == 0
    assert exploder.stop() == 0


def test_the_collector_works_without_any_key_that_opens(
    van: Van, unit: Unit, centre: Centre, collector: Process
) -> None:
    for path in (centre.home.seal_to_key, centre.home.opened_key, centre.home.hot_key, centre.home.cold_key):
        path.unlink()
    collector.start()
    subscribed(collector)
    van.send(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    until(lambda: van.through("landed") == 10, "landed")
    assert centre.value("SELECT count(*) FROM landing") == 1
    assert centre.value("SELECT count(*) FROM entries") == 0


@both_brokers
def test_killed_between_landing_and_opening_nothing_is_lost_or_doubled(
    van: Van, unit: Unit, centre: Centre, collector: Process, exploder: Process
) -> None:
    collector.start()
    subscribed(collector)
    van.send(unit.key_message(), *unit.batches(Stream.VITALS, 3, 6, 10))
    until(lambda: van.through("landed") == 10, "landed")
    collector.kill()
    exploder.start()
    until(lambda: van.through("opened") == 10, "opened")
    exploder.kill()
    exploder.start()
    collector.start()
    collector.wait_for("broker-connected", 2)
    before = len(van.heard)
    van.send(*unit.batches(Stream.VITALS, 3, 6, 10))
    until(
        lambda: any(receipt.level == "landed" for receipt in van.heard[before:]),
        "an answer to the repetition",
    )
    until(lambda: centre.value("SELECT count(*) FROM landing WHERE settled = 0") == 0, "all to be opened")
    assert centre.value("SELECT count(*) FROM entries") == 10
    assert centre.rows("SELECT 1 FROM conflicts") == []


def test_a_collector_under_kill_9_loses_nothing_that_it_receipted(
    van: Van, unit: Unit, centre: Centre, collector: Process
) -> None:
    """Killed at random moments while batches stream in; the van repeats what no receipt covers."""
    for _ in range(4):
        unit.visit()
    tip = len(unit.journal[Stream.VITALS])
    messages = [unit.key_message()] + [unit.batch(Stream.VITALS, seq, seq) for seq in range(1, tip + 1)]
    for round_ in range(6):
        collector.start()
        collector.wait_for("broker-connected", round_ + 1)
        van.send(*messages)
        time.sleep(0.03 * round_)
        receipted = van.through("landed")
        collector.kill()
        assert centre.value("SELECT coalesce(max(last), 0) FROM spans WHERE first = 1") >= receipted
    collector.start()
    collector.wait_for("broker-connected", 7)
    van.send(*messages)
    until(lambda: van.through("landed") == tip, "landed")
    assert centre.value("SELECT count(*) FROM landing") == tip
    assert centre.value("SELECT count(*) FROM spans") == 1


def test_an_exploder_under_kill_9_opens_everything_once(
    van: Van, unit: Unit, centre: Centre, collector: Process, exploder: Process
) -> None:
    for _ in range(10):
        unit.visit()
    tip = len(unit.journal[Stream.VITALS])
    collector.start()
    subscribed(collector)
    van.send(unit.key_message(), *(unit.batch(Stream.VITALS, seq, seq) for seq in range(1, tip + 1)))
    until(lambda: van.through("landed") == tip, "landed")
    for round_ in range(6):
        exploder.start()
        exploder.wait_for("exploder-started", round_ + 1)
        time.sleep(0.01 * round_)
        opened = van.through("opened")
        exploder.kill()
        assert centre.value("SELECT coalesce(max(through), 0) FROM chains") >= opened
    exploder.start()
    until(lambda: van.through("opened") == tip, "opened")
    assert centre.value("SELECT count(*) FROM entries") == tip
    assert centre.value("SELECT count(DISTINCT seq) FROM entries") == tip


@both_brokers
def test_receipts_come_back_after_a_broker_that_forgot_everything(
    van: Van, unit: Unit, collector: Process, exploder: Process, broker: Broker
) -> None:
    collector.start()
    exploder.start()
    subscribed(collector)
    van.send(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    until(lambda: van.through("opened") == 10, "opened")
    van.disconnect()
    broker.kill()
    until(lambda: "broker-away" in collector.said() and "broker-away" in exploder.said(), "a word about it")
    van.heard.clear()
    broker.start()
    collector.wait_for("broker-connected", 2)
    exploder.wait_for("broker-connected", 2)
    van.connect()
    until(lambda: van.through("landed") == 10 and van.through("opened") == 10, "receipts")
    for process in (collector, exploder):
        assert process.said().count("broker-away") == 1  # said once, however many attempts it took
        assert "code=broker-lost" in process.said()


def test_strangers_are_dropped_with_a_reason_in_the_log(
    van: Van, unit: Unit, centre: Centre, collector: Process
) -> None:
    collector.start()
    subscribed(collector)
    stranger = centre.unit("van-99", enrolled=False)
    van.send(stranger.key_message(), Upward(topics.up("van-07", "vitals"), b"\x01garbage"))
    van.send(unit.batch(Stream.VITALS, 1, 10))
    until(lambda: van.through("landed") == 10, "landed")
    assert "message-dropped code=unit-unknown" in collector.said()
    assert "message-dropped code=form unit=van-07" in collector.said()


def test_a_second_collector_is_refused(centre: Centre, collector: Process, broker: Broker) -> None:
    collector.start()
    until(lambda: "collector-started" in collector.said(), "the collector")
    second = subprocess.run(
        (sys.executable, "-m", "cli.main", "central", "collect", "--home", str(centre.home.directory.parent)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "(code: already-running)" in second.stderr
    assert broker.port


def test_no_broker_at_all_is_one_line_and_sigterm_is_clean(centre: Centre) -> None:
    process = Process("collect", centre.home.directory.parent, free_port())
    process.start()
    try:
        until(lambda: "broker-away code=broker-unreachable" in process.said(), "a word about it")
        time.sleep(1.0)
        assert process.said().count("broker-away") == 1
        sentence, next_step = BROKER["broker-unreachable"]
        assert f"sentence={sentence} next={next_step}" in process.said()
        assert process.stop() == 0
    finally:
        process.kill()


def test_opening_goes_on_without_a_broker(centre: Centre, unit: Unit) -> None:
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    process = Process("explode", centre.home.directory.parent, free_port())
    process.start()
    try:
        until(lambda: centre.value("SELECT count(*) FROM entries") == 10, "rows")
        assert process.stop() == 0
    finally:
        process.kill()


def test_no_name_and_no_key_reaches_log_or_topic(
    van: Van, unit: Unit, centre: Centre, collector: Process, exploder: Process
) -> None:
    collector.start()
    exploder.start()
    subscribed(collector)
    van.send(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    until(lambda: van.through("opened") == 10, "opened")
    said = (collector.said() + exploder.said()).encode()
    for secret in (b"Alaoui", b"Amina", centre.home.seal_to_key.read_bytes().hex().encode()):
        assert secret not in said
    assert centre.value("SELECT count(*) FROM patients WHERE family = 'Alaoui'") == 1


def test_a_broker_that_refuses_us_is_named_so(centre: Centre, tmp_path: Path) -> None:
    port = free_port()
    with Mosquitto(tmp_path, extra=["acl_file /dev/null"], port=port) as broker:
        config = tmp_path / f"mosquitto-{broker.port}.conf"
        broker.stop()
        config.write_text(config.read_text().replace("allow_anonymous true", "allow_anonymous false"))
        refusing = subprocess.Popen((Mosquitto.program() or "", "-c", str(config)), cwd=ROOT)
        process = Process("collect", centre.home.directory.parent, port)
        try:
            process.start()
            until(lambda: "broker-away code=broker-" in process.said(), "a word about it")
            until(lambda: "code=broker-refused" in process.said(), "the reason")
            assert process.stop() == 0
        finally:
            process.kill()
            refusing.kill()
            refusing.wait(30)


def test_a_unit_enrolled_while_the_collector_runs_is_heard(
    van: Van, centre: Centre, collector: Process, broker: Broker
) -> None:
    collector.start()
    subscribed(collector)
    late = centre.unit("van-09", enrolled=False)
    other = Van(late, centre, broker.port, speaks_5=broker.speaks_5)
    try:
        other.send(late.batch(Stream.VITALS, 1, 1))
        setup.enrol(
            centre.home, late.request(), centre.clock, (BrokerPlace("127.0.0.1", broker.port, tls=False),)
        )
        other.send(late.batch(Stream.VITALS, 1, 1))
        until(lambda: other.through("landed") == 1, "landed")
    finally:
        other.disconnect()
    assert van.heard == []

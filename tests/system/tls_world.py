"""A centre with a Mosquitto that its own command set up, and units enrolled into it, for tests over TLS."""

import contextlib
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cli.unit_tls import make_key
from edge.clock import ClockQuality, Moment, SystemClock
from edge.config import Places
from edge.records.fields import Stream
from edge.spool.files import write_atomically
from sync.central import authorities, mosquitto, setup
from sync.central.home import CentreHome, Realm
from sync.uplink.credentials import key_file
from sync.wire import enrolment
from sync.wire.enrolment import Bundle
from tests.sync.central_world import Unit
from tests.system.brokers import Mosquitto, _Process, free_port, wait_for_port
from tests.system.uplink_process import QUICK, Uplink

DAY_MS = 86_400_000


class AnyClock:
    """A clock that says what it is told."""

    def __init__(self, wall_ms: int) -> None:
        self.wall_ms = wall_ms

    def now(self) -> Moment:
        return Moment(self.wall_ms, bytes(8), 0, ClockQuality.NTP)

    def monotonic_s(self) -> float:
        return 0.0


def now_ms() -> int:
    return SystemClock().now().wall_ms


class OwnMosquitto(_Process):
    """The broker as `qafila central init --broker mosquitto` has it."""

    def __init__(self, home: CentreHome, own: setup.Mosquitto) -> None:
        super().__init__(own.port)
        self._inner = own.centre_port
        self._configuration = mosquitto.folder(home) / "mosquitto.conf"

    def start(self) -> None:
        super().start()
        assert self._process is not None
        wait_for_port(self._inner, self._process)  # it opens one listener after the other

    def _command(self) -> Sequence[str]:
        Mosquitto._command(Mosquitto(self._configuration.parent))  # skips where there is none
        program = Mosquitto.program()
        assert program is not None
        return (program, "-c", str(self._configuration))


class VanUplink(Uplink):
    """The uplink's process, with the settings of an enrolled unit."""

    def __init__(self, home: Path, settings: dict[str, Any], **patience: float) -> None:
        self.spool_out, self.spool_in = Path(settings["spool_out"]), Path(settings["spool_in"])
        self.notes, self.log = Path(settings["notes"]), home / "uplink.log"
        self.settings = settings | {"patience": {**QUICK, **patience}}
        self.command = [sys.executable, "-m", "sync.uplink"]
        self._process = None


class Van:
    """An enrolled unit without an agent: its journal, its uplink's files, what it was given."""

    def __init__(self, world: "TlsWorld", name: str) -> None:
        self.places = Places.at(world.directory / name)
        for directory in (self.places.uplink, self.places.spool_out, self.places.spool_in):
            directory.mkdir(parents=True)
        self.name = name
        self.unit = Unit(name, world.home.read_keyset(world.realm), world.realm)
        self.request = self.make_request(world.realm)
        self.bundle = world.enrol(self.request)

    def make_request(self, realm: str) -> bytes:
        asked = make_key(self.places, self.name)
        return enrolment.make_request(
            *(self.name, realm, self.unit.sign_private, self.unit.recv_public, 1), asked
        )

    def fill_spool(self) -> None:
        """A visit's files, as the agent would leave them."""
        self.unit.visit("Zahraoui")
        write_atomically(self.places.spool_out, f"0-key-0-0-{'1' * 16}", self.unit.key_message().payload)
        batch = self.unit.batch(Stream.VITALS, 1, 10)
        write_atomically(self.places.spool_out, f"2-vitals-1-10-{'2' * 16}", batch.payload)

    def uplink(self, port: int, **patience: float) -> Uplink:
        """Its uplink, aimed at a port of this machine."""
        return VanUplink(self.places.base, self.settings(port), **patience)

    def settings(self, port: int) -> dict[str, Any]:
        return {
            "unit": self.name,
            "realm": self.bundle.realm,
            "spool_out": str(self.places.spool_out),
            "spool_in": str(self.places.spool_in),
            "notes": str(self.places.uplink),
            "brokers": [{"host": "127.0.0.1", "port": port, "tls": True}],
            "keyset": self.bundle.keyset_raw.hex(),
            "roots": [root.hex() for root in self.bundle.roots],
            "certificate": self.bundle.certificate_raw.hex(),
        }

    def context(self) -> ssl.SSLContext:
        """What a stranger with this unit's files would connect with."""
        said = self.bundle.certificate
        assert said is not None
        chain = self.places.base / "chain.pem"
        chain.write_text(ssl.DER_cert_to_PEM_cert(said.chain[0]))
        made = ssl.create_default_context(cadata=b"".join(said.trust))
        made.load_cert_chain(chain, key_file(self.places.uplink, said.key))
        return made


class TlsWorld:
    """One centre of one realm, its broker running."""

    def __init__(self, directory: Path, realm: Realm = "training") -> None:
        self.directory = directory
        self.realm: Realm = realm
        self.home = CentreHome(directory / "central")
        port = free_port()
        inner = next(other for other in iter(free_port, None) if other != port)
        self.own = setup.Mosquitto("127.0.0.1", port, inner)
        setup.init(self.home, realm, own=self.own)
        self.broker = OwnMosquitto(self.home, self.own)
        self.broker.start()

    def enrol(self, request: bytes, at_ms: int | None = None) -> Bundle:
        clock = SystemClock() if at_ms is None else AnyClock(at_ms)
        return enrolment.read_bundle(setup.enrol(self.home, request, clock)[1], request)

    def van(self, name: str = "van-07") -> Van:
        return Van(self, name)

    def centre_context(self) -> ssl.SSLContext:
        return authorities.context(self.home, "collect")

    def close(self) -> None:
        self.broker.kill()


class Guest:
    """An MQTT client of a test, over TLS."""

    def __init__(self, port: int, tls: ssl.SSLContext, name: str = "guest") -> None:
        self.got: list[tuple[str, bytes]] = []
        self.acknowledged: list[str] = []
        self.accepted = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.connect_timeout = 30.0
        self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda _c, _d, message: self.got.append(
            (message.topic, bytes(message.payload))
        )
        self._client.on_publish = lambda _c, _d, _mid, reason, _p: self.acknowledged.append(str(reason))
        self.alive = True
        with contextlib.suppress(OSError):
            self._client.connect("127.0.0.1", port)
            self.until(lambda: self.accepted or not self.alive)

    def _on_connect(self, _c: object, _d: object, _f: object, reason: object, _p: object) -> None:
        self.accepted = str(reason) == "Success"

    def until(self, there: Callable[[], object], wait_s: float = 30.0) -> bool:
        """Work until it holds; False when the connection ends or the time is over first."""
        end = time.monotonic() + wait_s
        while not there() and self.alive and time.monotonic() < end:
            try:
                self.alive = self._client.loop(0.05) == mqtt.MQTT_ERR_SUCCESS
            except OSError:
                self.alive = False
        return bool(there())

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> str:
        """Publish, and give what the broker answered."""
        before = len(self.acknowledged)
        self._client.publish(topic, payload, qos=1, retain=retain)
        assert self.until(lambda: len(self.acknowledged) > before), (self.accepted, self.alive)
        return self.acknowledged[-1]

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, 1)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()

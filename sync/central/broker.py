"""The centre's connection to the broker: MQTT 5 where the broker speaks it, else 3.1.1.

One thread: the process that uses it calls `Link.poll`, which reads what is there, and decides itself
when a message is acknowledged. Nothing here is durable and nothing needs to be: what is lost between
a broker and us is sent again until a receipt covers it.
"""

import dataclasses
import logging
import random
import select
import socket
import ssl
import time
from collections.abc import Hashable, Sequence
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sync.central import sentences
from sync.wire import keys

_LOG: Final = logging.getLogger("qafila.central")

CONNECT_S: Final = 5.0
"""How long a broker may take to be reached, and to accept us."""
FIVE_S: Final = 1.5
"""How long it may take when it is asked in MQTT 5: some brokers of 3.1.1 never answer that."""
BACKOFF_FIRST_S: Final = 0.2
STEADY_S: Final = 30.0
"""A connection that stood so long was a good one: the next wait begins at the shortest again."""
KEEPALIVE_S: Final = 30
LARGEST_PACKET: Final = 300_000
"""A message is at most 256 kB; the broker is asked to keep larger ones."""
LARGEST_GROUP: Final = 256
LARGEST_GROUP_BYTES: Final = 4 * 1024 * 1024
"""How many messages one poll gives at most, and about how much they hold together."""
_IN_FLIGHT: Final = 20
_WAITING_RECEIPTS: Final = 20_000
_SESSION_S: Final = 86_400
_USER_TIMEOUT_MS: Final = 20_000
_ACCEPTED: Final = "accepted"
_NOT_SPOKEN: Final = {1, 132}
"""The CONNACK codes of 3.1.1 and 5 for a protocol version that is not spoken there."""
_TAKEN_OVER: Final = 0x8E
"""MQTT 5's reason when somebody else connects under our name."""
_PERHAPS_THE_PROTOCOL: Final = {"protocol", "silent"}
"""How a broker meets the version it does not speak: it says so, hangs up, or says nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What came, and the handle by which `Link.acknowledge` names it."""

    topic: str
    payload: bytes
    mid: int
    connection: int


def client_id(process: str, realm: str, private: bytes) -> str:
    """What a broker calls one process of one centre.

    The process's own signing key tells its centre from all others on that broker: a broker closes the
    older of two connections under one name, and each would then come back and close the other's.
    """
    return f"qafila-centre-{process}-{realm}-{keys.kid(keys.signing_public(private)).hex()}"


class Link:
    """A connection that comes back by itself, driven by its owner's loop.

    Args:
        client_id: what the broker calls us; its session keeps messages while we restart.
        topics: what to subscribe to, QoS 1.
        backoff_max_s: the longest wait between attempts; waits begin at 0.2 s and double, each with
            jitter, and begin anew only after a connection that stood for `STEADY_S`, or for this long
            if that is more: one that is lost at once is no better than none.
        tls: what to wrap the connection with, or None for one in the clear.
        lasting: have the broker keep what comes while we are away; not where others take it meanwhile.
        lasting: have the broker keep what comes while we are away; not where others take it meanwhile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        topics: Sequence[str],
        *,
        backoff_max_s: float,
        tls: ssl.SSLContext | None = None,
        lasting: bool = True,
    ) -> None:
        self._host = host
        self._port = port
        self._client_id = client_id
        self._tls = tls
        self._lasting = lasting
        self._topics = tuple(topics)
        self._backoff_max_s = backoff_max_s
        self._backoff_s = BACKOFF_FIRST_S
        self._next_attempt_s = 0.0
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._client: mqtt.Client | None = None
        self._answer: str | None = None
        self._granted: bool | None = None
        self._accepted_s = 0.0
        self._lost_why = "lost"
        self._away = False
        self._inbox: list[Message] = []
        self._outbox: dict[Hashable, tuple[str, bytes]] = {}
        self._in_flight: set[int] = set()
        self.connections = 0
        """How many connections there have been; a change means the broker may have forgotten everything."""

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def quiet(self) -> bool:
        """Whether the broker has confirmed all that was published."""
        return self.connected and not self._outbox and not self._in_flight

    def poll(self, wait_s: float, *, gather_s: float = 0.0, quiet_s: float = 0.0) -> list[Message]:
        """Give what came within ``wait_s``.

        Once one message came, more are gathered until none comes for ``quiet_s``, or ``gather_s`` have
        passed, or there are as many as one group may hold.
        """
        if self._client is None and not self._connect(wait_s):
            return []
        self._turn(wait_s)
        end = time.monotonic() + gather_s
        while self._inbox and not self._group_is_full():
            before = len(self._inbox)
            self._turn(max(0.0, min(quiet_s, end - time.monotonic())))
            if len(self._inbox) == before or time.monotonic() >= end:
                break
        messages, self._inbox = self._inbox, []
        return messages

    def _group_is_full(self) -> bool:
        size = sum(len(message.payload) for message in self._inbox)
        return len(self._inbox) >= LARGEST_GROUP or size >= LARGEST_GROUP_BYTES

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are in safe hands.

        One of an earlier connection is passed over: its number may mean another message by now.
        """
        for message in messages:
            if self._client is not None and message.mid and message.connection == self.connections:
                self._client.ack(message.mid, 1)

    def publish(self, key: Hashable, topic: str, payload: bytes) -> None:
        """Send retained, QoS 1. Of two that wait under one key only the later is sent."""
        self._outbox.pop(key, None)
        if len(self._outbox) < _WAITING_RECEIPTS:  # beyond it: sent again on the next connection
            self._outbox[key] = (topic, payload)
        self._flush()

    def close(self) -> None:
        """Send what waits, as far as the broker takes it within a second, and go."""
        end = time.monotonic() + 1.0
        while self._client is not None and (self._outbox or self._in_flight) and time.monotonic() < end:
            self._turn(0.05)
        if self._client is not None:
            self._client.disconnect()
            self._client = None

    def _connect(self, wait_s: float) -> bool:
        now = time.monotonic()
        if now < self._next_attempt_s:
            time.sleep(min(wait_s, self._next_attempt_s - now))
            return False
        trouble = self._attempt()
        if trouble in _PERHAPS_THE_PROTOCOL:
            five = self._protocol is MQTTProtocolVersion.MQTTv5
            self._protocol = MQTTProtocolVersion.MQTTv311 if five else MQTTProtocolVersion.MQTTv5
            trouble = self._attempt()
        if trouble:
            self._say_away(trouble)
            self._wait_longer()
            return False
        self._away = False
        _LOG.info(
            "broker-connected",
            extra={"host": self._host, "port": self._port, "protocol": self._protocol.name},
        )
        return True

    def _wait_longer(self) -> None:
        # Jitter spreads a fleet's attempts; nobody's secret depends on it.
        self._next_attempt_s = time.monotonic() + self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._backoff_s = min(self._backoff_s * 2, self._backoff_max_s)

    def _attempt(self) -> str:
        """One connection up to the subscription; the empty string, or why not."""
        client = self._new_client()
        self._answer = None
        self._granted = None
        self._lost_why = "lost"
        self._in_flight.clear()
        self._inbox.clear()
        try:
            if self._protocol is MQTTProtocolVersion.MQTTv5:
                lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it out
                lasting.SessionExpiryInterval = _SESSION_S if self._lasting else 0
                lasting.MaximumPacketSize = LARGEST_PACKET
                client.connect(
                    self._host, self._port, KEEPALIVE_S, clean_start=not self._lasting, properties=lasting
                )
            else:
                client.connect(self._host, self._port, KEEPALIVE_S)
        except ssl.SSLError:
            return "tls-refused"
        except (OSError, ValueError):
            return "unreachable"
        self.connections += 1
        self._client = client
        end = time.monotonic() + (FIVE_S if self._protocol is MQTTProtocolVersion.MQTTv5 else CONNECT_S)
        alive = True
        while alive and self._answered() is None and time.monotonic() < end:
            alive = self._turn(0.1)
        answer = self._answered()
        if answer == _ACCEPTED:
            return self._subscribe(client)
        self._lost()
        return answer or ("silent" if alive else "protocol")

    def _subscribe(self, client: mqtt.Client) -> str:
        """Ask for the topics and wait until they are granted: who hears nothing is not connected."""
        if not self._topics:
            return ""
        client.subscribe([(topic, 1) for topic in self._topics])
        end = time.monotonic() + CONNECT_S
        alive = True
        while alive and self._subscribed() is None and time.monotonic() < end:
            alive = self._turn(0.1)
        if self._subscribed():
            return ""
        self._lost_why = "deaf" if alive else "lost"
        self._lost()
        return self._lost_why

    def _subscribed(self) -> bool | None:
        """What `_on_subscribe` has noted meanwhile."""
        return self._granted

    def _answered(self) -> str | None:
        """What `_on_connect` has noted meanwhile."""
        return self._answer

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if self._protocol is MQTTProtocolVersion.MQTTv5 else not self._lasting,
            protocol=self._protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_open = _set_up
        return client

    def _turn(self, wait_s: float) -> bool:
        """Read and write what the socket takes; False when the connection is gone."""
        client = self._client
        connection = None if client is None else client.socket()
        if client is None or connection is None:
            return self._lost()
        poller = select.poll()
        poller.register(connection, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        # What TLS has decrypted already is no news to poll.
        waiting = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        events = poller.poll(0 if waiting else wait_s * 1000)
        result = mqtt.MQTT_ERR_SUCCESS
        try:
            if waiting or any(event & ~select.POLLOUT for _, event in events):
                result = client.loop_read()
            if result == mqtt.MQTT_ERR_SUCCESS and client.want_write():
                result = client.loop_write()
            if result == mqtt.MQTT_ERR_SUCCESS:
                result = client.loop_misc()
        except Exception:  # noqa: BLE001  the client met bytes it cannot read: a broken peer, so we leave it
            result = mqtt.MQTT_ERR_PROTOCOL
        if result != mqtt.MQTT_ERR_SUCCESS:
            return self._lost()
        self._flush()
        return True

    def _flush(self) -> None:
        while (
            self._client is not None
            and self._answer == _ACCEPTED
            and self._outbox
            and len(self._in_flight) < _IN_FLIGHT
        ):
            key = next(iter(self._outbox))
            topic, payload = self._outbox.pop(key)
            sent = self._client.publish(topic, payload, qos=1, retain=True)
            self._in_flight.add(sent.mid)

    def _lost(self) -> bool:
        """Forget the connection; what waits to be sent waits for the next."""
        client, self._client = self._client, None
        self._in_flight.clear()
        if client is not None:
            broken = client.socket()
            if broken is not None:
                broken.close()
        if client is not None and self._answer == _ACCEPTED:
            self._answer = None
            self._say_away(self._lost_why)
            if time.monotonic() - self._accepted_s >= max(STEADY_S, self._backoff_max_s):
                self._backoff_s = BACKOFF_FIRST_S
            self._wait_longer()
        return False

    def _say_away(self, reason: str) -> None:
        if not self._away:
            self._away = True
            why = sentences.said(sentences.BROKER, f"broker-{reason}", host=self._host, port=self._port)
            _LOG.warning("broker-away", extra=why)

    def _on_connect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _p: object
    ) -> None:
        if reason.value in _NOT_SPOKEN:
            self._answer = "protocol"
        else:
            self._answer = "refused" if reason.is_failure else _ACCEPTED
            self._accepted_s = time.monotonic()

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _p: object
    ) -> None:
        if reason.value == _TAKEN_OVER:
            self._lost_why = "taken-over"

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _p: object
    ) -> None:
        self._granted = not any(reason.is_failure for reason in reasons)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self._inbox.append(
            Message(
                message.topic, bytes(message.payload), message.mid if message.qos else 0, self.connections
            )
        )

    def _on_publish(self, _client: mqtt.Client, _data: object, mid: int, _reason: object, _p: object) -> None:
        self._in_flight.discard(mid)


def _set_up(_client: mqtt.Client, _data: object, opened: object) -> None:
    """Small receipts must not wait for Nagle's algorithm; a peer that is gone must not be waited for."""
    assert isinstance(opened, socket.socket)  # noqa: S101  paho opens plain TCP here
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)

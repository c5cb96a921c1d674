"""One connection to a broker: MQTT through paho, driven from the owner's thread.

An object lives as long as its connection. Coming back is a new object, so that nothing is resent behind
the owner's back: what has to go again is the owner's to know.
"""

import contextlib
import dataclasses
import fcntl
import select
import socket
import ssl
import struct
import termios
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.errors import QafilaError
from sync.uplink import sentences
from sync.uplink.credentials import Credentials
from sync.uplink.settings import Broker, Patience
from sync.uplink.traffic import carried

MOST_PACKET_BYTES: Final = 256 * 1024 + 1024
_MOST_INCOMING: Final = 20
_NOT_SENT_LOW_WATER: Final = 16 * 1024
"""How much the kernel may hold that it has not even sent; an alert waits behind no more."""
_TCP_NOTSENT_LOWAT: Final = 25  # linux/tcp.h; the socket module does not name it on every Python
OTHER_PROTOCOL: Final = "protocol"
_UNSUPPORTED_PROTOCOL: Final = {1, 0x84}
"""The CONNACK codes of 3.1.1 and 5 for a protocol version that is not spoken there."""
_PROTOCOL_ERROR: Final = 0x82
_NOTHING_RETAINED: Final = SubscribeOptions.RETAIN_DO_NOT_SEND
_TAKEN_OVER: Final = 0x8E
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "certificate-missing",
    "CERTIFICATE_EXPIRED": "certificate-ended",
    "CERTIFICATE_REVOKED": "certificate-revoked",
    "UNKNOWN_CA": "certificate-unknown",
    "BAD_CERTIFICATE": "certificate-unknown",
    "DECRYPT_ERROR": "certificate-unknown",
    "CERTIFICATE_UNKNOWN": "certificate-unknown",
}
"""What a broker says of our certificate: the ends of OpenSSL's names for TLS alerts."""


class Protocol(StrEnum):
    """The versions spoken here, by the words of the link note."""

    MQTT_5 = "mqtt5"
    MQTT_311 = "mqtt311"


class LinkDown(QafilaError):
    """There is no connection, or no longer. Wait, then try again; nothing is lost."""

    code: ClassVar[str] = "broker-unreachable"

    def __init__(self, code: str, *, reason: str = "") -> None:
        sentence, next_step = sentences.LINK[code]
        super().__init__(sentence, next_step=next_step, code=code)
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What the broker said when it accepted us; without MQTT 5 it says nothing."""

    most_in_flight: int = 65_535
    most_packet_bytes: int = MOST_PACKET_BYTES
    qos: int = 1
    retains: bool = True


class _ConnectedToItself(ValueError):
    """The port we knocked at was ours."""


class _Client(mqtt.Client):
    """paho's client, with a bound on what a stranger can make it hold in memory, and TLS sessions.

    Attributes:
        session: of TLS, to be taken up again; None for a new one.
        alert: what TLS said when it ended the connection.
    """

    session: ssl.SSLSession | None = None
    alert: str = ""

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > MOST_PACKET_BYTES:
            raise ConnectionError("the packet announced is larger than any we asked for")
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as error:
            self.alert = self.alert or str(error.reason)
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except BlockingIOError:
            raise
        except OSError:
            self._hear_why()
            raise

    def _hear_why(self) -> None:
        """A broker that refuses our certificate says so and hangs up, perhaps before we have spoken."""
        opened = self.socket()
        if isinstance(opened, ssl.SSLSocket) and not self.alert:
            try:
                opened.recv(1)
            except ssl.SSLError as error:
                self.alert = str(error.reason)
            except OSError:
                return

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's own, which has no way to take a session up again."""
        context = self._ssl_context
        assert context is not None  # noqa: S101  paho calls this only with one
        wrapped = context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False, session=self.session
        )
        try:
            wrapped.settimeout(self._connect_timeout)
            wrapped.do_handshake()
        except (OSError, ValueError):
            wrapped.close()
            raise
        return wrapped

    @property
    def hoarding(self) -> bool:
        """Whether a broker makes it hold messages of QoS 2, which nobody asked for."""
        return len(self._in_messages) > _MOST_INCOMING


class Connection:
    """A connection from CONNECT to its end.

    Args:
        will: topic and payload that the broker publishes, retained, when we vanish.
        credentials: what a broker with TLS is shown.

    Attributes:
        accepted: the broker's limits, once it has accepted us.
        subscribed: whether all subscriptions were granted.
        messages: what came, (topic, payload), for the owner to take.
        unacknowledged: message ids the broker has not acknowledged; they count against its limit
            and say nothing about arrival.
        resumed: whether TLS took an earlier session up again.
    """

    def __init__(
        self,
        broker: Broker,
        protocol: Protocol,
        client_id: str,
        will: tuple[str, bytes],
        patience: Patience,
        credentials: Credentials | None = None,
    ) -> None:
        self.broker = broker
        self.protocol = protocol
        self.accepted: Limits | None = None
        self.subscribed = False
        self.messages: deque[tuple[str, bytes]] = deque()
        self.unacknowledged: set[int] = set()
        self.resumed = False
        self._patience = patience
        self._credentials = credentials if broker.tls else None
        self._ended: LinkDown | None = None
        self._client = self._make_client(client_id, will)

    def _make_client(self, client_id: str, will: tuple[str, bytes]) -> _Client:
        five = self.protocol is Protocol.MQTT_5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,  # else paho goes on to MQTT 3.1 by itself
        )
        client.connect_timeout = self._patience.connect_s
        client.max_inflight_messages = 0  # the owner counts, and knows the broker's limit
        client.will_set(will[0], will[1], qos=1, retain=True)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def open(self) -> None:
        """Make the TCP connection and say CONNECT; blocks until the former is there.

        Raises:
            LinkDown: it is not.
        """
        properties: Properties | None = None
        if self.protocol is Protocol.MQTT_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own gap
            properties.ReceiveMaximum = _MOST_INCOMING
            properties.MaximumPacketSize = MOST_PACKET_BYTES
        if self.broker.tls:
            self._prepare_tls()
        try:
            self._client.connect(
                self.broker.host, self.broker.port, self._patience.keepalive_s, properties=properties
            )
        except ssl.SSLCertVerificationError as error:
            raise LinkDown("broker-not-trusted", reason=error.verify_message) from None
        except ssl.SSLError as error:
            self._forget_session()
            raise LinkDown("broker-tls-refused", reason=str(error.reason)) from None
        except (OSError, ValueError) as error:
            raise LinkDown("broker-unreachable", reason=type(error).__name__) from None
        opened = self._client.socket()
        if self._credentials is not None and isinstance(opened, ssl.SSLSocket):
            self.resumed = bool(opened.session_reused)
            if self._credentials.has_ended(opened.getpeercert()):
                self.close()
                raise LinkDown("broker-certificate-ended")

    def _prepare_tls(self) -> None:
        """Have paho wrap the socket; without anything to show, nothing is opened.

        Raises:
            LinkDown: certificate-missing.
        """
        context = None if self._credentials is None else self._credentials.context()
        if self._credentials is None or context is None:
            raise LinkDown("certificate-missing")
        self._client.tls_set_context(context)
        self._client.session = self._credentials.session(self.broker)

    def _forget_session(self) -> None:
        if self._credentials is not None:
            self._credentials.keep(self.broker, None)

    def subscribe(self, wanted: Sequence[str], news_only: Sequence[str] = ()) -> None:
        """Ask for topics; of ``news_only`` not what is retained, where the broker can make the difference."""
        if self.protocol is Protocol.MQTT_311:
            self._client.subscribe([(topic, 1) for topic in (*wanted, *news_only)])
            return
        always = [(topic, SubscribeOptions(qos=1)) for topic in wanted]
        news = [(topic, SubscribeOptions(qos=1, retainHandling=_NOTHING_RETAINED)) for topic in news_only]
        self._client.subscribe([*always, *news])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand one message over; see `flushed`."""
        limits = self.accepted or Limits()
        info = self._client.publish(topic, payload, qos=limits.qos, retain=retain and limits.retains)
        if limits.qos:
            self.unacknowledged.add(info.mid)

    @property
    def flushed(self) -> bool:
        """Whether every byte handed over was taken by the socket."""
        return self._ended is None and not self._client.want_write()

    def carried(self) -> int:
        """How many bytes it has cost so far, on the level of IP."""
        opened = self._client.socket()
        return carried(opened) if isinstance(opened, socket.socket) else 0

    def unsent_bytes(self) -> int:
        """How many bytes the socket has taken that the other end's TCP has not acknowledged."""
        opened = self._client.socket()
        if opened is None:
            return 0
        answer = fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])

    def pump(self, wait_s: float, wake: socket.socket) -> None:
        """Read and write what the socket takes; waits at most so long for either, or for ``wake``.

        Raises:
            LinkDown: the connection is over.
        """
        opened = self._client.socket()
        if opened is not None and self._ended is None:
            poller = select.poll()
            poller.register(
                opened.fileno(), select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
            )
            poller.register(wake.fileno(), select.POLLIN)
            # What TLS has decrypted already is no news to poll.
            waiting = isinstance(opened, ssl.SSLSocket) and opened.pending() > 0
            ready = dict(poller.poll(0 if waiting else wait_s * 1000))
            self._turn(ready.get(opened.fileno(), 0) | (select.POLLIN if waiting else 0))
        if self._ended is None and self._client.socket() is None:
            self._end("broker-closed")
        if self._ended is not None:
            raise self._ended

    def _turn(self, event: int) -> None:
        try:
            if event & ~select.POLLOUT:
                self._client.loop_read()
            if self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()
            if self._client.hoarding:
                self._end("broker-misbehaved", reason="QoS 2")
        except Exception as error:  # noqa: BLE001  paho met bytes it cannot read: whatever it raises, the peer is at fault
            self._end("broker-misbehaved", reason=type(error).__name__)

    def close(self) -> None:
        """Say goodbye if the connection still stands, and end it."""
        opened = self._client.socket()
        if opened is None:
            return
        with contextlib.suppress(Exception):  # whatever stands in the way of a goodbye, the end is the same
            self._client.disconnect()
        with contextlib.suppress(OSError):
            opened.close()

    def _end(self, code: str, *, reason: str = "") -> None:
        if self._client.alert and self._ended is None:
            self._forget_session()
            reason = self._client.alert
            code = next((word for end, word in _ALERTS.items() if reason.endswith(end)), code)
        if self._ended is None:
            self._ended = LinkDown(code, reason=reason)

    def _on_socket_open(self, _client: mqtt.Client, _data: object, opened: Any) -> None:  # noqa: ANN401  a socket, by a name private to paho
        with contextlib.suppress(OSError):  # gone again; why is still to be read
            if opened.getsockname() == opened.getpeername():
                # Knocking long enough at a closed port of one's own machine, one may be given that very port.
                raise _ConnectedToItself("connected to itself")
        # Small messages must not wait for Nagle's algorithm: measured at 11 a second.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        milliseconds = int(self._patience.user_timeout_s * 1000)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        opened.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _NOT_SENT_LOW_WATER)

    def _on_connect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, said: Properties | None
    ) -> None:
        if reason.value in _UNSUPPORTED_PROTOCOL:
            self._end("broker-refused", reason=OTHER_PROTOCOL)
        elif reason.is_failure:
            self._end("broker-refused", reason=str(reason))
        else:
            # paho keeps Server Keep Alive itself; the rest is ours to keep.
            self.accepted = Limits(
                getattr(said, "ReceiveMaximum", 65_535),
                min(MOST_PACKET_BYTES, getattr(said, "MaximumPacketSize", MOST_PACKET_BYTES)),
                min(1, getattr(said, "MaximumQoS", 1)),
                bool(getattr(said, "RetainAvailable", 1)),
            )
            opened = self._client.socket()
            if self._credentials is not None and isinstance(opened, ssl.SSLSocket):
                # The tickets of TLS 1.3 come behind the handshake, so they are here by now.
                self._credentials.keep(self.broker, opened.session)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _said: object
    ) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        if refused:
            self._end("broker-refused", reason=str(refused[0]))
        else:
            self.subscribed = True

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _said: object
    ) -> None:
        self.unacknowledged.discard(mid)
        if reason.is_failure:
            self._end("broker-refused-message", reason=str(reason))

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        try:
            self.messages.append((message.topic, bytes(message.payload)))
        except UnicodeDecodeError:
            self._end("broker-misbehaved", reason="topic")

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _data: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _said: object,
    ) -> None:
        if flags.is_disconnect_packet_from_server and reason.value == _TAKEN_OVER:
            self._end("broker-taken-over")
        elif reason.value == _PROTOCOL_ERROR:
            self._end("broker-misbehaved", reason=str(reason))
        else:
            self._end("broker-closed", reason=str(reason))

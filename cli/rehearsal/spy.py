"""A stranger on the broker: subscribes to everything and keeps what it sees, to be searched later.

A subscriber sees topics and payloads. It does not see the client ids of others (Mosquitto tells nobody),
nor what a client would do with its last will; the unit's are searched for in the bytes it sends, which
the link keeps (`cli.rehearsal.link_cutter`), and everybody's in Mosquitto's own log.
"""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_RECONNECT_S: Final = 1


class Spy:
    """Listens while its context lasts; comes back when the broker does.

    Args:
        capture: where topics and payloads are appended, as they are.
        tls: asked for when it begins to listen: what it connects with, or None where all is in the clear.
    """

    def __init__(self, port: int, capture: Path, tls: Callable[[], ssl.SSLContext | None]) -> None:
        self._port = port
        self._tls = tls
        self._capture = capture
        self._listening = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="rehearsal-spy")
        self._client.reconnect_delay_set(_RECONNECT_S, _RECONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self.messages = 0
        """How many messages were seen; none would make the search of them worthless."""
        self.topics: set[str] = set()

    def __enter__(self) -> Self:
        self._capture.write_bytes(b"")
        tls = self._tls()
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def listening(self) -> bool:
        """Whether the broker has once confirmed the subscription."""
        return self._listening.is_set()

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe("#", qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._listening.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages += 1
        self.topics.add(message.topic)
        with self._capture.open("ab") as file:
            file.write(message.topic.encode() + b"\n" + message.payload + b"\n")

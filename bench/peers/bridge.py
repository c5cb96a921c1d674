"""A Mosquitto in the van that bridges to the one behind the link; tuned, or as it comes.

Tuned: no limit to what it queues, saved on every change, TCP_NODELAY, the shortest waits before it connects
again. The feeder publishes with QoS 1, a hundred messages on their way.
"""

import threading
import time
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.peers.records import text
from bench.peers.world import Broker, Link, Process, Sink, until

_BRIDGE: Final = """\
connection far
address 127.0.0.1:{port}
topic van/# out 1
cleansession false
notifications false
restart_timeout 1 2
keepalive_interval 15
bridge_protocol_version mqttv311
"""
_TUNED: Final = """\
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
autosave_interval 1
autosave_on_changes true
"""
_KEPT: Final = """\
persistence true
persistence_location {folder}/
"""
_WINDOW: Final = 100


class Bridge:
    """A bridge below ``home``."""

    def __init__(self, home: Path, *, tuned: bool) -> None:
        self.far = Broker(home, "max_queued_messages 0\nmax_inflight_messages 1000\n")
        self.link = Link(self.far.port)
        self.sink = Sink(self.far.port, "van/#", _numbers)
        folder = home / "kept"
        folder.mkdir()
        folder.chmod(0o777)  # it leaves root's rights behind
        settings = _BRIDGE.format(port=self.link.port) + _KEPT.format(folder=folder)
        self._near = Broker(home, (_TUNED if tuned else "") + settings, "near")
        self._connect()

    @property
    def edge(self) -> list[Process]:
        """What runs in the van."""
        return [self._near.process]

    def feed(self, records: list[dict[str, Any]]) -> list[int]:
        """Publish records; the numbers of those that were acknowledged."""
        room, lock = threading.Semaphore(_WINDOW), threading.Lock()
        acknowledged: set[int] = set()
        sent: dict[int, int] = {}

        def on_publish(_client: object, _data: object, mid: int, *_: object) -> None:
            with lock:
                acknowledged.add(mid)
            room.release()

        self._client.on_publish = on_publish
        for each in records:
            if not room.acquire(timeout=5):
                break
            information = self._client.publish("van/1", text(each), qos=1)
            sent[information.mid] = each["values"]["n"]
        give_up_s = time.monotonic() + 5
        while len(acknowledged) < len(sent) and time.monotonic() < give_up_s:
            time.sleep(0.001)
        return [sent[mid] for mid in acknowledged]

    def is_stored(self, _wanted: int) -> bool:
        """Nobody outside sees its queue; what it has acknowledged is all there is to know."""
        return True

    def kill(self) -> None:
        """Kill it and start it again."""
        self._client.loop_stop()
        self._near.process.kill()
        self._near.process.start()
        self._near.wait()
        self._connect()

    def close(self) -> None:
        """End everything."""
        self._client.loop_stop()
        self._near.process.kill()
        self.sink.close()
        self.link.close()
        self.far.process.kill()

    def _connect(self) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.max_inflight_messages_set(_WINDOW)
        self._client.connect("127.0.0.1", self._near.port)
        self._client.loop_start()
        until(self._client.is_connected, "the broker in the van")


def _numbers(message: Any) -> list[int]:  # noqa: ANN401  JSON
    return [int(message["values"]["n"])]

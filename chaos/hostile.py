"""A broker and an uplink that mean harm: they repeat, withhold, reorder, bend, mix up and invent.

The broker's part is played by a stranger on it, who may do there all that a broker can but to lose what it
was given; killing the broker does that. The uplink's part writes into ``spool/in``, where the uplink may.
"""

import contextlib
import random
import time
from collections import deque
from pathlib import Path
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.spool.files import SpoolFailed, write_atomically
from sync.uplink.incoming import down_name, keyset_name
from sync.wire import cose, keys, keyset, topics
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Key, Keyset, Use

HARM: Final = 40
"""Messages or files a strike makes."""
_KEPT: Final = 256
_LISTEN_S: Final = 0.4
_REALM: Final = "training"


class Material:
    """What was seen, the latest of it: topic and bytes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._seen: deque[tuple[str, bytes]] = deque(maxlen=_KEPT)
        self._stranger = keys.make_signing()

    def see(self, topic: str, raw: bytes) -> None:
        if raw:
            self._seen.append((topic, raw))

    def harm(self) -> tuple[str, bytes]:
        """Something that was said before, as it was, bent, or signed by a stranger."""
        topic, raw = self._dice.choice(self._seen) if self._seen else (topics.keyset("van-01"), b"\x01")
        return topic, self._dice.choice((_as_it_was, self._bend, self._cut, self._sign))(raw)

    def keyset(self) -> bytes:
        """Keys of the stranger's own, in a version above all."""
        named = Key(keys.signing_public(self._stranger), self._dice.choice((Use.LANDED, Use.OPENED)))
        return keyset.sign(Keyset(2**40, _REALM, (1, 2), (named,)), self._stranger)

    def _bend(self, raw: bytes) -> bytes:
        bent = bytearray(raw)
        bent[self._dice.randrange(len(bent))] ^= 1 << self._dice.randrange(8)
        return bytes(bent)

    def _cut(self, raw: bytes) -> bytes:
        return raw[: self._dice.randrange(len(raw))]

    def _sign(self, raw: bytes) -> bytes:
        """The same under another key, or for another purpose."""
        with contextlib.suppress(EnvelopeRefused):
            old = cose.read(raw)
            protected = cose.protected_header(keys.kid(keys.signing_public(self._stranger)), old.header)
            purpose = self._dice.choice(list(Purpose))
            return cose.sign(protected, old.payload, self._stranger, purpose, _REALM)
        return self._cut(raw)


def hostile_broker(port: int, units: list[str], material: Material, dice: random.Random) -> None:
    """Listen for a moment, then repeat, bend, mix up and invent; hold back what was retained.

    A broker that is away just then is left alone.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"stranger-{dice.randrange(10**9)}",
        protocol=MQTTProtocolVersion.MQTTv311,
    )
    client.on_message = lambda _client, _data, message: material.see(message.topic, bytes(message.payload))
    try:
        client.connect("127.0.0.1", port, 10)
    except OSError:
        return
    client.subscribe(f"{topics.PREFIX}/#", 1)
    client.loop_start()
    try:
        time.sleep(_LISTEN_S)
        for _ in range(HARM):
            topic, raw = material.harm()
            known = topics.parse(topic)
            if known is None:  # seen in a spool, where it had a file's name
                topic = topics.receipt(dice.choice(units), dice.choice(topics.LEVELS))
            elif dice.random() < 0.3:
                topic = topic.replace(known.unit, dice.choice(units))
            client.publish(topic, raw, qos=1, retain="/up/" not in topic)
        for unit in units:  # the last receipts are held back, and keys of a stranger offered in their place
            client.publish(topics.receipt(unit, dice.choice(topics.LEVELS)), b"", qos=1, retain=True)
            last = client.publish(topics.keyset(unit), material.keyset(), qos=1, retain=True)
            with contextlib.suppress(ValueError, RuntimeError):
                last.wait_for_publish(2.0)
    finally:
        client.disconnect()
        client.loop_stop()


def hostile_uplink(spool_in: Path, epoch: str, material: Material, dice: random.Random) -> None:
    """Put what was seen, bent and invented where the agent takes its mail from."""
    for path in list(spool_in.iterdir()):
        with contextlib.suppress(OSError):
            if path.is_file() and path.name != "link":
                material.see(path.name, path.read_bytes())
                if dice.random() < 0.3:
                    path.unlink()
    for number in range(HARM):
        _, raw = material.harm()
        name = dice.choice(
            (
                f"{dice.choice(topics.LEVELS)}-{epoch}-{dice.choice((1, 2, 9))}-{number + 10**11:012d}",
                down_name(raw),
                keyset_name(dice.randrange(1, 10**6)),
                f"nothing-{number}",
            )
        )
        with contextlib.suppress(SpoolFailed):
            write_atomically(spool_in, name, material.keyset() if name.startswith("keyset") else raw)
    with contextlib.suppress(OSError):
        (spool_in / f"opened-{epoch}-1-{'9' * 12}").symlink_to("/etc/hostname")


def _as_it_was(raw: bytes) -> bytes:
    return raw

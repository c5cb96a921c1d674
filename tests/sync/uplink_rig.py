"""A unit and a centre for tests of the uplink: real keys, real envelopes, made-up entries."""

import dataclasses
import hashlib
import os
import secrets
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.ports.sealing import Receipt, StreamReceipt, Tips
from edge.records.fields import Field, Kind, Stream
from edge.spool.files import write_atomically
from sync.wire import batches, cose, keys, keyset, receipts, sessions, topics
from sync.wire.keyset import Key, Keyset, Use
from sync.wire.sessions import SessionKey

REALM = "training"
UNIT = "van-07"
PRIORITY = {"key": 0, "alert": 1, "vitals": 2, "doc": 3, "wave": 4, "audit": 5}


class CentreKeys:
    """Everything the centre signs and opens with."""

    def __init__(self, realm: str = REALM, generations: tuple[int, ...] = (1,)) -> None:
        self.realm = realm
        self.root = keys.make_signing()
        self.signing = {level: keys.make_signing() for level in topics.LEVELS}
        self.seal_to = keys.make_sealing()
        self.keyset = Keyset(
            1,
            realm,
            generations,
            (
                *(Key(keys.signing_public(self.signing[use.value]), use) for use in (Use.LANDED, Use.OPENED)),
                Key(keys.sealing_public(self.seal_to), Use.SEAL_TO),
            ),
        )
        self.raw_keyset = keyset.sign(self.keyset, self.root)
        self.roots = (keys.signing_public(self.root), keys.signing_public(keys.make_signing()))


class Box:
    """A unit's journal and seal, as far as the uplink can tell."""

    def __init__(self, centre: CentreKeys, spool_out: Path, unit: str = UNIT) -> None:
        self.unit = unit
        self.spool_out = spool_out
        self.centre = centre
        self.epoch = secrets.token_bytes(8)
        self.sign_private = keys.make_signing()
        self.sign_public = keys.signing_public(self.sign_private)
        self.author = batches.Author(unit, centre.realm, self.epoch, self.sign_private)
        self.heads = {s: chain.first_head(centre.realm, unit, self.epoch, s) for s in Stream}
        self.tips = dict.fromkeys(Stream, 0)
        self.key_name = ""
        self.session: SessionKey | None = None

    def _tips(self) -> Tips:
        a, v, d, w, u = (self.tips[s] for s in Stream)
        return Tips((a, v, d, w, u), self.heads[Stream.AUDIT][: chain.VISIBLE_HEAD_BYTES])

    def _put(self, word: str, first: int, n: int, raw: bytes) -> str:
        name = f"{PRIORITY[word]}-{word}-{first}-{n}-{secrets.token_hex(8)}"
        write_atomically(self.spool_out, name, raw)
        return name

    def begin_session(self) -> str:
        """Spool a key message; its file's name."""
        key = sessions.make_key()
        recipients = [self.centre.keyset.of_use(Use.SEAL_TO)[0].key]
        raw, session_id = batches.make_key_message(self.author, self._tips(), key, recipients)
        self.session = SessionKey(key, session_id)
        self.key_name = self._put("key", 0, 0, raw)
        return self.key_name

    def entries(self, stream: Stream, n: int, text: bytes = b"") -> list[Entry]:
        made: list[Entry] = []
        for _ in range(n):
            self.tips[stream] += 1
            seq = self.tips[stream]
            payload = cbor.encode({int(Field.WALL_MS): seq, int(Field.SALT): text or os.urandom(24)})
            leaf = chain.leaf(bytes(32), self.epoch, stream, seq, payload)
            self.heads[stream] = chain.next_head(self.heads[stream], stream, seq, Kind.OBSERVATION, leaf)
            made.append(Entry(stream, seq, Kind.OBSERVATION, payload, leaf, self.heads[stream]))
        return made

    def save(self, stream: Stream = Stream.VITALS, n: int = 3, size: int = 24) -> str:
        """Append entries and spool them as one batch; its file's name."""
        if self.session is None:
            self.begin_session()
        assert self.session is not None
        entries = self.entries(stream, n, os.urandom(size))
        raw = batches.seal_batch(self.author, entries, self._tips(), self.session)
        return self._put(stream.word, entries[0].seq, n, raw)

    def visible_head(self, stream: Stream) -> bytes:
        return self.heads[stream][: chain.VISIBLE_HEAD_BYTES]


@dataclasses.dataclass
class Landed:
    """What the centre holds of one epoch."""

    seqs: dict[Stream, set[int]] = dataclasses.field(default_factory=lambda: {s: set() for s in Stream})
    heads: dict[tuple[Stream, int], bytes] = dataclasses.field(default_factory=dict)
    sessions: list[bytes] = dataclasses.field(default_factory=list)


def receipt_of(landed: Landed, unit: str, epoch: bytes, rseq: int, **more: object) -> Receipt:
    """What the centre would say of what it holds."""
    streams: dict[Stream, StreamReceipt] = {}
    for stream, seqs in landed.seqs.items():
        if not seqs:
            continue
        through, top = 0, max(seqs)
        while through + 1 in seqs:
            through += 1
        gaps: list[tuple[int, int]] = []
        for seq in range(through + 1, top + 1):
            if seq not in seqs:
                if gaps and gaps[-1][1] == seq - 1:
                    gaps[-1] = (gaps[-1][0], seq)
                else:
                    gaps.append((seq, seq))
        head = landed.heads.get((stream, through), bytes(chain.VISIBLE_HEAD_BYTES))
        streams[stream] = StreamReceipt(through, head, top, tuple(gaps[: receipts.MAX_MISSING]))
    values: dict[str, Any] = {
        "level": "landed",
        "generation": 1,
        "sessions_needed": (),
        "nacks": (),
        "window": 0,
        "retry_after_s": 0,
        "centre_ms": 1_760_000_000_000,
        **more,
    }
    return Receipt(
        unit=unit,
        epoch=epoch,
        rseq=rseq,
        streams=streams,
        sessions_landed=tuple(landed.sessions[-receipts.MAX_SESSIONS :]),
        **values,
    )


class Centre:
    """Lands what comes, keeps it in memory, answers with signed retained receipts.

    It comes back by itself when the broker does, and forgets nothing, like the real one.

    Args:
        port: of the broker on loopback, or the path of its socket file.

    Attributes:
        silent: land, but answer nothing.
        deaf: neither land nor answer.
        ignore: spool words whose batches are dropped unanswered, as if their signature were wrong.
        copies: how often each (word, first, n) came.
        order: the words and first numbers in order of coming.
        states: what was said on the state topic.
    """

    def __init__(self, box: Box, port: int | Path) -> None:
        self.box = box
        self.landed = Landed()
        self.silent = False
        self.deaf = False
        self.ignore: set[str] = set()
        self.copies: Counter[tuple[str, int, int]] = Counter()
        self.order: list[tuple[str, int]] = []
        self.states: list[bytes] = []
        self.window = 0
        self.rseq = 0
        self.changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="centre",
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="tcp" if isinstance(port, int) else "unix",
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(topics.UP_ALL, 1), (topics.STATE_ALL, 1)]
        )
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        host, number = ("127.0.0.1", port) if isinstance(port, int) else (str(port), 1883)
        self._client.connect_async(host, number, 5)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()
        if self.rseq and not self.silent:
            self.answer()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self.changed:
            topic = topics.parse(message.topic)
            assert topic is not None
            if topic.plane is topics.Plane.STATE:
                self.states.append(bytes(message.payload))
            elif not self.deaf:
                self._land(bytes(message.payload), str(topic.word))
            self.changed.notify_all()

    def _land(self, raw: bytes, word: str) -> None:
        purpose = cose.Purpose.KEY if word == "key" else cose.Purpose.UP
        signed = batches.verify(raw, self.box.sign_public, REALM, purpose)
        header = signed.header
        first, n = header.first or 0, header.n or 0
        self.copies[word, first, n] += 1
        self.order.append((word, first))
        if word in self.ignore:
            return
        if header.stream is None:
            if signed.session_id not in self.landed.sessions:
                self.landed.sessions.append(signed.session_id)
        else:
            self.landed.seqs[header.stream].update(range(first, first + n))
            self.landed.heads[header.stream, first + n - 1] = header.head or b""
        if not self.silent:
            self.answer()

    def answer(self, **more: object) -> bytes:
        """Say what has landed."""
        self.rseq += 1
        receipt = receipt_of(
            self.landed, self.box.unit, self.box.epoch, self.rseq, window=self.window, **more
        )
        raw = receipts.sign(receipt, self.box.centre.signing[receipt.level], REALM)
        self._client.publish(topics.receipt(self.box.unit, receipt.level), raw, qos=1, retain=True)
        return raw

    def publish(self, topic: str, raw: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(5)

    def holds_all(self, *streams: Stream) -> bool:
        """Whether everything the box has saved is here, its session too."""
        session = self.box.session
        return (session is None or session.id in self.landed.sessions) and all(
            self.landed.seqs[s] == set(range(1, self.box.tips[s] + 1)) for s in (streams or tuple(Stream))
        )


def digest(directory: Path) -> dict[str, str]:
    """What lies in a directory, byte for byte."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.is_file()
    }
